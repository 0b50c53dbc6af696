"""Files that hold one JSON array of records instead of a line per record."""

from itertools import islice
from pathlib import Path

import msgspec

from pipeline.runtime.errors import LandingError
from pipeline.sources.source import Drop
from pipeline.sources.text_records import text_blocks
from pipeline.sources.unpack import check_number

LARGEST_ARRAY = 256 << 20  # bytes: an array is read as a whole
MOST_VALUES = 16_000_000  # as many commas: each may be an element, which is an object in memory

_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


def is_array(path: Path, name: str, drop: Drop) -> bool:
    """Whether the first sign of the file opens an array. Blank blocks are passed over."""
    starts = (block.lstrip()[:1] for block in islice(text_blocks(str(path), name, drop), 16))
    return next((start for start in starts if start), b"") == b"["


def array_elements(path: Path, name: str, drop: Drop) -> list[bytes]:
    """The JSON text of each element, on one line. Raises LandingError for what is not one whole array."""
    content = bytearray()
    for block in text_blocks(str(path), name, drop):
        content += block
        if len(content) > LARGEST_ARRAY:
            raise LandingError(
                f"{name}: expected JSON lines, found a JSON array of more than {LARGEST_ARRAY >> 20} MiB; deliver "
                "a line per record"
            )
    if content.count(b",") > MOST_VALUES:
        raise LandingError(
            f"{name}: expected JSON lines, found a JSON array of more than {MOST_VALUES:,} values; deliver a line per "
            "record"
        )
    try:
        elements = _ARRAY.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise LandingError(
            f"{name}: expected JSON lines or one JSON array, found an array that cannot be read ({error}); deliver a "
            "line per record"
        ) from None
    check_number(len(elements), path, name)
    return [bytes(element).replace(b"\n", b" ").replace(b"\r", b" ") for element in elements]
