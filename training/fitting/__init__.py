"""Fitting a model: the loop, processes side by side, checkpoints."""
