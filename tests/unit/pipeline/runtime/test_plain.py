"""What programs show: no value steers a terminal, breaks a line or crashes the printer, and no error shows a secret."""

import io
import json
import subprocess
import sys

import pytest

from pipeline.runtime import program
from pipeline.runtime.errors import SourceError
from pipeline.runtime.plain import PlainStream, found, masked, plain, plain_output
from pipeline.runtime.wording import clean

HOSTILE = "a\x1b[2J\x1b]0;title\x07\rb\nerror: forged\u202egnp.exe\u2028\x9b31m"


def test_what_cannot_be_seen_is_escaped_as_json_does() -> None:
    shown = plain(HOSTILE)
    assert shown == "a\\u001b[2J\\u001b]0;title\\u0007\\u000db\\nerror: forged\\u202egnp.exe\\u2028\\u009b31m"
    assert plain("\U000e0041") == "\\udb40\\udc41"
    assert json.loads('"' + plain("\x1b\u202e\x9b\U000e0041") + '"') == "\x1b\u202e\x9b\U000e0041"


@pytest.mark.parametrize("text", ["Müller", "日本語", "عربي", "👩‍👧", clean("שלום, the shop"), "a [b] {c}"])
def test_what_people_write_stays(text: str) -> None:
    assert plain(text) == text


def test_a_found_value_is_short_and_on_one_line() -> None:
    assert found("x\ny") == r"'x\ny'"
    assert len(found("x" * 500)) == 80


def test_an_error_is_one_line_whatever_it_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        print("on\x1b[31m out")
        raise SourceError(f"shop: found {HOSTILE}")

    with pytest.raises(SystemExit):
        program.run(main)
    out, err = capsys.readouterr()
    assert out == "on\\u001b[31m out\n"
    assert err.count("\n") == 1 and err.startswith("error: shop: found a")
    assert "\x1b" not in err and "\u202e" not in err


def test_a_letter_that_the_terminal_lacks_crashes_nothing() -> None:
    raw = io.BytesIO()
    stream = PlainStream(io.TextIOWrapper(raw, "ascii"))
    print("Müller \ud800", file=stream, flush=True)
    assert raw.getvalue() == b"M\\xfcller \\ud800\n"


def test_secrets_of_the_environment_are_not_shown(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv("TIDEMARK_CATALOG_URI", "postgresql://tidemark:first%40half@db/catalog")
    monkeypatch.setenv("TIDEMARK_ONLINE_URI", "postgresql://t:broken@apart@db/online")
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "a signing secret")
    told = masked('host "apart@db": first@half, first%40half, broken, a signing secret, tidemark')
    assert told == 'host "***@db": ***, ***, ***, ***, tidemark'
    with plain_output():
        print("a row with broken in it")  # rows stay as they are
        print("a signing secret", file=sys.stderr)
    assert capsys.readouterr() == ("a row with broken in it\n", "***\n")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIDEMARK_CATALOG_URI", "postgresql+psycopg2://tidemark:pa%ss.word@localhost:1/catalog"),
        ("TIDEMARK_CATALOG_URI", "postgresql+psycopg2://tidemark:pa@ss.word@localhost:1/catalog"),
        ("TIDEMARK_ONLINE_URI", "postgresql://tidemark:ss.word%@localhost/online"),
        ("TIDEMARK_NOTIFY_SMTP", "ftp://me:ss.word@mail"),
    ],
)
def test_a_wrong_address_is_refused_without_its_password(name: str, value: str, tmp_path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "TIDEMARK_HOME": str(tmp_path), name: value}
    command = [sys.executable, "-m", "pipeline", "tables"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {name}: ")
    assert "word" not in done.stderr.replace("password", "") and done.stderr.count("\n") == 1


def test_the_traceback_of_an_unforeseen_error_shows_no_secret_either() -> None:
    called = f"__file__ = {str(program.PROJECT / 'pipeline' / 'made_up.py')!r}\n"
    code = (
        "from pipeline.runtime import program\ndef main(): raise ValueError('hidden words \\x1b[2J')\nprogram.run(main)"
    )
    environment = {"TIDEMARK_USER_KEY": "hidden words", "PATH": "/usr/bin"}
    command = [sys.executable, "-c", called + code]
    done = subprocess.run(command, env=environment, cwd=program.PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("ValueError: *** \\u001b[2J\n")


def test_a_program_started_by_hand_passes_by_a_proxy_too() -> None:
    called = f"__file__ = {str(program.PROJECT / 'pipeline' / 'made_up.py')!r}\n"
    code = "import os\nfrom pipeline.runtime import program\nprogram.run(lambda: print(os.environ['no_proxy']))"
    environment = {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "db", "PATH": "/usr/bin"}
    command = [sys.executable, "-c", called + code]
    done = subprocess.run(command, env=environment, cwd=program.PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == "db,127.0.0.1,localhost,::1\n"
