"""Rules across the columns of a row of `hourly_judgements`; see `pipeline/tables/rules.py`."""

from pipeline.intraday_rules import OWN_HOUR
from pipeline.runtime.settings import Settings
from pipeline.tables.schema import RowRule

GAINS = ("serving_gain", "candidate_gain", "older_gain")


def hourly_judgements(settings: Settings) -> list[RowRule]:
    shown = ("hour", "decision", "serves")
    served = "serves = candidate AND candidate_gain >= 0"
    return [
        OWN_HOUR,
        (
            "a candidate serves only where it gained",
            f"decision <> 'serve' OR coalesce({served}, false)",
            (*shown, "candidate_gain"),
        ),
        (
            "the champion serves after a rollback",
            "decision <> 'rollback' OR serves = base_version",
            shown,
        ),
        (
            "else what served goes on",
            "decision NOT IN ('keep', 'wait') OR serves = serving",
            (*shown, "serving"),
        ),
        *(
            (
                f"{gain}_low <= {gain} <= {gain}_high",
                f"{gain} IS NULL OR ({gain}_low <= {gain} AND {gain} <= {gain}_high)",
                ("hour", gain),
            )
            for gain in GAINS
        ),
    ]


HOURLY_RULES = {"hourly_judgements": hourly_judgements}
