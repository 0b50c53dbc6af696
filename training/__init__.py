"""Item encoding, the interest model, its evaluation and promotion, and nightly scoring."""
