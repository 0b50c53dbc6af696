"""Let later nights use a run's adapted text encoder if it is better on cold items and nowhere worse.

    python -m training.promote_encoder --ds 2011-11-06 --run R
    python -m training.promote_encoder --rollback

Reads the run's figures. A promotion counts for the nights after `--ds` whose items are not encoded yet; the first of
them encodes all items again and trains a new champion before it scores. Exits with 0 also when the adaptation is turned
down: then the encoder of before stays. `--rollback` takes the newest promotion back, in the same way.
"""

from pipeline.runtime import program
from pipeline.runtime.days import parse_day
from pipeline.runtime.errors import ModelError, UsageError
from pipeline.runtime.program import arguments
from pipeline.runtime.settings import Settings, load_settings
from pipeline.storage.reading import published
from pipeline.tables.registry import ITEM_EMBEDDINGS
from training.adaptation.judge import may_replace
from training.registry import encoders as registry
from training.registry.runs import needed_run, open_client
from training.texts.adapted import latest, open_adapted, promote, roll_back, store


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--ds", help="the day whose adaptation to judge")
    parser.add_argument("--rollback", action="store_true", help="go back to the encoder of before")
    given = parser.parse_args()
    settings = load_settings()
    if given.rollback:
        take_back(settings)
    elif given.ds:
        decide(settings, parse_day(given.ds), given.run)
    else:
        raise UsageError("--ds: expected the day of an adaptation, or --rollback")


def decide(settings: Settings, ds: str, run: str) -> None:
    """Promotes the adaptation or turns it down, and says why."""
    client = open_client(settings)
    run_id = needed_run(client, run, ds)
    report = registry.report_of(client, run_id)
    version, present = registry.register(client, run_id, report), latest(settings)
    if present and present.identity == report.identity:
        print(f"model {registry.MODEL}: version {version} ({report.identity}) is in use already")
        return
    if report.base != settings.text_encoder:
        raise ModelError(
            f"run {run!r}: it adapted {report.base}, TIDEMARK_TEXT_ENCODER is now {settings.text_encoder}; adapt again"
        )
    if present and present.identity not in report.judged_against:
        raise ModelError(
            f"run {run!r}: judged against {report.judged_against}, nights now use {present.identity}; adapt again"
        )
    decision = may_replace({name: (gain[0], gain[1], gain[2]) for name, gain in report.gains.items()})
    if decision.promoted:
        store(settings, registry.encoder_folder(client, run_id), report.identity)
        open_adapted(settings, report.identity)  # whole, and of the weights that were judged
        encoded = published(ITEM_EMBEDDINGS.name, settings)
        promote(settings, report.identity, max([ds, *encoded]))
    registry.record(client, version, decision.promoted, report.judged_against, decision.reasons)
    outcome = "serves the nights to come" if decision.promoted else f"is turned down, {report.judged_against} stays"
    print(f"model {registry.MODEL}: version {version} ({report.identity}) {outcome}: {'; '.join(decision.reasons)}")


def take_back(settings: Settings) -> None:
    """Goes back to the encoder of before."""
    old, new = roll_back(settings)
    registry.follow(open_client(settings), new.identity if new else "")
    now = f"the adaptation {new.identity}" if new else f"{settings.text_encoder} as it is"
    print(f"model {registry.MODEL}: {old.identity} is rolled back, nights to come use {now}")


if __name__ == "__main__":
    program.run(main)
