"""The command line: `python -m pipeline COMMAND …`.

Exit code 0 on success, 2 on wrong usage, 1 on failure with one clear last line on standard error.
Installed, the same is `tidemark COMMAND …`; `tidemark --install-completion` completes it in the shell.
"""

import os
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer
from typer.exceptions import Exit, TyperException

from pipeline.commands import data_commands, decision_commands, feature_commands, night_commands
from pipeline.commands.declare import PROGRAM, Group, did_you_mean, shown
from pipeline.runtime.errors import UsageError

INSTALLED = "tidemark"  # the console script; shells complete programs, not modules
COMPLETE = "_TIDEMARK_COMPLETE"

app = typer.Typer(
    cls=Group,
    help="Where each user's interests stand, and which way they move: a nightly pipeline.",
    epilog=shown("nightly"),
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=False,
)
for part in (night_commands, data_commands, feature_commands, decision_commands):
    app.add_typer(part.app)  # without a name: its commands are commands of this one


def main() -> None:
    """Runs one command. A reader that closes the pipe early (`| head`) is no failure."""
    program = INSTALLED if Path(sys.argv[0]).name == INSTALLED else PROGRAM
    command: Any = typer.main.get_command(app)
    if COMPLETE in os.environ:
        command.main(prog_name=INSTALLED, complete_var=COMPLETE)
    code = 0
    try:
        with command.make_context(INSTALLED if _about_completion() else program, sys.argv[1:]) as context:
            command.invoke(context)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exit as end:
        code = end.exit_code
    except TyperException as error:
        if context := getattr(error, "ctx", None):
            print(context.get_usage(), file=sys.stderr)
        raise UsageError(_worded(error)) from None
    sys.exit(code)


def _about_completion() -> bool:
    """Whether completion is asked for, which is that of the console script however it is asked."""
    return any(word.endswith("-completion") for word in sys.argv[1:2])


def _worded(error: TyperException) -> str:
    """What is wrong, in one line, with the nearest option."""
    option = getattr(error, "option_name", None)
    if not hasattr(error, "possibilities") or option is None:
        text = " ".join(error.format_message().split()).rstrip(".")
        return text[:1].lower() + text[1:]
    context: Any = getattr(error, "ctx", None)
    known = [name for it in (context.command.get_params(context) if context else []) for name in it.opts]
    known = [name for name in known if name.startswith("--")]
    return f"no such option {option}{did_you_mean(get_close_matches('--' + option.lstrip('-'), known, n=1))}"
