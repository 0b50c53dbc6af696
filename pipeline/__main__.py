"""`python -m pipeline`."""

from pipeline import cli, ending

if __name__ == "__main__":
    ending.run(cli.main)
