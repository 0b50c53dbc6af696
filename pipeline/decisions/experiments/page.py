"""The result of an experiment as one page that opens anywhere: no script, no network."""

import base64
from datetime import date
from html import escape
from io import BytesIO

import matplotlib
import numpy as np

matplotlib.use("Agg")  # no display

from matplotlib import dates
from matplotlib import pyplot as plt

from pipeline.decisions.experiments.analysis import MetricResult, Result
from pipeline.decisions.experiments.statistics import RATIO_ALARM

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1c2733 }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { text-align: right; padding: .35rem .6rem; border-bottom: 1px solid #d5dde5 }
th:first-child, td:first-child { text-align: left }
.answer { padding: .8rem 1rem; background: #eef4f9; border-left: .4rem solid #3d7ea6 }
.alarm { background: #fbecea; border-color: #b5443a }
small { color: #5b6b7a }
img { max-width: 100% }
"""
COLUMNS = (
    "metric",
    "control",
    "treatment",
    "difference",
    "95%, at every look",
    "p, at every look",
    "95%, one look",
    "variance gone",
    "verdict",
)
MEANINGS = """
<dt>better, worse, open</dt><dd>the interval that holds at every look lies above zero, below zero,
or holds it. It may be read every day; stopping early does not spoil it.</dd>
<dt>safe, broken</dt><dd>a guardrail certainly loses less, or more, than what is tolerated.</dd>
<dt>one look</dt><dd>the usual interval; it holds only if the day of looking was fixed
beforehand.</dd>
<dt>variance gone</dt><dd>share of the variance that the days before entry foretell (CUPED).</dd>
"""


def page(result: Result) -> str:
    """The whole page as HTML."""
    experiment = result.experiment
    (control, _), (treatment, _) = experiment.arms
    rows = "".join(_row(metric) for metric in result.metrics)
    heads = "".join(f"<th>{escape(name)}</th>" for name in COLUMNS)
    pictures = "".join(_picture(metric) for metric in result.metrics if metric.days)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{escape(experiment.name)}</title>
<style>{STYLE}</style>
<h1>Experiment {escape(experiment.name)}</h1>
<p>Users who entered from {experiment.first_day} to {experiment.last_day}, each judged over
{experiment.window_days} days; as known at {result.ds}. Control: {escape(control)}; treatment:
{escape(treatment)}.</p>
{_answer(result)}
<table><tr>{heads}</tr>{rows}</table>
{pictures}
<h2>How to read it</h2><dl>{MEANINGS}</dl>
<h2>Users</h2><p>{result.users[0]:,} in {escape(control)}, {result.users[1]:,} in
{escape(treatment)}; chance of such a split if users were assigned as declared:
{result.ratio_p_value:.3g}. A test of one look with 80% power to see a gain of
{experiment.primary.least_gain:g} in {escape(experiment.primary.name)} takes
{result.needed:,} users in all; looking every day takes more.</p>
</html>
"""


def answer(result: Result) -> str:
    """What came out, in one sentence."""
    if not sum(result.users):
        return "Nobody's days are over yet."
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


def _answer(result: Result) -> str:
    broken = any(it.verdict == "broken" for it in result.metrics)
    alarm = " alarm" if broken or not result.trusted else ""
    return f'<p class="answer{alarm}"><strong>{escape(answer(result))}</strong></p>'


def _row(result: MetricResult) -> str:
    metric = result.metric
    role = f"{metric.role}, {metric.better} is better"
    if metric.role == "guardrail":
        role += f"; tolerated: {metric.least_gain:g}"
    cells = [
        f"{result.plain.control:.4g}",
        f"{result.plain.treatment:.4g}",
        f"{result.adjusted.value:+.4g}",
        _interval(result.interval),
        f"{result.p_value:.3g}",
        _interval(result.adjusted.interval()),
        f"{result.variance_gone:.0%}",
        f"<strong>{result.verdict}</strong>",
    ]
    name = f"{escape(metric.name)}<br><small>{escape(role)}</small>"
    return f"<tr><td>{name}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _interval(bounds: tuple[float, float]) -> str:
    if not np.isfinite(bounds).all():
        return "too few users"
    return f"{bounds[0]:+.4g} to {bounds[1]:+.4g}"


def _picture(result: MetricResult) -> str:
    figure, axis = plt.subplots(figsize=(9, 2.8), layout="constrained")
    days = [date.fromisoformat(day) for day in result.days]
    low, high = np.array(result.intervals).T
    known = np.isfinite(low)
    axis.axhline(0, color="#888888", linewidth=1)
    if known.any():
        shown = np.array(days)[known]
        axis.plot(shown, np.array(result.differences)[known], color="#3d7ea6")
        axis.fill_between(shown, low[known], high[known], color="#3d7ea6", alpha=0.2)
    axis.set_title(f"{result.metric.name}: treatment less control, 95% at every look")
    axis.xaxis.set_major_locator(dates.AutoDateLocator(maxticks=8))
    axis.xaxis.set_major_formatter(dates.ConciseDateFormatter(axis.xaxis.get_major_locator()))
    held = BytesIO()
    figure.savefig(held, format="png", dpi=90, metadata={"Software": None})
    plt.close(figure)
    name = escape(result.metric.name)
    return f'<img alt="{name} by day" src="data:image/png;base64,{_base64(held)}">'


def _base64(held: BytesIO) -> str:
    return base64.b64encode(held.getvalue()).decode()
