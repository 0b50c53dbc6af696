"""The tables of uplift: whom an ad changes, and what lets one say so."""

from pipeline.tables.columns import DS, USER_ID
from pipeline.tables.schema import DOUBLE, INT, LONG, STRING, Column, Table

TRIAL = Column("trial", STRING, "`experiment:` or `campaign:` and its name", True,
               pattern=r"^(experiment|campaign):[a-z][a-z0-9_]*$")  # fmt: skip
TREATMENT = Column("treatment", STRING, "the arm whose effect this is", True)
CONTROL = Column("control", STRING, "the arm that it is held against", True)
OUTCOME = Column("outcome", STRING, "what the effect is on: more is better", True)


def _effect(name: str, meaning: str) -> Column:
    return Column(name, DOUBLE, meaning, True, "units of the outcome")


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
)  # fmt: skip


def _figure(name: str, meaning: str, **more: object) -> Column:
    return Column(name, DOUBLE, meaning, nulls="where refused", **more)  # type: ignore[arg-type]


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
    snapshot=True,
)  # fmt: skip

UPLIFT_TABLES = (USER_UPLIFT, UPLIFT_JUDGEMENTS)
