"""Uplift: who changes behaviour because of an ad, where randomisation can show it."""
