"""The learned ranking: candidates, their features, and the blend that orders them."""
