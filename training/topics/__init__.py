"""Interest topics: clusters of items by text and behaviour that keep their identity over time."""
