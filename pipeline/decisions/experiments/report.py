"""The result of an experiment, as known at a day, as one page.

    python -m pipeline experiment report --name banner --ds 2026-03-31

Reads `$TIDEMARK_HOME/experiments/NAME.toml` and `events`; writes
`$TIDEMARK_HOME/reports/experiments/NAME.html` and prints the answer. It may be run every day:
p-values and intervals hold at every look.
"""

from pathlib import Path

from pipeline.decisions.experiments.analysis import Result, analyse
from pipeline.decisions.experiments.experiment import load_experiment
from pipeline.decisions.experiments.outcomes import read_outcomes
from pipeline.decisions.experiments.page import page
from pipeline.runtime.settings import Settings


def report(settings: Settings, name: str, ds: str) -> tuple[Result, Path]:
    """Analyses the experiment and writes its page."""
    experiment = load_experiment(settings, name)
    result = analyse(experiment, read_outcomes(experiment, settings, ds), ds)
    path = settings.reports / "experiments" / f"{name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(result), encoding="utf-8")
    return result, path
