"""The intraday refresh: which hour, from which night on, and which landed files it takes."""
