"""Runs and versions of models in MLflow."""
