"""What a capture file is: an SQLite database with a fixed application id, a few tables and views for people.

Owns the statements of every version, the way from one version to the next, and the check that a file holds exactly
what its version defines. It refuses files of the future.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import Final

APPLICATION_ID: Final = 0x536F6E64  # "Sond"
VERSION: Final = 2
MAX_PAYLOAD_BYTES: Final = 64 << 20  # what one row keeps, and what is read of one
MAX_SNAPSHOT_BYTES: Final = 1 << 20  # of one roster or state document
SIDE_FILES: Final = ("-wal", "-shm", "-journal")  # what SQLite keeps beside an open file

# The columns of `row`, in their order. The payload is last: SQLite reads a row up to the last column asked for.
_FIRST_COLUMNS: Final = (
    "id", "at", "wall", "conn", "dial", "direction", "kind", "opcode", "op", "channel", "size", "code", "rtt_ms",
    "flags", "seq", "command", "protocol",
)  # fmt: skip
ROW_COLUMNS: Final[dict[int, tuple[str, ...]]] = {
    1: (*_FIRST_COLUMNS, "payload"),
    2: (*_FIRST_COLUMNS, "wire_bytes", "fragments", "payload"),
}
_COLUMNS_OF_1: Final = ", ".join(ROW_COLUMNS[1])
_FRAMES_HEAD: Final = """CREATE VIEW frames AS SELECT
  row.id, datetime(row.wall, 'unixepoch') AS time_utc, row.wall, c.text AS conn, row.dial,
  CASE row.direction WHEN 0 THEN 'in' WHEN 1 THEN 'out' ELSE 'none' END AS direction,
  CASE row.kind WHEN 0 THEN 'frame' WHEN 1 THEN 'handshake' WHEN 2 THEN 'state' WHEN 3 THEN 'close'
    WHEN 4 THEN 'act' WHEN 5 THEN 'note' ELSE 'unknown' END AS kind,
  o.text AS op, h.text AS channel, row.size, row.code, row.rtt_ms, row.flags, row.seq, row.command,
  p.text AS protocol,"""
_FRAMES_TAIL: Final = """
FROM row LEFT JOIN names c ON c.id = row.conn LEFT JOIN names o ON o.id = row.op
  LEFT JOIN names h ON h.id = row.channel LEFT JOIN names p ON p.id = row.protocol"""
_META: Final = "CREATE TABLE meta (key TEXT PRIMARY KEY, value)"
_NAMES: Final = "CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"
_COMMENT: Final = "CREATE TABLE comment (row INTEGER, wall REAL, text TEXT)"
_ROW: Final = """CREATE TABLE row (
  id INTEGER PRIMARY KEY, at REAL, wall REAL, conn INTEGER, dial INTEGER, direction INTEGER, kind INTEGER,
  opcode INTEGER, op INTEGER, channel INTEGER, size INTEGER, code INTEGER, rtt_ms REAL, flags INTEGER,
  seq INTEGER, command INTEGER, protocol INTEGER, wire_bytes INTEGER, fragments INTEGER, payload BLOB
)"""
_FRAMES: Final = (
    f"{_FRAMES_HEAD} row.wire_bytes, row.fragments, m.text AS comment, row.payload{_FRAMES_TAIL}"
    "\n  LEFT JOIN comment m ON m.row = row.id"
)
_ADDED_IN_2: Final = (
    "CREATE TABLE rtt (at REAL, wall REAL, conn INTEGER, rtt_ms REAL)",
    "CREATE TABLE presence (at REAL, wall REAL, channel INTEGER, members TEXT)",
    "CREATE TABLE state (at REAL, wall REAL, channel INTEGER, seq INTEGER, hash_ok INTEGER, document TEXT)",
    """CREATE VIEW round_trips AS SELECT datetime(rtt.wall, 'unixepoch') AS time_utc, rtt.wall, c.text AS conn, rtt.rtt_ms
FROM rtt LEFT JOIN names c ON c.id = rtt.conn""",
    """CREATE VIEW rosters AS SELECT datetime(presence.wall, 'unixepoch') AS time_utc, presence.wall, h.text AS channel,
  presence.members FROM presence LEFT JOIN names h ON h.id = presence.channel""",
    """CREATE VIEW documents AS SELECT datetime(state.wall, 'unixepoch') AS time_utc, state.wall, h.text AS channel,
  state.seq, state.hash_ok, state.document FROM state LEFT JOIN names h ON h.id = state.channel""",
)

SCHEMAS: Final[dict[int, tuple[str, ...]]] = {
    1: (
        _META,
        _NAMES,
        """CREATE TABLE row (
  id INTEGER PRIMARY KEY, at REAL, wall REAL, conn INTEGER, dial INTEGER, direction INTEGER, kind INTEGER,
  opcode INTEGER, op INTEGER, channel INTEGER, size INTEGER, code INTEGER, rtt_ms REAL, flags INTEGER,
  seq INTEGER, command INTEGER, protocol INTEGER, payload BLOB
)""",
        _COMMENT,
        f"{_FRAMES_HEAD} row.payload{_FRAMES_TAIL}",
    ),
    2: (_META, _NAMES, _ROW, _COMMENT, _FRAMES, *_ADDED_IN_2),
}
# From the version before to this one. Files are never changed where they lie: a saved copy is brought up to date.
MIGRATIONS: Final[dict[int, tuple[str, ...]]] = {
    2: (
        "DROP VIEW frames",
        "ALTER TABLE row RENAME TO older_row",
        _ROW,
        f"INSERT INTO row ({_COLUMNS_OF_1}) SELECT {_COLUMNS_OF_1} FROM older_row",  # noqa: S608
        "DROP TABLE older_row",
        _FRAMES,
        *_ADDED_IN_2,
    ),
}
# Device and inode of the files that this process writes now. POSIX takes every lock of a process on a file away when the
# process closes any handle of that file, so such a file must be opened through SQLite alone.
written_here: Final[set[tuple[int, int]]] = set()


class CaptureFailed(Exception):
    """A capture cannot be written. The message is a sentence that says what to do."""


class CaptureUnreadable(Exception):
    """A file is no capture, or a damaged one. The message is a sentence."""


def create(database: sqlite3.Connection, version: int = VERSION) -> None:
    """Make an empty database a capture."""
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in SCHEMAS[version]:
        database.execute(statement)
    database.execute(f"PRAGMA user_version = {version}")


def migrate(database: sqlite3.Connection) -> None:
    """Bring a capture of an older version up to the newest, in one transaction; a newest one stays as it is."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    refuse_version(int(version))
    database.execute("BEGIN IMMEDIATE")
    try:
        for step in range(int(version) + 1, VERSION + 1):
            for statement in MIGRATIONS[step]:
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise


def refuse_version(version: int) -> None:
    """Accept versions that this Sonde knows.

    Raises:
        CaptureUnreadable: the file is of another one.
    """
    if version > VERSION:
        raise CaptureUnreadable(
            f"the capture is of version {version}, made by a newer Sonde; this one reads up to {VERSION}"
        )
    if version not in SCHEMAS:
        raise CaptureUnreadable("the capture was never finished being made: it has no version")


def select_row(version: int, *columns: str) -> str:
    """`SELECT` of columns of `row` by name, from a file of any version: what that has not is NULL."""
    there = ROW_COLUMNS[version]
    asked = ", ".join(each if each in there else f"NULL AS {each}" for each in columns)
    return f"SELECT {asked} FROM row"  # noqa: S608 - columns are words of ours, never of a file


def objects(database: sqlite3.Connection) -> set[tuple[bytes, bytes, bytes, bytes]]:
    """Everything that the schema of a database defines, as bytes, 32 objects at most."""
    found = database.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master LIMIT 32")
    return {tuple(_bytes(cell) for cell in row) for row in found}  # type: ignore[misc]


@cache
def expected_objects(version: int = VERSION) -> frozenset[tuple[bytes, bytes, bytes, bytes]]:
    """What the schema of a capture of `version` defines, and nothing else."""
    database = sqlite3.connect(":memory:")
    try:
        create(database, version)
        return frozenset(objects(database))
    finally:
        database.close()


def _bytes(cell: object) -> bytes:
    return cell if isinstance(cell, bytes) else str(cell).encode("utf-8", "replace")
