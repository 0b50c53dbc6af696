"""The floor of pages and exports: how few users may be told apart, in one place.

    people(3)                            '< 5'
    veiled({"new": 3, "rest": 900})      both: the one follows from the other and the whole

A page, a list and a figure that somebody without access to the tables may see go through here.
"""

from collections.abc import Mapping

FLOOR = 5  # k-anonymity of pages: fewer users than this are not told apart


def people(value: int | None, floor: int = FLOOR) -> str:
    """A number of users, never a small one."""
    if value is None:
        return f"< {floor}"
    return f"{value:,.0f}" if value == 0 or value >= floor else f"< {floor}"


def veiled(groups: Mapping[str, int], floor: int = FLOOR) -> set[str]:
    """The groups of a whole whose size must not be told, where the size of the whole is known.

    The small ones, and the least of the others until what is left of the whole tells of more than
    one group and of enough users (complementary suppression).
    """
    hidden = {name for name, users in groups.items() if 0 < users < floor}
    others = sorted((users, name) for name, users in groups.items() if users >= floor)
    while hidden and others and (len(hidden) < 2 or sum(groups[it] for it in hidden) < floor):
        hidden.add(others.pop(0)[1])
    return hidden


def tellable(part: int, whole: int, floor: int = FLOOR) -> bool:
    """Whether neither the part nor the rest of a whole that is known is a small group."""
    return not veiled({"part": part, "rest": whole - part}, floor)
