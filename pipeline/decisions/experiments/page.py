"""The result of an experiment as one page that opens anywhere: no script, no network."""

from datetime import date
from functools import cache

import numpy as np
from jinja2 import Environment
from matplotlib import dates
from matplotlib.figure import Figure

from pipeline.decisions.experiments.analysis import MetricResult, Result
from pipeline.decisions.experiments.statistics import RATIO_ALARM
from pipeline.runtime import pages
from pipeline.runtime.floor import FLOOR, people

FEW = f"fewer than {FLOOR} users"
COLUMNS = 7  # of figures
BLUE, GREY = "#3d7ea6", "#888888"


def page(result: Result) -> str:
    """The whole page as HTML."""
    broken = result.tellable and any(it.verdict == "broken" for it in result.metrics)
    template = _environment().get_template("experiment.html.j2")
    return template.render(
        result=result,
        answer=answer(result),
        state="wrong" if broken or (result.tellable and not result.trusted) else "fine",
        cells=_cells if result.tellable else lambda metric: [FEW] * COLUMNS,
        people=people,
        pictures=[(it.metric.name, pages.picture(_drawn(it))) for it in result.metrics if it.days and result.tellable],
    )


def answer(result: Result) -> str:
    """What came out, in one sentence."""
    if not sum(result.users):
        return "Nobody's days are over yet."
    if not result.tellable:
        return f"Fewer than {FLOOR} users of an arm are done: no figure is shown, since it would be theirs."
    if not result.trusted:
        return (
            f"Do not read the rest: the split of users has a chance of {result.ratio_p_value:.2g} "
            f"(below {RATIO_ALARM:g}). Something assigns or loses users unevenly; find it first."
        )
    primary = next(it for it in result.metrics if it.metric.role == "primary")
    broken = [it.metric.name for it in result.metrics if it.verdict == "broken"]
    harm = f" But guardrails are broken: {', '.join(broken)}." if broken else ""
    said = {
        "better": "The treatment is better",
        "worse": "The treatment is worse",
        "open": "It is still open whether the treatment is better",
    }[primary.verdict]
    return f"{said} in {primary.metric.name}.{harm}"


@cache
def _environment() -> Environment:
    return pages.environment("pipeline.decisions.experiments")


def _cells(result: MetricResult) -> list[str]:
    """The figures of a metric, in the order of the table's columns."""
    return [
        f"{result.plain.control:.4g}",
        f"{result.plain.treatment:.4g}",
        f"{result.adjusted.value:+.4g}",
        _interval(result.interval),
        f"{result.p_value:.3g}",
        _interval(result.adjusted.interval()),
        f"{result.variance_gone:.0%}",
    ]


def _interval(bounds: tuple[float, float]) -> str:
    if not np.isfinite(bounds).all():
        return "too few users"
    return f"{bounds[0]:+.4g} to {bounds[1]:+.4g}"


def _drawn(result: MetricResult) -> Figure:
    """The difference by day, with its interval."""
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    axis = figure.subplots()
    days = [date.fromisoformat(day) for day in result.days]
    low, high = np.array(result.intervals).T
    known = np.isfinite(low) & (np.array(result.least_users) >= FLOOR)
    axis.axhline(0, color=GREY, linewidth=1)
    if known.any():
        shown = np.array(days)[known]
        axis.plot(shown, np.array(result.differences)[known], color=BLUE)
        axis.fill_between(shown, low[known], high[known], color=BLUE, alpha=0.2)
    axis.set_title(f"{result.metric.name}: treatment less control, 95% at every look")
    axis.xaxis.set_major_locator(dates.AutoDateLocator(maxticks=8))
    axis.xaxis.set_major_formatter(dates.ConciseDateFormatter(axis.xaxis.get_major_locator()))
    return figure
