"""Sums of money that do not depend on the order of rows."""

import polars as pl

MICROS = 1e6


def exact_sum(value: pl.Expr) -> pl.Expr:
    """Sum in millionths of a unit; nulls count as 0.

    A sum of floats changes with the order of its terms, so a range load and a night would differ.
    """
    return ((value * MICROS).round().cast(pl.Int128).sum().cast(pl.Float64) / MICROS).round(6)
