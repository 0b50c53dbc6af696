"""Staged, audited, published, read: the catalogue and its maintenance, rollback, `audit/`."""
