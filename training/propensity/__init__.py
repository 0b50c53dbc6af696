"""Probabilities of what a user does next: two plain models stacked with the transformer's heads."""
