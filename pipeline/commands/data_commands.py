"""Commands about a home's data: sources, tables, users."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.declare import Day, MaybeDay, Table, command, environment, group

app = group("Read and manage the data of a home.")
source = group("Make or check a source file, or import a history file.", "source check shop.toml --ds 2026-03-31")
app.add_typer(source, name="source")


@command(source, "new", "source new myshop orders-2025.csv.gz --write")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="name of the new source")],
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="files of one kind to look at")] = None,
    template: Annotated[
        str | None, typer.Option(metavar="T", help="start from it; `source templates` lists them")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="write sources/NAME.toml instead of printing it")] = False,
) -> None:
    """Look at files, write a source file for them, and check it.

    Each line says what speaks for it. What could not be decided is listed as open.
    """
    from pipeline.commands.source import new_source

    raise typer.Exit(new_source(environment(), name, files or [], template, write))


@command(source, "templates", "source templates")
def templates() -> None:
    """List the templates for public schemas."""
    from pipeline.commands.source import print_templates

    environment()
    print_templates()


@command(source, "check", "source check shop.toml --ds 2026-03-31 --html check.html")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="source TOML")],
    ds: Annotated[str | None, typer.Option(metavar="D", help="landed day; the latest by default")] = None,
    compare: Annotated[str | None, typer.Option(metavar="D", help="another landed day: what changed since")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="write it as a page, too")] = None,
) -> None:
    """Show what a landed day becomes, and what is rejected.

    Of files of more than 256 MB together the beginning is read, which it says.
    """
    from pipeline.commands.source import check_source

    environment()  # a mistyped setting is found here, as everywhere
    raise typer.Exit(check_source(file, ds, compare, html))


@command(source, "import", "source import myshop orders-2025.csv.gz")
def import_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="name of the source")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="files in the source's format")],
) -> None:
    """Split history files into landing days."""
    from pipeline.commands.source import import_history

    raise typer.Exit(import_history(environment(), name, files))


@command(app, "sample", "sample --out landing --events 200000 --days 90 --seed 7")
def sample(
    out: Annotated[Path, typer.Option(metavar="DIR", help="landing folder")],
    events: Annotated[int, typer.Option(metavar="N", min=1, help="about how many events")] = 200_000,
    days: Annotated[int, typer.Option(metavar="D", min=1, help="how many days")] = 90,
    seed: Annotated[int, typer.Option(metavar="S", help="the same seed makes the same logs")] = 7,
    pictures: Annotated[bool, typer.Option("--pictures", help="draw the web shop's items")] = False,
    last_day: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="last day of the logs")] = None,
) -> None:
    """Generate sample logs with known truth."""
    from pipeline.sources.sample import generate

    environment()
    last = {"last_day": last_day.date()} if last_day else {}
    generate(out, events, days, seed, pictures=pictures, **last)
    print(f"{out}: about {events} events over {days} days")


@command(app, "tables", "tables user_features")
def tables(table: Annotated[str | None, typer.Argument(metavar="TABLE", help="show its columns")] = None) -> None:
    """List the tables, or the columns of one table.

    Tables with their published days and rows; columns with type, unit, range, null rule and meaning.
    """
    from pipeline.commands.tables import print_columns, print_tables
    from pipeline.home import Home

    home = Home(environment())
    if table:
        print_columns(table)
    else:
        print_tables(home)


@command(app, "read", "read user_features --ds 2026-03-31 --out features.parquet")
def read(
    table: Table,
    ds: Annotated[str | None, typer.Option(metavar="D", help="one day; all published days when left out")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.parquet", help="write instead of print")] = None,
) -> None:
    """Print a table or write it to a Parquet file."""
    import polars as pl
    import pyarrow.parquet as pq

    from pipeline.home import Home
    from pipeline.runtime.days import parse_day

    rows = Home(environment()).read(table, parse_day(ds) if ds else None)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, out)
        print(f"{out}: {rows.num_rows} rows")
    else:
        breaks = {"\n": "\\n", "\t": "\\t"}  # what else could steer a terminal is escaped for every command
        shown = pl.DataFrame(rows).with_columns(pl.col(pl.String).str.replace_many(breaks))
        with pl.Config(tbl_cols=-1, tbl_width_chars=200):
            print(shown)


@command(app, "history", "history user_features")
def history(table: Table) -> None:
    """List who published what of a table, newest first."""
    from pipeline.commands.tables import print_history
    from pipeline.home import Home

    print_history(Home(environment()).history(table))


@command(app, "rollback", "rollback user_features --ds 2026-03-31")
def rollback(table: Table, ds: Day) -> None:
    """Bring back what a day held before."""
    from pipeline.runtime.days import parse_day
    from pipeline.storage.rollback import rollback
    from pipeline.tables.registry import table_named

    declared, day = table_named(table), parse_day(ds)
    back = rollback(environment(), declared, day)
    print(f"{declared.name} ds={day}: {back.rows} rows of snapshot {back.restored} are back")


@command(app, "unpublish", "unpublish user_features --ds 2026-03-31")
def unpublish(table: Table, ds: Day) -> None:
    """Take a published day away from readers.

    What was made from it is stale from then on; `repair` makes it again.
    """
    from pipeline.runtime.days import parse_day
    from pipeline.storage.unpublish import unpublish
    from pipeline.tables.registry import table_named

    declared, day = table_named(table), parse_day(ds)
    gone = unpublish(environment(), declared, day)
    print(f"{declared.name} ds={day}: {gone.rows} rows of run {gone.run} are not published any more")


@command(app, "status", "status")
def status() -> None:
    """Show what has landed, is published and serves."""
    from pipeline.commands.status import print_status

    print_status(environment())


@command(app, "metrics", "metrics --port 9464")
def metrics(
    port: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=65535, help="serve them at /metrics, until it is stopped")
    ] = None,
    host: Annotated[str, typer.Option(metavar="H", help="address to listen on")] = "127.0.0.1",
) -> None:
    """Print or serve figures of the home for a monitoring system, in Prometheus' text format."""
    from pipeline.report.metrics import server, text

    settings = environment()
    if port is None:
        print(text(settings), end="")
    else:
        server(settings, host, port).serve_forever()


@command(app, "user", "user webshop:U123 --ds 2026-03-31")
def user(
    id: Annotated[str, typer.Argument(metavar="ID", help="user_id, or <platform>:<raw id>")],
    ds: MaybeDay = None,
    json: Annotated[bool, typer.Option("--json", help="all that is known, for machines")] = False,
) -> None:
    """Print what is known about one user.

    By default at the end of the newest published day.
    """
    from json import dumps

    from pipeline.commands.user import story
    from pipeline.home import Home

    facts = Home(environment()).user(id, ds)
    print(dumps(facts.as_json(), ensure_ascii=False) if json else story(facts))


@command(app, "erase", "erase webshop:U123 --reason 'asked on 2026-04-01'")
def erase(
    users: Annotated[list[str], typer.Argument(metavar="USER", help="user_id, or <platform>:<raw id>")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="kept with the record of what was done")] = "",
    former_key: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="an earlier key of the home; may be repeated")
    ] = None,
) -> None:
    """Remove persons from everything, for good.

    All ids that the identity map joins to a person go too. When it is cut off, run it again. Exit code 3 when nothing
    of them is found, but some files or ids could not be searched: they are listed.
    """
    from pipeline.commands.erase import erase_persons

    raise typer.Exit(erase_persons(environment(), users, reason, former_key or []))
