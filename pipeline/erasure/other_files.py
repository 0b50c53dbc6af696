"""What mentions a person outside tables: lists, logs, pages, kept vectors of what they typed.

In text files names are overwritten in place, letter for letter, so that a log can still be written to and a page keeps
its layout.
"""

import hashlib
import mmap
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.decisions.people import folder_of
from pipeline.erasure.data_files import plain, without_rows
from pipeline.erasure.masks import masked_rows, overwritten
from pipeline.erasure.names import Names
from pipeline.runtime.atomic import replacing
from pipeline.runtime.errors import LandingError
from pipeline.runtime.settings import Settings
from pipeline.sources.unpack import HEAD_BYTES, PACKINGS, kind_of, packer, unpacked
from pipeline.storage.declared import duckdb_sql
from pipeline.tables.columns import IDS
from pipeline.tables.registry import RAW_EVENTS, USER_HISTORY, table_named

TEXT = {".csv", ".html", ".json", ".jsonl", ".log", ".md", ".txt", ".xml", ".yaml"}
ID_COLUMNS = (*IDS, "person_id", "raw_id")  # of files that no table knows
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
    """Replaces the names in text files by asterisks; returns the number of files changed.

    A packed one is written anew.
    """
    done = 0
    for path in files:
        if not _is_text_file(path) or not path.stat().st_size:
            continue
        with path.open("rb") as head:
            packing = kind_of(head.read(HEAD_BYTES))
        if packing in PACKINGS:
            with suppress(LandingError), replacing(path) as aside:
                text = b"".join(unpacked(path, path.name, "text"))
                with packer(path)(aside) as after:
                    after.write(overwritten(text, names))
                done += 1
            continue
        with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
            spans = names.spans(content)  # type: ignore[arg-type]
            for start, end in spans:
                content[start:end] = b"*" * (end - start)
        done += bool(spans)
    return done


def _is_text_file(path: Path) -> bool:
    """By the endings of its name: logs that were rotated or packed have several."""
    return not TEXT.isdisjoint(path.suffixes)


def drop_rows(files: Iterable[Path], names: Names) -> int:
    """Writes Parquet files that no table knows without the rows of the persons, names masked in the others.

    A row is theirs by its columns of ids (ID_COLUMNS); in a file that has none of these, by its first column of text.
    Returns the files that had such rows or names.
    """
    done = 0
    for path in files:
        if path.suffix == ".parquet":
            rows = pq.read_table(path, partitioning=None)
            rows = rows.cast(plain(rows.schema))
            theirs = _theirs(rows, names.tokens)
            kept, masked = masked_rows(without_rows(rows, theirs), names)
            if theirs.any() or masked:
                with replacing(path) as aside:
                    pq.write_table(kept, aside, compression="zstd")
                done += 1
    return done


def forget_imports(settings: Settings) -> int:
    """Removes imports that were not delivered yet, with their receipts: they are made anew from the history file."""
    folder = settings.home / "imports"
    waiting = [path for path in sorted(folder.glob("*")) if path.is_dir()]
    for path in waiting:
        shutil.rmtree(path)
        path.with_suffix(".json").unlink(missing_ok=True)
    return len(waiting)


def _theirs(rows: pa.Table, tokens: tuple[str, ...]) -> np.ndarray:
    """Per row, whether one of the columns that say whose it is holds one of the names."""
    text = [name for name in rows.schema.names if _is_text_column(rows.schema.field(name).type)]
    columns = [name for name in text if name in ID_COLUMNS] or text[:1]
    names, theirs = pa.array(tokens, pa.string()), np.zeros(rows.num_rows, bool)
    for name in columns:
        theirs |= pc.is_in(rows[name].cast(pa.string()), names).to_numpy()
    return theirs


def _is_text_column(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
