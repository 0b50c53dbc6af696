"""Files and folders that appear whole or not at all."""

from pathlib import Path

import pytest

from pipeline.runtime.atomic import replace_text, replacing


@pytest.mark.parametrize("durable", [False, True])
def test_the_new_text_takes_the_place_of_the_old(tmp_path: Path, durable: bool) -> None:
    file = tmp_path / "new folder" / "file.json"
    replace_text(file, "old", durable)
    replace_text(file, "néw", durable)
    assert file.read_bytes() == "néw".encode()
    assert list(file.parent.iterdir()) == [file]


def test_what_fails_leaves_the_old_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(RuntimeError, match="half-way"), replacing(file) as aside:
        aside.write_text("ne")
        assert file.read_text() == "old"
        raise RuntimeError("half-way")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert file.read_text() == "old"


def test_a_folder_that_fails_is_removed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), replacing(tmp_path / "folder") as aside:
        aside.mkdir()
        (aside / "part").write_text("x")
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def write_folder(folder: Path, text: str, first_stays: bool) -> None:
    with replacing(folder, first_stays=first_stays) as aside:
        aside.mkdir()
        (aside / "part").write_text(text)


def test_of_two_folders_the_first_stays(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    write_folder(folder, "first", first_stays=True)
    write_folder(folder, "second", first_stays=True)
    assert (folder / "part").read_text() == "first"
    with pytest.raises(OSError):
        write_folder(folder, "third", first_stays=False)
    assert list(tmp_path.iterdir()) == [folder]


def test_another_folder_may_hold_what_is_being_written(tmp_path: Path) -> None:
    within = tmp_path / "_aside"
    with replacing(tmp_path / "file", within=within, durable=True) as aside:
        assert aside.parent == within
        aside.write_text("x")
    assert not list(within.iterdir())
