"""Resolve requirements.in into requirements.txt: exact pins, resolved in a fresh environment.

    make lock

torch is asked for at its pinned version and its accelerator packages are left out: torch brings
those itself where it needs them.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = re.compile(r"^(nvidia-|cuda-|triton|pip==|-e |tidemark)")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check", "-q"]
        constraints = ["-c", str(ROOT / "requirements.txt")] if "--keep" in sys.argv else []
        subprocess.run([*pip, "install", *constraints, "-r", str(ROOT / "requirements.in")], check=True)
        subprocess.run([*pip, "check"], check=True)
        frozen = subprocess.run([*pip, "freeze", "--all"], check=True, capture_output=True, text=True).stdout
    pins = [line.split("+cpu")[0] for line in frozen.splitlines() if not LEFT_OUT.match(line)]
    (ROOT / "requirements.txt").write_text("\n".join(sorted(pins, key=str.lower)) + "\n")
    print(f"requirements.txt: {len(pins)} pins")


if __name__ == "__main__":
    main()
