"""One click from a task to its evidence: addresses on the ports of the settings."""

from pipeline.airflow import links
from pipeline.airflow.operators import Experiment, Release, Report
from pipeline.runtime.settings import Settings
from training.registry import experiment


def test_a_release_links_to_the_page_of_each_table(home: Settings, monkeypatch) -> None:
    monkeypatch.setenv("TIDEMARK_DOCS_PORT", "9001")
    tables = ["--table", "events", "--table", "quarantine"]
    release = Release(task_id="release", command=["release", *tables, "--run", "R.1"])
    links = {link.name: link.get_link(release, ti_key=None) for link in release.operator_extra_links}
    assert links == {
        "Data Docs: events": "http://127.0.0.1:9001/data_docs/runs/events/R.1.html",
        "Data Docs: quarantine": "http://127.0.0.1:9001/data_docs/runs/quarantine/R.1.html",
    }


def test_training_links_to_its_run(home: Settings, monkeypatch) -> None:
    monkeypatch.setenv("TIDEMARK_MLFLOW_PORT", "9002")
    train = Experiment(task_id="train", command=["train", "--ds", "2026-01-01", "--run", "R"])
    (link,) = train.operator_extra_links
    assert link.get_link(train, ti_key=None) == (
        f"http://127.0.0.1:9002/#/experiments/{links.EXPERIMENT}/runs"
        "?searchFilter=tags.%60tidemark.run%60%20%3D%20%27R%27&workflowType=machine_learning"
    )


def test_mlflow_opens_on_the_runs_with_their_headline_figures() -> None:
    address = links.mlflow_runs(9002, "there")
    assert address == "http://there:9002/#/experiments/1/runs?viewStateShareKey=headline&workflowType=machine_learning"
    assert f"viewStateShareKey={experiment.VIEW}" in address


def test_the_last_step_links_to_the_page_of_its_night(home: Settings) -> None:
    report = Report(task_id="job", command=["report", "--ds", "2026-01-01", "--run", "R"])
    (link,) = report.operator_extra_links
    assert link.name == "Nightly report"
    assert link.get_link(report, ti_key=None) == "/tidemark/nightly/2026-01-01.html"
