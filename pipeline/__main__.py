"""`python -m pipeline`."""

from pipeline.commands import cli
from pipeline.runtime import program


def main() -> None:
    program.run(cli.main)


if __name__ == "__main__":
    main()
