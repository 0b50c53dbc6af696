"""What a file seems to be, and a source file for it."""
