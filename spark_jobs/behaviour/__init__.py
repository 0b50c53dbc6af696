"""Kernels of behaviour signals: Polars frames of many users in, one row per user out."""
