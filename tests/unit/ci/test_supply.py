"""What is installed is what was locked: hashes, listed components, pinned images, known vulnerabilities."""

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / ".ci"))

import audit  # noqa: E402
import bootstrap  # noqa: E402
import lock  # noqa: E402
import sbom  # noqa: E402

SHA = "sha256:" + 64 * "a"
OTHER = "sha256:" + 64 * "b"


def test_every_pin_of_the_lock_has_hashes() -> None:
    blocks = re.split(r"\n(?=\S)", lock.LOCK.read_text().strip())
    assert len(blocks) > 200
    for block in blocks:
        pin, *hashes = block.split(" \\\n")
        assert lock.PIN.fullmatch(pin) and hashes, pin
        assert all(lock.HASH.fullmatch(it.strip()) for it in hashes), pin


def test_every_direct_dependency_is_in_the_lock() -> None:
    pins = {lock.canonical(pin.group(1)) for pin in lock.PIN.finditer(lock.LOCK.read_text())}
    named = [line for line in (ROOT / "requirements.in").read_text().splitlines() if line and line[0] != "#"]
    assert {lock.canonical(re.split(r"[\[<>=]", line)[0]) for line in named} <= pins


def test_a_lock_holds_the_hashes_of_the_index_and_of_the_installed_file() -> None:
    listed = f"torch==2.13.0 \\\n    --hash={OTHER}\na-b==1.0 \\\n    --hash={OTHER}\n"
    found = lock.locked(listed, {"torch": SHA, "a-b": OTHER})
    assert found == (f"a-b==1.0 \\\n    --hash={OTHER}\ntorch==2.13.0 \\\n    --hash={SHA} \\\n    --hash={OTHER}\n")
    report = {
        "metadata": {"name": "A_b"},
        "download_info": {"archive_info": {"hashes": {"sha256": 64 * "b"}}},
    }
    assert lock.installed_hashes({"install": [report]}) == {"a-b": OTHER}


def test_a_file_with_another_hash_is_not_installed(tmp_path: Path) -> None:
    """By the very options of bootstrap.py, which is looked at for them."""
    wheel = tmp_path / "tampered-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr("tampered.py", "")
        packed.writestr("tampered-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tampered\nVersion: 1.0\n")
        packed.writestr(
            "tampered-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        packed.writestr("tampered-1.0.dist-info/RECORD", "")
    assert '"--require-hashes", "--no-deps", "-r"' in (ROOT / ".ci" / "bootstrap.py").read_text()
    options = ["--no-index", "--find-links", str(tmp_path), "--require-hashes", "--no-deps", "--target"]
    pip = [sys.executable, "-m", "pip", "--isolated", "-q", "install", *options, str(tmp_path / "installed")]

    def install(line: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "lock.txt").write_text(line + "\n")
        return subprocess.run([*pip, "-r", str(tmp_path / "lock.txt")], capture_output=True, text=True, check=False)

    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in install(f"tampered==1.0 --hash={SHA}").stderr
    assert "Hashes are required" in install("tampered==1.0").stderr
    assert not (tmp_path / "installed").exists()
    right = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert install(f"tampered==1.0 --hash=sha256:{right}").returncode == 0
    assert (tmp_path / "installed" / "tampered.py").exists()


def test_a_torch_of_another_hash_ends_the_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = tmp_path / "requirements.txt"
    pins.write_text(f"a==1 \\\n    --hash={OTHER}\ntorch==2.13.0 \\\n    --hash={SHA}\nz==1 \\\n    --hash={OTHER}\n")
    monkeypatch.setattr(bootstrap, "VENV", tmp_path)

    def answer(sha: str) -> None:
        def call(command: list[str]) -> None:
            assert command[-1] == "torch==2.13.0"
            file = {"download_info": {"archive_info": {"hashes": {"sha256": sha.removeprefix("sha256:")}}}}
            Path(command[command.index("--report") + 1]).write_text(json.dumps({"install": [file]}))

        monkeypatch.setattr(bootstrap, "call", call)
        bootstrap.install_torch(["pip"], pins)

    answer(SHA)
    with pytest.raises(SystemExit, match=r"torch==2.13.0: expected a hash of requirements.txt, found bbb"):
        answer(OTHER)


def test_components_are_compared_with_the_lock() -> None:
    pins = f"a-b==1.0 \\\n    --hash={SHA}\ntorch==2.13.0 \\\n    --hash={SHA}\nlost==2 \\\n    --hash={SHA}\n"
    components = [{"name": "A_b", "version": "1.1"}, {"name": "torch", "version": "2.13.0+cpu"}]
    assert sbom.differences(pins, components) == ["a-b: expected 1.0, found 1.1", "lost: expected 2, found none"]


@pytest.mark.parametrize(
    ("dependencies", "error", "code", "said"),
    [
        (None, "requests.exceptions.ProxyError: refused", 0, "skipped: the source of advisories cannot be reached"),
        (None, "unrecognized arguments: -x", 1, "error: pip-audit ended with exit code 1: unrecognized"),
        # pip-audit itself calls this free of vulnerabilities.
        ([{"name": "a", "skip_reason": "not found"}], "", 0, "skipped: the source of advisories knows none of the 1"),
        (
            [{"name": "a", "skip_reason": "not found"}, {"name": "b", "version": "1", "vulns": []}],
            "",
            0,
            "audit: 1 pins without known vulnerabilities; not known there: a",
        ),
        (
            [{"name": "b", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}],
            "",
            1,
            "b 1: PYSEC-1, fixed in 2",
        ),
    ],
    ids=["unreachable", "broken", "nothing known", "clean", "vulnerable"],
)
def test_no_answer_is_not_a_clean_answer(
    dependencies: list[dict] | None,
    error: str,
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = tmp_path / "answer.json"
    if dependencies is not None:
        answer.write_text(json.dumps({"dependencies": dependencies}))
    tool = tmp_path / ".venv" / "bin" / "pip-audit"
    tool.parent.mkdir(parents=True)
    tool.write_text(
        '#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\n'
        f"test ! -f {answer} || cp {answer} $2\necho '{error}' >&2\nexit {code}\n"
    )
    tool.chmod(0o755)
    program = f"import audit, pathlib; audit.ROOT = pathlib.Path({str(tmp_path)!r}); audit.main()"
    monkeypatch.setenv("PYTHONPATH", str(Path(audit.__file__).parent))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert said in done.stdout + done.stderr
    assert done.returncode == code


def test_images_can_be_named_with_their_digests() -> None:
    text = (ROOT / "docker" / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert bases
    for base in bases:
        named = re.fullmatch(r"\$\{(\w+)\}", base)
        assert "@sha256:" in base or (named and f"\nARG {named.group(1)}=" in text), base
        assert "@sha256:" in base or (named and f"--build-arg {named.group(1)}=" in text), "say how"
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    for name, service in compose["services"].items():
        image = service["image"]
        assert "build" in service or "@sha256:" in image or re.match(r"\$\{\w+_IMAGE:-", image), name
    assert compose["x-tidemark"]["build"]["args"]["BASE"].startswith("${PYTHON_IMAGE:-")


def test_the_image_installs_only_files_whose_hashes_are_listed() -> None:
    installs = re.findall(r"pip install .*", (ROOT / "docker" / "Dockerfile").read_text())
    assert any("--require-hashes" in line and "requirements.txt" in line for line in installs)
    for line in installs:
        assert "--require-hashes" in line or "-e ." in line or line.endswith(" torch"), line
