"""The folder of the captures that nobody asked for by name: what they are called, and which of them may go.

Owns the naming pattern, the limits and retention. Only files of that pattern are ever deleted, never one that a
living process writes, one that a person saved, or one that cannot be read.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.schema import SIDE_FILES, CaptureFailed, CaptureUnreadable, written_here

SAVED: Final = "saved_wall"  # the mark in `meta` of a file that a person saved
_PATTERN: Final = re.compile(r"sonde-(\d{8}-\d{6})(?:-(\d{1,2}))?\.sonde", re.ASCII)
_MAX_LISTED: Final = 10_000


@dataclass(slots=True, frozen=True)
class CaptureLimits:
    """When the next file begins, how much is kept, and how much room must be left on the disk."""

    rows_per_file: int = 2_000_000
    bytes_per_file: int = 1 << 30
    keep_files: int = 20
    keep_bytes: int = 4 << 30
    min_free_bytes: int = 512 << 20

    @property
    def kept_in_words(self) -> str:
        """Which captures are kept: "the newest 20 within 4 GB"."""
        return f"the newest {self.keep_files:,} within {self.keep_bytes / (1 << 30):g} GB"


class OwnFile(NamedTuple):
    """A file of the pattern; `size_bytes` with what SQLite keeps beside it."""

    path: Path
    size_bytes: int


def new_path(folder: Path) -> Path:
    """A name for a new file, by the time.

    Raises:
        CaptureFailed: there is none left for this second.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for number in range(1, 100):
        path = folder / (f"sonde-{stamp}.sonde" if number == 1 else f"sonde-{stamp}-{number}.sonde")
        if not any(os.path.lexists(f"{path}{end}") for end in ("", *SIDE_FILES)):
            return path
    raise CaptureFailed(f"{folder} has too many captures of this second; try again")


def own_files(folder: Path) -> list[OwnFile]:
    """Files of the pattern in `folder`, newest first. Links and folders are none."""
    found: list[OwnFile] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        names = [(_age(fits), entry.name) for entry in entries if (fits := _PATTERN.fullmatch(entry.name))]
        for _, name in sorted(names, reverse=True)[:_MAX_LISTED]:
            sizes = [_size_of(f"{folder / name}{end}") for end in ("", *SIDE_FILES)]
            if sizes[0] >= 0:
                found.append(OwnFile(folder / name, sum(max(0, size) for size in sizes)))
    return found


def tidy(folder: Path, limits: CaptureLimits) -> list[Path]:
    """Delete the oldest files beyond the limits; those that were."""
    deleted: list[Path] = []
    kept_bytes = 0
    for number, file in enumerate(own_files(folder), 1):
        kept_bytes += file.size_bytes
        if number <= limits.keep_files and kept_bytes <= limits.keep_bytes:
            continue
        if _may_go(file.path):
            with contextlib.suppress(OSError):
                _delete(file.path)
                deleted.append(file.path)
    return deleted


def must_have_room(folder: Path, limits: CaptureLimits) -> None:
    """See that the disk has room left.

    Raises:
        CaptureFailed: it has not. OSError: the folder cannot be asked.
    """
    free = shutil.disk_usage(folder).free
    if free < limits.min_free_bytes:
        raise CaptureFailed(
            f"the disk of {folder} has {free >> 20:,} MB left, and a capture leaves {limits.min_free_bytes >> 20:,} MB free"
        )


def is_written(path: Path, meta: dict[str, str]) -> bool:
    """Whether this process writes a file, or by its `meta` another one that lives."""
    status = path.stat()
    if (status.st_dev, status.st_ino) in written_here:
        return True
    pid = meta.get("pid", "")
    return "closed_wall" not in meta and pid.isascii() and pid.isdigit() and _is_alive(int(pid[:18]))


def _is_alive(pid: int) -> bool:
    if pid == os.getpid():
        return False  # what this process writes is known, and in a container the next run may have its number
    if os.name != "posix":
        return True  # elsewhere a process cannot be asked without ending it, so its file is left alone
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _may_go(path: Path) -> bool:
    try:
        with CaptureReader.open(path) as reader:
            meta = reader.meta
            return SAVED not in meta and not is_written(path, meta)
    except (CaptureUnreadable, OSError):
        return False


def _delete(path: Path) -> None:
    """The file first: without it, what lay beside it is nothing."""
    path.unlink()
    for end in SIDE_FILES:
        Path(f"{path}{end}").unlink(missing_ok=True)


def _age(fits: re.Match[str]) -> tuple[str, int]:
    return fits[1], int(fits[2] or 1)


def _size_of(path: str) -> int:
    """Bytes of a plain file; -1 for anything else."""
    try:
        status = os.lstat(path)
    except OSError:
        return -1
    return status.st_size if stat.S_ISREG(status.st_mode) else -1
