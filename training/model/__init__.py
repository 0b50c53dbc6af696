"""A trained model as a folder: its predictions and its lists."""
