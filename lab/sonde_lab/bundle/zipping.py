"""The archive of a bundle: plain zip, read as if an enemy had made it.

Owns which archives are read at all, and that sizes are counted while inflating. Refuses names that are not a bundle's,
so that a path can lead nowhere, duplicates, links, encryption, and what is larger than it may be.
"""

from __future__ import annotations

import hashlib
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final

from sonde_lab.bundle.manifest import MEMBERS, BundleRefused
from sonde_lab.wording import one_line

_CHUNK: Final = 1 << 16
_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22
_LOCATOR: Final = b"PK\x06\x07"
_LOCATOR_BYTES: Final = 20
_MAX_ENTRIES: Final = 32
_MAX_DIRECTORY_BYTES: Final = 64 << 10
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LONG_AGO: Final = (
    1980,
    1,
    1,
    0,
    0,
    0,
)  # when it was made says the manifest: the same members are the same bytes
_BROKEN: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError, OverflowError,
    MemoryError, KeyError, IndexError,
)  # fmt: skip


class Archive:
    """An open archive whose members are a bundle's.

    Raises:
        BundleRefused: it is none.
    """

    def __init__(self, file: BinaryIO) -> None:
        _check_end(file)
        try:
            self._zip = zipfile.ZipFile(file)
            entries = self._zip.infolist()
        except _BROKEN as error:
            raise BundleRefused(f"it is no bundle, or a damaged one: {_why(error)}") from None
        self._entries = _checked(entries)

    @property
    def names(self) -> frozenset[str]:
        """The members that are there."""
        return frozenset(self._entries)

    def chunks(self, name: str) -> Iterator[bytes]:
        """A member's bytes, a piece at a time, no more than such a member may have.

        Raises:
            BundleRefused: it is not there, is damaged, or is too large.
        """
        entry, left = self._entries.get(name), MEMBERS[name]
        if entry is None:
            raise BundleRefused(f"its member {name} is missing")
        try:
            with self._zip.open(entry) as member:
                while chunk := member.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise BundleRefused(_too_large(name))
                    yield chunk
        except _BROKEN as error:
            raise BundleRefused(f"its member {name} is damaged: {_why(error)}") from None

    def whole(self, name: str) -> bytes:
        """A member's bytes."""
        return b"".join(self.chunks(name))


def write_archive(file: BinaryIO, members: Mapping[str, bytes]) -> None:
    """Write members, each deflated."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, data)


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _check_end(file: BinaryIO) -> None:
    """Look at the end of the archive before `zipfile` does: a list of millions of members is never read."""
    size = file.seek(0, 2)
    if size < _END_BYTES:
        raise BundleRefused("it is empty, or too short to be a bundle")
    file.seek(max(0, size - _END_BYTES - _LOCATOR_BYTES))
    tail = file.read(_END_BYTES + _LOCATOR_BYTES)
    end = tail[-_END_BYTES:]
    if not end.startswith(_END):
        raise BundleRefused("it is no repro bundle: those are zip archives, with nothing behind them")
    if tail[:-_END_BYTES].startswith(_LOCATOR):
        raise BundleRefused("it is a zip64 archive, and no bundle is")
    count, directory_bytes = struct.unpack("<10xHI6x", end)
    if count > _MAX_ENTRIES or directory_bytes > _MAX_DIRECTORY_BYTES:
        raise BundleRefused(f"it says that it has {count:,} members; a bundle has {len(MEMBERS)}")
    file.seek(0)


def _checked(entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    checked: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        name = entry.filename
        if name not in MEMBERS or entry.orig_filename != name:
            raise BundleRefused(
                f"“{one_line(entry.orig_filename, 80)}” is no member of a bundle{_path_words(name)}"
            )
        if name in checked:
            raise BundleRefused(f"it has two members {name}")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise BundleRefused(f"its member {name} is a link")
        if entry.flag_bits & 1:
            raise BundleRefused(f"its member {name} is encrypted")
        if entry.compress_type not in _METHODS:
            raise BundleRefused(f"its member {name} is neither stored nor deflated")
        if entry.file_size > MEMBERS[name]:
            raise BundleRefused(_too_large(name))
        checked[name] = entry
    return checked


def _path_words(name: str) -> str:
    return ": it is a path, and members have none" if any(sign in name for sign in "/\\:") else ""


def _too_large(name: str) -> str:
    return f"its member {name} is larger than {MEMBERS[name] >> 10:,} KiB, which is the most"


def _why(error: Exception) -> str:
    return one_line(str(error), 160) or type(error).__name__
