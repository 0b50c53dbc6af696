"""Compare ways to fine-tune: mode x trainable parameters x quality x time, one MLflow run.

    python -m training.compare_modes --ds 2026-03-31 --platform webshop --users 0.1

Pretrains without labels on the other platforms (on all of them if there is only one), or takes `--init`; then fits each
mode, and one model from scratch, on a share of the platform's users, and judges each alone on the test window of all
its users. Reads what `training.train` reads. With the same run id, finished trainings are not repeated.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.runtime import program
from pipeline.runtime.days import parse_day
from pipeline.runtime.program import arguments
from pipeline.runtime.settings import Settings, load_settings
from training.data.scope import Scope
from training.evaluation.trial_table import record, table
from training.evaluation.trials import Trial, others, run_trial, trial_data, trial_window
from training.fitting.start import open_start
from training.network.presets import TUNINGS, Preset, preset_named

SCRATCH = "scratch"
# With a share of the users, an epoch has few steps.
SCHEDULE: dict[str, Any] = {"batch": 32, "epochs": 40, "patience": 5}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--ds", required=True, help="the day whose examples to train and judge on")
    parser.add_argument("--platform", required=True, help="the platform to fine-tune for")
    parser.add_argument("--users", type=float, default=0.1, help="share of its users in training")
    parser.add_argument("--preset", help="sizes and schedule; TIDEMARK_TRAIN_PRESET by default")
    parser.add_argument("--init", help="a model to start from instead of pretraining one")
    given = parser.parse_args()
    settings, ds = load_settings(), parse_day(given.ds)
    preset, scope = (
        preset_named(given.preset or settings.train_preset),
        Scope((given.platform,), given.users),
    )
    folder = settings.mlflow / "jobs" / given.run / ds
    trials = compare(settings, ds, preset, scope, given.init, folder)
    text = table(trials, SCRATCH)
    params = {"preset": preset.name, "platform": given.platform, "users": given.users}
    run_id = record(settings, given.run, ds, "modes", params, trials, text)
    print(f"{text}\nMLflow run {run_id}")


def compare(settings: Settings, ds: str, preset: Preset, scope: Scope, init: str | None, folder: Path) -> list[Trial]:
    """Pretrains, trains from scratch, and fits each mode from the pretrained model."""
    window = trial_window(settings, ds, scope, preset)
    if init is None:
        logs = trial_data(settings, ds, others(settings, ds, scope))
        first, start = run_trial("pretrained", logs, replace(preset, heads_weight=0.0), window, folder)
        trials = [first]
    else:
        trials, start = [], open_start(settings, init)
    preset = replace(preset, **SCHEDULE)
    trials.append(run_trial(SCRATCH, trial_data(settings, ds, scope), preset, window, folder)[0])
    data, preset = trial_data(settings, ds, scope, start), preset.on(start.card.preset)
    for mode in TUNINGS:
        trials.append(run_trial(mode, data, replace(preset, tuning=mode), window, folder)[0])
    return trials


if __name__ == "__main__":
    program.run(main)
