"""Captures of runs that ended without closing them: found, told and made one file again.

Owns what counts as unfinished. It looks at files of our own pattern only, and leaves alone what a living process
writes and what is no capture.
"""

from __future__ import annotations

import contextlib
import enum
import os
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

from sonde_lab.capture.files import is_written, own_files
from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.schema import CaptureUnreadable


class _State(enum.Enum):
    LEFT_ALONE = 0  # closed, or written by somebody
    APART = 1  # closed while somebody read it: all there, in two files
    UNFINISHED = 2


class _Repair(enum.Enum):
    DONE = 0
    FAILED = 1
    IN_USE = 2


class Leftover(NamedTuple):
    """An unfinished capture: how many rows it holds and when the last of them came (Unix s; 0: there is none)."""

    path: Path
    rows: int
    last_wall: float
    repaired: bool


def recover(folder: Path) -> list[Leftover]:
    """Mend what earlier runs left in `folder`, newest first. This takes as long as reading the files does."""
    found: list[Leftover] = []
    for file in own_files(folder):
        with contextlib.suppress(CaptureUnreadable, OSError):
            state = _state_of(file.path)
            if state is _State.UNFINISHED:
                leftover, repair = _look_at(file.path), _repair(file.path)
                if repair is not _Repair.IN_USE:  # whatever its number says: somebody lives who writes it
                    found.append(leftover._replace(repaired=repair is _Repair.DONE))
            elif state is _State.APART:
                _repair(file.path)
    return found


def _state_of(path: Path) -> _State:
    has_wal = os.path.lexists(f"{path}-wal")
    with CaptureReader.open(path) as reader:
        meta = reader.meta
        if is_written(path, meta):
            return _State.LEFT_ALONE
        if "closed_wall" in meta:
            return _State.APART if has_wal else _State.LEFT_ALONE
        # Version 1 has no such mark.
        return _State.UNFINISHED if has_wal or reader.version > 1 else _State.LEFT_ALONE


def _look_at(path: Path) -> Leftover:
    with CaptureReader.open(path) as reader:
        last = reader.last_id
        wall = reader.record(last).wall if last >= 0 else 0.0
        return Leftover(path, reader.rows, wall, False)


def _repair(path: Path) -> _Repair:
    """Bring what lies beside the file into it, and mark it."""
    try:
        database = sqlite3.connect(path, isolation_level=None, timeout=0.2)
    except sqlite3.Error:
        return _Repair.FAILED
    try:
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA journal_mode = DELETE")  # needs the file for itself
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > 1:
            marks = [("closed_wall", time.time()), ("recovered", 1)]
            database.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", marks)
    except sqlite3.Error as error:
        is_busy = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_BUSY
        return _Repair.IN_USE if is_busy else _Repair.FAILED
    finally:
        database.close()
    return _Repair.DONE
