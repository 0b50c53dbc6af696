"""Kernels of interests and their drift: arrays of many users in, one row per user out."""
