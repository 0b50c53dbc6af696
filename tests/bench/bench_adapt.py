"""What adapting the text encoder is worth: cold-item Recall by text alone, before and after.

    TIDEMARK_TEST_DATA=… python -m tests.bench adapt --data steam
    TIDEMARK_TEST_DATA=… python -m tests.bench adapt --data amazon_electronics --users 3000 --presets base,full

Cuts the log at the last tenth of its interactions, adapts the configured encoder on the days before, and
ranks all items by their nearness to the mean of each user's last ten; TF-IDF and the encoder as it is are
next to it, on the same users. `--users` takes that many users of the log, so that it fits into minutes.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import torch

from pipeline.runtime.settings import load_settings
from tests.real_data import real_data
from training.adaptation.corpus import corpus_of, cut_of, with_text
from training.adaptation.fit import Adaptation
from training.adaptation.judge import METRICS, figures, gains, judge, later_of
from training.adaptation.presets import adapt_preset
from training.adaptation.tuned import Tuned
from training.texts.encoders import fit
from training.texts.language_model import TextEncoder, model_folder
from training.texts.pretrained import read_pretrained, save_pretrained

SETS = ("amazon_electronics", "amazon_beauty", "steam")
HELD_OUT, SEED = 0.1, 7


def load(name: str, users: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events and items as `training.adaptation.corpus` reads them; times are days, in the order of the file."""
    folder = real_data(name)
    log = pl.read_parquet(folder / "interactions.parquet").with_row_index("line").sort("ts", "line")
    if users:
        log = log.filter(pl.col("user").is_in(log["user"].unique().sort().sample(users, seed=SEED).implode()))
    moment = pl.from_epoch("ts").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    events = log.select(
        user_id=pl.col("user").cast(pl.String),
        item_id=pl.col("item").cast(pl.String),
        event_type=pl.lit("purchase"),
        event_time=moment,
        arrival_ds=moment.dt.strftime("%Y-%m-%d"),
        text=pl.lit(None, pl.String),
    )
    first = events.group_by("item_id").agg(first_ds=pl.col("arrival_ds").min())
    titles = pl.read_parquet(folder / "titles.parquet").select(
        item_id=pl.col("ItemID").cast(pl.String),
        title="Title",
        category=pl.lit(None, pl.String),
        brand=pl.lit(None, pl.String),
    )
    return events, titles.join(first, on="item_id").sort("item_id")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=SETS, default="steam")
    parser.add_argument("--users", type=int, default=0, help="of the log; 0 = all")
    parser.add_argument("--presets", default="base", help="of training/adaptation/presets.py, by commas")
    parser.add_argument("--pairs", type=int, default=0, help="of an epoch; the preset's if not")
    parser.add_argument("--epochs", type=int, default=0, help="the preset's if not")
    parser.add_argument("--hours", type=int, default=720, help="between two items that are together: days are coarse")
    given = parser.parse_args()
    name = load_settings().text_encoder
    events, items = load(given.data, given.users)
    cut = cut_of(events, HELD_OUT)
    later = later_of(events, items, cut, 20_000, SEED)
    cold = later.cold[later.answers[:, 1]]
    answering = len({user for user, _ in later.answers[cold].tolist()})
    print(
        f"{given.data}: {events['user_id'].n_unique():,} users, {len(items):,} items; cut {cut}; judged "
        f"{later.users:,} users, {answering:,} of them on {len(set(later.answers[cold, 1].tolist())):,} cold items"
    )
    print("| encoder | " + " | ".join(METRICS) + " | pairs | steps | s |\n|---|" + "---|" * (len(METRICS) + 3))
    known = with_text(items).filter((pl.col("first_ds") <= cut) & (pl.col("said") != ""))
    print(line("TF-IDF", figures(judge(fit("tfidf", known["said"].to_list()), later))), flush=True)
    before = judge(TextEncoder(name), later)
    print(line(f"{name} as it is", figures(before)), flush=True)
    for choice in given.presets.split(","):
        preset = adapt_preset(choice)
        changes = {"pairs": given.pairs or preset.pairs, "epochs": given.epochs or preset.epochs}
        preset = replace(preset, within_hours=given.hours, **changes)
        began = time.monotonic()
        corpus = corpus_of(events, items, cut, preset)
        with TemporaryDirectory() as folder:
            tuned = Tuned(read_pretrained(model_folder(name), name), preset)
            job = Adaptation(tuned, corpus, preset, 128, Path(folder) / "checkpoints", torch.device("cpu"))
            steps = len(job.fit().steps)
            seconds = time.monotonic() - began
            save_pretrained(tuned.merged(), Path(folder) / "encoder", {})
            after = judge(TextEncoder("adapted", folder=Path(folder) / "encoder"), later)
        print(line(f"adapted, {choice}", figures(after), f"{corpus.size:,} | {steps} | {seconds:.0f}"), flush=True)
        told = gains(before, after)
        print(line("gain over as it is", told), flush=True)


def line(name: str, found: dict[str, tuple[float, float, float]], rest: str = "– | – | –") -> str:
    """A row of the table: each metric with its 95% interval over users."""
    cells = [f"{found[it][0]:+.4f}" if name.startswith("gain") else f"{found[it][0]:.4f}" for it in METRICS]
    bounds = [f" [{found[it][1]:.4f}, {found[it][2]:.4f}]" for it in METRICS]
    return f"| {name} | " + " | ".join(a + b for a, b in zip(cells, bounds, strict=True)) + f" | {rest} |"


if __name__ == "__main__":
    main()
