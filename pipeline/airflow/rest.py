"""Airflow's REST API, as much of it as a night needs."""

from typing import Any

import httpx

from pipeline.runtime.errors import OrchestrationError

TIMEOUT = 30  # seconds; on loopback, next to a busy Spark job


class AirflowClient:
    """Talks to one Airflow on loopback, where everyone is admin."""

    def __init__(self, address: str) -> None:
        self.address = address
        # No proxy of the environment may see the token, and no connection waits for the next call.
        closes = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(base_url=address, timeout=TIMEOUT, trust_env=False, limits=closes)

    def get(self, path: str) -> Any:
        """The JSON at a path below /api/v2/."""
        return self._call("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("POST", path, body)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("PATCH", path, body)

    def is_ready(self, dag_id: str) -> bool:
        """Whether scheduler and DAG processor work and the DAG is known."""
        try:
            health = self.get("monitor/health")
            parts = ("metadatabase", "scheduler", "dag_processor")
            if any(health[part]["status"] != "healthy" for part in parts):
                return False
            return bool(self.get(f"dags?dag_id_pattern={dag_id}")["total_entries"])
        except httpx.HTTPError:
            return False

    def set_pool(self, name: str, slots: int) -> None:
        """Creates the pool, or gives it its size."""
        known = {pool["name"] for pool in self.get("pools")["pools"]}
        pool = {"pool" if name in known else "name": name, "slots": slots}
        body = {**pool, "include_deferred": False}
        if name in known:
            self.patch(f"pools/{name}", body)
        else:
            self.post("pools", body)

    def log(self, run_path: str, task: dict[str, Any]) -> list[str]:
        """The lines that a task's last try logged."""
        task_path = f"{run_path}/taskInstances/{task['task_id']}"
        query = f"map_index={task['map_index']}&full_content=true"
        content = self.get(f"{task_path}/logs/{task['try_number']}?{query}")["content"]
        return [text for entry in content for text in _lines(entry)]

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        if "Authorization" not in self._http.headers:
            token = self._http.get("/auth/token").raise_for_status().json()["access_token"]
            self._http.headers["Authorization"] = f"Bearer {token}"
        answer = self._http.request(method, f"/api/v2/{path}", json=body)
        if not answer.is_success:
            raise OrchestrationError(f"Airflow: {method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()


def _lines(entry: dict[str, Any]) -> list[str]:
    """What a log entry says, an exception's message included, Airflow's folding marks left out."""
    said = [str(entry.get("event", ""))]
    said += [str(error["exc_value"]) for error in entry.get("error_detail") or []]
    lines = [line for text in said for line in text.splitlines()]
    return [line for line in lines if not line.startswith("::")]
