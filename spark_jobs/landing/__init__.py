"""From landed files to raw rows: reading, mapping, rejecting, pseudonymising."""
