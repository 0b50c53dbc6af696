"""List the components that .venv holds, as CycloneDX JSON (an SBOM).

    python .ci/sbom.py [FILE]    # build/sbom.json without a file

The list is made of what is installed, with licenses and what needs what, and then compared with the
lock: every pin must be there in its version.
"""

import json
import subprocess
import sys
from pathlib import Path

from lock import LOCK, PIN, ROOT, canonical


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "sbom.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    # Reproducible: no time and no serial number, so that equal environments give equal files.
    options = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--of", "JSON", "-o", str(path)]
    made = [str(ROOT / ".venv" / "bin" / "cyclonedx-py"), "environment", str(ROOT / ".venv"), *options]
    done = subprocess.run(made, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: cyclonedx-py ended with exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    components = json.loads(path.read_text())["components"]
    wrong = differences(LOCK.read_text(), components)
    if wrong:
        sys.exit("error: .venv is not what requirements.txt says; run `make setup`\n" + "\n".join(wrong))
    print(f"{path}: {len(components)} components, with every pin of requirements.txt")


def differences(lock: str, components: list[dict]) -> list[str]:
    """A line per pin that is missing or has another version. A local label (`+cpu`) is no difference."""
    installed = {canonical(it["name"]): it["version"].split("+")[0] for it in components}
    pins = {canonical(pin.group(1)): pin.group().split("==")[1] for pin in PIN.finditer(lock)}
    return [
        f"{name}: expected {version}, found {installed.get(name, 'none')}"
        for name, version in pins.items()
        if installed.get(name) != version
    ]


if __name__ == "__main__":
    main()
