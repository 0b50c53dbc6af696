"""The regret of all players as a table and a picture."""

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")  # no display

from matplotlib import pyplot as plt

from pipeline.decisions.simulator.world import ROUNDS

MIDDLE = 0.9
HEAD = "| policy | regret, clicks lost | of uniform | days 1-33 | days 34-66 | days 67-100 |"


def table(regrets: dict[str, np.ndarray]) -> str:
    """Markdown; mean over seeds with the half-width of its 95% interval, best first."""
    uniform = regrets["uniform"][:, -1].mean()
    lines = [HEAD, "|" + "---|" * 6]
    for name, curves in sorted(regrets.items(), key=lambda entry: entry[1][:, -1].mean()):
        final = curves[:, -1]
        reach = 1.96 * final.std(ddof=1) / np.sqrt(len(final)) if len(final) > 1 else float("nan")
        thirds = np.diff(curves[:, [0, ROUNDS // 3, 2 * ROUNDS // 3, ROUNDS - 1]]).mean(axis=0)
        cells = [f"{third:.0f}" for third in thirds]
        lines.append(
            f"| {name} | {final.mean():.0f} ± {reach:.0f} | {final.mean() / uniform:.0%} | {' | '.join(cells)} |"
        )
    return "\n".join([*lines, "| oracle | 0 | 0% | 0 | 0 | 0 |"])


def draw(regrets: dict[str, np.ndarray], path: Path) -> None:
    """Cumulative regret by day, mean and the middle 90% of seeds."""
    figure, axis = plt.subplots(figsize=(11, 6.5), layout="constrained")
    colours = plt.get_cmap("tab20").colors  # type: ignore[attr-defined]
    ordered = sorted(regrets.items(), key=lambda entry: -entry[1][:, -1].mean())
    for number, (name, curves) in enumerate(ordered):
        day, mean = np.arange(1, ROUNDS + 1), curves.mean(axis=0)
        low, high = np.quantile(curves, [(1 - MIDDLE) / 2, (1 + MIDDLE) / 2], axis=0)
        line = ":" if "window" in name else "--" if "discount" in name else "-"
        axis.plot(day, mean, line, label=name, color=colours[number % 20], linewidth=1.8)
        axis.fill_between(day, low, high, color=colours[number % 20], alpha=0.05, linewidth=0)
    axis.axhline(0, color="black", linewidth=1, label="oracle")
    seeds = len(next(iter(regrets.values())))
    axis.set_title(f"{seeds} seeds; tastes change on day {ROUNDS // 2}")
    axis.set(xlabel="day", ylabel="cumulative regret (clicks lost)")
    axis.legend(fontsize=8, ncols=2, title="worst first")
    figure.savefig(path, dpi=90)
    plt.close(figure)
