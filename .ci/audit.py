"""Look the pins of requirements.txt up among known vulnerabilities.

    python .ci/audit.py

Ends with 1 when one is known. Where the source of advisories cannot be reached, or does not know the
packages, it says so and ends with 0: no answer is not a clean answer, and says nothing of the code.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 120  # seconds; 253 pins took 14 s without a cache and 2 s with one
UNREACHABLE = re.compile(r"ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|ServiceError|HTTPError")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "audit.json"
        options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "-f", "json", "-o", str(found)]
        command = [str(ROOT / ".venv" / "bin" / "pip-audit"), *options, "-r", str(ROOT / "requirements.txt")]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST)
        except subprocess.TimeoutExpired:
            return print(f"audit: skipped: no answer within {LONGEST} s")
        if not found.exists():
            why = (done.stderr.strip().splitlines() or ["no output"])[-1]
            if UNREACHABLE.search(done.stderr):
                return print(f"audit: skipped: the source of advisories cannot be reached: {why[:200]}")
            sys.exit(f"error: pip-audit ended with exit code {done.returncode}: {why}")
        looked_up, unknown, vulnerable = sorted_out(json.loads(found.read_text())["dependencies"])
    if vulnerable:
        sys.exit("error: known vulnerabilities; raise these pins with `make lock`\n" + "\n".join(vulnerable))
    if not looked_up:
        return print(f"audit: skipped: the source of advisories knows none of the {len(unknown)} pins")
    rest = f"; not known there: {', '.join(unknown)}" if unknown else ""
    return print(f"audit: {looked_up} pins without known vulnerabilities{rest}")


def sorted_out(dependencies: list[dict]) -> tuple[int, list[str], list[str]]:
    """How many pins were looked up, the names of those that were not, and a line per vulnerability."""
    unknown = [it["name"] for it in dependencies if "skip_reason" in it]
    vulnerable = [
        f"{it['name']} {it['version']}: {one['id']}, fixed in {', '.join(one['fix_versions']) or 'no version'}"
        for it in dependencies
        for one in it.get("vulns", [])
    ]
    return len(dependencies) - len(unknown), unknown, vulnerable


if __name__ == "__main__":
    main()
