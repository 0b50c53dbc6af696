"""What a trial says of uplift as one page that opens anywhere: no script, no network."""

from functools import cache

import numpy as np
from jinja2 import Environment
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pipeline.decisions.experiments.page import BLUE, GREY
from pipeline.decisions.uplift.candidates import name_of
from pipeline.decisions.uplift.judge import Findings
from pipeline.runtime import pages

Figured = tuple[float, tuple[float, float]]  # a value and its interval


def page(found: Findings, ds: str) -> str:
    """The whole page as HTML."""
    figures: dict[str, Figured] = {
        "mean effect": (found.plain.value, found.plain.interval()),
        "mean effect, adjusted": (found.adjusted.value, found.adjusted.interval()),
        "Qini coefficient": (found.qini.coefficient, found.qini.interval),
        "AUUC": (found.qini.auuc, found.qini.auuc_interval),
    }
    return (
        _environment()
        .get_template("uplift.html.j2")
        .render(
            name=found.trial.name,
            ds=ds,
            found=found,
            treated=int(found.trial.treated.sum()),
            figures=figures,
            differ=f"{max(found.difference_p_value, 1e-6):.2g}",
            learners=_learners(found),
            address=pages.picture(_drawn(found)),
        )
    )


def refused_page(name: str, ds: str, reason: str) -> str:
    """The page of a trial from which nothing can be learned."""
    return _environment().get_template("refused.html.j2").render(name=name, ds=ds, reason=reason)


@cache
def _environment() -> Environment:
    return pages.environment("pipeline.decisions.uplift")


def _learners(found: Findings) -> list[tuple[str, str, str]]:
    """Each learner with its risk beyond the least, and the folds that it ranks."""
    judged = found.judged
    risk = judged.risk.sum(axis=0) / judged.trial.weight.sum()
    rows = []
    for candidate, value in zip(judged.candidates, risk - risk.min(), strict=True):
        name = name_of(candidate)
        folds = [str(n + 2) for n, chosen in enumerate(judged.chosen) if chosen == name]
        rows.append((" with ".join(candidate), f"{value:.3g}", ", ".join(folds)))
    return rows


def _drawn(found: Findings) -> Figure:
    """The Qini curve, and the effect by tenth of users."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _curve(left, found)
    _groups(right, found)
    return figure


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
