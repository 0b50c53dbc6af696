"""A run done again from what MLflow keeps of it."""

import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest

from pipeline.orchestration.steps import EVALUATE, TRAIN
from pipeline.runtime.errors import ModelError, NotPublishedError
from pipeline.runtime.settings import Settings, load_settings
from tests.unit.training.factory import DS, publish_shop
from training import reproduce, train
from training.registry.origins import Origin, origin_of
from training.registry.runs import needed_run, open_client
from training.registry.versions import CHALLENGER, aliased

START = reproduce.start  # the real one


def call(job: object, *arguments: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["job", *arguments])
        job.main()  # type: ignore[attr-defined]


def in_this_process(step: object, settings: Settings, origin: Origin, run: str, *more: str) -> None:
    """What `reproduce.start` does, without another interpreter; an evaluation is one figure."""
    if step is TRAIN:
        call(train, "--ds", origin.ds, "--run", run, *more)
        return
    assert step is EVALUATE
    client = open_client(settings)
    client.log_metric(needed_run(client, run, origin.ds), "test/made_up", 0.7)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home with a training run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIDEMARK_HOME", str(tmp_path_factory.mktemp("again") / "home"))
        patch.setenv("TIDEMARK_TRAIN_PRESET", "tiny")
        settings = load_settings()
        publish_shop(settings)
        call(train, "--ds", DS, "--run", "first")
        yield settings


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduce, "start", in_this_process)


@pytest.fixture
def run_id(home: Settings) -> str:
    return needed_run(open_client(home), "first", DS)


def test_the_same_figures_are_reached(home: Settings, run_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    call(reproduce, run_id, "--tolerance", "1e-9")
    assert f"run {run_id}: run " in capsys.readouterr().out
    client = open_client(home)
    found = client.search_runs([client.get_run(run_id).info.experiment_id], f"tags.`tidemark.reproduces` = '{run_id}'")
    assert len(found) == 1
    # Done again to be compared, not to be published.
    assert aliased(client, CHALLENGER) == "1"
    assert len(client.search_model_versions("name = 'tidemark'")) == 1


def test_figures_that_are_not_reached_are_named(home: Settings, run_id: str) -> None:
    client = open_client(home)
    true = client.get_run(run_id).data.metrics["valid/items"]
    client.log_metric(run_id, "valid/items", 1.5 * true, step=10**6)
    client.log_metric(run_id, "test/made_up", 0.75)  # so it was evaluated, and must be again
    wrong = r"2 metrics of run .*: test/made_up expected 0\.75, found 0\.7; valid/items expected"
    with pytest.raises(ModelError, match=wrong):
        call(reproduce, run_id)
    client.log_metric(run_id, "valid/items", true, step=10**6 + 1)


def test_the_recipe_is_read_back(home: Settings, run_id: str) -> None:
    origin = origin_of(open_client(home).get_run(run_id))
    assert asdict(origin.preset)["name"] == "tiny"
    assert (origin.ds, origin.processes, origin.init) == (DS, 1, "")
    assert set(origin.pins) == {"training_examples", "item_embeddings", "items"}


def test_what_cannot_be_done_again_is_refused(home: Settings, run_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    client = open_client(home)
    with pytest.raises(ModelError, match="expected a run with id 'nobody', found none"):
        call(reproduce, "nobody")
    experiment = client.get_run(run_id).info.experiment_id
    bare = client.create_run(experiment).info.run_id
    with pytest.raises(ModelError, match="expected a training run with its preset and input"):
        call(reproduce, bare)
    kept = client.get_run(run_id).data.tags
    client.set_tag(run_id, "tidemark.snapshot.items", "12345")
    client.set_tag(run_id, "tidemark.requirements", "older")
    with pytest.raises(NotPublishedError, match="items: expected snapshot 12345, which has expired"):
        call(reproduce, run_id)
    assert "warning: another requirements.txt: older then" in capsys.readouterr().err
    for name in ("tidemark.snapshot.items", "tidemark.requirements"):
        client.set_tag(run_id, name, kept[name])


def test_a_private_run_is_refused(home: Settings, run_id: str) -> None:
    from training.registry.origins import check_inputs

    origin = origin_of(open_client(home).get_run(run_id))
    private = replace(origin, preset=replace(origin.preset, epsilon=2.0))
    with pytest.raises(ModelError, match="expected a run without privacy, found epsilon 2"):
        check_inputs(home, private)


def test_the_same_processes_are_started(home: Settings, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def remember(command: list[str], env: dict[str, str], check: bool) -> SimpleNamespace:
        seen.update(command=command, threads=env["OMP_NUM_THREADS"])
        return SimpleNamespace(returncode=1)

    monkeypatch.setattr(reproduce.subprocess, "run", remember)
    origin = origin_of(open_client(home).get_run(run_id))
    with pytest.raises(ModelError, match="train failed, see above"):
        START(TRAIN, home, replace(origin, processes=3, threads=5), "r", "--reproduces", run_id)
    assert seen["threads"] == "5"
    command = seen["command"]
    assert command[command.index("--nproc-per-node") + 1] == "3"
    assert command[-6:] == ["--ds", DS, "--run", "r", "--reproduces", run_id]
