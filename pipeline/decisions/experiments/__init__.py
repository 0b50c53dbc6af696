"""Experiments: who is in which arm, how many are needed, what came out, and how sure that is."""
