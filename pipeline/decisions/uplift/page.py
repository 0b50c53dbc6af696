"""What a trial says of uplift as one page that opens anywhere: no script, no network."""

import base64
from html import escape
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pipeline.decisions.experiments.page import STYLE
from pipeline.decisions.uplift.candidates import name_of
from pipeline.decisions.uplift.effects import Effect
from pipeline.decisions.uplift.judge import Findings

BLUE, GREY = "#3d7ea6", "#888888"
MEANINGS = """
<dt>uplift</dt><dd>how much more of the outcome a user gives because of the treatment. Nobody is
seen both with and without it, so it is measured on groups and foretold for users.</dd>
<dt>Qini curve</dt><dd>users ranked by foretold uplift, best first: the outcome gained, per user of
all, when so many of them are treated. A random ranking draws the straight line.</dd>
<dt>Qini coefficient</dt><dd>the area between the two. When its interval holds 0, the ranking may
be chance, and no user is scored.</dd>
<dt>AUUC</dt><dd>the whole area under the curve.</dd>
<dt>adjusted</dt><dd>doubly robust: less what features foretell of the outcome, so that chance
differences between the arms count less.</dd>
<dt>effects differ</dt><dd>chance of measured effects that follow the foretold ones as well, were
the effect the same for all.</dd>
"""


def page(found: Findings, ds: str) -> str:
    """The whole page as HTML."""
    trial = found.trial
    said = "Some users gain more than others" if found.scored else "It cannot be told"
    facts = [
        ("mean effect", _effect(found.plain)),
        ("mean effect, adjusted", _effect(found.adjusted)),
        ("Qini coefficient", _figure(found.qini.coefficient, found.qini.interval)),
        ("AUUC", _figure(found.qini.auuc, found.qini.auuc_interval)),
        ("effects differ", f"p = {max(found.difference_p_value, 1e-6):.2g}"),
    ]
    rows = "".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in facts)
    return _html(
        trial.name,
        f"""
{_intro(found, ds)}
<p class="answer"><strong>{said}.</strong> {escape(found.reason)}.</p>
{_picture(found)}
<table>{rows}</table>
<h2>By tenths of users</h2>{_deciles(found)}
<h2>The choice of the learner</h2>
<p>By the doubly robust risk, never by the figures above. Each fifth of the users (fold) is judged
by models of the folds before it, with the learner that did best there. The night is scored by
{escape(found.scorers.learner.replace("_", " with "))}, the best on all, fitted for each fold on the
others.</p>
{_risks(found)}
<h2>How to read it</h2><dl>{MEANINGS}</dl>""",
    )


def refused_page(name: str, ds: str, reason: str) -> str:
    """The page of a trial from which nothing can be learned."""
    return _html(
        name,
        f"""<p>As known at {ds}.</p>
<p class="answer alarm"><strong>Nothing can be said.</strong> {escape(reason)}.</p>""",
    )


def _html(name: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Uplift: {escape(name)}</title>
<style>{STYLE}</style>
<h1>Uplift: {escape(name)}</h1>{body}
</html>
"""


def _intro(found: Findings, ds: str) -> str:
    trial = found.trial
    treated = int(trial.treated.sum())
    return (
        f"<p>Whom {escape(trial.treatment)} changes, beside {escape(trial.control)}: "
        f"{escape(trial.measure)}, of {treated:,} users with and {len(trial) - treated:,} without, "
        f"by {len(trial.columns)} features as known before they entered. Night of {ds}.</p>"
    )


def _figure(value: float, interval: tuple[float, float]) -> str:
    return f"{value:+.4g} <small>(95% from {interval[0]:+.4g} to {interval[1]:+.4g})</small>"


def _effect(effect: Effect) -> str:
    return _figure(effect.value, effect.interval())


def _deciles(found: Findings) -> str:
    rows = "".join(
        f"<tr><td>{number}</td><td>{effect.users:,}</td><td>{_effect(effect)}</td></tr>"
        for number, effect in enumerate(found.deciles, start=1)
    )
    return f"<table><tr><th>tenth</th><th>users</th><th>effect, adjusted</th></tr>{rows}</table>"


def _risks(found: Findings) -> str:
    judged = found.judged
    risk = judged.risk.sum(axis=0) / judged.trial.weight.sum()
    heads = "<tr><th>learner</th><th>risk beyond the least</th><th>ranks fold</th></tr>"
    rows = ""
    for candidate, value in zip(judged.candidates, risk - risk.min(), strict=True):
        name = name_of(candidate)
        folds = [str(n + 2) for n, chosen in enumerate(judged.chosen) if chosen == name]
        rows += f"<tr><td>{' with '.join(candidate)}</td><td>{value:.3g}</td>"
        rows += f"<td>{', '.join(folds)}</td></tr>"
    return f"<table>{heads}{rows}</table>"


def _picture(found: Findings) -> str:
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _curve(left, found)
    _groups(right, found)
    held = BytesIO()
    figure.savefig(held, format="png", dpi=90, metadata={"Software": None})
    text = base64.b64encode(held.getvalue()).decode()
    return f'<img alt="Qini curve and effects by tenth" src="data:image/png;base64,{text}">'


def _curve(axis: Axes, found: Findings) -> None:
    curve = found.qini
    axis.fill_between(curve.shares, *curve.band, color=BLUE, alpha=0.2, linewidth=0)
    axis.plot(curve.shares, curve.gains, color=BLUE, label="ranked by uplift")
    axis.plot([0, 1], [0, curve.gains[-1]], color=GREY, linestyle="--", label="random order")
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    axis.set(
        title="Qini curve, with 95% of redrawn ones",
        xlabel="share of users treated",
        ylabel=f"{found.trial.measure} gained per user",
    )
    axis.legend(loc="best", frameon=False)


def _groups(axis: Axes, found: Findings) -> None:
    numbers = np.arange(1, len(found.deciles) + 1)
    values = [effect.value for effect in found.deciles]
    reach = [effect.value - effect.interval()[0] for effect in found.deciles]
    axis.axhline(0, color="black", linewidth=0.8)
    axis.axhline(found.adjusted.value, color=GREY, linestyle="--", label="all users")
    axis.errorbar(numbers, values, reach, color=BLUE, fmt="o", capsize=3)
    axis.set_xticks(numbers)
    axis.set(title="Effect by tenth of users, 95% intervals", xlabel="tenth, best first")
    axis.legend(loc="best", frameon=False)
