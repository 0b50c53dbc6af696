"""What a trial says: how large the effect is, whether it differs, and whether a ranking holds."""

from dataclasses import dataclass

from pipeline.decisions.uplift.candidates import CANDIDATES, Candidate
from pipeline.decisions.uplift.effects import (
    Effect,
    by_decile,
    difference_in_means,
    difference_p_value,
    mean_score,
)
from pipeline.decisions.uplift.prequential import Judged, judge_in_sequence
from pipeline.decisions.uplift.qini import Qini, qini, ranked
from pipeline.decisions.uplift.scorers import Scorers, cross_fit
from pipeline.decisions.uplift.soundness import check
from pipeline.decisions.uplift.trial import Trial, places


@dataclass(frozen=True)
class Findings:
    """Everything of the page and the judgement; `scored` when the ranking beats chance."""

    trial: Trial
    judged: Judged
    scorers: Scorers
    plain: Effect
    adjusted: Effect
    deciles: list[Effect]
    difference_p_value: float
    qini: Qini

    @property
    def scored(self) -> bool:
        return self.qini.interval[0] > 0

    @property
    def reason(self) -> str:
        """The answer in words."""
        low, high = self.qini.interval
        said = f"Qini {self.qini.coefficient:.3g}, 95% from {low:.3g} to {high:.3g}"
        if self.scored:
            return f"{said}: ranked by uplift, users gain more than in random order"
        return (
            f"{said}: it cannot be told whether the effect differs between users; whoever is "
            "ranked may be ranked by chance, so nobody is"
        )


def judge(trial: Trial) -> Findings:
    """Raises UpliftError where the trial is none, or too small."""
    check(trial)
    return findings(trial)


def findings(trial: Trial, candidates: tuple[Candidate, ...] = CANDIDATES) -> Findings:
    """The figures of a trial that is sound."""
    place = places(trial.users, trial.name)
    found = judge_in_sequence(trial, place, candidates)
    rank = ranked(found.uplift, found.fold, found.place)
    scorers = cross_fit(trial, place, found.best)
    return Findings(
        trial,
        found,
        scorers,
        difference_in_means(trial),
        mean_score(trial, scorers.score),
        by_decile(found.trial, found.score, rank),
        difference_p_value(found.trial, found.score, found.uplift, found.fold),
        qini(found.trial, rank),
    )
