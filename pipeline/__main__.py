"""`python -m pipeline`."""

from pipeline.commands import cli
from pipeline.runtime import program

if __name__ == "__main__":
    program.run(cli.main)
