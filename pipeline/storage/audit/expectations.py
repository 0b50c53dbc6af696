"""What the audit expects of each table: its declared columns, and the rules across columns.

A `Rule` names the Great Expectations class that checks it and the SQL condition of a row that breaks it, so that a
failure can show the rows. Rules across columns are checked as a computed Boolean column, because GX then counts all of
them in the same scan as the column rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.runtime.settings import Settings
from pipeline.tables.schema import Column, Table

KEY = "key"  # the computed column that must be unique


@dataclass(frozen=True)
class Rule:
    """One expectation of one table. `breaks` is true for a row against it."""

    says: str
    expectation: str  # class in great_expectations.expectations
    arguments: dict[str, object]
    breaks: str
    shows: tuple[str, ...]  # columns that show why a row breaks it
    computed: str = ""  # SQL of arguments["column"], where that is no column of the table


def rules_of(table: Table, settings: Settings, lengths: Mapping[str, int] | None = None) -> list[Rule]:
    """The suite of a table. `lengths` holds shorter list lengths that a job vouches for."""
    rules = [rule for column in table.columns for rule in _column_rules(column)]
    rules += [_length_rule(column, lengths or {}) for column in table.columns if column.length]
    rules += [_row_rule(says, holds, shows) for says, holds, shows in table.rules(settings)]
    return rules + ([_key_rule(table.key)] if table.key else [])


def quoted(name: str) -> str:
    """A column name in SQL."""
    return f'"{name}"'


def key_sql(key: tuple[str, ...]) -> str:
    """128 bits of the key: counting 5M distinct ones takes 1.5 s, against 3.5 s as text."""
    columns = ", ".join(quoted(name) for name in ("ds", *key))
    salted = ", ".join(f"concat({quoted(name)}, '~')" for name in ("ds", *key))
    return f"hash({columns})::UHUGEINT * 18446744073709551616 + hash({salted})"


def _column_rules(column: Column) -> list[Rule]:
    name = column.name
    rules = []
    if column.required:
        rules.append(_rule(f"{name} is not null", "NotBeNull", name, f"{quoted(name)} IS NULL"))
    if column.values:
        literals = ", ".join(f"'{value}'" for value in column.values)
        rules.append(
            _rule(
                f"{name} is one of {', '.join(column.values)}",
                "BeInSet",
                name,
                f"{quoted(name)} NOT IN ({literals})",
                value_set=list(column.values),
            )
        )
    if column.pattern:
        rules.append(
            _rule(
                f"{name} matches {column.pattern}",
                "MatchRegex",
                name,
                f"NOT regexp_full_match({quoted(name)}, '{column.pattern}')",
                regex=column.pattern,
            )
        )
    if column.minimum is not None or column.maximum is not None:
        rules.append(_bounds_rule(column))
    return rules


def _bounds_rule(column: Column) -> Rule:
    name, low, high = column.name, column.minimum, column.maximum
    outside = [f"{quoted(name)} < {low}"] if low is not None else []
    outside += [f"{quoted(name)} > {high}"] if high is not None else []
    bounds = " and ".join(
        ([f"at least {low}"] if low is not None else []) + ([f"at most {high}"] if high is not None else [])
    )
    return _rule(f"{name} is {bounds}", "BeBetween", name, " OR ".join(outside), min_value=low, max_value=high)


def _rule(says: str, kind: str, column: str, breaks: str, **arguments: object) -> Rule:
    return Rule(says, f"ExpectColumnValuesTo{kind}", {"column": column, **arguments}, breaks, (column,))


def _row_rule(says: str, holds: str, shows: tuple[str, ...]) -> Rule:
    sound = f"coalesce({holds}, false)"  # a rule that is unknown does not hold
    return Rule(
        says,
        "ExpectColumnValuesToBeInSet",
        {"column": says, "value_set": [True]},
        f"NOT {sound}",
        shows,
        sound,
    )


def _length_rule(column: Column, lengths: Mapping[str, int]) -> Rule:
    longest = column.length or 0
    shortest = min(lengths.get(column.name, longest), longest)
    wanted = f"{longest}" if shortest == longest else f"{shortest} to {longest}"
    holds = f"len({quoted(column.name)}) BETWEEN {shortest} AND {longest}"
    return _row_rule(f"{column.name} has {wanted} elements", holds, (column.name,))


def _key_rule(key: tuple[str, ...]) -> Rule:
    columns = ", ".join(quoted(name) for name in ("ds", *key))
    return Rule(
        f"{' + '.join(key)} is unique within ds",
        "ExpectColumnProportionOfUniqueValuesToBeBetween",
        {"column": KEY, "min_value": 1, "max_value": 1},
        f"({columns}) IN (SELECT ({columns}) FROM staged GROUP BY ALL HAVING count(*) > 1)",
        key,
        key_sql(key),
    )
