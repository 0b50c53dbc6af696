"""Secrets from files: into the environment of the program that is started, quoted within addresses."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.runtime.errors import SettingsError
from pipeline.runtime.secret_files import with_secrets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    return tmp_path / "secrets"


def test_a_secret_is_taken_as_it_is_and_quoted_in_an_address(folder: Path) -> None:
    (folder / "key").write_text("a/b@c d\n")
    given = {"KEY": f"{{{folder}/key}}", "URI": f"x://me:{{{folder}/key}}@host/", "JSON": '{"a": "/run/secrets"}'}
    assert with_secrets(given) == {"KEY": "a/b@c d", "URI": "x://me:a%2Fb%40c%20d@host/", "JSON": given["JSON"]}


@pytest.mark.parametrize(("text", "found"), [(None, "No such file or directory"), (" \n", "an empty file")])
def test_a_secret_that_is_not_there_is_refused(folder: Path, text: str | None, found: str) -> None:
    if text is not None:
        (folder / "key").write_text(text)
    with pytest.raises(SettingsError, match=f"^KEY: expected a secret in {folder}/key, found:? {found}"):
        with_secrets({"KEY": f"{{{folder}/key}}"})


def test_the_program_gets_it_by_its_environment_alone(folder: Path) -> None:
    (folder / "key").write_text("hidden")
    code = "import os, sys; print(os.environ['KEY'], open('/proc/self/cmdline').read().count('hid' + 'den'))"
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.runtime.secret_files", sys.executable, "-c", code],
        env={"KEY": f"{{{folder}/key}}", "PYTHONPATH": str(Path(__file__).parents[4])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "hidden 0\n"
