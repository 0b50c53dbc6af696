"""A source file for files that nobody has described, with the evidence for each line as a comment above it.

    python -m pipeline source new shop orders-2026.csv

Files in the schema of a template get the template; for others each canonical column is guessed from names and values.
"""

import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.runtime.errors import SourceError, UsageError
from pipeline.runtime.toml_file import parsed
from pipeline.sources.known import Template, templates
from pipeline.sources.proposals.layout import Layout, layout_of
from pipeline.sources.proposals.look import ADOBE_HEADERS, Look, look_at
from pipeline.sources.proposals.roles import Roles, roles_of
from pipeline.sources.proposals.times import zone_hint
from pipeline.sources.source import OPTIONAL_EVENT, PLATFORM, REQUIRED_EVENT

WIDTH = 120
ENDINGS = {"gzip": ".gz", "zstd": ".zst", "bz2": ".bz2", "xz": ".xz", "lz4": ".lz4"}
TEMPLATE_SHARE = 0.7  # of a template's columns that JSON lines must hold: they leave out what is empty
APART = "give files of one kind, and run `source new` again for the others"
# Of files without a header: what the column at a place must look like, beside the number of columns.
SIGNS = {
    "taobao_user_behavior": (3, r"pv|buy|cart|fav"),
    "yoochoose_clicks": (1, r"\d{4}-\d\d-\d\dT[\d:.]+Z"),
    "yoochoose_buys": (1, r"\d{4}-\d\d-\d\dT[\d:.]+Z"),
    "snowplow": (5, r"page_view|page_ping|struct|unstruct|transaction|transaction_item|ad_impression"),
}


@dataclass(frozen=True)
class Draft:
    """A source file. `open` says what could not be decided, `unmapped` which event types have no meaning yet."""

    platform: str
    text: str
    template: str | None
    unmapped: tuple[str, ...]
    open: tuple[str, ...]


def draft(platform: str, files: Sequence[Path], template: Template | None = None) -> Draft:
    """Raises SourceError for files that are no logs or do not belong together, UsageError for a wrong name."""
    if not PLATFORM.fullmatch(platform):
        raise UsageError(f"NAME: expected a name like {PLATFORM.pattern}, found {platform!r}")
    looks = [look_at(file) for file in files if file.name != ADOBE_HEADERS]
    if template is not None:
        return _of_template(platform, template, looks[0] if looks else None, "as asked for")
    if not looks:
        raise UsageError("source new: expected a FILE to look at, or --template T")
    _alike(looks)
    known = _recognised(looks[0])
    if known is not None:
        return _of_template(platform, known, looks[0], f"recognised by its {_width(looks[0])} columns")
    return _guessed(platform, looks)


def _alike(looks: Sequence[Look]) -> None:
    """Raises SourceError naming the first file that is read in another way: it needs a source of its own."""
    first = looks[0]
    for other in looks[1:]:
        for what in ("format", "encoding", "delimiter", "header"):
            if getattr(other, what) != getattr(first, what):
                raise SourceError(
                    f"{other.file}: expected the {what} of {first.file.name}, {getattr(first, what)!r}, found "
                    f"{getattr(other, what)!r}; {APART}"
                )
        if first.format != "jsonl" and other.rows.columns != first.rows.columns:
            found, wanted = (", ".join(it.rows.columns)[:80] for it in (other, first))
            raise SourceError(
                f"{other.file}: expected the columns of {first.file.name} ({wanted}), found {found}; {APART}"
            )


def _recognised(look: Look) -> Template | None:
    """The template whose columns the file has, all of them or most; of several the one that fits best."""
    best, most = None, (0.0, 0)
    for template in templates().values():
        content = parsed(template.file, SourceError)
        delivery, event = content["delivery"], content["event"]
        columns, names = delivery["columns"], set(look.rows.columns)
        if delivery["format"] != look.format:
            continue
        if look.format == "csv" and not look.header and names != set(columns):
            share = float(len(columns) == len(names) and _signed(template.name, look))
        else:
            share = sum(name in names for name in columns) / len(columns)
        needed = {name for name in columns if re.search(rf"\b{name}\b", event["event_time"])} - names
        enough = share == 1 or (look.format == "jsonl" and share >= TEMPLATE_SHARE and not needed)
        if enough and (share, len(columns)) > most:
            best, most = template, (share, len(columns))
    return best


def _signed(name: str, look: Look) -> bool:
    if name not in SIGNS:
        return False
    place, pattern = SIGNS[name]
    texts = look.rows.to_series(place).drop_nulls()
    return len(texts) > 0 and bool(texts.str.contains(f"^({pattern})$").all())


def _of_template(platform: str, template: Template, look: Look | None, why: str) -> Draft:
    text = template.named(platform)
    if look is not None:
        ending = ENDINGS.get(look.packing or "", "")
        first = text.index('path = "')
        end = text.index('"\n', first)
        text = text[:end] + ending + text[end:]
        text = f"# Made from the template {template.name}, {why}; {look.file.name}: {look.sampled}.\n{text}"
    return Draft(platform, text, template.name, (), ())


def _guessed(platform: str, looks: Sequence[Look]) -> Draft:
    look = looks[0]
    layout = layout_of(look)
    roles = roles_of(layout)
    zone = zone_hint(roles.times) if roles.times else ""
    doubts = list(roles.open)
    if roles.times and roles.times.local:
        doubts.append("the time zone: the times have no offset, and `timezone` says on whose clock they are")
    elif roles.times:
        doubts.append("the time zone, which decides on what day an event is")
    if look.encoding not in ("utf-8", "ascii"):
        doubts.append(f"the encoding: the bytes look like {look.encoding}; compare a name with an accent")
    if roles.unmapped:
        doubts.append(f"these event types, which are rejected until they are mapped: {', '.join(roles.unmapped)[:300]}")
    parts = [
        *_comment(f"Made by `source new` from {look.file.name}: {look.sampled}. Each line says what speaks for it."),
        *(_comment("Open, please check: " + "; ".join(doubts) + ".") if doubts else []),
        f"platform = {_toml(platform)}",
        *_comment(zone),
        f"timezone = {_toml('UTC')}",
        "",
        *_delivery(platform, look, layout),
        "",
        "[event]",
        *[line for name in (*REQUIRED_EVENT, *OPTIONAL_EVENT) for line in _column(name, roles)],
    ]
    text = "\n".join(parts) + "\n"
    return Draft(platform, text, None, roles.unmapped, tuple(doubts))


def _delivery(platform: str, look: Look, layout: Layout) -> list[str]:
    kind = {"csv": ".csv", "jsonl": ".jsonl", "parquet": ".parquet"}[look.format]
    if look.format == "csv" and look.delimiter == "\t":
        kind = ".tsv"
    path = f"{platform}/{{ds}}*{kind}{ENDINGS.get(look.packing or '', '')}"
    lines = ["[delivery]", f"path = {_toml(path)}", f"format = {_toml(look.format)}"]
    if look.format == "csv" and look.delimiter != ",":
        lines.append(f"delimiter = {_toml(look.delimiter)}")
    if look.format == "csv" and not look.header:
        lines += ["# The first line holds values, so the names are made up: rename them at will.", "header = false"]
    if look.encoding not in ("utf-8", "ascii"):
        lines.append(f"encoding = {_toml(look.encoding)}")
    names = ", ".join(_toml(name) for name in look.rows.columns)
    listed = f"columns = [{names}]"
    if len(listed) > WIDTH:
        wrapped = textwrap.wrap(names + ",", WIDTH - 2, break_on_hyphens=False, break_long_words=False)
        listed = "\n".join(["columns = [", *(f"  {line}" for line in wrapped), "]"])
    lines.append(listed)
    if layout.rows is not None:
        without = f"; {layout.without} hold none: set rows_optional = true where these are events too"
        lines += _comment(
            f"{layout.records} records of the sample hold {layout.elements} elements, each of which becomes an event"
            f"{without if layout.without else ''}."
        )
        lines.append(f"rows = {_toml(layout.rows)}")
        lines += [f"element = {_toml(layout.element)}"] if layout.element != "element" else []
    return lines


def _column(name: str, roles: Roles) -> list[str]:
    guess = roles.guesses.get(name)
    if guess is None:
        return [f"# {name}: nothing fits; give an expression", f'{name} = "NULL"'] if name in REQUIRED_EVENT else []
    more = f" Not mapped: {', '.join(roles.unmapped)[:300]}." if name == "event_type" and roles.unmapped else ""
    return [*_comment(guess.evidence + more), f"{name} = {_toml(guess.sql)}"]


def _comment(text: str) -> list[str]:
    """Evidence holds values of the file: line breaks and control characters must not end the comment."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return [f"# {line}" for line in textwrap.wrap(plain, WIDTH - 2, break_on_hyphens=False)]


def _toml(text: str) -> str:
    """A TOML string. JSON's escapes are TOML's, but for the delete character."""
    if text.startswith("\n"):
        return f'"""{json.dumps(text, ensure_ascii=False)[1:-1].replace(chr(92) + "n", chr(10))}"""'
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _width(look: Look) -> int:
    return len(look.rows.columns)
