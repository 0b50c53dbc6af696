"""Commands that decide: segments, ads, interventions, experiments, uplift.

Those with `--run` stage tables; `audit` and `publish` of the same run make them visible.
"""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.declare import Day, MaybeRun, Run, command, environment, group, made_up_run

app = group("Decide whom to show what.")
ads = group("Ads, interventions and uplift.", "ads policy --ds 2026-03-31 --run R")
segments = group("Campaign segments.", "segments build --ds 2026-03-31")
experiment = group("Experiments.", "experiment report --name banner --ds 2026-03-31")
app.add_typer(ads, name="ads")
app.add_typer(segments, name="segments")
app.add_typer(experiment, name="experiment")


@command(ads, "policy", "ads policy --ds 2026-03-31 --run R")
def policy(ds: Day, run: Run) -> None:
    """Decide who is shown which ad tomorrow.

    Judges each policy on logged feedback. Reads the campaigns of `$TIDEMARK_HOME/campaigns/`,
    `user_features` of the day, `events` of each campaign's feedback days and the policy in place;
    stages `ad_policy` and `policy_judgements`. A campaign file that is wrong ends it: yesterday's
    policies stay in place.
    """
    from pipeline.decisions.campaigns.build import build
    from pipeline.runtime.days import parse_day

    build(environment(), parse_day(ds), run)


@command(ads, "interventions", "ads interventions --ds 2026-03-31 --run R")
def interventions(ds: Day, run: Run) -> None:
    """List whom to address tomorrow, why, and what to do.

    Reads `$TIDEMARK_HOME/interventions.toml`, `user_features` of the day, `events`, `items` and earlier
    `interventions`; stages `interventions`, empty without the file. A file that is wrong ends it:
    yesterday's list stays in place.
    """
    from pipeline.decisions.interventions.build import build
    from pipeline.runtime.days import parse_day

    build(environment(), parse_day(ds), run)


@command(ads, "uplift", "ads uplift --ds 2026-03-31 --run R")
def uplift(ds: Day, run: Run) -> None:
    """Estimate whom an ad changes.

    Needs an experiment or a randomised log that can show it. Reads the experiments of
    `$TIDEMARK_HOME/experiments/`, the campaigns with an [uplift] section, `events` and `user_features`;
    stages `user_uplift` and `uplift_judgements`, and writes a page per trial. Without an experiment
    both tables are empty.
    """
    from pipeline.decisions.uplift.build import build
    from pipeline.runtime.days import parse_day

    build(environment(), parse_day(ds), run)


@command(ads, "simulate", "ads simulate --seeds 20 --out regret")
def simulate(
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder of the picture")],
    seeds: Annotated[int, typer.Option(metavar="N", help="worlds to play")] = 20,
) -> None:
    """Play every policy in worlds with known truth.

    Prints a table of their regret and draws `DIR/regret.png`.
    """
    from pipeline.decisions.simulator.contest import contest

    environment()
    contest(seeds, out)


@command(segments, "build", "segments build --ds 2026-03-31")
def build(ds: Day, run: MaybeRun = "") -> None:
    """Sort users into campaign segments.

    Reads `user_features` and `topics` of the day; stages `segments` and `segment_members`. Segments of
    fewer than TIDEMARK_SEGMENT_FLOOR users are named without a size, and none of their members is
    written.
    """
    from pipeline.decisions.segments.build_segments import build_segments
    from pipeline.runtime.days import parse_day

    build_segments(environment(), parse_day(ds), run or made_up_run())


@command(experiment, "report", "experiment report --name banner --ds 2026-03-31")
def report(
    ds: Annotated[str, typer.Option(metavar="D", help="the last day that counts")],
    name: Annotated[str, typer.Option(metavar="NAME", help="name of its file; default: every experiment")] = "",
    run: MaybeRun = "",
) -> None:
    """Write the result of each experiment as one page.

    As known at the end of a day. Reads `$TIDEMARK_HOME/experiments/NAME.toml` and `events`; writes
    `$TIDEMARK_HOME/reports/experiments/NAME.html` and prints the answer. Run it as often as you like:
    p-values and intervals hold at every look.
    """
    from pipeline.decisions.experiments.page import answer
    from pipeline.decisions.experiments.report import report, report_all
    from pipeline.runtime.days import parse_day

    if not name:
        report_all(environment(), parse_day(ds))
        return
    result, path = report(environment(), name, parse_day(ds))
    print(f"{name}: {answer(result)}")
    print(f"users: {result.users[0]:,} and {result.users[1]:,}; page: {path}")
