"""Hourly learning: a few small, guarded steps from the champion between two full trainings."""
