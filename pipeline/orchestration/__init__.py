"""The graph of the night, declared once; the commands of its steps; the range load."""
