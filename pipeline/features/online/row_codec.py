"""A user's features as bytes: one Arrow record batch, compressed by zstd.

Arrow keeps every type exactly and needs no schema per row: that of a night is kept with the night, so nights with more
columns and with fewer can coexist. Its metadata is mostly zeros, which zstd takes away. Measured in docs/decisions.md.
"""

import base64
from collections.abc import Iterator

import pyarrow as pa
import zstandard

LEVEL = 3
KEY = "user_id"  # the key of the store, so not part of the value


def value_schema(schema: pa.Schema) -> pa.Schema:
    """The columns of a value: all but the user, any of them maybe null, without metadata."""
    return pa.schema([pa.field(it.name, it.type) for it in schema if it.name != KEY])


def to_text(schema: pa.Schema) -> str:
    return base64.b64encode(zstandard.compress(schema.serialize().to_pybytes())).decode()


def from_text(text: str) -> pa.Schema:
    return pa.ipc.read_schema(pa.py_buffer(zstandard.decompress(base64.b64decode(text))))


def encode(rows: pa.RecordBatch, schema: pa.Schema) -> Iterator[tuple[str, bytes]]:
    """(user_id, value) of every row."""
    users = rows[KEY].to_pylist()
    values = pa.table(rows.select(schema.names)).cast(schema).combine_chunks().to_batches()
    compress = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress
    for row, user in enumerate(users):
        yield user, compress(values[0].slice(row, 1).serialize())


def decode(users: list[str], values: list[bytes | None], schema: pa.Schema) -> list[dict[str, object] | None]:
    """The rows of `users`, None where there is no value. Many rows are turned in one go."""
    expand = zstandard.ZstdDecompressor().decompress
    batches = [pa.ipc.read_record_batch(pa.py_buffer(expand(value)), schema) for value in values if value is not None]
    found = iter(pa.Table.from_batches(batches, schema).combine_chunks().to_pylist())
    return [None if value is None else {KEY: user, **next(found)} for user, value in zip(users, values, strict=True)]
