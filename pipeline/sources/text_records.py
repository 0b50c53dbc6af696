"""Where the records of a text file begin and end: lines of JSON, or records of a CSV with breaks inside quotes.

A text can never make records. Where quotes are placed as RFC 4180 has it, a line end between them belongs to a text,
and records are found by counting quotes, for a whole block at once. Where one is not (a quote within a field, text
behind a closing quote, a backslash before a quote while the source does not say whether it takes its meaning away),
the lines are walked one by one, and a record ends only where all readings agree that no text is open. Until there
every line is broken: it becomes a row that is refused, and never one that somebody wrote into a text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.runtime.errors import LandingError
from pipeline.sources.source import Drop
from pipeline.sources.unpack import as_utf8, check_encoding, check_number, unpacked

LONGEST_RECORD = 64 << 20  # more than this without an end is no file of records
FIRST_LINE = 1 << 20  # bytes in which the end of the first line is looked for with care
LF, CR = b"\n", b"\r"
WHAT = {"jsonl": "JSON lines", "csv": "CSV"}

Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Dialect:
    """How records end. Empty signs are not used; `doubtful`: a backslash before a quote can mean either."""

    delimiter: bytes = b""
    quote: bytes = b""
    escape: bytes = b""
    comment: bytes = b""
    end: bytes = LF
    doubtful: bool = False


@dataclass(frozen=True)
class Block:
    """Records that follow one another: `data` from `starts` to `ends` (without line ends), `lines` counted from 1.

    `broken`: the physical lines of a stretch in which a quote is out of place.
    """

    data: bytes
    starts: Offsets
    ends: Offsets
    stops: Offsets  # like `ends`, behind the line ends
    lines: Offsets
    broken: npt.NDArray[np.bool_]
    dialect: Dialect

    def __len__(self) -> int:
        return len(self.starts)

    def slices(self) -> list[bytes]:
        """The bytes of each record."""
        return [self.data[start:end] for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True)]

    def drop_first(self) -> "Block":
        rest = (self.starts[1:], self.ends[1:], self.stops[1:], self.lines[1:], self.broken[1:], self.dialect)
        return Block(self.data, *rest)


def dialect_of(drop: Drop) -> Dialect:
    """The signs of a drop; of JSON lines only the line end counts."""
    if drop.format != "csv":
        return Dialect()
    quote, escape = drop.quote.encode(), (drop.escape or "").encode()
    if escape == quote:
        escape = b""
    doubtful = bool(quote) and drop.escape is None
    return Dialect(drop.delimiter.encode(), quote, escape, drop.comment.encode(), LF, doubtful)


def record_blocks(path: str, name: str, drop: Drop, keep_empty_first: bool = False) -> Iterator[Block]:
    """The records of a text file as UTF-8, some MiB at a time; empty lines and comments are no records.

    `keep_empty_first`: also where it is empty, the first line is one: the header. Raises LandingError when the file
    cannot be read to its end, one record is longer than LONGEST_RECORD, or no log would hold so many.
    """
    blocks = text_blocks(path, name, drop)
    head, dialect = _first_line(blocks, dialect_of(drop))
    rest, line, enough, first, number = b"", 1, 0, True, 0
    for block, last in _with_last(chain([head], blocks)):
        data = rest + block
        if len(data) < enough and not last:
            rest = data
            continue
        if last and data and not data.endswith(dialect.end):
            data += dialect.end
        ends, broken = record_ends(data, dialect, last)
        cut = int(ends[-1]) if len(ends) else 0
        if cut:
            found = _block(data[:cut], ends, broken, dialect, line, keep_empty_first and first)
            line += data.count(dialect.end, 0, cut)
            first = False
            number += len(found)
            check_number(number, Path(path), name)
            yield found
        rest = data[cut:]
        enough = 0 if cut else 2 * len(data)  # so that a long record is not searched again and again
        if len(rest) > LONGEST_RECORD:
            raise LandingError(
                f"{name}: expected one record per line, found one of more than {LONGEST_RECORD >> 20} MiB from line "
                f"{line} on{_advice(rest, dialect)}; deliver the file again"
            )


def text_blocks(path: str, name: str, drop: Drop) -> Iterator[bytes]:
    """The text of a file as UTF-8, in blocks that end anywhere."""
    what = WHAT[drop.format]
    blocks = unpacked(Path(path), name, what)
    first = next(blocks, b"")
    check_encoding(first, name, what, drop.encoding)
    return as_utf8(chain([first], blocks), drop.encoding)


def record_ends(data: bytes, dialect: Dialect, last: bool) -> tuple[Offsets, npt.NDArray[np.bool_]]:
    """Where the records of `data` end (behind their line ends), and which of them are broken lines.

    What follows the last end is not over yet. `last`: nothing follows, so what is open then is broken.
    """
    signs = np.frombuffer(data, np.uint8)
    line_ends = np.flatnonzero(signs == dialect.end[0])
    if dialect.escape:
        line_ends = line_ends[~_escaped(signs, line_ends, dialect.escape)]
    if not dialect.quote or dialect.quote not in data:
        return line_ends + 1, np.zeros(len(line_ends), bool)
    quotes = np.flatnonzero(signs == dialect.quote[0])
    if dialect.escape:
        quotes = quotes[~_escaped(signs, quotes, dialect.escape)]
    in_doubt = dialect.doubtful and b"\\" + dialect.quote in data
    if in_doubt or (dialect.comment and dialect.comment in data) or not _well_placed(signs, quotes, dialect):
        return _walk(data, dialect, last)
    outside = np.searchsorted(quotes, line_ends) % 2 == 0
    if last and len(quotes) % 2:
        return _walk(data, dialect, last)
    ends = line_ends[outside] + 1
    return ends, np.zeros(len(ends), bool)


def breaks_outside(record: bytes, dialect: Dialect) -> bool:
    """Whether a record holds a line end of the other kind outside of quotes: nobody can say what was meant."""
    other = Dialect(**{**vars(dialect), "end": CR if dialect.end == LF else LF})
    if other.end not in record:
        return False
    return not other.quote or next(_ends_outside(record, 0, other, other.escape, True), None) is not None


def _first_line(blocks: Iterator[bytes], dialect: Dialect) -> tuple[bytes, Dialect]:
    """Blocks up to the first line end, and the dialect with it: a carriage return, when that stands alone."""
    quote = re.escape(dialect.quote) if dialect.quote else b"\0"
    line = re.compile(rb"(?:%b[^%b]*%b|[^%b\r\n])*" % (quote, quote, quote, quote))
    head, looked_at, at = b"", 0, -1
    for block in blocks:
        head += block
        if len(head) >= 2 * looked_at:
            looked_at = len(head)
            at = found.end() if (found := line.match(head)) else 0
            if head[at : at + 1] in (LF, CR) and at < len(head) - 1:
                break
            if looked_at > FIRST_LINE:  # a quote is out of place, or it is one long line
                at = min((place for end in (LF, CR) if (place := head.find(end)) >= 0), default=0)
                break
    else:
        at = found.end() if (found := line.match(head)) else 0
    alone = head[at : at + 1] == CR and head[at + 1 : at + 2] != LF
    return head, Dialect(**{**vars(dialect), "end": CR}) if alone else dialect


def _escaped(signs: npt.NDArray[np.uint8], places: Offsets, escape: bytes) -> npt.NDArray[np.bool_]:
    """Whether an odd number of escapes stands before each place."""
    escapes = np.flatnonzero(signs == escape[0])
    if not len(escapes):
        return np.zeros(len(places), bool)
    begins = np.concatenate(([True], np.diff(escapes) != 1))
    run_start = escapes[begins][np.cumsum(begins) - 1]  # of the run that each escape is in
    before = np.searchsorted(escapes, places) - 1
    adjacent = (before >= 0) & (escapes[before] == places - 1)
    return adjacent & ((places - run_start[before]) % 2 == 1)


def _well_placed(signs: npt.NDArray[np.uint8], quotes: Offsets, dialect: Dialect) -> bool:
    """Whether every quote opens a field, closes one, or is doubled within one."""
    around = np.frombuffer(dialect.delimiter + LF + CR + dialect.quote, np.uint8)
    opening, closing = quotes[0::2], quotes[1::2]
    before = signs[np.maximum(opening - 1, 0)]
    doubled = np.zeros(len(opening), bool)
    doubled[1:] = opening[1:] == closing[: len(opening) - 1] + 1
    opens = (opening == 0) | (np.isin(before, around[:3])) | doubled
    after = signs[np.minimum(closing + 1, len(signs) - 1)]
    follows = np.zeros(len(closing), bool)
    follows[: len(opening) - 1] = opening[1:] == closing[: len(opening) - 1] + 1
    closes = (closing == len(signs) - 1) | np.isin(after, around[:3]) | follows
    return bool(opens.all() and closes.all())


def _walk(data: bytes, dialect: Dialect, last: bool) -> tuple[Offsets, npt.NDArray[np.bool_]]:
    """`record_ends`, line by line."""
    ends: list[int] = []
    broken: list[bool] = []
    start = 0
    while start < len(data):
        end = data.find(dialect.end, start) + 1
        plain = end and (
            (
                data.find(dialect.quote, start, end) < 0
                and not (dialect.escape and data.find(dialect.escape, start, end) >= 0)
            )
            or (dialect.comment and data.startswith(dialect.comment, start))
        )
        stop, whole = (end, True) if plain else _one_record(data, start, dialect)
        if not stop and not last:
            break
        if stop and whole:
            ends.append(stop)
            broken.append(False)
        else:
            stop = stop or len(data)
            lines = [start + place + 1 for place in _places(data[start:stop], dialect.end)]
            ends += lines
            broken += [True] * len(lines)
        start = stop
    return np.array(ends, np.int64), np.array(broken, bool)


def _one_record(data: bytes, start: int, dialect: Dialect) -> tuple[int, bool]:
    """Where the record from `start` ends by every reading, 0 when nowhere; and whether it is as it should be."""
    readings = [_ends_outside(data, start, dialect, dialect.escape, True)]
    if dialect.doubtful:
        readings.append(_ends_outside(data, start, dialect, b"\\", False))
    heads = [next(reading, None) for reading in readings]
    whole = True
    while all(heads):
        stops = [head[0] for head in heads if head]
        if len(set(stops)) == 1:
            return stops[0], whole and not (heads[0] and heads[0][1])
        whole = False
        behind = stops.index(min(stops))
        heads[behind] = next(readings[behind], None)
    return 0, False


def _ends_outside(
    data: bytes, start: int, dialect: Dialect, escape: bytes, everywhere: bool
) -> Iterator[tuple[int, bool]]:
    """Line ends outside of quotes, from `start` on, and whether a quote was out of place before.

    `everywhere`: the escape counts outside of quotes too.
    """
    quote = dialect.quote
    state, odd, place = "blank", False, start  # blank, plain, quoted, closed, junk: where in a field we are
    for match in _signs(dialect.delimiter, quote, dialect.end, escape).finditer(data, start):
        sign, at = match[0], match.start()
        if at < place:
            continue  # the escape before it took its meaning
        between, place = data[place:at], match.end()
        if state == "blank" and between.strip(b" \t"):
            state = "plain"
        elif state == "closed" and between.strip(b"\r"):
            state, odd = "junk", True
        if sign == escape:
            if state == "quoted" or everywhere:
                place += 1
            state = {"blank": "plain", "closed": "junk"}.get(state, state)
            odd = odd or state == "junk"
        elif state == "quoted":
            state = "closed" if sign == quote else state
        elif sign == quote:
            odd = odd or (state == "blank" and bool(between))
            state = "plain" if state == "plain" else "quoted"  # within an unquoted field it is a sign like others
        else:
            state = "blank"
            if sign == dialect.end:
                yield place, odd


@cache
def _signs(delimiter: bytes, quote: bytes, end: bytes, escape: bytes) -> re.Pattern[bytes]:
    signs = {delimiter, quote, end, *([escape] if escape else [])}
    return re.compile(b"[" + b"".join(re.escape(sign) for sign in sorted(signs)) + b"]")


def _places(data: bytes, sign: bytes) -> list[int]:
    return np.flatnonzero(np.frombuffer(data, np.uint8) == sign[0]).tolist()


def _block(
    data: bytes, ends: Offsets, broken: npt.NDArray[np.bool_], dialect: Dialect, line: int, keep_first: bool
) -> Block:
    signs = np.frombuffer(data, np.uint8)
    starts = np.concatenate(([0], ends[:-1]))
    line_ends = np.flatnonzero(signs == dialect.end[0])
    lines = line + np.searchsorted(line_ends, starts)
    stops = ends - 1
    if dialect.end == LF:
        for _ in range(2):  # some programs write two
            stops = stops - ((stops > starts) & (signs[np.maximum(stops - 1, 0)] == CR[0]))
    records = stops > starts
    if dialect.comment:
        records &= signs[np.minimum(starts, len(signs) - 1)] != dialect.comment[0]
    if keep_first:
        first = 0 if not dialect.comment else int(np.argmax(signs[starts] != dialect.comment[0]))
        records[first] = True
    return Block(data, starts[records], stops[records], ends[records], lines[records], broken[records], dialect)


def _with_last(blocks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each block, and whether it is the last one."""
    before = next(blocks, None)
    for block in blocks:
        if before is not None:
            yield before, False
        before = block
    if before is not None:
        yield before, True


def _advice(rest: bytes, dialect: Dialect) -> str:
    if dialect.quote and dialect.quote in rest:
        return " (a quote that is opened and not closed? `quote` and `escape` of the source say how texts are quoted)"
    return ""
