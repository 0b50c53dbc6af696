"""Adapt the text encoder to the shop's own texts: a challenger for `training.promote_encoder`.

    torchrun --standalone --nproc-per-node 2 -m -- training.adapt_encoder --ds 2011-11-06 --run R
    python -m training.adapt_encoder --ds 2011-11-06 --run R                       (one process)
    python -m training.adapt_encoder --ds 2011-11-06 --run R --preset full --objectives together,query,mlm

Reads `user_history` and `items` of the day; starts from the encoder that TIDEMARK_TEXT_ENCODER names. Learns from days
up to a cut (the newest tenth of the engagements is later), judges the encoder of now and the adapted one on the days
after it, and writes one MLflow run with parameters, losses, figures and the folder `encoder`, which is registered as a
version of `tidemark-encoder`. A retry with the same run id continues from its checkpoint.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl
import torch

from pipeline.runtime import program
from pipeline.runtime.days import parse_day
from pipeline.runtime.errors import SettingsError
from pipeline.runtime.program import arguments
from pipeline.runtime.settings import Settings, load_settings
from pipeline.tables.registry import ITEMS, USER_HISTORY
from training.adaptation.corpus import Corpus, corpus_of, cut_of, read_events, read_items
from training.adaptation.fit import Adaptation
from training.adaptation.judge import figures, gains, judge, later_of
from training.adaptation.presets import PRESETS, TUNINGS, AdaptPreset, adapt_preset
from training.adaptation.tuned import Tuned
from training.data import distributed
from training.data.catalogue import NO_PINS, open_table
from training.fitting.checkpoints import Progress
from training.registry import encoders as registry
from training.registry.runs import open_client
from training.texts.adapted import NAME, latest, open_adapted
from training.texts.encoders import FITTED
from training.texts.language_model import TextEncoder, model_folder
from training.texts.pretrained import full_digest, read_pretrained, save_pretrained


@dataclass(frozen=True)
class ShopTexts:
    """What one day's tables tell: events and items (see `corpus`), the last day to learn from, snapshots read."""

    events: pl.DataFrame
    items: pl.DataFrame
    cut: str
    corpus: Corpus
    inputs: dict[str, int]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--ds", required=True, help="the day up to which the log is known")
    parser.add_argument("--preset", default="base", help=f"one of {', '.join(PRESETS)}")
    parser.add_argument("--objectives", default="", help="together, query, review, category, mlm: some, by commas")
    parser.add_argument("--tuning", default="", help=f"one of {', '.join(TUNINGS)}; the preset's if not")
    parser.add_argument("--checkpointing", action="store_true", help="compute activations twice, to need less memory")
    given = parser.parse_args()
    settings, ds = load_settings(), parse_day(given.ds)
    preset = adapt_preset(given.preset, given.objectives, given.tuning, given.checkpointing)
    if FITTED.fullmatch(settings.text_encoder):
        raise SettingsError(
            f"TIDEMARK_TEXT_ENCODER={settings.text_encoder}: expected a pretrained language model to adapt, found one "
            "that is fitted by counting words; set it to a package, folder or cached id"
        )
    device = distributed.join()
    shop = read_shop(settings, ds, preset)
    base = read_pretrained(model_folder(settings.text_encoder), settings.text_encoder)
    folder = settings.mlflow / "jobs" / given.run / ds
    length = min(settings.text_length, base.longest)
    job = Adaptation(Tuned(base, preset), shop.corpus, preset, length, folder / "checkpoints", device)
    if distributed.rank():
        job.fit()
        distributed.leave()
        return
    client = open_client(settings)
    params = {
        **{f"adapt.{name}": value for name, value in asdict(preset).items()},
        **{f"adapt.pairs_of_{name}": len(rows) for name, rows in shop.corpus.pairs.items()},
        "adapt.base": settings.text_encoder,
        "adapt.cut": shop.cut,
        "adapt.length": length,
        "adapt.texts": len(shop.corpus.texts),
        "data.ds": ds,
        "job.processes": distributed.world(),
        "job.device": device.type,
    }
    run_id, outcome = registry.begin(client, given.run, ds, params, shop.inputs), "FAILED"
    try:
        known = len(client.get_metric_history(run_id, "train/loss"))

        def on_epoch(progress: Progress) -> None:
            for step, loss in list(enumerate(progress.steps))[known:]:
                client.log_metric(run_id, "train/loss", loss, step=step)
            print(f"epoch {progress.epoch}: loss {progress.curve[-1]['total']:.4f}", flush=True)

        job.fit(on_epoch)
        distributed.leave()
        report = finish(settings, ds, job, shop, folder / "encoder")
        registry.log_report(client, run_id, report)
        client.log_artifacts(run_id, str(folder / "encoder"), registry.FOLDER)
        outcome = "FINISHED"
    finally:
        client.set_terminated(run_id, outcome)
    version = registry.register(client, run_id, report)
    for name, (value, low, high) in report.gains.items():
        both = f"{report.before[name][0]:.4f} -> {report.after[name][0]:.4f}"
        print(f"{name}: {both}, gain {value:+.4f} [{low:+.4f}, {high:+.4f}]")
    print(f"model {registry.MODEL}: version {version} ({report.identity}) is the challenger, MLflow run {run_id}")


def read_shop(settings: Settings, ds: str, preset: AdaptPreset) -> ShopTexts:
    """The same in all processes."""
    inputs = {}
    inputs[USER_HISTORY.name], history = open_table(settings, USER_HISTORY, ds, NO_PINS)
    inputs[ITEMS.name], rows = open_table(settings, ITEMS, ds, NO_PINS)
    events, items = read_events(history), read_items(rows)
    cut = cut_of(events, preset.held_out)
    return ShopTexts(events, items, cut, corpus_of(events, items, cut, preset), inputs)


def finish(settings: Settings, ds: str, job: Adaptation, shop: ShopTexts, folder: Path) -> registry.AdaptReport:
    """Saves the adapted encoder, and judges it against the one that nights use."""
    preset, present = job.preset, latest(settings)
    merged = job.tuned.to(torch.device("cpu")).merged()
    identity = full_digest(merged)
    about = {"base": settings.text_encoder, "ds": ds, "cut": shop.cut, "length": job.length, **asdict(preset)}
    save_pretrained(merged, folder, about)
    later = later_of(shop.events, shop.items, shop.cut, preset.judged_users, preset.seed)
    old = (
        open_adapted(settings, present.identity)
        if present
        else TextEncoder(settings.text_encoder, settings.text_length)
    )
    before = judge(old, later)
    after = judge(TextEncoder(NAME, settings.text_length, folder), later)
    gained = gains(before, after)
    parts = {"before": figures(before), "after": figures(after), "gains": gained}
    listed = {name: {metric: list(figure) for metric, figure in part.items()} for name, part in parts.items()}
    return registry.AdaptReport(ds, shop.cut, settings.text_encoder, old.version, identity, **listed)


if __name__ == "__main__":
    program.run(main)
