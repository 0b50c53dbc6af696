"""The report as tables: for a terminal, as Markdown, as HTML."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from training.evaluation.report import Audit, Interval, Report, heads_of, lists_of, of_list

METRICS = {
    "ndcg_10": "NDCG@10",
    "recall_10": "Recall@10",
    "hit_10": "HitRate@10",
    "mrr": "MRR",
    "ndcg_20": "NDCG@20",
    "recall_20": "Recall@20",
    "coverage_10": "coverage",
    "novelty_10": "novelty, bits",
    "diversity_10": "diversity",
    "log_loss": "log-loss",
    "auc": "AUC",
    "pr_auc": "PR-AUC",
    "ece": "ECE",
    "rate": "rate",
}
BY_TEXT = ("published", "transformer", "transformer_ids")
HEAD_METRICS = ("rate", "auc", "pr_auc", "log_loss", "ece")


@dataclass(frozen=True)
class Table:
    """Text cells."""

    title: str
    head: list[str]
    rows: list[list[str]]


def tables(report: Report) -> Iterator[Table]:
    """Who wins where, every ranker of each list, the propensities, staleness."""
    yield _verdicts(report)
    for name in lists_of(report):
        yield _rankers(report, name)
    yield _new_items(report)
    yield _heads(report)
    if report.weeks:
        yield _weeks(report)
    if report.fairness:
        yield from _audit(report.fairness)
    if report.gains:
        rows = [[name, figure(gain, sign=True)] for name, gain in report.gains.items()]
        yield Table(f"gain over champion {report.champion}", ["metric", "gain"], rows)


def lines(report: Report) -> list[str]:
    """The report for a terminal."""
    text = [f"the 28 days up to {report.ds}: {report.users} users, {report.ranked_users} ranked"]
    for table in tables(report):
        rows = [table.head, *table.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(len(table.head))]
        text += ["", table.title]
        text += ["  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return text


def markdown(report: Report) -> str:
    """The report as a page of Markdown tables."""
    who = f"{report.users} users, of whom {report.ranked_users} are ranked for."
    text = [f"# The 28 days up to {report.ds}", f"{who} Brackets: 95% intervals over users."]
    for table in tables(report):
        text += ["", f"## {table.title}", "", _pipes(table.head), _pipes(["---"] * len(table.head))]
        text += [_pipes(row) for row in table.rows]
    return "\n".join(text) + "\n"


def html(report: Report) -> str:
    """The same, for a browser."""
    parts = [
        "<!doctype html><meta charset=utf-8><style>body{font:14px sans-serif}"
        "td,th{text-align:left;padding:2px 12px 2px 0}</style>",
        f"<h1>The 28 days up to {report.ds}</h1>"
        f"<p>{report.users} users, {report.ranked_users} ranked; 95% intervals over users",
    ]
    for table in tables(report):
        rows = "".join(f"<tr>{_cells(row, 'td')}" for row in table.rows)
        head = f"<tr>{_cells(table.head, 'th')}"
        parts.append(f"<h2>{escape(table.title)}</h2><table>{head}{rows}</table>")
    return "\n".join(parts)


def figure(interval: Interval, sign: bool = False) -> str:
    """`.3071 [.2930, .3209]`; the bounds only where there are any."""
    middle, low, high = interval
    form = "+.4f" if sign else ".4f"
    bounds = f" [{low:{form}}, {high:{form}}]" if low == low else ""
    return f"{middle:{form}}{bounds}"


def _verdicts(report: Report) -> Table:
    head = ["question", "slice", "metric", "users", "best baseline", "its", "published", "gain", ""]
    rows = []
    for v in report.verdicts:
        word = "wins" if v.gain[1] > 0 else "loses" if v.gain[2] < 0 else "level"
        rows.append(
            [
                v.question,
                v.slice,
                METRICS[v.metric],
                str(v.users),
                v.best,
                figure(v.best_figure),
                figure(v.published),
                figure(v.gain, sign=True),
                word,
            ]
        )
    return Table("which baseline is best where, and what is published", head, rows)


def _rankers(report: Report, name: str) -> Table:
    shown = [m for m in METRICS if f"{name}/published/{m}" in report.rankings]
    rows = []
    for ranker in of_list(report, name):
        found = [report.rankings[f"{name}/{ranker}/{metric}"] for metric in shown]
        cells = [figure(x) if column == 0 else f"{x[0]:.4f}" for column, x in enumerate(found)]
        rows.append([ranker, *cells])
    return Table(name, ["ranker", *[METRICS[metric] for metric in shown]], rows)


def _new_items(report: Report) -> Table:
    """How much text helps for items that are too new to have an id."""
    rows = []
    for path, found in report.slices.items():
        name, part, ranker, metric = path.split("/")
        if part.startswith("items new") and metric == "recall_10" and ranker in BY_TEXT:
            rows.append([name, part, ranker, figure(found)])
    return Table("new items, with text and without", ["list", "slice", "by", "Recall@10"], rows)


def _heads(report: Report) -> Table:
    rows = []
    for head in heads_of(report):
        found = [report.propensities[f"{head}/{metric}"] for metric in HEAD_METRICS]
        rows.append([head, "published", *[figure(x) for x in found]])
        names = {path.split("/")[1] for path in report.propensity_baselines}
        for name in sorted(names):
            paths = [f"{head}/{name}/{metric}" for metric in HEAD_METRICS]
            rows.append([head, name, *[figure(report.propensity_baselines[p]) for p in paths]])
    return Table("propensities", ["head", "by", *[METRICS[m] for m in HEAD_METRICS]], rows)


def _weeks(report: Report) -> Table:
    rows = [[path, *[figure(x) for x in found]] for path, found in report.weeks.items()]
    head = ["scored once", "days 1-7", "8-14", "15-21", "22-28"]
    return Table("staleness", head, rows)


def _audit(fairness: Audit) -> Iterator[Table]:
    """Users and items by group, with the figures of lists; those of heads are in `evaluation/fairness.json`."""
    for side, title in (("users", "how users are served, by group"), ("items", "how items are shown, by group")):
        groups = [group for group in fairness.groups if group.side == side]
        shown = list(dict.fromkeys(m for group in groups for m in group.figures if "/" not in m))
        rows = [[it.by, it.name, str(it.users), *[figure(it.figures[m]) for m in shown]] for it in groups]
        if rows:
            yield Table(title, ["by", "group", "users", *[METRICS.get(m, m.replace("_", " ")) for m in shown]], rows)
    rows = [[path, figure(x, sign=path.startswith("gap/"))] for path, x in fairness.measures.items()]
    if rows:
        yield Table("gaps between groups, and popularity bias", ["measure", "figure"], rows)


def _pipes(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(cells: list[str], tag: str) -> str:
    return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)
