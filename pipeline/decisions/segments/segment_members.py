"""Who belongs to which segment, and which segments are large enough to leave the house.

No exported list reveals fewer users than the floor, alone or by a difference: not by leaving a list out of all users,
not by leaving it out of a list that holds it whole, and not by leaving the exported parts of a segment out of that
segment.
"""

import duckdb

from pipeline.decisions.segments.segments import Segment, condition
from pipeline.storage.declared import duckdb_sql
from pipeline.tables.registry import USER_FEATURES

MEMORY = "2GB"  # beyond it DuckDB spills


def find_members(database: duckdb.DuckDBPyConnection, files: list[str], segments: list[Segment]) -> None:
    """Makes the views and tables `features` and `members` (segment, user_id) in `database`."""
    database.execute(f"SET memory_limit = '{MEMORY}'")
    source = duckdb_sql(database, USER_FEATURES, files, USER_FEATURES.schema.names)
    database.execute(f"CREATE TEMP VIEW features AS {source}")
    names = ", ".join(f"CASE WHEN {condition(s)} THEN '{s.name}' END" for s in segments)
    found = f"unnest(list_filter([{names}], lambda name: name IS NOT NULL))"
    database.execute(f"CREATE TEMP TABLE members AS SELECT {found} AS segment, user_id FROM features")


def exported(database: duckdb.DuckDBPyConnection, segments: list[Segment], floor: int) -> dict[str, int]:
    """Sizes of the segments that may be exported, of the members in `database`."""
    query = "SELECT segment, count(*) FROM members GROUP BY segment HAVING count(*) >= ?"
    shown: dict[str, int] = dict(database.execute(query, [floor]).fetchall())
    users = _count(database, "SELECT count(*) FROM features")
    for name, size in sorted(shown.items()):
        if 0 < users - size < floor:
            del shown[name]
    for small, large in sorted(_close(shown, floor)):
        if {small, large} <= shown.keys() and _holds(database, large, small):
            del shown[small]
    for whole in sorted({s.within for s in segments} & shown.keys()):
        parts = [segment.name for segment in segments if segment.within == whole]
        _withhold_parts(database, whole, parts, shown, floor)
    return shown


def _close(sizes: dict[str, int], floor: int) -> list[tuple[str, str]]:
    """Pairs of segments, the smaller first, whose sizes differ by less than the floor."""
    return [(small, large) for small in sizes for large in sizes if 0 < sizes[large] - sizes[small] < floor]


def _holds(database: duckdb.DuckDBPyConnection, large: str, small: str) -> bool:
    """Whether all members of `small` are members of `large`."""
    outside = "SELECT user_id FROM members WHERE segment = ? EXCEPT SELECT user_id FROM members"
    return not _count(database, f"SELECT count(*) FROM ({outside} WHERE segment = ?)", [small, large])


def _withhold_parts(
    database: duckdb.DuckDBPyConnection,
    whole: str,
    parts: list[str],
    shown: dict[str, int],
    floor: int,
) -> None:
    """Withholds the smallest exported parts until what is left of the whole reveals nobody or enough users: a single
    withheld part would be what is left."""
    while exported_parts := sorted((shown[p], p) for p in parts if p in shown):
        query = """SELECT count(*) FROM (SELECT user_id FROM members WHERE segment = ? EXCEPT
            SELECT user_id FROM members WHERE list_contains(?, segment))"""
        left = _count(database, query, [whole, [name for _, name in exported_parts]])
        if left == 0 or left >= floor:
            return
        del shown[exported_parts[0][1]]


def _count(database: duckdb.DuckDBPyConnection, query: str, values: list[object] | None = None) -> int:
    ((found,),) = database.execute(query, values or []).fetchall()
    return int(found)
