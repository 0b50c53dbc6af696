"""Compare item encoders: the language model, TF-IDF and Word2Vec, one MLflow run.

    python -m training.compare_encoders --ds 2026-03-31

Encodes the day's items, and users' queries and reviews, with each encoder; trains the same preset on each, and judges
each model alone on the test window. For comparison: the configured encoder without queries and reviews, and item ids
alone. Nothing is published; fitted encoders are taken from the home, or fitted if missing. With the same run id,
finished trainings are not repeated.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.runtime import program
from pipeline.runtime.days import parse_day
from pipeline.runtime.program import arguments
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage.reading import open_day
from pipeline.tables.registry import ITEMS
from training.data.scope import EVERYTHING
from training.evaluation.trial_table import record, table
from training.evaluation.trials import Trial, replaced_vectors, run_trial, trial_data, trial_window
from training.network.presets import Preset, preset_named
from training.texts.encoders import open_encoder
from training.texts.item_texts import embed_items, texts_of

ENCODERS = ("tfidf", "word2vec")
NO_EVENT_TEXT, IDS_ALONE = "no_event_text", "ids_alone"


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--ds", required=True, help="the day whose examples to train and judge on")
    parser.add_argument("--preset", help="TIDEMARK_TRAIN_PRESET by default")
    given = parser.parse_args()
    settings, ds = load_settings(), parse_day(given.ds)
    preset = preset_named(given.preset or settings.train_preset)
    names = tuple(dict.fromkeys((settings.text_encoder, *ENCODERS)))
    folder = settings.mlflow / "jobs" / given.run / ds
    trials = compare(settings, ds, preset, names, folder)
    text = table(trials, trials[0].name)
    run_id = record(settings, given.run, ds, "encoders", {"preset": preset.name}, trials, text)
    print(f"{text}\nMLflow run {run_id}")


def compare(settings: Settings, ds: str, preset: Preset, names: tuple[str, ...], folder: Path) -> list[Trial]:
    """One trial per encoder on the same items and examples, plus two trials with less text."""
    items = open_day(settings, ITEMS, ds)[1].to_table()
    data, window = (
        trial_data(settings, ds, EVERYTHING),
        trial_window(settings, ds, EVERYTHING, preset),
    )
    trials = []
    for name in names:
        chosen = settings.model_copy(update={"text_encoder": name})
        encoder = open_encoder(chosen, lambda: texts_of(items))
        embeddings, _ = embed_items(items, {}, ds, encoder)
        learnt, judged = replaced_vectors(data, window, embeddings, chosen)
        label = Path(name).name.replace(":", "-")
        trials.append(run_trial(label, learnt, preset, judged, folder)[0])
    deaf = replace(preset, reads_text=False)
    trials.append(run_trial(NO_EVENT_TEXT, data, deaf, window, folder)[0])
    ids = replace(data.catalogue, text=np.zeros_like(data.catalogue.text))
    blind = replace(data, catalogue=ids), deaf, replace(window, catalogue=ids)
    trials.append(run_trial(IDS_ALONE, *blind, folder)[0])
    return trials


if __name__ == "__main__":
    program.run(main)
