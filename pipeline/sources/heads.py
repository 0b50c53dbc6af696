"""The beginning of a file, as a file of its own: what `source check` looks at where the whole would take too long."""

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.runtime.errors import LandingError

MAGIC = {b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2", b"\x04\x22\x4d\x18": "lz4"}
BLOCK = 1 << 20
LONGEST = 64 << 20  # a line of more bytes is cut


@dataclass(frozen=True)
class Head:
    """`file` is the file itself where it was small enough. `share` of its bytes were taken."""

    file: Path
    share: float


def head_of(file: Path, folder: Path, limit: int) -> Head:
    """About the first `limit` bytes, unpacked, to the end of a line; of Parquet whole row groups, at least one.

    Raises LandingError for a damaged file.
    """
    size = file.stat().st_size
    with file.open("rb") as content:
        magic = content.read(4)
    if size <= limit and magic[:2] != b"\x1f\x8b" and not any(magic.startswith(mark) for mark in MAGIC):
        return Head(file, 1.0)
    try:
        return _row_groups(file, folder, limit) if magic == b"PAR1" else _lines(file, magic, folder, limit)
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        raise LandingError(f"{file.name}: truncated or damaged ({str(error)[:80]}); deliver it again") from None


def _row_groups(file: Path, folder: Path, limit: int) -> Head:
    target = folder / file.name
    taken = 0
    with pq.ParquetFile(file) as content:
        groups = content.metadata.num_row_groups
        total = sum(content.metadata.row_group(group).total_byte_size for group in range(groups))
        with pq.ParquetWriter(target, content.schema_arrow) as writer:
            for group in range(groups):
                if taken >= limit:
                    break
                taken += content.metadata.row_group(group).total_byte_size
                for batch in content.iter_batches(row_groups=[group]):
                    writer.write_batch(batch)
    return Head(target, min(taken / max(total, 1), 1.0))


def _lines(file: Path, magic: bytes, folder: Path, limit: int) -> Head:
    packing = next((name for mark, name in MAGIC.items() if magic.startswith(mark)), None)
    packed = magic.startswith(b"\x1f\x8b") or packing is not None
    named_so = packed and file.suffix in (".gz", ".zst", ".bz2", ".lz4")
    target = folder / (file.stem if named_so else file.name)
    with file.open("rb") as raw:
        content: Any = raw
        if packed:
            content = pa.CompressedInputStream(raw, packing) if packing else gzip.GzipFile(fileobj=raw)
        taken = 0
        with target.open("wb") as out:
            while taken < limit and (block := content.read(BLOCK)):
                taken += out.write(block)
            rest = content.read(BLOCK)
            while rest and b"\n" not in rest and len(rest) < LONGEST and (more := content.read(BLOCK)):
                rest += more
            out.write(rest[: rest.find(b"\n") + 1] or rest)
        share = raw.tell() / file.stat().st_size if rest else 1.0
    if not rest:
        return Head(file, 1.0)
    return Head(target, share)
