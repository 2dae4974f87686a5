"""Scenarios of one's own: the folder that they are kept in, and writing into it.

Owns the folder's place, the names of files and how they are written, for their owner's eyes only. It never writes over a
file unless that very file is named. Whether a text is a scenario is `reading`'s to say: one that is not finished may be kept, too.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata
from pathlib import Path
from typing import Final

import platformdirs

from sonde_lab.export.files import ExportFailed, new_file, write_bytes
from sonde_lab.toml_text import MAX_FILE_BYTES
from sonde_protocol.errors import SondeError

SUFFIX: Final = ".toml"
MAX_STEM: Final = 60
MAX_FILES: Final = 1_000
_NAMELESS: Final = "scenario"


class NotKept(SondeError):
    """A scenario could not be written: a sentence."""


def own_folder(data: Path | None = None) -> Path:
    """Where scenarios of one's own are. `data`: another folder of data than the person's; it need not be there."""
    return (data or Path(platformdirs.user_data_dir("sonde", appauthor=False))) / "scenarios"


def keep(text: str, name: str, folder: Path | None = None) -> Path:
    """Write a new file, named after `name` and numbered where that name is taken; where it is.

    Raises:
        NotKept: it is too large, the folder is full, or cannot be written to.
    """
    folder = folder or own_folder()
    data = _checked(text)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sum(1 for _each in folder.glob(f"*{SUFFIX}")) >= MAX_FILES:
            raise NotKept(f"{folder} holds {MAX_FILES:,} scenarios already: remove some of them")
        return _written_new(folder, stem_of(name), data)
    except OSError as error:
        raise NotKept(f"{folder} cannot be written to: {error.strerror or error}") from None


def write_over(path: Path, text: str) -> None:
    """Give a file that is there another text, all of it or none.

    Raises:
        NotKept: it is too large, or cannot be written.
    """
    data = _checked(text)
    try:
        write_bytes(path, data)
    except ExportFailed as error:
        raise NotKept(str(error)) from None


def stem_of(name: str) -> str:
    """What a file is called that holds a scenario of this name: `Wi-Fi to LTE` is `wi-fi_to_lte`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^a-z0-9-]+", "_", plain.lower()).strip("_-")[:MAX_STEM].rstrip("_-")
    return stem or _NAMELESS


def _checked(text: str) -> bytes:
    data = text.encode(errors="replace")
    if len(data) > MAX_FILE_BYTES:
        raise NotKept("a scenario is at most 1 MiB of text")
    return data


def _written_new(folder: Path, stem: str, data: bytes) -> Path:
    for number in range(1, MAX_FILES + 2):
        path = folder / f"{stem}{f'_{number}' if number > 1 else ''}{SUFFIX}"
        try:
            file = new_file(path)
        except FileExistsError:
            continue
        try:
            with file:
                file.write(data)
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        return path
    raise NotKept(f"every name such as {stem}{SUFFIX} is taken in {folder}")
