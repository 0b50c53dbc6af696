"""Figures for a monitoring system against counts made by hand; what cannot be read says so and hides nothing else."""

import json
import re
import socket
import threading
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from pipeline.report import metrics
from pipeline.report.metrics import METRICS, PREFIX, server, text
from pipeline.runtime.errors import OrchestrationError, StagingError
from pipeline.runtime.settings import Settings
from tests.unit.pipeline.report.conftest import NIGHT
from tests.unit.pipeline.report.published import publish_rows, user

MONITORING = Path(__file__).parents[4] / "docker" / "monitoring"
Found = dict[tuple[str, ...], float]


def figures(exposition: str) -> dict[str, Found]:
    """By name without prefix: label values in order of their names, and the value."""
    return {
        family.name.removeprefix(PREFIX): {
            tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in family.samples
        }
        for family in text_string_to_metric_families(exposition)
    }


def test_figures_of_a_night(nights: Settings) -> None:
    found = figures(text(nights))
    assert found.keys() == METRICS.keys()
    assert found["complete"] == {(): 1}
    assert found["published_days"]["user_features",] == 2
    assert found["published_days"]["training_examples",] == 0
    assert ("training_examples",) not in found["rows"]
    assert found["rows"]["user_features",] == 12
    assert found["landed_rows"] == {("event", "shop"): 12, ("duplicate", "shop"): 1, ("quarantined", "shop"): 11}
    assert found["users"] == {("scored",): 12, ("known",): 12}
    assert list(found["model_info"].values()) == [1]
    assert found["score_mean"]["p_click_7d",] == pytest.approx(0.95)
    assert found["score_psi"]["p_click_7d",] > 1
    age = found["newest_day_age_seconds"]["user_features",]
    assert age > 86_400
    assert age > found["published_after_seconds"]["user_features",] > 0
    assert found["step_seconds"]["score",] >= found["audit_seconds"]["score",] >= 0
    assert set(found["stale_partitions"]) == {("own",), ("follows",)}


def test_of_a_few_users_no_mean_is_given(home: Settings) -> None:
    publish_rows(home, "user_features", NIGHT, [{"user_id": user(n)} for n in range(4)])
    found = figures(text(home))
    assert found["users"]["scored",] == 4
    assert not found["score_mean"] and not found["score_psi"]


def test_an_empty_home_has_figures(home: Settings) -> None:
    found = figures(text(home))
    assert found["complete"] == {(): 1}
    assert set(found["published_days"].values()) == {0}


def test_what_cannot_be_read_says_so_and_hides_nothing_else(
    nights: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with patch.object(metrics, "Lineage", side_effect=StagingError("catalogue: no answer")):
        found = figures(text(nights))
    assert found["complete"] == {(): 0}
    assert not found["published_days"]
    assert found["users"]["scored",] == 12
    out, err = capsys.readouterr()
    assert (out, err) == ("", "error: metrics: catalogue: no answer\n")


def test_a_server_answers_to_its_own_names_and_reads_the_home_once(nights: Settings) -> None:
    serving = server(nights, "127.0.0.1", 0)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{serving.server_port}"
    with httpx.Client(trust_env=False) as client, patch.object(metrics, "spreads", wraps=metrics.spreads) as spreads:
        answers = [client.get(f"{url}/metrics").text for _ in range(3)]
        assert client.get(f"{url}/metrics", headers={"Host": "rebound.example"}).status_code == 403
        assert client.get(f"{url}/").status_code == 404
    serving.shutdown()
    assert answers[0] == answers[1] == answers[2]
    assert figures(answers[0])["users"]["known",] == 12
    assert spreads.call_count == 1


def test_a_port_that_is_taken_is_one_line(home: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OrchestrationError, match=rf"metrics: 127\.0\.0\.1:{port}: Address already in use; name"):
            server(home, "127.0.0.1", port)


def test_boards_and_alerts_ask_for_figures_that_there_are() -> None:
    board = json.loads((MONITORING / "grafana.json").read_text())
    rules = yaml.safe_load((MONITORING / "alerts.yaml").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    alerts = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    names = {name for expression in [*asked, *alerts] for name in re.findall(rf"{PREFIX}\w+", expression)}
    assert len(asked) >= 9 and len(alerts) >= 6
    assert names <= {PREFIX + name for name in METRICS}
    for expression in [*asked, *alerts]:
        for name, labels in re.findall(rf"{PREFIX}(\w+)\{{([^}}]*)\}}", expression):
            assert set(re.findall(r"(\w+)[=!]", labels)) <= set(METRICS[name][1])
