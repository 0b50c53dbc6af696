"""Fitting a model: the loop, parallel processes, checkpoints."""
