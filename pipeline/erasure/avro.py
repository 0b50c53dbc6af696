"""The blocks of an Avro file, unpacked but not read: its texts are in them as they are (Avro specification 1.11)."""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import IO

import pyarrow as pa

MAGIC = b"Obj\x01"
SYNC_BYTES = 16


def avro_blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The header's values, then each block. Raises ValueError for a damaged file or a codec that is not known."""
    if file.read(len(MAGIC)) != MAGIC:
        raise ValueError("no Avro file")
    codec = "null"
    while count := _long(file):
        if count < 0:
            _long(file)  # bytes of the entries, which follow a negative count
        for _ in range(abs(count)):
            key, value = _bytes(file), _bytes(file)
            codec = value.decode() if key == b"avro.codec" else codec
            yield value
    file.read(SYNC_BYTES)
    unpack = UNPACK.get(codec)
    if unpack is None:
        raise ValueError(f"codec {codec!r}, which is not known here")
    while (start := file.read(1)) != b"":
        file.seek(-len(start), io.SEEK_CUR)
        _long(file)
        block = _bytes(file)
        try:
            yield unpack(block)
        except (zlib.error, OSError, lzma.LZMAError, pa.ArrowException) as error:
            raise ValueError(str(error)) from None
        file.read(SYNC_BYTES)


def _long(file: IO[bytes]) -> int:
    """A number of variable length, zigzag."""
    number = shift = 0
    while True:
        octet = file.read(1)
        if not octet:
            raise ValueError("the file is cut off")
        number |= (octet[0] & 0x7F) << shift
        shift += 7
        if octet[0] < 0x80:
            return (number >> 1) ^ -(number & 1)


def _bytes(file: IO[bytes]) -> bytes:
    length = _long(file)
    found = file.read(length) if length >= 0 else b""
    if length < 0 or len(found) < length:
        raise ValueError("the file is cut off")
    return found


def _snappy(block: bytes) -> bytes:
    """Snappy begins with the length of what it holds; four bytes of a checksum follow."""
    length = shift = 0
    for octet in block:
        length |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            break
    return pa.decompress(block[:-4], length, "snappy", asbytes=True)


UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "null": bytes,
    "deflate": lambda block: zlib.decompress(block, -zlib.MAX_WBITS),
    "snappy": _snappy,
    "bzip2": bz2.decompress,
    "xz": lzma.decompress,
    "zstandard": lambda block: pa.CompressedInputStream(pa.BufferReader(block), "zstd").read(),
}
