"""The tables of uplift: whom an ad changes, and what lets one say so."""

from pipeline.runtime.settings import Settings
from pipeline.tables.columns import DS, USER_ID
from pipeline.tables.schema import DOUBLE, FOREVER, INT, LONG, STRING, Column, RowRule, Table

TRIAL = Column("trial", STRING, "`experiment:` or `campaign:` and its name", True,
               pattern=r"^(experiment|campaign):[a-z][a-z0-9_]*$")  # fmt: skip
TREATMENT = Column("treatment", STRING, "the arm whose effect this is", True)
CONTROL = Column("control", STRING, "the arm that it is held against", True)
OUTCOME = Column("outcome", STRING, "what the effect is on: more is better", True)

FIGURES = ("effect", "adjusted_effect", "qini", "auuc", "difference_p_value", "learner")


def _effect(name: str, meaning: str) -> Column:
    return Column(name, DOUBLE, meaning, True, "units of the outcome")


def _user_uplift(settings: Settings) -> list[RowRule]:
    bounds = ("decile_low", "decile_effect", "decile_high")
    return [
        (
            "decile_low <= decile_effect <= decile_high",
            "decile_low <= decile_effect AND decile_effect <= decile_high",
            ("trial", "user_id", *bounds),
        ),
        ("uplift is a number", "isfinite(uplift)", ("trial", "user_id", "uplift")),
    ]


USER_UPLIFT = Table(
    "user_uplift",
    "how much more of the outcome each user of the night is foretold to give because of a "
    "treatment; of trials whose ranking is better than chance for sure, no others",
    (
        DS,
        TRIAL,
        USER_ID,
        TREATMENT,
        OUTCOME,
        _effect("uplift", "foretold effect, by a model that never saw this user's own outcome"),
        Column("decile", INT, "tenth of the trial's users that this uplift falls into, 1 the most",
               True, minimum=1, maximum=10),
        _effect("decile_effect", "mean effect measured on the trial's users of that decile"),
        _effect("decile_low", "lower end of its 95% interval"),
        _effect("decile_high", "upper end of its 95% interval"),
        Column("learner", STRING, "learner and base model that foretold it", True),
    ),
    key=("trial", "user_id"),
    snapshot=True,
    rules=_user_uplift,
)  # fmt: skip


def _figure(name: str, meaning: str, **more: object) -> Column:
    return Column(name, DOUBLE, meaning, nulls="where refused", **more)  # type: ignore[arg-type]


def _uplift_judgements(settings: Settings) -> list[RowRule]:
    why = ("trial", "decision", "qini_low")
    none = " AND ".join(f"{name} IS NULL" for name in FIGURES)
    every = " AND ".join(f"{name} IS NOT NULL" for name in FIGURES)
    return [
        (
            "users are scored only where the ranking beats chance for sure",
            "(decision = 'scored') = coalesce(qini_low > 0, false)",
            why,
        ),
        ("no scored user without that", "decision = 'scored' OR scored_users = 0", why),
        (
            "figures unless refused",
            f"CASE WHEN decision = 'refused' THEN {none} ELSE {every} END",
            ("trial", "decision", *FIGURES),
        ),
        *(
            (f"{low} <= {high}", f"{low} IS NULL OR {low} <= {high}", ("trial", low, high))
            for low, high in (("effect_low", "effect_high"), ("adjusted_low", "adjusted_high"),
                              ("qini_low", "qini_high"))
        ),
    ]  # fmt: skip


UPLIFT_JUDGEMENTS = Table(
    "uplift_judgements",
    "what each trial says of uplift, and why nothing where it says nothing",
    (
        DS,
        TRIAL,
        TREATMENT,
        CONTROL,
        OUTCOME,
        Column("decision", STRING, "scored: the ranking beats chance; undecided: it may be chance; "
               "refused: there is nothing to learn from", True,
               values=("scored", "undecided", "refused")),
        Column("reason", STRING, "why", True),
        Column("learner", STRING, "learner and base model that scores", nulls="where refused"),
        Column("users", LONG, "users of the trial", True, "users", 0),
        Column("treated_users", LONG, "those of the treatment", True, "users", 0),
        _figure("effect", "mean of the treated less that of the control"),
        _figure("effect_low", "lower end of its 95% interval"),
        _figure("effect_high", "upper end of its 95% interval"),
        _figure("adjusted_effect", "the same, doubly robust"),
        _figure("adjusted_low", "lower end of its 95% interval"),
        _figure("adjusted_high", "upper end of its 95% interval"),
        _figure("qini", "Qini coefficient: outcome per user gained by the ranking beside a random "
                "one, mean over all shares treated"),
        _figure("qini_low", "lower end of its 95% bootstrap interval"),
        _figure("qini_high", "upper end of its 95% bootstrap interval"),
        _figure("auuc", "area under the uplift curve"),
        _figure("difference_p_value", "chance of effects that seem to differ as much, were all the "
                "same", unit="probability", minimum=0, maximum=1),
        Column("scored_users", LONG, "users of the night with an uplift", True, "users", 0),
        Column("left_out_users", LONG, "users of the night unlike any of the trial", True,
               "users", 0),
    ),
    key=("trial",),
    keep=FOREVER,  # a few rows that say why
    snapshot=True,
    rules=_uplift_judgements,
)  # fmt: skip

UPLIFT_TABLES = (USER_UPLIFT, UPLIFT_JUDGEMENTS)
