"""Bandit policies: how likely each arm is to be shown, learned from what was shown before."""
