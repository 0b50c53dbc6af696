"""Encoders of texts and pictures, counted words, sentiment."""
