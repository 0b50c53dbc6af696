"""Data Docs: stable addresses, nothing called from outside, bounded, safe with two builders."""

import json
import multiprocessing
import os
import re
from pathlib import Path

import jinja2
import pytest

from pipeline.runtime.settings import Settings
from pipeline.storage.audit import data_docs
from tests.unit.pipeline.staged_factory import DAY, event, stage


def audit_run(home: Settings, run: str) -> None:
    from pipeline.storage.audit.audit_table import audit
    from pipeline.tables.registry import table_named

    audit(home, table_named("events"), run)


def target(page: Path) -> Path:
    """Where a redirect page leads."""
    found = re.search(r"url=([^\"]+)", page.read_text())
    assert found is not None
    return (page.parent / found[1]).resolve()


def test_the_stable_page_leads_to_the_newest_result_of_the_run(home: Settings) -> None:
    stage(home, "events", {DAY: [event(1)]})
    page = data_docs.data_docs_page(home, "events", "r1")
    audit_run(home, "r1")
    first = target(page)
    audit_run(home, "r1")
    assert first.exists() and target(page).exists() and target(page) != first
    assert "event_id is unique within ds" in target(page).read_text()
    assert "events" in data_docs.data_docs_index(home).read_text()


def test_templates_are_compiled_once_a_process(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Great Expectations makes each view an environment of its own, which would compile them all again."""
    compiled: list[object] = []
    compile_one = jinja2.Environment.compile
    monkeypatch.setattr(
        jinja2.Environment, "compile", lambda *given, **more: compiled.append(given) or compile_one(*given, **more)
    )
    stage(home, "events", {DAY: [event(1)]})
    audit_run(home, "r1")
    of_first = target(data_docs.data_docs_page(home, "events", "r1")).read_text()
    compiled.clear()
    audit_run(home, "r1")
    again = [given for given in compiled if "great_expectations" in str(given)]
    assert not again
    of_second = target(data_docs.data_docs_page(home, "events", "r1")).read_text()
    assert "event_id is unique within ds" in of_first and "event_id is unique within ds" in of_second


def test_a_view_of_a_page_is_reported_to_nobody(home: Settings) -> None:
    stage(home, "events", {DAY: [event(1)]})
    audit_run(home, "r1")
    for page in (target(data_docs.data_docs_page(home, "events", "r1")), data_docs.data_docs_index(home)):
        assert "great-expectations-web-assets" not in page.read_text()


def test_the_overview_leads_to_the_newest_audits_first(home: Settings) -> None:
    for number, outcome in enumerate(("passed", "failed")):
        page = data_docs.site_folder(home) / f"page{number}.html"
        data_docs.link_page(home, "events", f"r{number}", page, outcome)
        os.utime(data_docs.data_docs_page(home, "events", f"r{number}"), (number, number))
    text = data_docs.write_overview(home).read_text()
    rows = re.findall(
        r"<b>(\w+)</b> .*?>([\d :-]+ UTC)<.*?>(passed|failed)</span></span>\n.*?<a href=\"([^\"]+)\">(\w+)</a>", text
    )
    assert rows == [
        ("events", "1970-01-01 00:00 UTC", "failed", "data_docs/runs/events/r1.html", "r1"),
        ("events", "1970-01-01 00:00 UTC", "passed", "data_docs/runs/events/r0.html", "r0"),
    ]


def test_the_overview_leads_to_nights_and_experiments_and_escapes_names(home: Settings) -> None:
    for page in ("nightly/2026-03-31.html", "experiments/ban & ner.html"):
        (home.reports / page).parent.mkdir(parents=True)
        (home.reports / page).write_text("")
    text = data_docs.write_overview(home).read_text()
    assert 'href="nightly/2026-03-31.html"' in text
    assert '<a href="experiments/ban%20%26%20ner.html">ban &amp; ner</a>' in text


def test_pruning_keeps_the_newest_results(home: Settings) -> None:
    folder = data_docs.results_folder(home) / "events"
    for number in range(data_docs.KEPT + 3):
        (folder / f"run{number}" / f"202401{number + 1:02d}T000000.000000Z").mkdir(parents=True)
        link = data_docs.data_docs_page(home, "events", f"run{number}")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.write_text("")
    data_docs.prune(home, "events")
    kept = {f"run{number}" for number in range(3, data_docs.KEPT + 3)}
    assert {path.name for path in folder.iterdir()} == kept
    links = data_docs.data_docs_page(home, "events", "x").parent
    assert {path.stem for path in links.iterdir()} == kept


def test_two_audits_at_once_leave_both_results_and_one_whole_index(home: Settings) -> None:
    for run in ("r1", "r2"):
        stage(home, "events", {DAY: [event(1)]}, run)
    spawn = multiprocessing.get_context("spawn")
    audits = [spawn.Process(target=audit_run, args=(home, run)) for run in ("r1", "r2")]
    for process in audits:
        process.start()
    for process in audits:
        process.join()
    assert [process.exitcode for process in audits] == [0, 0]
    index = data_docs.data_docs_index(home).read_text()
    for run in ("r1", "r2"):
        page = target(data_docs.data_docs_page(home, "events", run))
        assert page.relative_to(data_docs.site_folder(home)).as_posix() in index
    for result in data_docs.results_folder(home).rglob("*.json"):
        assert json.loads(result.read_text())["success"] is True
