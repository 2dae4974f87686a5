"""What a capture file is: an SQLite database with a fixed application id, one table of rows and a view for people.

Owns the statements of every version and the check that a file holds exactly them. It refuses files of the future.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import Final

APPLICATION_ID: Final = 0x536F6E64  # "Sond"
VERSION: Final = 1
MAX_PAYLOAD_BYTES: Final = 64 << 20  # what one row keeps, and what is read of one
SIDE_FILES: Final = ("-wal", "-shm", "-journal")  # what SQLite keeps beside an open file

MIGRATIONS: Final[dict[int, tuple[str, ...]]] = {
    1: (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value)",
        "CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL)",
        """CREATE TABLE row (
  id INTEGER PRIMARY KEY, at REAL, wall REAL, conn INTEGER, dial INTEGER, direction INTEGER, kind INTEGER,
  opcode INTEGER, op INTEGER, channel INTEGER, size INTEGER, code INTEGER, rtt_ms REAL, flags INTEGER,
  seq INTEGER, command INTEGER, protocol INTEGER, payload BLOB
)""",
        "CREATE TABLE comment (row INTEGER, wall REAL, text TEXT)",
        """CREATE VIEW frames AS SELECT
  row.id, datetime(row.wall, 'unixepoch') AS time_utc, row.wall, c.text AS conn, row.dial,
  CASE row.direction WHEN 0 THEN 'in' WHEN 1 THEN 'out' ELSE 'none' END AS direction,
  CASE row.kind WHEN 0 THEN 'frame' WHEN 1 THEN 'handshake' WHEN 2 THEN 'state' WHEN 3 THEN 'close'
    WHEN 4 THEN 'act' WHEN 5 THEN 'note' ELSE 'unknown' END AS kind,
  o.text AS op, h.text AS channel, row.size, row.code, row.rtt_ms, row.flags, row.seq, row.command,
  p.text AS protocol, row.payload
FROM row LEFT JOIN names c ON c.id = row.conn LEFT JOIN names o ON o.id = row.op
  LEFT JOIN names h ON h.id = row.channel LEFT JOIN names p ON p.id = row.protocol""",
    ),
}


class CaptureFailed(Exception):
    """A capture cannot be written. The message is a sentence that says what to do."""


class CaptureUnreadable(Exception):
    """A file is no capture, or a damaged one. The message is a sentence."""


def create(database: sqlite3.Connection) -> None:
    """Make an empty database a capture of the newest version."""
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for version in sorted(MIGRATIONS):
        for statement in MIGRATIONS[version]:
            database.execute(statement)
    database.execute(f"PRAGMA user_version = {VERSION}")


def refuse_version(version: int) -> None:
    """Accept versions that this Sonde knows.

    Raises:
        CaptureUnreadable: the file is of another one.
    """
    if version > VERSION:
        raise CaptureUnreadable(
            f"the capture is of version {version}, made by a newer Sonde; this one reads up to {VERSION}"
        )
    if version not in MIGRATIONS:
        raise CaptureUnreadable("the capture was never finished being made: it has no version")


def objects(database: sqlite3.Connection) -> set[tuple[bytes, bytes, bytes, bytes]]:
    """Everything that the schema of a database defines, as bytes, 32 objects at most."""
    found = database.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master LIMIT 32")
    return {tuple(_bytes(cell) for cell in row) for row in found}  # type: ignore[misc]


@cache
def expected_objects() -> frozenset[tuple[bytes, bytes, bytes, bytes]]:
    """What the schema of a capture defines, and nothing else."""
    database = sqlite3.connect(":memory:")
    try:
        create(database)
        return frozenset(objects(database))
    finally:
        database.close()


def _bytes(cell: object) -> bytes:
    return cell if isinstance(cell, bytes) else str(cell).encode("utf-8", "replace")
