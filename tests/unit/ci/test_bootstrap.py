"""Set-up: one clear line when something is missing, nothing done when all is in place."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / ".ci"))

import bootstrap


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("shown", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "21" 2023-09-19 LTS', 21),
        ('java version "1.8.0_402"', 1),
    ],
)
def test_java_version_is_read_from_what_java_prints(
    shown: str, version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "java", f"echo '{shown}' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert bootstrap.java_version() == version


def test_missing_java_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))  # holds no bin/java
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit, match="Java: expected 17 or newer, found none; install a JDK"):
        bootstrap.ensure_java()


def test_root_installs_java_from_debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "jdk" / "bin"
    program(
        tmp_path / "path",
        "apt-get",
        f'echo "$@" >> {tmp_path}/calls; [ "$1" = install ] || exit 0; mkdir -p {java};'
        f"printf '#!/bin/sh\\necho version \\\\\"17.0.1\\\\\" >&2\\n' > {java}/java;"
        f"chmod +x {java}/java",
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    bootstrap.ensure_java()
    assert bootstrap.JAVA_PACKAGE in (tmp_path / "calls").read_text()


def test_wrong_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    with pytest.raises(SystemExit, match=r"Python: expected 3.11, found 3.12.1"):
        bootstrap.check_python()


def test_the_environment_is_made_anew_only_when_the_pins_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_text("first")
    venv = tmp_path / ".venv"
    venv.mkdir()
    calls: list[list[str]] = []
    for name, value in {"ROOT": tmp_path, "VENV": venv, "STAMP": venv / "stamp"}.items():
        monkeypatch.setattr(bootstrap, name, value)
    monkeypatch.setattr(bootstrap, "call", calls.append)
    bootstrap.ensure_venv()
    made = len(calls)
    assert made > 0
    bootstrap.ensure_venv()
    assert len(calls) == made
    (tmp_path / "requirements.txt").write_text("second")
    bootstrap.ensure_venv()
    assert len(calls) == 2 * made


def test_classes_are_archived_anew_only_when_java_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    program(tmp_path / "java" / "bin", "java", "echo 17.0.1 >&2")
    program(
        tmp_path / "venv" / "bin",
        "python",
        f"echo $@ >> {tmp_path}/calls; echo no room >&2; exit 1",
    )
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / "venv")
    monkeypatch.setattr(bootstrap, "ARCHIVED", tmp_path / "archived")
    calls = tmp_path / "calls"
    bootstrap.ensure_class_archive()  # failing is no error: jobs run without it
    assert "warning: Spark jobs will start slowly: no room; remove" in capsys.readouterr().out
    bootstrap.ensure_class_archive()
    assert calls.read_text() == "-m spark_jobs.class_archive\n"
    program(tmp_path / "java" / "bin", "java", "echo 17.0.2 >&2")
    bootstrap.ensure_class_archive()
    assert calls.read_text() == 2 * "-m spark_jobs.class_archive\n"


def test_bootstrap_needs_the_standard_library_alone() -> None:
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import runpy; runpy.run_path({bootstrap.__file__!r})",
    ]
    subprocess.run(command, check=True, cwd="/")
