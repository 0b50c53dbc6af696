"""Whatever lands, changes or fails: after each refresh the rows say what has landed.

A model of a day: a file is the set of users it tells of, a row which files told of its user when
it was written. What a refresh does with its plan is what `spark_jobs/refresh/steps.py` does.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.intraday.base import Base
from pipeline.intraday.taken import plan_refresh, told_of
from pipeline.sources.landed_file import LandedFile

DAY = "2024-03-05"
START = datetime(2024, 3, 5, tzinfo=UTC)
Told = frozenset[tuple[str, int]]  # files by name and size


@dataclass
class Day:
    """`files`: name to size and users. `rows`: user to hour of the refresh and what was told."""

    files: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)
    rows: dict[str, tuple[str, Told]] = field(default_factory=dict)
    finished: list[dict[str, Any]] = field(default_factory=list)
    published_by: str = ""
    nights: int = 1
    refreshes: int = 0
    sizes: int = 0

    def land(self, name: str, users: frozenset[str]) -> None:
        self.sizes += 1
        self.files[name] = (self.sizes, users)

    def refresh(self, hour: int, ends_well: bool) -> None:
        self.refreshes += 1
        run, key = f"r{self.refreshes}", f"{DAY}T{hour:02}"
        base = Base("2024-03-04", START + timedelta(minutes=self.nights))
        landed = [LandedFile(name, name, DAY, 1, (), size, 0) for name, (size, _) in self.files.items()]
        plan = plan_refresh(landed, self.finished, base, key, self.published_by)
        earlier = self.rows if plan.continues else {}
        kept = {user: row for user, row in earlier.items() if row[0] in plan.settled}
        new = {user for name in plan.names for user in self.files[name][1]}
        touched = new | (earlier.keys() - kept.keys())
        made = {user: (key, self.told_of(user)) for user in touched if self.told_of(user)}
        stay = {user: row for user, row in kept.items() if user not in touched}
        if made | stay != self.rows:  # the same content again is not published
            self.rows, self.published_by = made | stay, run
        if ends_well:
            done = told_of(plan, base, DAY, key, run)
            self.finished.append({**done, "readable_at": self.refreshes})

    def told_of(self, user: str) -> Told:
        files = self.files.items()
        return frozenset((name, size) for name, (size, users) in files if user in users)

    def truth(self) -> dict[str, Told]:
        users = frozenset().union(*(users for _, users in self.files.values()))
        return {user: self.told_of(user) for user in users}


NAMES = st.sampled_from(["a.csv", "b.csv", "c.csv"])
USERS = st.frozensets(st.sampled_from("uvwx"), max_size=3)
STEPS = st.one_of(
    st.tuples(st.just("land"), NAMES, USERS),
    st.tuples(st.just("vanish"), NAMES, st.none()),
    st.tuples(st.just("night"), st.none(), st.none()),
    st.tuples(st.just("refresh"), st.integers(10, 12), st.booleans()),
)


SAME_HOUR_FAILED = [
    ("land", "a.csv", frozenset("u")),
    ("refresh", 10, True),
    ("land", "b.csv", frozenset("v")),
    ("refresh", 10, False),
    ("vanish", "b.csv", None),
]


@given(st.lists(STEPS, max_size=25))
@example(SAME_HOUR_FAILED)
@settings(max_examples=200, deadline=None)
def test_rows_say_what_has_landed_after_every_refresh(steps: list[tuple[str, Any, Any]]) -> None:
    day = Day()
    for step, what, more in [*steps, ("refresh", 13, True)]:
        if step == "land":
            day.land(what, more)
        elif step == "vanish":
            day.files.pop(what, None)
        elif step == "night":
            day.nights += 1
        else:
            day.refresh(what, more)
            assert {user: told for user, (_, told) in day.rows.items()} == day.truth()


@given(st.lists(st.tuples(NAMES, USERS), max_size=6))
def test_a_refresh_touches_nobody_else(files: list[tuple[str, frozenset[str]]]) -> None:
    day = Day()
    for hour, (name, users) in enumerate(files):
        day.land(f"{hour}-{name}", users)
        before = dict(day.rows)
        day.refresh(hour, ends_well=True)
        untouched = before.keys() - users
        assert {user: day.rows[user] for user in untouched} == {user: before[user] for user in untouched}
