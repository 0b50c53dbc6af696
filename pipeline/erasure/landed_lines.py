"""Records of text files replaced by marks: what else is in the file stays as it is, byte by byte.

A record of several lines becomes the mark and empty lines, so that the records behind it keep their line numbers.
"""

from collections.abc import Iterator
from pathlib import Path

from pipeline.erasure.names import Names
from pipeline.sources.json_array import array_elements, is_array
from pipeline.sources.source import Drop
from pipeline.sources.text_records import record_blocks
from pipeline.sources.unpack import BYTE_ORDER_MARKS, HEAD_BYTES, packer, unpacked
from pipeline.storage.suppression import ERASED

WHAT = "text"  # that a landing file which is blanked holds


def blank_text(path: Path, aside: Path, wanted: set[int], drop: Drop | None) -> None:
    """Writes the file to `aside` with a mark in place of each record that begins on a line of `wanted`.

    Without `drop` every line is a record. Of a JSON array `wanted` are the numbers of its elements.
    """
    encoding, mark = _encoding(path, drop)
    with packer(path)(aside) as after:
        if drop is not None and drop.format == "jsonl" and is_array(path, path.name, drop):
            elements = array_elements(path, path.name, drop)
            texts = [f'"{ERASED}"' if n in wanted else it.decode() for n, it in enumerate(elements, 1)]
            after.write(mark + ("[" + ",\n".join(texts) + "]\n").encode(encoding))
            return
        lines, end = _lines_of(path, wanted, drop)
        for number, line in enumerate(_lines(path, end.encode(encoding)), 1):
            if number not in lines:
                after.write(line)
                continue
            kept = mark if number == 1 else b""
            text = line[len(kept) :].decode(encoding, "replace") if len(end.encode(encoding)) > 1 else None
            after.write(kept + _blanked(line, text, lines[number], encoding))


def mask_text(path: Path, aside: Path, names: Names, drop: Drop | None) -> None:
    """Writes the file to `aside` with every name masked. Raises LandingError for what is no text."""
    encoding, _ = _encoding(path, drop)
    signs = (drop.delimiter, drop.quote, drop.escape, drop.comment) if drop is not None else ()
    sign = "x" if "*" in signs else "*"  # one that has no meaning in the file
    with packer(path)(aside) as after:
        for line in _lines(path, _line_end(path, encoding)):
            after.write(names.masked_bytes(line, encoding, sign))


def _lines_of(path: Path, wanted: set[int], drop: Drop | None) -> tuple[dict[int, str], str]:
    """What each line of the wanted records becomes, and the line end."""
    marks, end = dict.fromkeys(wanted, ERASED), "\n"
    for block in record_blocks(str(path), path.name, drop) if drop is not None else ():
        end = block.dialect.end.decode()
        for line, start, stop in zip(block.lines.tolist(), block.starts, block.stops, strict=True):
            if line in wanted:
                more = block.data.count(block.dialect.end, start, stop)
                marks |= dict.fromkeys(range(line + 1, line + more), "")
    return marks, end


def _blanked(line: bytes, text: str | None, mark: str, encoding: str) -> bytes:
    """The mark with the line's own end."""
    if text is None:
        return mark.encode(encoding) + line[len(line.rstrip(b"\r\n")) :]
    return (mark + text[len(text.rstrip("\r\n")) :]).encode(encoding)


def _lines(path: Path, end: bytes) -> Iterator[bytes]:
    """The file's lines with their ends. An end of several bytes stands at a multiple of its length."""
    rest, width = b"", len(end)
    for block in unpacked(path, path.name, WHAT):
        rest += block
        start = at = 0
        while (at := rest.find(end, at)) >= 0:
            if at % width:
                at += 1
                continue
            at += width
            yield rest[start:at]
            start = at
        rest = rest[start:]
    if rest:
        yield rest


def _line_end(path: Path, encoding: str) -> bytes:
    """Of a text that has no line feed, as some programs write it, the carriage return."""
    feed, carriage = "\n".encode(encoding), "\r".encode(encoding)
    head = next(unpacked(path, path.name, WHAT), b"")
    return carriage if feed not in head and carriage in head else feed


def _encoding(path: Path, drop: Drop | None) -> tuple[str, bytes]:
    """How the file's text is encoded, and its byte-order mark."""
    head = next(unpacked(path, path.name, WHAT), b"")[:HEAD_BYTES]
    mark = next((mark for mark in BYTE_ORDER_MARKS if head.startswith(mark)), b"")
    encoding = BYTE_ORDER_MARKS.get(mark) or (drop.encoding if drop is not None else "utf-8")
    if encoding in ("utf-16", "utf-32"):
        encoding += "-be" if head[:1] == b"\0" else "-le"
    return encoding.replace("-sig", ""), mark
