"""Resolve requirements.in into requirements.txt: exact pins with their hashes, resolved in a fresh environment.

    make lock
    python3.11 .ci/lock.py --keep    # keep the pins there are; add or remove what requirements.in says

torch is asked for at its pinned version and its accelerator packages are left out: torch brings
those itself where it needs them. A pin lists the SHA-256 of every file that the index has for that
version, so the lock installs on any platform, and that of the file installed here, which may come
from elsewhere: torch for CPUs alone is on no index.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.txt"
LEFT_OUT = re.compile(r"^(nvidia-|cuda-|triton|pip==|-e |tidemark)")
PIN = re.compile(r"^([\w.-]+)==[^\s;]+", re.MULTILINE)
HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment, kept, report = (Path(folder) / name for name in ("environment", "kept.txt", "report.json"))
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        pip = [str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q"]
        kept.write_text(
            "\n".join(pin.group() for pin in PIN.finditer(LOCK.read_text())) if "--keep" in sys.argv else ""
        )
        source = ["-c", str(kept), "-r", str(ROOT / "requirements.in")]
        subprocess.run([*pip, "install", "--no-compile", "--report", str(report), *source], check=True)
        subprocess.run([*pip, "check"], check=True)
        frozen = subprocess.run([*pip, "freeze", "--all"], check=True, capture_output=True, text=True).stdout
        pins = [line.split("+cpu")[0] for line in frozen.splitlines() if not LEFT_OUT.match(line)]
        kept.write_text("\n".join(pins))
        # Installed after the packages are listed: uv itself is no pin.
        subprocess.run([*pip, "install", "uv"], check=True)
        options = ["-q", "--no-deps", "--generate-hashes", "--no-header", "--no-annotate", "--python-version", "3.11"]
        compile_pins = [str(environment / "bin" / "uv"), "pip", "compile", *options, str(kept)]
        listed = subprocess.run(compile_pins, check=True, stdout=subprocess.PIPE, text=True).stdout
        LOCK.write_text(locked(listed, installed_hashes(json.loads(report.read_text()))))
    print(f"requirements.txt: {len(pins)} pins")


def installed_hashes(report: dict) -> dict[str, str]:
    """`sha256:…` of the file that pip installed, by package."""
    return {
        canonical(it["metadata"]["name"]): "sha256:" + it["download_info"]["archive_info"]["hashes"]["sha256"]
        for it in report["install"]
    }


def locked(listed: str, installed: dict[str, str]) -> str:
    """The pins of `listed` by name, each with its hashes and the one of the file that was installed."""
    starts = list(PIN.finditer(listed))
    ends = [start.start() for start in starts[1:]] + [len(listed)]
    lines = []
    for start, end in zip(starts, ends, strict=True):
        hashes = set(HASH.findall(listed[start.end() : end]))
        hashes |= {installed[name] for name in [canonical(start.group(1))] if name in installed}
        lines.append(" \\\n".join([start.group(), *(f"    --hash={it}" for it in sorted(hashes))]))
    return "\n".join(sorted(lines, key=str.lower)) + "\n"


def canonical(name: str) -> str:
    """As PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
