"""Benches: what the product costs, and how good its answers are where the truth is known.

`bench_NAME.py` is the bench NAME, run by `python -m tests.bench NAME`; the other modules help them.
"""
