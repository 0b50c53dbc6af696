"""A trained model as a folder: what it predicts, the lists it makes."""
