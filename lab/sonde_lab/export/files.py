"""Files that are written and read: new ones for their owner's eyes only, and others that are believed in nothing.

Owns the errors of this room. Refuses to write over a file, and to open what is no file.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import BinaryIO, NamedTuple

from sonde_protocol.errors import SondeError


class ExportFailed(SondeError):
    """A file cannot be written. The message is a sentence that says what to do."""


class AlreadyThere(ExportFailed):
    """There is a file of that name. The message is a sentence that says what to do."""


class Unreadable(SondeError):
    """A file is not of the format that it is read as. The message is a sentence."""


class Told(NamedTuple):
    """What is known at the end: rows written, secrets masked, payloads that a sentence stands for."""

    rows: int = 0
    masked: int = 0
    replaced: int = 0
    is_masking: bool = True

    @property
    def words(self) -> str:
        """What happened to the secrets, in a sentence."""
        if not self.is_masking:
            return "Secrets were left as they are."
        if not self.masked and not self.replaced:
            return "No secrets were found."
        parts = [f"{self.masked:,} secret{'s were' if self.masked != 1 else ' was'} masked"]
        if self.replaced:
            parts.append(f"{self.replaced:,} payload{'s were' if self.replaced != 1 else ' was'} left out")
        return f"{' and '.join(parts)}."


def new_file(path: Path) -> BinaryIO:
    """A file that was not there before, for its owner only.

    Raises:
        OSError: it cannot be made.
    """
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o600)
    return os.fdopen(handle, "wb", buffering=1 << 20)


def opened(path: Path, most_bytes: int = 0) -> BinaryIO:
    """A file to be read; a pipe or a folder is none. `most_bytes`: how large it may be, if not 0.

    Raises:
        Unreadable: it cannot be read, or is larger.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", "") or str(error)
        raise Unreadable(f"{path} cannot be read: {why}") from None
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode):
        os.close(handle)
        raise Unreadable(f"{path} is no file that can be read")
    if most_bytes and about.st_size > most_bytes:
        os.close(handle)
        raise Unreadable(
            f"{path} is larger than {most_bytes >> 20} MiB, which is the most that is read at once"
        )
    return os.fdopen(handle, "rb", buffering=1 << 20)


def write_text(path: Path, text: str) -> None:
    """A whole text into a file, as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8", "replace"))


def write_bytes(path: Path, data: bytes) -> None:
    """Bytes into a file that stands in its place at once; what was there is replaced.

    Raises:
        ExportFailed: it cannot be written.
    """
    part = part_of(path)
    try:
        with new_file(part) as file:
            file.write(data)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ExportFailed(cannot(path, error)) from None


def part_of(path: Path) -> Path:
    """A name beside a file for what is not whole yet."""
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")


def cannot(path: Path, error: Exception) -> str:
    """Why a file cannot be written, in a sentence."""
    why = getattr(error, "strerror", "") or str(error)
    return f"{path} cannot be written: {why}; choose another place"
