"""Evaluation: metrics, baselines, judging, the report."""
