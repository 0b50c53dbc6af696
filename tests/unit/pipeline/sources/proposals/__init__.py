"""A first look at files, and the source files that are made of it."""
