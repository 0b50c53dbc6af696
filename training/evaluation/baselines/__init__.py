"""Simple rankers and classifiers that every evaluation runs beside the model."""
