"""The contract of a table: its columns as released, and what may change.

    pipeline/tables/contracts/<table>/<version>.json    one frozen file per released version

Within a major version columns are only added. A minor version adds columns or words a meaning
better; a major version may do anything. `python -m pipeline features release` freezes.
While nobody reads a version yet, delete its file and freeze it again.
"""

import json
from itertools import pairwise
from pathlib import Path

from pipeline.runtime.errors import ContractError
from pipeline.tables.schema import Column, Table
from pipeline.tables.texts import type_text

FOLDER = Path(__file__).parent / "contracts"
RELEASE = "python -m pipeline features release"
REWORDED = {"meaning", "by_model"}  # a minor version may change these of a released column

Contract = dict[str, object]


def contract_of(table: Table) -> Contract:
    """What is promised of a table as it is declared, as plain JSON values."""
    return {
        "table": table.name,
        "version": table.version,
        "key": list(table.key),
        "columns": [_entry(column) for column in table.columns],
    }


def releases(name: str, folder: Path = FOLDER) -> list[Contract]:
    """The released contracts of a table, oldest first."""
    found = [json.loads(path.read_text()) for path in (folder / name).glob("*.json")]
    return sorted(found, key=lambda contract: number(str(contract["version"])))


def check(table: Table, folder: Path = FOLDER) -> None:
    """Raises ContractError unless `table` is what its version was released as.

    Releases among themselves are looked at too: a frozen file must not be edited either.
    """
    frozen = releases(table.name, folder)
    for older, newer in pairwise(frozen):
        _demand(newer, broken(older, newer))
    declared = contract_of(table)
    same = [contract for contract in frozen if contract["version"] == table.version]
    if same:
        _demand(declared, differences(same[0], declared), same_version=True)
    else:
        _demand(declared, broken(frozen[-1], declared) if frozen else [])
        raise ContractError(
            f"{table.name} {table.version}: expected pipeline/tables/contracts/{table.name}/"
            f"{table.version}.json, found none; run `{RELEASE}` and commit it"
        )


def release(table: Table, folder: Path = FOLDER) -> Path:
    """Freezes the declared version. Raises ContractError when it breaks what was released."""
    before = [c for c in releases(table.name, folder) if c["version"] != table.version]
    path = folder / table.name / f"{table.version}.json"
    if path.exists():
        check(table, folder)
        return path
    declared = contract_of(table)
    _demand(declared, broken(before[-1], declared) if before else [])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(declared, indent=1, ensure_ascii=False) + "\n")
    return path


def broken(old: Contract, new: Contract) -> list[str]:
    """What `new` may not do after the release of `old`; empty when all of it is allowed."""
    before, after = number(str(old["version"])), number(str(new["version"]))
    if after <= before:
        return [f"version {new['version']} is not above the released {old['version']}"]
    if after[0] > before[0]:
        return []
    allowed = {f"{name}: {field} changed" for name in columns(old) for field in REWORDED}
    found = [it for it in differences(old, new) if it.split(" from ")[0] not in allowed]
    added = columns(new).keys() - columns(old).keys()
    declared = {f"{name}: added" for name in added if columns(new)[name]["since"] == new["version"]}
    return [it for it in found if it not in declared]


def differences(old: Contract, new: Contract) -> list[str]:
    """Every difference of two contracts but the version, in words."""
    before, after = columns(old), columns(new)
    found = [] if old["key"] == new["key"] else [f"key changed from {old['key']} to {new['key']}"]
    found += [f"{name}: removed or renamed" for name in before if name not in after]
    for name in before:
        found += [
            f"{name}: {field} changed from {before[name][field]!r} to {value!r}"
            for field, value in after.get(name, {}).items()
            if before[name][field] != value
        ]
    return found + [f"{name}: added" for name in after if name not in before]


def columns(contract: Contract) -> dict[str, dict[str, object]]:
    """The columns of a contract by name."""
    listed = contract["columns"]
    assert isinstance(listed, list)
    return {column["name"]: column for column in listed}


def number(version: str) -> tuple[int, int]:
    """ "1.10" as (1, 10)."""
    major, minor = version.split(".")
    return int(major), int(minor)


def _entry(column: Column) -> dict[str, object]:
    return {
        "name": column.name,
        "type": type_text(column.type),
        "unit": column.unit,
        "meaning": column.meaning,
        "required": column.required,
        "nulls": column.nulls,
        "minimum": column.minimum,
        "maximum": column.maximum,
        "values": list(column.values),
        "pattern": column.pattern,
        "length": column.length,
        "by_model": column.by_model,
        "since": column.since,
    }


def _demand(contract: Contract, found: list[str], same_version: bool = False) -> None:
    if not found:
        return
    name, version = contract["table"], contract["version"]
    todo = (
        "raise the version of the table in its declaration, give added columns that version as "
        f"`since`, and run `{RELEASE}`"
        if same_version
        else "within a major version columns are only added, with the new version as `since`; "
        "keep the old column beside the new one, or raise the major version"
    )
    raise ContractError(f"{name} {version}: expected the released columns, found {'; '.join(found)}; {todo}")
