"""The results of experiments, as known at a day, as one page each.

    python -m pipeline experiment report --name banner --ds 2026-03-31    # one
    python -m pipeline experiment report --ds 2026-03-31                  # all that are declared

Reads `$TIDEMARK_HOME/experiments/NAME.toml` and `events`; writes `$TIDEMARK_HOME/reports/experiments/NAME.html` and
prints the answer. It may be run every day: p-values and intervals hold at every look.
"""

from pathlib import Path

from pipeline.decisions.experiments.analysis import Result, analyse
from pipeline.decisions.experiments.experiment import load_experiment
from pipeline.decisions.experiments.outcomes import read_outcomes
from pipeline.decisions.experiments.page import answer, page
from pipeline.runtime.atomic import replace_text
from pipeline.runtime.days import shift
from pipeline.runtime.settings import Settings


def report_all(settings: Settings, ds: str) -> None:
    """Writes the page of every declared experiment in which somebody's window can be over by `ds`."""
    for file in sorted((settings.home / "experiments").glob("*.toml")):
        experiment = load_experiment(settings, file.stem)
        first = shift(experiment.first_day, experiment.window_days - 1)
        if ds < first:
            print(f"{experiment.name}: no page before {first}, when the first user's window can be over")
            continue
        result, path = report(settings, experiment.name, ds)
        print(f"{experiment.name}: {answer(result)}; page: {path}")


def report(settings: Settings, name: str, ds: str) -> tuple[Result, Path]:
    """Analyses the experiment and writes its page."""
    experiment = load_experiment(settings, name)
    result = analyse(experiment, read_outcomes(experiment, settings, ds), ds)
    path = settings.reports / "experiments" / f"{name}.html"
    replace_text(path, page(result))
    return result, path
