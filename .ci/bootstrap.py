"""Set up what the project needs: Java, `.venv` from requirements.txt.

    python3.11 .ci/bootstrap.py

Runs before anything is installed, so it uses the standard library alone. Does nothing when all is
in place. `make setup` calls it, and so does every other target.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".requirements.sha256"
ARCHIVED = VENV / ".class-archive.java"  # the Java that the archive of classes was made with
MINIMUM_JAVA = 17
JAVA_PACKAGE = "openjdk-17-jre-headless"


def main() -> None:
    check_python()
    ensure_java()
    ensure_venv()
    ensure_class_archive()


def check_python() -> None:
    """The pins co-install on Python 3.11 alone."""
    if sys.version_info[:2] != (3, 11):
        found = ".".join(map(str, sys.version_info[:3]))
        fail(f"Python: expected 3.11, found {found}; install python3.11 and python3.11-venv")


def ensure_java() -> None:
    """Java 17 or newer: Debian's package when root and missing, else a line on what to do."""
    found = java_version()
    if found >= MINIMUM_JAVA:
        return
    wrong = f"expected {MINIMUM_JAVA} or newer, found {found or 'none'}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        fail(f"Java: {wrong}; install a JDK, for example `sudo apt-get install {JAVA_PACKAGE}`, or set JAVA_HOME")
    say(f"Java: {wrong}; installing {JAVA_PACKAGE}")
    call(["apt-get", "update", "-qq"])
    call(["apt-get", "install", "-y", "-qq", "--no-install-recommends", JAVA_PACKAGE])
    if java_version() < MINIMUM_JAVA:
        fail(f"Java: installed {JAVA_PACKAGE}, but `java -version` still does not say 17 or newer")


def java_version() -> int:
    """Major version of the Java that Spark would start; 0 when there is none."""
    match = re.search(r'version "(\d+)', java_shown())
    return int(match.group(1)) if match else 0


def java_shown() -> str:
    """What that Java says of itself; nothing when there is none."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else "java"
    try:
        shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return shown.stderr + shown.stdout


def ensure_venv() -> None:
    """`.venv` with exactly the pins; made anew when requirements.txt has changed."""
    pins = ROOT / "requirements.txt"
    wanted = hashlib.sha256(pins.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    started = time.monotonic()
    say("installing requirements.txt into .venv (about three minutes)")
    call([sys.executable, "-m", "venv", "--clear", str(VENV)])
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-qq"]
    install_torch(pip, pins)
    # Nothing but the files whose hashes are listed. What is listed is all there is to install, but for
    # the accelerator packages of a torch that is not for CPUs alone: it asks for those by their exact
    # versions, and they are in no lock, since machines without an accelerator would download 3 GB.
    call([*pip, "install", "--no-compile", "--require-hashes", "--no-deps", "-r", str(pins)])
    call([*pip, "install", "--no-compile", "torch"])
    compile_packages()
    call([*pip, "install", "--no-deps", "--no-build-isolation", "-e", str(ROOT)])
    call([*pip, "check"])
    STAMP.write_text(wanted)
    say(f"installed in {time.monotonic() - started:.0f} s")


def install_torch(pip: list[str], pins: Path) -> None:
    """torch by its pin, and then the check of its hash.

    By hashes pip takes a file of the index before one of a folder that it is told of (`--find-links`), and with it 3 GB
    of accelerator packages where a torch for CPUs alone lies there. A wheel runs nothing until it is imported.
    """
    pinned = re.search(r"^(torch==\S+)((?: \\\n +--hash=\S+)*)", pins.read_text(), re.MULTILINE)
    if not pinned:
        return
    report = VENV / "torch.json"
    wheel = ["--no-compile", "--no-deps", "--only-binary", ":all:", "--report", str(report)]
    call([*pip, "install", *wheel, pinned.group(1)])
    (found,) = (
        it["download_info"]["archive_info"]["hashes"]["sha256"] for it in json.loads(report.read_text())["install"]
    )
    if found not in pinned.group(2):
        fail(f"{pinned.group(1)}: expected a hash of requirements.txt, found {found}; nothing was run of it")


def compile_packages() -> None:
    """What pip would do on one core. A file that is none for this Python is left as it is."""
    command = [sys.executable, "-m", "compileall", "-qq", "-j", "0", str(VENV / "lib")]
    subprocess.run(command, check=False)


def ensure_class_archive() -> None:
    """Spark's Java classes, archived for this Java: jobs start sooner, and run without it too."""
    java = java_shown()
    if ARCHIVED.exists() and ARCHIVED.read_text() == java:
        return
    command = [str(VENV / "bin" / "python"), "-m", "spark_jobs.class_archive"]
    made = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    if made.returncode:
        why = made.stderr.strip().splitlines()[-1:] or ["no output"]
        say(f"warning: Spark jobs will start slowly: {why[0]}; remove {ARCHIVED} to try again")
    ARCHIVED.write_text(java)


def call(command: list[str]) -> None:
    done = subprocess.run(command, check=False)
    if done.returncode:
        fail(f"setup: `{' '.join(command[:6])} …` ended with exit code {done.returncode}; see above")


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def fail(text: str) -> None:
    sys.exit(f"error: {text}")


if __name__ == "__main__":
    main()
