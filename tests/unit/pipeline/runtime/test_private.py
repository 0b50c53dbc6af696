"""Who may read a home, and that temporary data of killed jobs goes with the next start."""

import errno
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.runtime.private import close_home, private_file, scratch_folder
from pipeline.runtime.settings import Settings, load_settings
from pipeline.runtime.state_database import engine
from pipeline.storage.catalog import open_catalog

HOLD = """
import sys, time
from pathlib import Path
from pipeline.runtime.private import scratch_folder
folder = scratch_folder(Path(sys.argv[1]))
(folder / "blockmgr-rows").write_text("raw rows")
print(folder, flush=True)
time.sleep(600)
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("opens", [open_catalog, engine])
def test_a_home_is_made_closed(opens, tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    opens(Settings(home=home))
    assert mode(home) == 0o700
    assert mode(home / "catalog.db") == 0o600


def test_every_program_closes_a_home_that_was_left_open(home: Settings) -> None:
    home.home.chmod(0o755)
    home.airflow.mkdir()
    home.mlflow.mkdir()
    files = [home.home / "catalog.db", home.mlflow / "mlflow.db", home.airflow / "airflow.db"]
    for file in files:
        file.touch(0o644)
    load_settings()
    assert mode(home.home) == 0o700
    assert [mode(file) for file in files] == [0o600] * 3


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.db"
    outside.touch(0o644)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "a.db").symlink_to(outside)
    close_home(tmp_path / "home")
    assert mode(outside) == 0o644


def test_a_database_that_is_there_keeps_its_content(tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    file.write_text("rows")
    assert private_file(file).read_text() == "rows"


def test_what_a_killed_job_left_goes_with_the_next_start_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    jobs = [
        subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        killed, living = (Path(job.stdout.readline().strip()) for job in jobs if job.stdout)
        assert killed.parent == living.parent == tmp_path / "tmp"
        assert mode(killed) == mode(killed.parent) == 0o700
        jobs[0].send_signal(signal.SIGKILL)
        jobs[0].wait()
        assert (killed / "blockmgr-rows").exists()
        ours = scratch_folder(tmp_path)
        assert not killed.exists()
        assert (living / "blockmgr-rows").exists() and ours.exists()
        assert [path.name for path in ours.iterdir()] == [".lock"]
    finally:
        for job in jobs:
            job.kill()
            job.wait()


def test_a_home_that_is_mounted_to_be_read_is_read(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: int) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    home.home.chmod(0o755)
    monkeypatch.setattr(Path, "chmod", refuse)
    assert load_settings().home == home.home
