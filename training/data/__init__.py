"""What training reads: users, sequences, counts, the catalogue of items."""
