"""Segments: named sets of users with their sizes and members."""
