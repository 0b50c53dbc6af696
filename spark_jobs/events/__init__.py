"""From raw rows to events and sessions: duplicates, bots, accounting."""
