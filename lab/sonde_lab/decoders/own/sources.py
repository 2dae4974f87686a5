"""Where decoders of a person's own come from: a file that was named, files of a folder, installed packages.

Owns the list and what a permission is bound to. Refuses to run anything: a decoder's code is read as bytes only,
and runs when a person has said so.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

GROUP: Final = "sonde.decoders"
MAX_FILES: Final = 100
MAX_FILE_BYTES: Final = 1 << 20


@dataclass(slots=True, frozen=True)
class Source:
    """One decoder. `digest` changes with its code: a permission is for this very code.

    `kind` and `target` are what its process is started with. `is_named`: a person has named it for this run.
    """

    name: str
    kind: str  # "file" or "entry"
    target: str
    digest: str
    where: str
    is_named: bool = False

    @property
    def permission(self) -> str:
        """What a person's permission is remembered as."""
        return f"{self.digest} {self.target}"


class SourceUnreadable(Exception):
    """A decoder's file cannot be read; the message says why, in words."""


def named_file(path: Path) -> Source:
    """The decoder in a file that a person has named.

    Raises:
        SourceUnreadable: there is no such file, or it is no decoder's.
    """
    return _of_file(path, is_named=True)


def in_folder(folder: Path) -> list[Source]:
    """The decoders of a folder, by name; files that cannot be read are left out."""
    found = []
    for path in _files_of(folder):
        try:
            found.append(_of_file(path, is_named=False))
        except SourceUnreadable:
            continue
    return found


def state_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What tells cheaply whether a folder's decoders have changed: names, times and sizes."""
    told = []
    for path in _files_of(folder):
        with contextlib.suppress(OSError):
            seen = path.stat()
            told.append((path.name, seen.st_mtime_ns, seen.st_size))
    return tuple(told)


def _files_of(folder: Path) -> list[Path]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".py" and path.name[0] not in "_.")
    except OSError:
        return []
    return paths[:MAX_FILES]


def installed() -> list[Source]:
    """The decoders that installed packages offer under the entry point group `sonde.decoders`."""
    return [_of_entry(entry) for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)]


def _of_file(path: Path, *, is_named: bool) -> Source:
    path = path.absolute()
    if path.exists() and not path.is_file():
        raise SourceUnreadable(f"{path} is no file")
    try:
        with path.open("rb") as file:
            code = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SourceUnreadable(f"{path} cannot be read: {error.strerror or error}") from None
    if len(code) > MAX_FILE_BYTES:
        raise SourceUnreadable(f"{path} is larger than {MAX_FILE_BYTES:,} bytes: that is no decoder")
    return Source(path.stem[:64], "file", str(path), digest_of(code), str(path), is_named)


def digest_of(code: bytes) -> str:
    """What a permission is bound to."""
    return hashlib.sha256(code).hexdigest()


def target_of(permission: str) -> str:
    """Which decoder a permission is for."""
    return permission.partition(" ")[2]


def _of_entry(entry: EntryPoint) -> Source:
    package = entry.dist
    version = "unknown" if package is None else f"{package.name} {package.version}"
    digest = digest_of(f"{version} {entry.value}".encode())
    return Source(entry.name[:64], "entry", entry.value, digest, f"package {version}")
