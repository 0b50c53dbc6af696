"""Uplift: who changes behaviour because of an ad, where randomisation lets one tell."""
