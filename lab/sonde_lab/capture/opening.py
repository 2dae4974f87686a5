"""Opens a capture file that anybody may have made: looked at first, then read-only, and nothing is left beside it.

Owns what is asked of a file before its first row is read. The rows are the reader's.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sonde_lab.capture.schema import APPLICATION_ID, CaptureUnreadable, refuse_version, written_here

_MAGIC: Final = b"SQLite format 3\0"


def check_header(path: Path) -> None:
    """Look at a file before SQLite does; a pipe must not hang. What this process writes itself is its own.

    Raises:
        CaptureUnreadable: it is no capture, or one of the future.
    """
    try:
        status = os.stat(path)
        if (status.st_dev, status.st_ino) in written_here:
            return
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            is_file = stat.S_ISREG(os.fstat(handle).st_mode)
            head = os.read(handle, 100) if is_file else b""
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", "") or str(error)
        raise CaptureUnreadable(f"{path} cannot be read: {why}") from None
    if not is_file:
        raise CaptureUnreadable(f"{path} is no file that can be read")
    if not head:
        raise CaptureUnreadable(f"{path} is empty")
    if len(head) < 100 or not head.startswith(_MAGIC) or int.from_bytes(head[68:72], "big") != APPLICATION_ID:
        raise CaptureUnreadable(f"{path} is no capture of Sonde")
    refuse_version(int.from_bytes(head[60:64], "big"))


def connected(path: Path) -> sqlite3.Connection:
    """Open it read-only. Without a `-wal` beside it the file is all there is, and SQLite leaves nothing there.

    Raises:
        CaptureUnreadable: SQLite cannot open it.
    """
    for end in ("-wal", "-shm"):
        beside = Path(f"{path}{end}")
        if os.path.lexists(beside) and not beside.is_file():
            raise CaptureUnreadable(f"{beside} is no file; move it away to read the capture without it")
    uri = f"file:{quote(os.path.abspath(path))}?mode=ro"
    alone = not os.path.lexists(f"{path}-wal")
    try:
        return _opened(f"{uri}&immutable=1") if alone else _opened(uri)
    except sqlite3.OperationalError:  # the folder is read-only: what has not reached the main file is missing
        try:
            return _opened(f"{uri}&immutable=1")
        except sqlite3.Error as error:
            raise CaptureUnreadable(f"{path} cannot be opened: {in_words(error)}") from None
    except sqlite3.Error as error:
        raise CaptureUnreadable(f"{path} is damaged, or no capture: {in_words(error)}") from None


def _opened(uri: str) -> sqlite3.Connection:
    database = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        database.text_factory = bytes  # what claims to be text may be anything
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA query_only = ON")
        database.execute("PRAGMA schema_version").fetchone()  # the first look at the file
    except BaseException:
        database.close()
        raise
    return database


def in_words(error: Exception) -> str:
    """What SQLite says of a failure."""
    said = str(error)[:160]
    return "reading it takes too long" if said == "interrupted" else said or "not enough memory"
