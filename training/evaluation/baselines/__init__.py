"""Simple rankers and classifiers that every evaluation compares the model with."""
