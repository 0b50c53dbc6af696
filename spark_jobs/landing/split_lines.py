"""Split a block of bytes into lines, with a problem where a line's bytes are no readable text."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Reading:
    """How the lines of a source's files are read."""

    has_header: bool
    encoding: str
    max_record_bytes: int


def split_lines(block: bytes, first_line: int, reading: Reading) -> pa.Table:
    """Every line of a block, without its line end; `text` is null where there is a problem."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + 1
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(block)]
    raw = pa.Array.from_buffers(pa.binary(), len(ends), buffers)
    problems = _problems(raw, offsets, block, reading)
    hashes = {row: hashlib.sha256(raw[row].as_py()).hexdigest() for row in problems}
    return pa.table(
        {
            "line": np.arange(first_line, first_line + len(ends)),
            "text": _text(raw, problems, reading.encoding),
            "problem": _sparse(problems, len(ends)),
            "sha256": _sparse(hashes, len(ends)),
        }
    )


def _problems(raw: pa.Array, offsets: np.ndarray, block: bytes, reading: Reading) -> dict[int, str]:
    """Reject reason of the lines that hold no readable text, by their position in the block."""
    problems: dict[int, str] = {}
    if not _decodes(block, reading.encoding):
        lines = enumerate(raw.to_pylist())
        problems |= {r: "bad_encoding" for r, line in lines if not _decodes(line, reading.encoding)}
    if b"\0" in block:
        zeros = np.flatnonzero(np.frombuffer(block, np.uint8) == 0)
        rows = np.unique(np.searchsorted(offsets, zeros, side="right") - 1)
        problems |= dict.fromkeys(rows.tolist(), "null_byte")
    too_long = np.flatnonzero(np.diff(offsets) > reading.max_record_bytes)
    return problems | dict.fromkeys(too_long.tolist(), "oversized")


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _text(raw: pa.Array, problems: dict[int, str], encoding: str) -> pa.Array:
    if problems:
        readable = np.ones(len(raw), bool)
        readable[list(problems)] = False
        raw = pc.if_else(pa.array(readable), raw, None)
    if encoding != "utf-8":
        lines = raw.to_pylist()
        raw = pa.array([None if line is None else line.decode(encoding) for line in lines])
    return pc.ascii_rtrim(raw.cast(pa.string()), "\r\n")


def _sparse(values: dict[int, str], length: int) -> pa.Array:
    """An array that is null but for `values` by position."""
    if not values:
        return pa.nulls(length, pa.string())
    return pa.array([values.get(row) for row in range(length)], pa.string())
