"""Commands that run things: a night, a range, a refresh, the servers, and single steps by hand."""

import os
import sys
from typing import Annotated

import typer

from pipeline.commands.declare import (
    AllowEmpty,
    Day,
    Hour,
    Incomplete,
    MaybeDay,
    MaybeRun,
    Run,
    Tables,
    command,
    environment,
    group,
    made_up_run,
)

app = group("Run the night and its parts.")


@command(app, "nightly", "nightly --ds 2026-03-31")
def nightly(ds: MaybeDay = None, allow_empty: AllowEmpty = False, incomplete: Incomplete = False) -> None:
    """Run the night of a day through Airflow and follow it.

    Takes the latest landed day by default. Makes sample logs when nothing has landed, loads earlier
    landed days as one range, starts Airflow unless it is up, and stops what it started. Refuses a day
    that its sources do not call complete, and says what it lacks.
    """
    from pipeline.commands.nightly import run_night

    run_night(environment(), ds, allow_empty, incomplete)


@command(app, "run", "run --from 2026-01-01 --to 2026-03-30 --until encode")
def run(
    first: Annotated[str, typer.Option("--from", metavar="D1", help="first day")],
    last: Annotated[str, typer.Option("--to", metavar="D2", help="last day")],
    until: Annotated[str | None, typer.Option(metavar="STEP", help="last step to run; default: all")] = None,
    allow_empty: AllowEmpty = False,
    model_version: Annotated[
        str, typer.Option(metavar="N", help="registered version that scores; default: the champion of the last day")
    ] = "",
    incomplete: Incomplete = False,
) -> None:
    """Run the same jobs over a range of days.

    Without Airflow, every step over the whole range at once. A model is trained only when none is
    champion. The last day is scored with the model that was champion then. Refuses days that their sources
    do not call complete, and says what they lack.
    """
    from pipeline.commands.run import run_range

    run_range(environment(), first, last, until, allow_empty, incomplete, model_version)


@command(app, "refresh", "refresh --hour 2026-04-01T10")
def refresh(hour: Hour, run: MaybeRun = "") -> None:
    """Refresh features within the day, without Airflow.

    Takes the users of whom something has landed since the night. The steps of the DAG
    `intraday_refresh`, one after the other: each job, its audit, its publish; then that of
    `hourly_learning`, with TIDEMARK_HOURLY_LEARNING=true. Does nothing when the night of the hour's day
    is published.
    """
    from pipeline.commands.refresh import run_refresh

    run_refresh(environment(), hour, run or made_up_run())


@command(app, "base-night", "base-night --hour 2026-04-01T10")
def base_night(hour: Hour) -> None:
    """Print the night that a refresh starts from.

    Exit code 3 when a night of that day or later makes the refresh needless.
    """
    from pipeline.intraday.base import print_base

    raise typer.Exit(print_base(environment(), hour))


@command(app, "release", "release --table events --table quarantine --table accounting --run R")
def release(table: Tables, run: Run) -> None:
    """Audit what a run has staged, then publish it.

    Every table is audited before the first is published; each has its own receipt and transaction.
    Exit code 4 when an audit fails: the same rows will not pass another time. Exit code 5 when what they
    were made from was published anew in the meantime: run the job again.
    """
    from pipeline.orchestration.step_commands import AUDIT_FAILED, OVERTAKEN
    from pipeline.runtime.errors import AuditError, FencedError
    from pipeline.storage.release import release
    from pipeline.tables.registry import table_named

    try:
        release(environment(), [table_named(name) for name in table], run)
    except AuditError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(AUDIT_FAILED) from None
    except FencedError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(OVERTAKEN) from None


@command(app, "stale", "stale")
def stale() -> None:
    """List what is not made from what is there now.

    Partitions whose inputs, landed files, settings or code have changed since, with the reason; those
    that stand on them; landed days that were never loaded.
    """
    from pipeline.commands.repair import print_stale

    print_stale(environment())


@command(app, "repair", "repair --from 2026-03-01 --to 2026-03-31 --dry-run")
def repair(
    first: Annotated[str | None, typer.Option("--from", metavar="D1", help="first day; by default all")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="D2", help="last day; by default all")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be done, and about how long")] = False,
    vanished: Annotated[bool, typer.Option("--vanished", help="drop the rows of landed files that are gone")] = False,
) -> None:
    """Make again exactly what is stale.

    Says first what, why, and about how long. Goes in order; where something comes out as it was, nothing
    behind it is touched. The online store and the reports follow.
    """
    from pipeline.commands.repair import repair
    from pipeline.commands.run import show
    from pipeline.runtime.days import parse_day

    days = [parse_day(ds) if ds else None for ds in (first, last)]
    repair(environment(), days[0], days[1], dry_run, vanished, show)


@command(app, "accept", 'accept webshop --ds 2026-03-31 --reason "the campaign of the year"')
def accept(
    platform: Annotated[str, typer.Argument(metavar="PLATFORM", help="name of the source")],
    ds: Day,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="why the day is right as it is")],
) -> None:
    """Let a day pass whose number of rows is far from usual.

    The release of such a day is held: exit code 4, nothing is published. Who accepted it, when and why is kept and
    shown in the report. Then release the day again: clear `land.release`, or repeat the command.
    """
    from pipeline.runtime.days import parse_day
    from pipeline.sources.landing import find_source
    from pipeline.storage.audit.acceptances import accept

    settings = environment()
    print(accept(settings, find_source(settings, platform).platform, parse_day(ds), reason))


@command(app, "audit", "audit --table events --table quarantine --table accounting --run R")
def audit(table: Tables, run: Run) -> None:
    """Audit what a run has staged.

    Nobody can read it before. Reads exactly the staged files. When all expectations hold, it writes the
    receipt that publishing asks for; otherwise it ends with the expectation, what was found, and the
    Data Docs page.
    """
    from pipeline.storage.audit.audit_table import audit
    from pipeline.tables.registry import table_named

    tables, settings = [table_named(name) for name in table], environment()
    for it in tables:
        receipt = audit(settings, it, run)
        rows = sum(int(str(day["rows"])) for day in receipt.days.values())
        print(f"{it.name}: {len(receipt.days)} days, {rows} rows pass, {receipt.seconds:.1f} s")


@command(app, "publish", "publish --table events --run R")
def publish(table: Tables, run: Run) -> None:
    """Publish what was audited, one transaction per table.

    Either all days of the run become visible, or none. The same content again changes nothing. An
    attempt that began before the published one is refused.
    """
    from pipeline.storage.publish import publish
    from pipeline.tables.registry import table_named

    tables, settings = [table_named(name) for name in table], environment()
    for it in tables:
        changed = publish(settings, it, run)
        rows = sum(publication.rows for publication in changed.values())
        print(f"{it.name}: published {len(changed)} days, {rows} rows")


@command(app, "build-report", "build-report --ds 2026-03-31")
def build_report(
    ds: Day, run: Annotated[str, typer.Option("--run", metavar="R", help="accepted like that of any step; unused")] = ""
) -> None:
    """Draw the report of one night.

    Writes `reports/nightly/<ds>.html` and the list of nights. Reads what is published of that night and
    before, and the evaluations in MLflow. A table that is not published leaves a sentence in place of
    its picture.
    """
    from pipeline.report.build import draw
    from pipeline.runtime.days import parse_day

    draw(environment(), parse_day(ds))


@command(app, "summary", "summary --ds 2026-03-31")
def summary(ds: Day) -> None:
    """Print what a night published, in a few lines."""
    from pipeline.report.summary import summarise
    from pipeline.runtime.days import parse_day

    for line in summarise(environment(), parse_day(ds)):
        print(line)


@command(app, "maintenance", "maintenance --dry-run")
def maintenance(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list the days that would go, and why")] = False,
    older_catalogue: Annotated[
        bool, typer.Option("--older-catalogue", help="go on although the catalogue is an older backup")
    ] = False,
) -> None:
    """Remove days that need not stay, old snapshots, and unused files.

    How long days of a table stay is declared with it; TIDEMARK_KEEP says otherwise. Snapshots and files
    that nothing refers to stay for TIDEMARK_RETENTION_DAYS.
    """
    from pipeline.commands.maintenance import print_maintenance, print_plan

    (print_plan if dry_run else print_maintenance)(environment(), older_catalogue)


@command(app, "up", "up")
def up() -> None:
    """Serve Airflow, MLflow and reports until `down`.

    All on loopback; prints the addresses.
    """
    from pipeline.airflow.services import up

    up(environment())


@command(app, "down", "down")
def down() -> None:
    """Stop what `up` started for this home."""
    from pipeline.airflow.services import down

    down(environment())


PASSED_ON = {"allow_interspersed_args": False, "ignore_unknown_options": True}


@command(app, "airflow", "airflow dags list", context_settings=PASSED_ON)
def airflow(
    words: Annotated[list[str], typer.Argument(metavar="COMMAND", help="passed on to `airflow` as it is")],
) -> None:
    """Run any Airflow command on this home.

    Everything is passed on with the right environment; `airflow -- --help` lists the commands.
    """
    from pipeline.airflow.environment import airflow_environment
    from pipeline.orchestration.step_commands import BINARIES

    variables, program = airflow_environment(environment()), str(BINARIES / "airflow")
    sys.stdout.flush()
    os.execve(program, [program, *words], variables)
