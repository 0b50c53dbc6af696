"""Tonight's list: of the candidates of each kind the best who may be contacted.

Caps, cool-down and budget do not look at who is held out: a held-out user takes a place like any other, so that those
who are contacted and those who are not differ in nothing else.
"""

import pyarrow as pa

from pipeline.decisions.experiments.assignment import assign
from pipeline.decisions.interventions.candidates import QUERIES
from pipeline.decisions.interventions.declaration import Declaration, Kind
from pipeline.decisions.interventions.reasons import reason
from pipeline.decisions.interventions.views import Views
from pipeline.decisions.people import Audience
from pipeline.runtime.days import shift
from pipeline.tables.interventions import INTERVENTIONS

SALT = "interventions"  # of who is held out, the same for every kind
BATCH_ROWS = 20_000
MAY_BE_CONTACTED = """
SELECT found.*, coalesce(of_six_days, 0) AS contacts_6d
FROM ({query}) AS found
LEFT JOIN contacts USING (user_id)
LEFT JOIN (SELECT user_id, count(*) AS listed FROM tonight GROUP BY user_id) USING (user_id)
ANTI JOIN (SELECT user_id FROM earlier WHERE kind = $kind AND ds > $cooling) USING (user_id)
WHERE coalesce(listed, 0) < $interventions_per_day
    AND ($per_day = 0 OR greatest(coalesce(of_newest_day, 0), coalesce(listed, 0)) < $per_day)
    AND ($per_week = 0 OR contacts_6d + coalesce(listed, 0) < $per_week)
ORDER BY score DESC, user_id
"""


def choose(declaration: Declaration, audience: Audience, views: Views, ds: str) -> list[dict[str, object]]:
    """Rows of `interventions`, kind by kind in the declared order, each the best first."""
    views.database.execute("CREATE TEMP TABLE tonight (user_id VARCHAR)")
    rows: list[dict[str, object]] = []
    for kind in declaration.kinds:
        best = _best(kind, declaration, audience, views, ds)
        views.database.register("best", best.select(["user_id"]))
        views.database.execute("INSERT INTO tonight SELECT user_id FROM best")
        rows += _listed(kind, declaration, best, ds)
    return rows


def _best(kind: Kind, declaration: Declaration, audience: Audience, views: Views, ds: str) -> pa.Table:
    """The number of candidates that the budget allows, out of those whom people's lists admit."""
    query = MAY_BE_CONTACTED.format(query=QUERIES[kind.name])
    known = {
        "ds": ds,
        "after": shift(ds, -kind.days),
        "until": shift(ds, kind.days),
        **kind.limits,
        "kind": kind.name,
        "cooling": shift(ds, -kind.cool_down_days),
        "interventions_per_day": declaration.interventions_per_day,
        "per_day": declaration.per_day,
        "per_week": declaration.per_week,
    }
    asked = {name: value for name, value in known.items() if f"${name}" in query}
    reader = views.database.sql(query, params=asked).to_arrow_reader(BATCH_ROWS)
    best = reader.schema.empty_table()
    for batch in reader:
        admitted = batch.filter(audience.admits(batch["user_id"]))
        best = pa.concat_tables([best, pa.Table.from_batches([admitted])])
        if len(best) >= kind.daily_budget:
            break
    return best.slice(0, kind.daily_budget)


def _listed(kind: Kind, declaration: Declaration, best: pa.Table, ds: str) -> list[dict[str, object]]:
    shares = (declaration.holdout, 1 - declaration.holdout)
    held_out = assign(best["user_id"].to_pylist(), SALT, shares) == 0
    names = set(INTERVENTIONS.schema.names)
    return [
        {
            **{name: value for name, value in found.items() if name in names},
            "ds": ds,
            "kind": kind.name,
            "place": place + 1,
            "held_out": bool(held_out[place]),
            "reason": reason(kind.name, found),
            "expires_ds": shift(ds, kind.valid_days),
            "suggested_action": None if held_out[place] else kind.action,
        }
        for place, found in enumerate(best.to_pylist())
    ]
