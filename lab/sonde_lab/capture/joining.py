"""Puts the files of one run together: rows and what stands beside them, under the names of the first file.

Owns how names are numbered anew. Row ids go on from file to file of a run, so they stay as they are.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.schema import ROW_COLUMNS, VERSION, CaptureUnreadable
from sonde_lab.names import MAX_NAMES, OTHER

_ROWS_AT_ONCE: Final = 10_000
_NAMED: Final = frozenset({"conn", "op", "channel", "protocol"})
_COLUMNS: Final = ROW_COLUMNS[VERSION]
_RENAMED: Final = "coalesce((SELECT new FROM temp.renamed WHERE old = {}), 1)"  # 1 is `(other)`
_CELLS: Final = ", ".join(_RENAMED.format(f"row.{each}") if each in _NAMED else each for each in _COLUMNS)
# All words are our own: nothing of a file becomes part of a statement.
_ROWS: Final = (
    f"INSERT INTO main.row ({', '.join(_COLUMNS)}) SELECT {_CELLS} FROM part.row WHERE id BETWEEN ? AND ?"  # noqa: S608
)
_BESIDE: Final = (
    "INSERT INTO main.comment SELECT * FROM part.comment",
    """INSERT INTO main.rtt
SELECT at, wall, coalesce((SELECT new FROM temp.renamed WHERE old = rtt.conn), 1), rtt_ms FROM part.rtt""",
    """INSERT INTO main.presence
SELECT at, wall, coalesce((SELECT new FROM temp.renamed WHERE old = presence.channel), 1), members FROM part.presence""",
    """INSERT INTO main.state
SELECT at, wall, coalesce((SELECT new FROM temp.renamed WHERE old = state.channel), 1), seq, hash_ok, document
FROM part.state""",
    """UPDATE main.meta SET value = value + coalesce((SELECT value FROM part.meta AS other WHERE other.key = meta.key), 0)
WHERE key IN ('rows_lost', 'left_out')""",
)


def append(database: sqlite3.Connection, part: Path, progress: Callable[[float], None]) -> None:
    """Add another file of the same run to an open capture (opened with `uri=True`), as it is at this moment.

    `progress` gets the share that is done; what it raises ends it, and nothing of the part is added.

    Raises:
        CaptureUnreadable: the part is no capture of the newest version. sqlite3.Error: one of the two fails.
    """
    with CaptureReader.open(part) as reader:
        if reader.version != VERSION:
            raise CaptureUnreadable(f"{part} is of another version than the files before it")
    database.execute("ATTACH DATABASE ? AS part", (f"file:{quote(os.path.abspath(part))}?mode=ro",))
    try:
        database.execute("BEGIN")
        _number_names(database)
        _add_rows(database, progress)
        for statement in _BESIDE:
            database.execute(statement)
        database.execute("COMMIT")
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")
        database.execute("DETACH DATABASE part")


def _number_names(database: sqlite3.Connection) -> None:
    """Which number of the part is which of the whole; beyond the limit all names are `(other)`."""
    database.execute("CREATE TEMP TABLE IF NOT EXISTS renamed (old INTEGER PRIMARY KEY, new INTEGER)")
    database.execute("DELETE FROM temp.renamed")
    known = {text: number for number, text in database.execute("SELECT id, text FROM main.names")}
    following = max(known.values(), default=1) + 1
    for number, text in database.execute("SELECT id, text FROM part.names").fetchall():
        if text not in known and len(known) < MAX_NAMES:
            database.execute("INSERT INTO main.names VALUES (?, ?)", (following, text))
            known[text] = following
            following += 1
        new = known.get(text, known.get(OTHER, 1))
        database.execute("INSERT INTO temp.renamed VALUES (?, ?)", (number, new))


def _add_rows(database: sqlite3.Connection, progress: Callable[[float], None]) -> None:
    first, last = database.execute("SELECT min(id), max(id) FROM part.row").fetchone()
    if first is None:
        return
    for begin in range(first, last + 1, _ROWS_AT_ONCE):
        database.execute(_ROWS, (begin, begin + _ROWS_AT_ONCE - 1))
        progress(min(1.0, (begin + _ROWS_AT_ONCE - first) / (last + 1 - first)))
