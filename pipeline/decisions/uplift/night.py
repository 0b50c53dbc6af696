"""One night of uplift: every trial judged, users scored where its ranking holds."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from pipeline.decisions.campaigns.audience import audience_of
from pipeline.decisions.campaigns.campaign import Campaign, load_campaigns
from pipeline.decisions.experiments.experiment import Experiment, load_experiment
from pipeline.decisions.uplift import campaign_trial, experiment_trial
from pipeline.decisions.uplift.judge import Findings, judge
from pipeline.decisions.uplift.page import page, refused_page
from pipeline.decisions.uplift.scoring import score_night
from pipeline.decisions.uplift.trial import Trial
from pipeline.runtime.atomic import replace_text
from pipeline.runtime.errors import UpliftError
from pipeline.runtime.settings import Settings
from pipeline.storage.files import DayFile


@dataclass(frozen=True)
class Declared:
    """A trial before its data: what it is called, how it is read, whose users are scored."""

    name: str
    control: str
    treatment: str
    measure: str
    read: Callable[[], Trial]
    campaign: Campaign | None = None


def declared(settings: Settings, ds: str) -> list[Declared]:
    """Every experiment, and every campaign that asks for uplift.

    Raises ExperimentError or CampaignError for a file that is wrong.
    """
    files = sorted((settings.home / "experiments").glob("*.toml"))
    found = [_experiment(load_experiment(settings, file.stem), settings, ds) for file in files]
    for campaign in load_campaigns(settings):
        if campaign.uplift:
            name, (control, treatment) = campaign_trial.trial_name(campaign), campaign.uplift
            measure = campaign_trial.measure(campaign)
            read = partial(campaign_trial.campaign_trial, campaign, settings, ds)
            found.append(Declared(name, control, treatment, measure, read, campaign))
    return found


def _experiment(it: Experiment, settings: Settings, ds: str) -> Declared:
    (control, _), (treatment, _) = it.arms
    name, measure = experiment_trial.trial_name(it), experiment_trial.measure(it.primary)
    read = partial(experiment_trial.experiment_trial, it, settings, ds)
    return Declared(name, control, treatment, measure, read)


def judge_trials(settings: Settings, ds: str, file: DayFile) -> list[dict[str, object]]:
    """Rows of `uplift_judgements`; writes those of `user_uplift`, and the pages."""
    rows = []
    for trial in declared(settings, ds):
        judgement, text = _judged(trial, settings, ds, file)
        print(f"uplift ds={ds} {trial.name}: {judgement['decision']}: {judgement['reason']}")
        _write(settings, trial.name, text)
        rows.append(judgement)
    return rows


def _judged(trial: Declared, settings: Settings, ds: str, file: DayFile) -> tuple[dict[str, object], str]:
    """The judgement of a trial, and its page."""
    row = {
        "ds": ds,
        "trial": trial.name,
        "treatment": trial.treatment,
        "control": trial.control,
        "outcome": trial.measure,
        "users": 0,
        "treated_users": 0,
        "scored_users": 0,
        "left_out_users": 0,
    }
    try:
        found = judge(trial.read())
    except UpliftError as error:
        reason = str(error)
        return row | {"decision": "refused", "reason": reason}, refused_page(trial.name, ds, reason)
    scored = _score(trial, found, settings, ds, file) if found.scored else {}
    return row | _figures(found) | scored, page(found, ds)


def _score(trial: Declared, found: Findings, settings: Settings, ds: str, file: DayFile) -> dict[str, object]:
    admits: Callable[[pa.Array], pa.Array] | None = None
    if trial.campaign:
        admits = audience_of(trial.campaign, settings, ds).admits
    scored, left_out = score_night(found, settings, ds, admits, file)
    return {"scored_users": scored, "left_out_users": left_out}


def _figures(found: Findings) -> dict[str, object]:
    trial, qini = found.trial, found.qini
    return {
        "decision": "scored" if found.scored else "undecided",
        "reason": found.reason,
        "learner": found.scorers.learner,
        "users": len(trial),
        "treated_users": int(trial.treated.sum()),
        "qini": qini.coefficient,
        "auuc": qini.auuc,
        "difference_p_value": found.difference_p_value,
        **_bounds("effect", found.plain.value, found.plain.interval()),
        **_bounds("adjusted", found.adjusted.value, found.adjusted.interval()),
        **_bounds("qini", qini.coefficient, qini.interval),
    }


def _bounds(name: str, value: float, interval: tuple[float, float]) -> dict[str, float]:
    key = "adjusted_effect" if name == "adjusted" else name
    return {key: value, f"{name}_low": interval[0], f"{name}_high": interval[1]}


def _write(settings: Settings, name: str, text: str) -> None:
    path = settings.reports / "uplift" / f"{name.replace(':', '-')}.html"
    replace_text(path, text)
