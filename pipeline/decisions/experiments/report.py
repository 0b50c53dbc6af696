"""The result of an experiment, as known at a day, as one page.

    python -m pipeline.decisions.experiments.report --name banner --ds 2026-03-31

Reads `$TIDEMARK_HOME/experiments/NAME.toml` and `events`; writes
`$TIDEMARK_HOME/reports/experiments/NAME.html` and prints the answer. It may be run every day:
p-values and intervals hold at every look.
"""

import argparse
from pathlib import Path

from pipeline.decisions.experiments.analysis import Result, analyse
from pipeline.decisions.experiments.experiment import load_experiment
from pipeline.decisions.experiments.outcomes import read_outcomes
from pipeline.decisions.experiments.page import answer, page
from pipeline.runtime import program
from pipeline.runtime.days import parse_day
from pipeline.runtime.settings import Settings, load_settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, help="the experiment: name of its file")
    parser.add_argument("--ds", required=True, help="the last day that counts")
    given = parser.parse_args()
    result, path = report(load_settings(), given.name, parse_day(given.ds))
    print(f"{given.name}: {answer(result)}")
    print(f"users: {result.users[0]:,} and {result.users[1]:,}; page: {path}")


def report(settings: Settings, name: str, ds: str) -> tuple[Result, Path]:
    """Analyses the experiment and writes its page."""
    experiment = load_experiment(settings, name)
    result = analyse(experiment, read_outcomes(experiment, settings, ds), ds)
    path = settings.reports / "experiments" / f"{name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(result), encoding="utf-8")
    return result, path


if __name__ == "__main__":
    program.run(main)
