"""How a command is declared: its options, its help with an example, and what it says to wrong usage.

A declaration imports typer alone. What a command needs is imported in its body, so that help and
completion never wait for Airflow, Iceberg or Arrow.
"""

import time
from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from pipeline.runtime.settings import Settings

PROGRAM = "python -m pipeline"
Body = TypeVar("Body", bound=Callable[..., None])

Table = Annotated[str, typer.Argument(metavar="TABLE", help="name of a table; `tables` lists them")]
Tables = Annotated[list[str], typer.Option("--table", metavar="TABLE", help="may be repeated")]
Day = Annotated[str, typer.Option("--ds", metavar="D", help="day, YYYY-MM-DD")]
MaybeDay = Annotated[str | None, typer.Option("--ds", metavar="D", help="day, YYYY-MM-DD")]
Hour = Annotated[str, typer.Option("--hour", metavar="H", help="hour of the refresh, YYYY-MM-DDTHH")]
Run = Annotated[str, typer.Option("--run", metavar="R", help="id shared by the steps of one run")]
MaybeRun = Annotated[str, typer.Option("--run", metavar="R", help="id shared by steps; made up when left out")]
AllowEmpty = Annotated[bool, typer.Option("--allow-empty", help="take a missing landing file for an empty one")]

Incomplete = Annotated[bool, typer.Option("--incomplete", help="take a day that is not complete as it is")]


def _write_usage(command: Any, context: Any, formatter: Any) -> None:
    pieces = " ".join(command.collect_usage_pieces(context)).replace("{", "").replace("}", "")
    formatter.write_usage(context.command_path, pieces, prefix="usage: ")


class Command(TyperCommand):
    def format_usage(self, ctx: Any, formatter: Any) -> None:
        _write_usage(self, ctx, formatter)


class Group(TyperGroup):
    """A group that knows the commands of its subgroups too, when a name is mistyped."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        _write_usage(self, ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name not in self.commands and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"no such command {name!r}{did_you_mean(_nearest(name, ctx))}")
        return super().resolve_command(ctx, args)


def group(help: str, example: str = "") -> typer.Typer:
    """An empty group of commands."""
    return typer.Typer(
        cls=Group,
        help=help,
        epilog=shown(example),
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
        no_args_is_help=False,
    )


def command(app: typer.Typer, name: str, example: str, **options: Any) -> Callable[[Body], Body]:
    """Adds a function as the command `name`; its help ends with the example."""
    return app.command(name, cls=Command, epilog=shown(example), **options)


def shown(example: str) -> str:
    """The example as the last lines of a help text, kept as they are."""
    return f"\b\nexample:\n  {PROGRAM} {example}"


def paths(command: Any, before: str = "") -> dict[str, Any]:
    """Every command below a group by the words that call it."""
    found: dict[str, Any] = {}
    for name, child in getattr(command, "commands", {}).items():
        path = f"{before} {name}".strip()
        found |= paths(child, path) if hasattr(child, "commands") else {path: child}
    return found


def did_you_mean(names: list[str]) -> str:
    """`; did you mean 'read'?`, and nothing without a name."""
    return f"; did you mean {' or '.join(map(repr, names))}?" if names else ""


def environment() -> "Settings":
    """The settings of this process. Raises SettingsError, also where less is to be kept than is read."""
    from pipeline.runtime.settings import load_settings

    settings = load_settings()
    if settings.keep:
        from pipeline.storage.retention import check  # pyiceberg: a second, which few homes have to wait

        check(settings)
    return settings


def made_up_run() -> str:
    """The id of a run that was started by hand."""
    return f"manual-{time.time_ns()}"


def _nearest(name: str, ctx: Any) -> list[str]:
    """The commands of the group, or anywhere, whose words come nearest; `load_online` is `online load`."""
    here = ctx.command_path.removeprefix(ctx.find_root().command_path).strip()
    calls: dict[str, list[str]] = {child: [f"{here} {child}".strip()] for child in ctx.command.commands}
    for path in paths(ctx.find_root().command):
        words = path.split()
        for form in {words[-1], "-".join(words), "-".join(reversed(words))}:
            if path not in calls.setdefault(form, []):
                calls[form].append(path)
    return [path for form in get_close_matches(name.replace("_", "-"), calls, n=1) for path in calls[form]][:2]
