"""Evaluate a run's challenger on the test window, against baselines and the champion.

    python -m training.evaluate --ds 2011-11-06 --run R

Reads the test fold of `training_examples` and the run's model; writes metrics, plots,
`evaluation/report.{json,md,html}` and the audit `evaluation/fairness.json` to the run in MLflow, and prints which
baseline is best for which list, user group and head.
"""

from pipeline.runtime import program
from pipeline.runtime.days import parse_day
from pipeline.runtime.program import arguments
from pipeline.runtime.settings import load_settings
from training.evaluation.audit_groups import audited
from training.evaluation.challenger import evaluate_model, load_window
from training.evaluation.pages import lines
from training.evaluation.report_record import against_champion, keep, report_of
from training.model.model import load
from training.registry.origins import pins_of
from training.registry.runs import artifact_folder, needed_run, open_client


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--ds", required=True, help="the day whose test fold to judge on")
    given = parser.parse_args()
    settings, ds = load_settings(), parse_day(given.ds)
    client = open_client(settings)
    run_id = needed_run(client, given.run, ds)
    # The snapshots the model was trained on, even if the day has been published again since.
    pins = pins_of(client.get_run(run_id))
    window = load_window(settings, ds, pins)
    evaluation = evaluate_model(load(artifact_folder(client, run_id, "model")), window)
    reign = against_champion(client, run_id, evaluation, window)
    report = report_of(window, evaluation, reign, audited(settings, evaluation, window, pins))
    keep(client, run_id, report, evaluation)
    print("\n".join(lines(report)))


if __name__ == "__main__":
    program.run(main)
