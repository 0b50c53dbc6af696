"""Train the interest model: a day's challenger.

    python -m training.launch --nproc-per-node 2 -m -- training.train --ds 2011-11-06 --run R
    python -m training.train --ds 2011-11-06 --run R                       (one process)
    python -m training.train --ds 2011-11-06 --run R --preset lora --init champion
    python -m training.train --ds 2011-11-07 --run R --warm-start          (few steps, with replay)

Reads `training_examples`, `item_embeddings` and `items` of the day; writes one MLflow run and registers its model as
challenger. A retry with the same run id continues from its checkpoint.
"""

from pipeline.runtime import program
from pipeline.runtime.program import arguments
from pipeline.runtime.settings import load_settings
from training.data import distributed
from training.fitting.data import load_training_data
from training.fitting.fit_model import finish, fit
from training.fitting.plan import planned
from training.fitting.run_record import RunRecord
from training.model.model import save
from training.network.network import Ensemble
from training.registry.runs import open_client, start_run
from training.registry.versions import register
from training.texts.encoders import publish_with


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--ds", required=True, help="the day whose examples to train on")
    parser.add_argument("--preset", help="TIDEMARK_TRAIN_PRESET by default")
    parser.add_argument("--init", help="version, champion or MLflow run whose model to start from")
    parser.add_argument("--platforms", help="learn from these only, comma-separated")
    parser.add_argument("--warm-start", action="store_true", help="continue from the champion")
    parser.add_argument("--reproduces", help="MLflow run to repeat: see training.reproduce")
    parser.add_argument("--backbone", help="Hugging Face package, id or path; the preset's if not")
    settings = load_settings()
    plan = planned(parser.parse_args(), settings)
    device = distributed.join()
    data = load_training_data(settings, plan.ds, device, plan.start, plan.scope, plan.pins)
    folder = settings.mlflow / "jobs" / plan.run / plan.ds
    checkpoints = folder / "checkpoints"
    if distributed.rank() == 0:
        client = open_client(settings)
        record = RunRecord(client, start_run(client, plan.run, plan.ds, "training.train"))
        record.describe(data, plan, settings)
        with record.running():
            fitted = fit(data, plan.preset, checkpoints, device, record.epoch)
            ensemble = fitted.model if isinstance(fitted.model, Ensemble) else None
            save(finish(fitted.trainer, data, plan.run, settings, ensemble), folder / "model")
            publish_with(settings, folder / "model")
            record.finish(fitted, folder / "model")
        if plan.is_challenger:
            version = register(client, record.run_id, data.ds)
            print(f"model tidemark: version {version} is the challenger, ", end="")
        print(f"MLflow run {record.run_id}")
    else:
        fit(data, plan.preset, checkpoints, device)
    distributed.leave()


if __name__ == "__main__":
    program.run(main)
