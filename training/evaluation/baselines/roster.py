"""The baselines of an evaluation, fitted from what all users of a fold did up to the cut-off."""

from training.evaluation.baselines import als, counts, markov, tifu
from training.evaluation.baselines.counts import WINDOWS, Popular
from training.evaluation.baselines.known import Contestant, Known
from training.evaluation.baselines.neighbours import item_knn, plain_ease, with_repeats, with_trend


def fit_baselines(known: Known) -> dict[str, Contestant]:
    """Name -> ranker. Nothing is tuned on the window that they are judged on."""
    popular = {name: Popular.fit(known, days) for name, days in WINDOWS.items()}
    ease = plain_ease(known)
    trend = with_trend(ease)
    return {
        **popular,
        "own_frequent": counts.frequent(known),
        "own_recent": counts.recent(known),
        "own_decayed_30d": counts.decayed(known, 30),
        "own_decayed_180d": counts.decayed(known, 180),
        "tifu_knn": tifu.fit(known),
        "item_knn": item_knn(known),
        "ease": ease,
        "ease_trend": trend,
        "ease_trend_own": with_repeats(trend),
        "markov": markov.fit(known),
        "als": als.fit(known),
    }
