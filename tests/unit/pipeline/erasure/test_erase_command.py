"""What the command says, and how it ends."""

from pathlib import Path

import pytest

from pipeline.commands import erase as command
from pipeline.erasure.record import Record
from pipeline.runtime.errors import UsageError
from pipeline.runtime.settings import Settings


@pytest.mark.parametrize(("doubts", "code"), [(0, 0), (1, 3), (25, 3)])
def test_what_is_in_doubt_is_listed(
    home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], doubts: int, code: int
) -> None:
    record = Record("r1", "now", "", [], in_doubt=[f"file-{number}: damaged" for number in range(doubts)])
    monkeypatch.setattr(command, "erase", lambda *_: record)
    assert command.erase_persons(home, ["shop:a"], "") == code
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("cannot tell: ")]
    assert len(told) == min(doubts, command.LISTED + 1)


def test_a_former_key_that_is_not_there(home: Settings) -> None:
    with pytest.raises(UsageError, match="--former-key /nowhere: expected a file with a key"):
        command.erase_persons(home, ["shop:a"], "", [Path("/nowhere")])
