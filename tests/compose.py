"""docker/compose.yaml without Docker: its commands and environments, read from the file, on this machine's ports."""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCKER = ROOT / "docker"
VARIABLE = re.compile(r"\$\{\w+(?::-([^}]*))?\}")


def compose_file() -> dict[str, Any]:
    """The file, every variable as its default."""
    return yaml.safe_load(VARIABLE.sub(lambda it: it[1] or "", (DOCKER / "compose.yaml").read_text()))


@dataclass
class Host:
    """One machine in place of the containers: `moved` maps what they see to what is here, the longest first."""

    folder: Path
    moved: dict[str, str]
    running: dict[str, subprocess.Popen] = field(default_factory=dict)
    services: dict[str, Any] = field(default_factory=lambda: compose_file()["services"])

    def here(self, text: str) -> str:
        """In one pass: what is put in is not looked at again (a port may hold the digits of another)."""
        longest = sorted(self.moved, key=len, reverse=True)
        return re.sub("|".join(map(re.escape, longest)), lambda it: self.moved[it[0]], text)

    def command(self, service: str) -> list[str]:
        """The image's entrypoint with the service's command."""
        entrypoint = re.search(r"^ENTRYPOINT (.*)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
        assert entrypoint
        words = json.loads(entrypoint[1])
        assert words[:2] == ["tini", "--"]
        return [*words[2:], *(self.here(word) for word in self.services[service]["command"])]

    def environment(self, service: str) -> dict[str, str]:
        """That of the file alone, and where programs are."""
        given = {name: self.here(str(value)) for name, value in self.services[service]["environment"].items()}
        path = f"{self._programs()}:{os.environ['PATH']}"
        return {**given, "PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(self.folder), "LANG": "C.UTF-8"}

    def start(self, service: str) -> subprocess.Popen:
        with self.log(service).open("wb") as log:
            self.running[service] = subprocess.Popen(
                self.command(service),
                env=self.environment(service),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.running[service]

    def log(self, service: str) -> Path:
        return self.folder / f"{service}.log"

    def _programs(self) -> Path:
        """`python`, `airflow` and `mlflow` of the environment that runs the test, as the image has them on its PATH."""
        folder = self.folder / "bin"
        if not folder.exists():
            folder.mkdir()
            for name, words in {"python": "", "airflow": " -m airflow", "mlflow": " -m mlflow"}.items():
                (folder / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)}{words} "$@"\n')
                (folder / name).chmod(0o755)
        return folder
