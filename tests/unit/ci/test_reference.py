"""The generated pages of docs/reference/ say what the code says."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / ".ci"))

import reference


@pytest.mark.parametrize("name", reference.PAGES)
def test_the_page_is_up_to_date(name: str) -> None:
    written = (reference.FOLDER / name).read_text()
    assert written == reference.PAGES[name]().rstrip("\n") + "\n", "run `python .ci/reference.py`"


def test_the_drawing_of_the_night_is_up_to_date() -> None:
    assert reference.ARCHITECTURE.read_text() == reference.architecture_page(), "run `python .ci/reference.py`"


def test_every_setting_is_explained() -> None:
    assert "|  |" not in reference.settings_page()


def test_a_docstring_shows_its_commands_as_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    path = tmp_path / "count.py"
    path.write_text('"""Count.\n\n    python -m count --ds D\n\nWrites nothing.\n"""\ndef main(): ...\n')
    assert reference.program(path) == [
        *("### `count.py`", "", "Count.", "", "```sh", "python -m count --ds D", "```", "", "Writes nothing.", "")
    ]
    path.write_text('"""No program."""\n')
    assert reference.program(path) == []
