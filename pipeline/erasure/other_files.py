"""What mentions a person outside tables: lists, logs, pages, kept vectors of what they typed.

In text files names are overwritten in place, letter for letter, so that a log can still be written to and a page keeps
its layout.
"""

import hashlib
import mmap
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.decisions.people import folder_of
from pipeline.erasure.data_files import plain
from pipeline.erasure.names import Names
from pipeline.runtime.atomic import replacing
from pipeline.runtime.settings import Settings
from pipeline.storage.declared import duckdb_sql
from pipeline.tables.registry import RAW_EVENTS, USER_HISTORY, table_named

TEXT = {".csv", ".html", ".json", ".jsonl", ".log", ".md", ".txt", ".xml", ".yaml"}
TYPED = {
    RAW_EVENTS.name: "SELECT unnest([query, text]) AS text FROM {} WHERE account_id IN ({})",
    USER_HISTORY.name: "SELECT unnest(events).text AS text FROM {} WHERE user_id IN ({})",
}


def typed_texts(held: dict[str, list[str]], users: frozenset[str]) -> set[str]:
    """Queries and reviews of the users, from the files of each table that hold their rows."""
    found: set[str] = set()
    with duckdb.connect() as connection:
        for table, query in TYPED.items():
            if held.get(table):
                declared = table_named(table)
                source = duckdb_sql(connection, declared, held[table], declared.schema.names)
                text = query.format(f"({source})", "SELECT unnest(?)")
                rows = connection.execute(text, [sorted(users)]).fetchall()
                found |= {text for (text,) in rows if text}
    return found


def forget_texts(settings: Settings, texts: set[str]) -> int:
    """Removes kept vectors of texts; they are computed again for anyone else who typed the same."""
    file = settings.home / "encoders" / "texts.db"
    if not texts or not file.exists():
        return 0
    hashes = [[hashlib.sha256(text.encode()).hexdigest()[:32]] for text in texts]
    with closing(sqlite3.connect(file, timeout=60)) as database, database:
        database.execute("PRAGMA secure_delete = ON")
        before = database.total_changes
        database.executemany("DELETE FROM vectors WHERE hash = ?", hashes)
        return database.total_changes - before


def strike_from_lists(settings: Settings, files: Iterable[Path], names: Names) -> int:
    """Takes the names out of the lists of users of campaigns; returns in how many lists.

    Overwritten ones would not be pseudonyms, and such a list would stop the job that reads it.
    """
    lists = [it for it in files if it.parent == folder_of(settings) and it.suffix != ".toml"]
    for path in lists:
        content, kept, start = path.read_bytes(), b"", 0
        for span in names.spans(content):
            kept, start = kept + content[start : span[0]], span[1]
        with replacing(path) as aside:
            aside.write_bytes(kept + content[start:])
    return len(lists)


def overwrite_names(files: Iterable[Path], names: Names) -> int:
    """Replaces the names in text files by asterisks; returns the number of files changed."""
    done = 0
    for path in files:
        if path.suffix in TEXT and path.stat().st_size:
            with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
                spans = names.spans(content)  # type: ignore[arg-type]
                for start, end in spans:
                    content[start:end] = b"*" * (end - start)
            done += bool(spans)
    return done


def drop_rows(files: Iterable[Path], names: Names) -> int:
    """Writes Parquet files that no table knows without the rows that have a name in a column.

    Returns the files that had such rows.
    """
    done = 0
    for path in files:
        if path.suffix == ".parquet":
            rows = pq.read_table(path)
            rows = rows.cast(plain(rows.schema))
            theirs = _naming(rows, names.tokens)
            if pc.any(theirs).as_py():
                with replacing(path) as aside:
                    pq.write_table(rows.filter(pc.invert(theirs)), aside, compression="zstd")
                done += 1
    return done


def _naming(rows: pa.Table, tokens: tuple[str, ...]) -> pa.Array:
    """Per row, whether a text column is one of the names."""
    names, theirs = pa.array(tokens, pa.string()), pa.array([False] * rows.num_rows)
    for column in rows.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            theirs = pc.or_(theirs, pc.is_in(column.cast(pa.string()).combine_chunks(), names))
    return theirs
