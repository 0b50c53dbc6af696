"""What each switch of a preset does: switch x effect x time, one MLflow run.

    python -m training.ablate --ds 2011-11-06 --run R --group robust --preset quick --users 0.5
    python -m training.ablate --ds 2011-11-06 --run R --group privacy --preset quick
    python -m training.ablate --ds 2011-11-09 --run R --group warm --init champion

robust: one training per switch, compared with the unchanged preset and with the same preset from another seed (which
shows how much is luck). privacy: heads on one frozen backbone, for several epsilons. warm: continuing from an earlier
model with more or less replay, compared with that model and with training from scratch. Each model is judged alone on
the day's test window. With the same run id, finished trainings are not repeated.
"""

from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

from pipeline.runtime import program
from pipeline.runtime.days import parse_day
from pipeline.runtime.errors import UsageError
from pipeline.runtime.program import arguments
from pipeline.runtime.settings import load_settings
from training.data.scope import Scope
from training.evaluation.trial_table import record, table
from training.evaluation.trials import Trial, TrialWindow, run_trial, trial_data, trial_window
from training.fitting.data import TrainingData
from training.fitting.start import open_start
from training.model.model import TrainedModel
from training.network.presets import Preset, preset_named

AS_IS = "as_it_is"
SWITCHES: dict[str, dict[str, Any]] = {
    AS_IS: {},
    "another_seed": {"seed": 107},
    "no_warm_up": {"warmup": 0.0},
    "no_early_stopping": {"patience": 1000},
    "average": {"average": 0.98},
    "adversarial": {"adversarial": 0.1},
    "ensemble_of_3": {"seeds": 3},
}
EPSILONS = (inf, 8.0, 2.0)
REPLAYS = (0.0, 0.25, 1.0)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--ds", required=True, help="the day whose examples to train and judge on")
    parser.add_argument("--preset", help="TIDEMARK_TRAIN_PRESET by default")
    parser.add_argument("--users", type=float, default=1.0, help="share of users in training")
    parser.add_argument("--group", default="robust", choices=("robust", "privacy", "warm"))
    parser.add_argument("--init", help="the earlier model of group warm")
    given = parser.parse_args()
    settings, ds = load_settings(), parse_day(given.ds)
    preset = preset_named(given.preset or settings.train_preset)
    if (given.group == "warm") != bool(given.init):
        raise UsageError("--init: expected with --group warm, and only there")
    start = open_start(settings, given.init) if given.init else None
    scope = Scope(users=given.users)
    window = trial_window(settings, ds, scope, preset)
    data = trial_data(settings, ds, scope)
    folder = settings.mlflow / "jobs" / given.run / ds
    if start is not None:
        grown = trial_data(settings, ds, scope, start)
        trials = warm_starts(data, grown, start, preset, window, folder)
    else:
        compare = privacy if given.group == "privacy" else robust
        trials = compare(data, preset, window, folder)
    text = table(trials, trials[0].name)
    params = {"preset": preset.name, "init": given.init or "", "users": given.users}
    print(f"{text}\nMLflow run {record(settings, given.run, ds, given.group, params, trials, text)}")


def robust(data: TrainingData, preset: Preset, window: TrialWindow, folder: Path) -> list[Trial]:
    """One training for each of SWITCHES."""
    changed = {name: replace(preset, **change) for name, change in SWITCHES.items()}
    return [run_trial(name, data, own, window, folder)[0] for name, own in changed.items()]


def privacy(data: TrainingData, preset: Preset, window: TrialWindow, folder: Path) -> list[Trial]:
    """Trains heads with the backbone, then private heads on a backbone that saw no label."""
    together, _ = run_trial(AS_IS, data, preset, window, folder)
    bare = replace(preset, heads_weight=0.0)
    _, start = run_trial("no_labels", data, bare, window, folder)
    trials = [together]
    for epsilon in EPSILONS:
        private = replace(bare, epochs=0, epsilon=epsilon)
        name, fixed = f"epsilon_{epsilon:g}", replace(data, start=start)
        trials.append(run_trial(name, fixed, private, window, folder)[0])
    return trials


def warm_starts(
    data: TrainingData,
    grown: TrainingData,
    start: TrainedModel,
    preset: Preset,
    window: TrialWindow,
    folder: Path,
) -> list[Trial]:
    """Training from scratch, the earlier model unchanged, and continuing from it with each of REPLAYS."""
    own = preset.on(start.card.preset)
    tried = {"earlier_model": replace(own, epochs=0)}
    tried |= {f"replay_{share:g}": replace(own.warm(), replay=share) for share in REPLAYS}
    trials = [run_trial("scratch", data, preset, window, folder)[0]]
    return trials + [run_trial(name, grown, p, window, folder)[0] for name, p in tried.items()]


if __name__ == "__main__":
    program.run(main)
