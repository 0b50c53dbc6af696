"""The dozen figures that say whether a model is good: the first metrics of its run, and the run's description."""

import math

from training.evaluation.report import Interval, Report, Verdict, heads_of
from training.evaluation.slices import ALL
from training.registry.metric_names import HEADLINE, VS_CHAMPION, quoted

NEXT, NEW = "next_items", "next_new_items"
SHORT = {NEXT: "ndcg_10", NEW: "ndcg_10_new_items"}
HEADS = ("purchase_28d", "churn_28d")  # whose AUC is shown
VS_BASELINE = "_vs_best_baseline"
TITLES = {
    "ndcg_10": "NDCG@10, next items",
    "ndcg_10_new_items": "NDCG@10, items new to the user",
    "recall_10": "Recall@10, next items",
    "auc_purchase_28d": "AUC, purchase within 28 days",
    "auc_churn_28d": "AUC, churn within 28 days",
    "log_loss": "log-loss, mean of the propensities (lower is better)",
    "ece": "calibration error, mean of the propensities (lower is better)",
}


def headline(report: Report) -> dict[str, float]:
    """Metrics by short name, in the order of the description; `_vs_` are gains, above zero is better."""
    found: dict[str, float] = {}
    for name, (middle, _, _) in figures(report).items():
        found[name] = middle
        for suffix, gain in ((VS_BASELINE, _over_baseline(report, name)), (VS_CHAMPION, _over_champion(report, name))):
            if gain is not None:
                found[f"{name}{suffix}"] = gain[0]
    if report.fairness:
        found |= {name: report.fairness.measures[path][0] for path, name in audited(report).items()}
    return {f"{HEADLINE}{name}": value for name, value in found.items() if not math.isnan(value)}


def audited(report: Report) -> dict[str, str]:
    """Measures of the audit that are headline figures, by path: gaps in NDCG@10, and the tail's share of exposure."""
    measures = report.fairness.measures if report.fairness else {}
    found = {path: f"ndcg_10_gap_{quoted(path.split('/')[1])}" for path in measures if _is_gap(path)}
    return found | {path: "tail_exposure" for path in ("popularity/tail_exposure",) if path in measures}


def figures(report: Report) -> dict[str, Interval]:
    """The figures themselves, with 95% intervals where they have any."""
    nothing = float("nan")
    paths = {
        **{short: report.rankings.get(f"{name}/published/ndcg_10") for name, short in SHORT.items()},
        "recall_10": report.rankings.get(f"{NEXT}/published/recall_10"),
        **{f"auc_{head}": report.propensities.get(f"{head}/auc") for head in HEADS},
    }
    found = {name: interval for name, interval in paths.items() if interval is not None}
    for metric in ("log_loss", "ece"):
        middles = [report.propensities[f"{head}/{metric}"][0] for head in heads_of(report)]
        known = [middle for middle in middles if not math.isnan(middle)]
        if known:
            found[metric] = (sum(known) / len(known), nothing, nothing)
    return found


def verdict(report: Report) -> str:
    """One line: NDCG@10 of the next items against the best baseline and the champion."""
    short = SHORT[NEXT]
    found = figures(report).get(short)
    if found is None:
        return ""
    said = [f"NDCG@10 {found[0]:.4f}"]
    best, gain = _verdict(report, short), _over_champion(report, short)
    if best:
        said.append(f"{_word(best.gain)} the best baseline, {best.best}: {_figure(best.gain, '+.4f')}")
    if gain and not math.isnan(gain[0]):
        said.append(f"{_word(gain)} champion {report.champion}: {_figure(gain, '+.4f')}")
    if report.champion_fails:
        said.append(f"champion {report.champion} could not run")
    return "; ".join(said)


def note(report: Report) -> str:
    """The verdict, and a table of the headline figures: value, gains over the best baseline and the champion."""
    versus = f"vs champion {report.champion}" if report.gains else ""
    head = ["on the test users", "figure", "vs best baseline", *([versus] if versus else [])]
    rows = [head, ["---"] * len(head)]
    for name, interval in figures(report).items():
        row = [TITLES[name], _figure(interval), _baseline_cell(report, name)]
        if versus:
            row.append(_gain_cell(_over_champion(report, name)))
        rows.append(row)
    who = (
        f"Judged on the 28 days up to {report.ds}: {report.users:,} users, {report.ranked_users:,} of them ranked for. "
        "In parentheses: 95% intervals; **better** and **worse** where they exclude zero."
    )
    if report.champion_fails:
        who += f" Champion {report.champion} could not run: {report.champion_fails}."
    return "\n".join([f"**{verdict(report)}.**", "", who, "", *(f"| {' | '.join(row)} |" for row in rows)])


def _is_gap(path: str) -> bool:
    return path.startswith("gap/") and path.endswith("/ndcg_10")


def _verdict(report: Report, name: str) -> Verdict | None:
    questions = {short: (question, "ndcg_10") for question, short in SHORT.items()}
    questions |= {"recall_10": (NEXT, "recall_10"), **{f"auc_{head}": (head, "auc") for head in HEADS}}
    wanted = questions.get(name)
    return next((it for it in report.verdicts if (it.question, it.metric) == wanted and it.slice == ALL), None)


def _over_baseline(report: Report, name: str) -> Interval | None:
    found = _verdict(report, name)
    return found.gain if found else None


def _over_champion(report: Report, name: str) -> Interval | None:
    paths = {short: f"{question}/ndcg_10" for question, short in SHORT.items()}
    return report.gains.get(paths.get(name, ""))


def _baseline_cell(report: Report, name: str) -> str:
    found = _verdict(report, name)
    return f"{_gain_cell(found.gain)}, {found.best}" if found else ""


def _gain_cell(gain: Interval | None) -> str:
    if gain is None or math.isnan(gain[0]):
        return ""
    word = "**better** " if gain[1] > 0 else "**worse** " if gain[2] < 0 else ""
    return f"{word}{_figure(gain, '+.4f')}"


def _word(gain: Interval) -> str:
    return "better than" if gain[1] > 0 else "worse than" if gain[2] < 0 else "level with"


def _figure(interval: Interval, form: str = ".4f") -> str:
    middle, low, high = interval
    if math.isnan(middle):
        return "not defined"
    # No square brackets: the UI takes them for links.
    return f"{middle:{form}}" + ("" if math.isnan(low) else f" ({low:{form}} to {high:{form}})")
