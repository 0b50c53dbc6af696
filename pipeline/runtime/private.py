"""What only the owner of a home may read: the home, its databases, and temporary data.

    make_home(settings.home)                a folder with mode 0700
    folder = scratch_folder(settings.home)  temporary data of this process, below the home

Temporary data lies below the home and not in /tmp: a job that is killed cannot remove its own.
"""

import errno
import os
import shutil
import stat
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import FileLock

OTHERS = stat.S_IRWXG | stat.S_IRWXO
SCRATCH = "tmp"
LOCK = ".lock"
DATABASES = ("*.db", "airflow/*.db", "mlflow/*.db", "online/*.sqlite*", "online/*.db")

_held: list["FileLock"] = []  # for as long as this process lives


def make_home(home: Path) -> None:
    """Makes the folder where it is missing, and closes it to others."""
    if not home.exists():
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    close_home(home)


def close_home(home: Path) -> None:
    """Takes the home and its databases from group and others; does nothing where there is no home.

    A folder of another owner is left as it is: whoever shares a home mounts it for one user. A key that others may read
    is not closed but refused (pipeline/sources/user_key.py): they may have read it.
    """
    if home.is_dir():
        for path in (home, *(file for pattern in DATABASES for file in home.glob(pattern))):
            close(path)


def close(path: Path) -> None:
    """Takes a file or folder of ours from group and others."""
    try:
        found = path.lstat()
    except FileNotFoundError:  # it went meanwhile
        return
    if found.st_uid == os.geteuid() and found.st_mode & OTHERS and not stat.S_ISLNK(found.st_mode):
        try:
            path.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS)
        except OSError as error:
            if error.errno != errno.EROFS:  # a backup that is mounted to be read; who reads the mount may
                raise


def private_file(path: Path) -> Path:
    """Creates the file, empty, with mode 0600 where it is missing; SQLite takes an empty file for a new database."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT, 0o600))
    return path


def scratch_folder(home: Path) -> Path:
    """A folder for the temporary data of this process, mode 0700. Those of processes that are gone are removed.

    A lock tells who lives: the kernel lets go of it however a process ends, and it holds across containers, whose
    process numbers say nothing to each other.
    """
    from filelock import FileLock  # only Spark jobs need it, every program imports this module

    make_home(home)
    root = home / SCRATCH
    root.mkdir(exist_ok=True, mode=0o700)
    close(root)
    with FileLock(root / LOCK):
        for folder in root.iterdir():
            if folder.is_dir() and not _lives(folder):
                shutil.rmtree(folder, ignore_errors=True)
        made = Path(mkdtemp(dir=root, prefix="job-"))
        lock = FileLock(made / LOCK)
        lock.acquire()
    _held.append(lock)
    return made


def _lives(folder: Path) -> bool:
    """Whether the process of a scratch folder still holds its lock."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / LOCK, blocking=False):
            return False
    except Timeout:
        return True
