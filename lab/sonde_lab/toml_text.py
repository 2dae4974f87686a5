"""TOML files that a person edits: read with a limit, and every complaint with the line that it is about.

Owns reading, places and quoting. What the keys mean is whoever reads them; it writes nothing to disk. Refuses pipes and
devices: whoever waits for one of them may wait for ever.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sonde_protocol.errors import excerpt

MAX_FILE_BYTES: Final = 1 << 20
MAX_LINE: Final = 20_000  # characters
MAX_DOTS: Final = 100  # in a line that is no comment
_UNSEEN: Final = re.compile(  # what JSON leaves as it is, and a terminal may obey
    "[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)


@dataclass(slots=True, frozen=True)
class TomlFile:
    """A file's text and what it says."""

    text: str
    table: dict[str, Any]


class TomlUnreadable(Exception):
    """A file that is no TOML, or cannot be read. `line` counts from 1; 0 when there is none to name."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def read(path: Path) -> TomlFile:
    """Read a file of at most 1 MiB.

    Raises:
        FileNotFoundError: there is none.
        TomlUnreadable: it is no TOML, no UTF-8, too large, or cannot be read.
    """
    try:
        data = bytes_of(path)
        if len(data) > MAX_FILE_BYTES:
            raise TomlUnreadable("it is larger than 1 MiB, so it is no file of this kind")
        text = data.decode("utf-8")
        return TomlFile(text, parse(text))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise TomlUnreadable(f"it cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise TomlUnreadable("it is not UTF-8", error.object[: error.start].count(b"\n") + 1) from None


def bytes_of(path: Path, most: int = MAX_FILE_BYTES) -> bytes:
    """A plain file's bytes; of a larger one than `most`, one byte more than that.

    Raises:
        OSError: there is none, it cannot be read, or it is a pipe, a device or a folder.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file")
        return file.read(most + 1)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def parse(text: str) -> dict[str, Any]:
    """What a text says.

    Raises:
        TomlUnreadable: it is no TOML.
    """
    _refuse_endless(text)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a bare ValueError
        line = _line_named(str(error), text)
        raise TomlUnreadable(f"no valid TOML: {excerpt(str(error), 160)}", line) from None


def _refuse_endless(text: str) -> None:
    """The standard library's reader takes hours over a key of many parts."""
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > MAX_LINE:
            raise TomlUnreadable(f"the line is longer than {MAX_LINE:,} characters", number)
        if line.count(".") > MAX_DOTS and not line.lstrip().startswith("#"):
            raise TomlUnreadable(f"the line has more than {MAX_DOTS} dots", number)


def line_of(text: str, array: str, index: int, key: str) -> int:
    """The line of `key` in the `[[array]]` table number `index` (-1: before any), or of that table's header."""
    current, header = -1, 0
    begins = re.compile(rf"^\s*\[\[\s*{re.escape(array)}\s*\]\]")
    wanted = re.compile(
        rf"^\s*(?:\[\s*{re.escape(array)}\s*\.\s*)?[\"']?{re.escape(key)}[\"']?\s*[=.\]]"
        rf"|[{{,]\s*{re.escape(key)}\s*="
    )
    for number, line in enumerate(text.splitlines(), 1):
        if begins.match(line):
            current += 1
            header = number if current == index else header
        elif current == index and key and wanted.search(line):
            return number
    return header


def headers_of(text: str, array: str) -> list[int]:
    """The line of each `[[array]]`, in order."""
    begins = re.compile(rf"\s*\[\[\s*{re.escape(array)}\s*\]\]")
    return [number for number, line in enumerate(text.splitlines(), 1) if begins.match(line)]


def quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's. What nobody sees is escaped as well; half characters are none."""
    whole = text.encode(errors="replace").decode()
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(whole, ensure_ascii=False))


def _line_named(message: str, text: str) -> int:
    named = re.search(r"at line (\d+)", message)
    return int(named[1]) if named else text.count("\n") + 1
