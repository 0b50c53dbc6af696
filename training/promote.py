"""Make a run's challenger the champion if it is fair enough and not worse than the present champion.

    python -m training.promote --ds 2011-11-06 --run R

Reads the run's evaluation; moves the alias `champion` and records the reasons, and since when, as tags of the version.
Exits with 0 even when the challenger is turned down: then the champion stays. The last line names the version that
serves from now on; Airflow passes it to scoring.
"""

from datetime import UTC, datetime

from pipeline.runtime import program
from pipeline.runtime.days import parse_day
from pipeline.runtime.errors import ModelError
from pipeline.runtime.program import arguments
from pipeline.runtime.settings import load_settings
from training.evaluation.promotion import limits_of, may_be_champion
from training.evaluation.report import kept
from training.registry.runs import needed_run, open_client
from training.registry.versions import (
    AGAINST,
    CHAMPION,
    MODEL,
    PROMOTED,
    PROMOTED_AT,
    ROLLED_BACK,
    aliased,
    day_of,
    register,
)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--ds", required=True, help="the day whose challenger to judge")
    given = parser.parse_args()
    ds, settings = parse_day(given.ds), load_settings()
    client = open_client(settings)
    run_id = needed_run(client, given.run, ds)
    report = kept(client, run_id)
    if report is None:
        raise ModelError(f"run {given.run!r} ds={ds}: expected an evaluation, found none; evaluate first")
    version, champion = register(client, run_id, ds), aliased(client, CHAMPION)
    if champion == version:
        print(f"model {MODEL}: version {version} is the champion already")
        print(f"champion: {version}")
        return
    if ROLLED_BACK in client.get_model_version(MODEL, version).tags:
        raise ModelError(f"model {MODEL}: version {version} was rolled back; train another")
    if champion != report.champion:
        raise ModelError(
            f"run {given.run!r}: judged against champion {report.champion}, now it is {champion}; evaluate again"
        )
    limits = limits_of(settings.fairness_limits)
    decision = may_be_champion(report, ds, day_of(client, champion) if champion else None, limits)
    tags = {PROMOTED: str(decision.promoted).lower(), AGAINST: champion or "none"}
    tags |= {f"promotion.reason.{number}": reason for number, reason in enumerate(decision.reasons, 1)}
    if decision.promoted:
        tags[PROMOTED_AT] = datetime.now(UTC).isoformat(timespec="seconds")
    for name, value in tags.items():
        client.set_model_version_tag(MODEL, version, name, value)
    if decision.promoted:
        client.set_registered_model_alias(MODEL, CHAMPION, version)
    outcome = "is now the champion" if decision.promoted else f"is turned down, {champion or 'no champion'} stays"
    print(f"model {MODEL}: version {version} {outcome}: {'; '.join(decision.reasons)}")
    print(f"champion: {version if decision.promoted else champion or ''}")


if __name__ == "__main__":
    program.run(main)
