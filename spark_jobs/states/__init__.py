"""States carried from day to day: histories, items, training examples."""
