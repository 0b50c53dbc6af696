"""The text encoder adapted to the shop: what it learns from, how it is fitted, judged and registered."""
