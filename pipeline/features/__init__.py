"""What readers use: features as of a moment, the online store, Feast."""
