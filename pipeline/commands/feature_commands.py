"""Commands about features and those who read them: the contract, Feast, the online store."""

from typing import Annotated

import typer

from pipeline.commands.declare import Day, Hour, MaybeRun, command, environment, group, made_up_run

app = group("Features and their readers.")
features = group("The contract of `user_features`, and Feast.", "features page")
online = group("The online store: the features of one user, now.", "online load --ds 2026-03-31")
app.add_typer(features, name="features")
app.add_typer(online, name="online")


@command(features, "page", "features page")
def page() -> None:
    """Write docs/reference/features.md from the declared schema."""
    from pipeline.tables.features_page import write_page

    print(write_page())


@command(features, "release", "features release")
def release() -> None:
    """Freeze the declared version, then write its page."""
    from pipeline.tables.contract import release
    from pipeline.tables.features_page import write_page
    from pipeline.tables.registry import USER_FEATURES

    print(release(USER_FEATURES))
    print(write_page())


@command(features, "feast", "features feast")
def feast() -> None:
    """Write and apply the Feast repository of the home."""
    from pipeline.features.feast.repository import FOLDER, open_feature_store

    settings = environment()
    for view in open_feature_store(settings).list_feature_views():
        print(f"{settings.home / FOLDER}: {view.name}, {len(view.features)} features")


@command(online, "load", "online load --ds 2026-03-31")
def load(
    ds: Day,
    run: Annotated[str, typer.Option("--run", metavar="R", help="id shared by the steps of one run")] = "",
    force: Annotated[bool, typer.Option("--force", help="also an older or rolled back day")] = False,
) -> None:
    """Load the features of a day and let them serve.

    They are written next to the night that serves, counted, and then one pointer moves. The night
    before stays: `online rollback` lets it serve again at once. Feast's definitions are renewed where
    the schema has changed.
    """
    from pipeline.features.online.load_command import load
    from pipeline.runtime.days import parse_day

    load(environment(), parse_day(ds), run, force)


@command(online, "rollback", "online rollback")
def rollback() -> None:
    """Let the night before serve again."""
    from pipeline.features.online.load_command import go_back

    go_back(environment())


@command(online, "patch", "online patch --hour 2026-04-01T10 --run R")
def patch(hour: Hour, run: MaybeRun = "") -> None:
    """Write a refresh into the night that serves.

    Stages what the refresh took as `intraday_refreshes`; audit and publish that next.
    """
    from pipeline.intraday.patch import patch_hour

    patch_hour(environment(), hour, run or made_up_run())
