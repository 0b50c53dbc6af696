"""Names of the metrics of an evaluation, so that MLflow shows the headline figures first.

MLflow's charts and comparisons sort metrics by name and make a section of each prefix, up to the last slash. So the
headline figures are `test/...`, and all others sort behind them:

    test/                                   headline figures, see training.evaluation.headline
    test_baselines/QUESTION/RANKER/METRIC   the rankers and classifiers to beat, and parts of the model
    test_fairness/SIDE/BY/GROUP/METRIC, test_fairness/gap/BY/METRIC, .../ratio/..., .../popularity/...
    test_gains/over_best_baseline/QUESTION/SLICE/METRIC, test_gains/over_champion/QUESTION/METRIC
    test_heads/HEAD/METRIC                  each propensity, with METRIC_low and METRIC_high (95%)
    test_lists/LIST/METRIC                  each published list, with its bounds
    test_slices/LIST/SLICE/METRIC
    test_staleness/QUESTION/.../METRIC_week_N

Runs of the previous version have longer or other names; `present_names` translates them.
"""

from urllib.parse import quote

HEADLINE, BASELINES, FAIRNESS, GAINS, HEADS, LISTS, SLICES, STALENESS = (
    "test/",
    "test_baselines/",
    "test_fairness/",
    "test_gains/",
    "test_heads/",
    "test_lists/",
    "test_slices/",
    "test_staleness/",
)
# The headline figures of a usual run, in the order in which they are read.
COLUMNS = (
    "ndcg_10",
    "ndcg_10_vs_best_baseline",
    "ndcg_10_vs_champion",
    "ndcg_10_new_items",
    "ndcg_10_new_items_vs_best_baseline",
    "recall_10",
    "auc_purchase_28d",
    "auc_churn_28d",
    "log_loss",
    "ece",
)
PUBLISHED = "published"
BOUNDS = ("low", "high")
VS_CHAMPION = "_vs_champion"
ONCE = {
    "best_epoch": "train/best_epoch",
    "best_valid_loss": "valid/best_loss",
    "job/memory_gb": "train/memory_gb",
    "job/seconds": "train/seconds",
}


def of_list(path: str) -> str:
    """The metric of `LIST/RANKER/METRIC`."""
    name, ranker, metric = path.split("/")
    return f"{LISTS}{name}/{metric}" if ranker == PUBLISHED else f"{BASELINES}{path}"


def of_audit(path: str) -> str:
    """The metric of a measure, or of `SIDE/BY/GROUP/METRIC` of an audit."""
    return f"{FAIRNESS}{path}"


def quoted(text: str) -> str:
    """Any text as part of a metric's name, where MLflow takes few characters; two texts never become one."""
    return quote(text, safe=" ").replace(".", "%2E").replace("%", ".")


def of_slice(path: str) -> str:
    """The metric of `LIST/SLICE/published/METRIC`."""
    return SLICES + path.replace(f"/{PUBLISHED}/", "/")


def of_member(member: int, name: str) -> str:
    """A metric of training, such as train/loss, of one member of an ensemble; the first has no number."""
    part, figure = name.split("/")
    return f"{part}/member_{member}/{figure}" if member else name


def present_names(metrics: dict[str, float]) -> dict[str, float]:
    """Metrics of a run by today's names, even if an earlier version logged them."""
    return {_present_name(name): value for name, value in metrics.items()}


def _present_name(name: str) -> str:
    first, *path = name.split("/")
    if first.startswith("member_") and path:
        rest = "/".join(path)
        return of_member(int(first.removeprefix("member_")), ONCE.get(rest, rest))
    if first != "test" or len(path) < 2:
        return ONCE.get(name, name)
    bound = f"_{path.pop()}" if path[-1] in BOUNDS else ""
    if len(path) == 2:
        return f"{HEADS}{'/'.join(path)}{bound}"
    return of_list("/".join(path)) + bound
