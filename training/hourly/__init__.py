"""Hourly learning: few, small, guarded steps from the champion between two of its trainings."""
