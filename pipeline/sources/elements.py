"""The elements of a list inside a JSON text, each with the objects above it.

`rows = "orders.line_items"` of a source makes one event of each element. Numbers keep the text that they have in the
file: 12.10 stays 12.10, and an id of twenty digits keeps all of them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

# Reject reasons of rows that are no element.
MISSING, EMPTY, NO_LIST, NULL, MALFORMED = "missing_list", "empty_list", "not_a_list", "null_element", "malformed"
VALUE = "value"  # the field of an element that is no object
PATH = re.compile(r"(`[^`]+`|[^.`]+)(\.(`[^`]+`|[^.`]+))*")

T = TypeVar("T")
Fields = dict[str, str | None]
_Raw = msgspec.Raw
_AS_OBJECT = msgspec.json.Decoder(dict[str, _Raw])
_AS_LIST = msgspec.json.Decoder(list[_Raw])
_AS_TEXT = msgspec.json.Decoder(str)


@dataclass(frozen=True)
class Element:
    """One row: why it is none (or None), and the fields at each part of the path, the element's last.

    Where there is a problem the levels that were not reached have no fields.
    """

    problem: str | None
    levels: tuple[Fields, ...]


def path_parts(path: str) -> list[str]:
    """The names of a path: `a.b` has two, "`a.b`.c" too."""
    return [part.strip("`") for part in re.findall(r"`[^`]+`|[^.`]+", path)]


def elements(text: str | None, rest: Sequence[str], separator: str | None = None) -> list[Element]:
    """One row per element of the list that `rest` leads to from the JSON text of the path's first part.

    A list that is missing, empty or none at all is one row with a problem, at any level: so nothing is ever dropped.
    With a `separator` the text is no JSON: its parts are the elements.
    """
    if separator is not None:
        if text is None or not text.strip():
            return [Element(MISSING, ())]
        parts = text.split(separator)
        return [Element(None, ({VALUE: part},)) if part.strip() else Element(NULL, ()) for part in parts]
    return list(_below(b"null" if text is None else text.encode(), list(rest), ()))


def _below(value: bytes, rest: list[str], above: tuple[Fields, ...]) -> Iterator[Element]:
    """`value` stands at a part of the path; `rest` are the parts below it."""
    kind = value.lstrip()[:1]
    if kind == b"{" and rest:
        yield from _within(value, rest, above)
        return
    if kind != b"[":
        yield Element(MISSING if value.strip() == b"null" else NO_LIST, above)
        return
    listed = _decoded(_AS_LIST, value)
    if not listed:
        yield Element(MALFORMED if listed is None else EMPTY, above)
    for element in listed or ():
        yield from _element(bytes(element).strip(), rest, above)


def _element(value: bytes, rest: list[str], above: tuple[Fields, ...]) -> Iterator[Element]:
    if value == b"null":
        yield Element(NULL, above)
    elif not rest:
        fields = _fields(value)
        yield Element(MALFORMED, above) if fields is None else Element(None, (*above, fields))
    elif value[:1] == b"{":
        yield from _within(value, rest, above)
    else:
        yield Element(NO_LIST, above)


def _within(value: bytes, rest: list[str], above: tuple[Fields, ...]) -> Iterator[Element]:
    """The elements below one object."""
    found, fields = _decoded(_AS_OBJECT, value), _fields(value)
    if found is None or fields is None:
        yield Element(MALFORMED, above)
    else:
        yield from _below(bytes(found.get(rest[0], b"null")), rest[1:], (*above, fields))


def _fields(value: bytes) -> Fields | None:
    """The fields of an element; None for what cannot be read."""
    return object_texts(value) if value.lstrip()[:1] == b"{" else _texts({VALUE: value})


def object_texts(value: bytes) -> Fields | None:
    """The fields of an object as texts, what is nested as its JSON text; None for what is no readable object."""
    found = _decoded(_AS_OBJECT, value)
    return None if found is None else _texts(found)


def _texts(found: Mapping[str, bytes | msgspec.Raw]) -> Fields | None:
    texts: Fields = {}
    for name, field in found.items():
        text = bytes(field).strip()
        texts[name] = None if text == b"null" else _decoded(_AS_TEXT, text) if text[:1] == b'"' else text.decode()
        if texts[name] is None and text != b"null":
            return None  # a text with half a character in it
    return texts


def _decoded(decoder: msgspec.json.Decoder[T], value: bytes) -> T | None:
    try:
        return decoder.decode(value)
    except (msgspec.MsgspecError, RecursionError):
        return None
