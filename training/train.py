"""Train the interest model: the challenger of a day.

    torchrun --standalone --nproc-per-node 2 -m -- training.train --ds 2011-11-06 --run R
    python -m training.train --ds 2011-11-06 --run R                       (one process)
    python -m training.train --ds 2011-11-06 --run R --preset lora --init champion

Reads `training_examples`, `item_embeddings` and `items` of the day; writes one MLflow run and
registers its model as challenger. Tried again with the same run, it goes on from its checkpoint.
"""

from dataclasses import replace
from pathlib import Path

from pipeline import ending
from pipeline.days import parse_day
from pipeline.settings import Settings, load_settings
from training import distributed
from training.building import build_trainer, finish
from training.job import arguments
from training.presets import Preset, preset_named
from training.registry import register
from training.run_record import RunRecord
from training.starting import open_start
from training.tracking import open_client, start_run
from training.trained import save
from training.trainer import Trainer
from training.training_data import TrainingData, load_training_data


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--ds", required=True, help="the day whose examples to train on")
    parser.add_argument("--preset", help="TIDEMARK_TRAIN_PRESET by default")
    parser.add_argument("--init", help="version, champion or MLflow run whose model to start from")
    parser.add_argument(
        "--backbone", help="Hugging Face package, id or path; the preset's if absent"
    )
    given = parser.parse_args()
    ds, settings = parse_day(given.ds), load_settings()
    preset = preset_named(given.preset or settings.train_preset)
    preset = replace(preset, backbone=given.backbone or preset.backbone)
    start = open_start(settings, given.init) if given.init else None
    preset = preset.on(start.card.preset) if start else preset
    device = distributed.join()
    data = load_training_data(settings, ds, device, start)
    folder = settings.mlflow / "jobs" / given.run / ds
    trainer = build_trainer(data, preset, folder / "checkpoints", device)
    if distributed.rank() == 0:
        lead(settings, data, preset, trainer, given.run, folder)
    else:
        trainer.fit()
    distributed.leave()


def lead(
    settings: Settings, data: TrainingData, preset: Preset, trainer: Trainer, run: str, folder: Path
) -> None:
    """The first process: it also keeps the record and publishes the model."""
    client = open_client(settings)
    record = RunRecord(client, start_run(client, run, data.ds))
    record.describe(data, preset, trainer.model)
    with record.running():
        progress = trainer.fit(record.epoch)
        save(finish(trainer, data, run, settings), folder / "model")
        record.finish(progress, folder / "model")
    version = register(client, record.run_id, data.ds)
    print(f"model tidemark: version {version} is the challenger, MLflow run {record.run_id}")


if __name__ == "__main__":
    ending.run(main)
