"""Opens a bundle that anybody may have made: looked at, checked against its manifest, and run by nobody.

Owns the checks of the whole, and the way of its capture into a file of its own that only the person reads. A decoder,
a program or an address in it would be a member that no bundle has.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sonde_lab.bundle.manifest import (
    CAPTURE,
    MANIFEST,
    MAX_BUNDLE_BYTES,
    MEMBERS,
    README,
    REDACTION,
    REPORT,
    SCENARIO,
    SUFFIX,
    BundleRefused,
    Manifest,
    manifest_of,
)
from sonde_lab.bundle.zipping import Archive, digest
from sonde_lab.export.files import Unreadable, new_file
from sonde_lab.export.files import opened as opened_file

_MAGIC: Final = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle, but for its capture, which stays in the file until somebody asks for it."""

    path: Path
    manifest: Manifest
    scenario: str
    readme: str
    report: str
    redaction: str


def is_bundle(path: Path) -> bool:
    """Whether a file is called or begins as a bundle does. A pipe is not asked."""
    if path.suffix.lower() == SUFFIX:
        return True
    try:
        with opened_file(path) as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except Unreadable:
        return False


def opened(path: Path) -> Bundle:
    """Read and check a bundle.

    Raises:
        BundleRefused: why it is none, or not used; the sentence names the file.
    """
    with _archive(path) as archive:
        manifest = manifest_of(archive.whole(MANIFEST))
        missing = sorted(set(MEMBERS) - archive.names)
        if missing:
            raise BundleRefused(f"its member {missing[0]} is missing")
        texts = {name: _text(archive, manifest, name) for name in (SCENARIO, README, REPORT, REDACTION)}
        return Bundle(path, manifest, texts[SCENARIO], texts[README], texts[REPORT], texts[REDACTION])


@contextlib.contextmanager
def captured_in(path: Path) -> Iterator[Path]:
    """The capture of a bundle as a file, for the length of a `with` block; any other path is itself.

    Raises:
        BundleRefused: as `opened`.
    """
    if not is_bundle(path):
        yield path
        return
    opened(path)
    with tempfile.TemporaryDirectory(prefix="sonde-repro-") as folder:
        yield unpacked(path, Path(folder))


def unpacked(path: Path, folder: Path) -> Path:
    """Write a bundle's capture into a folder under its own name.

    Raises:
        BundleRefused: it is damaged, or too large.
    """
    target, seen = folder / CAPTURE, hashlib.sha256()
    with _archive(path) as archive:
        wanted = manifest_of(archive.whole(MANIFEST)).members.get(CAPTURE)
        try:
            with new_file(target) as file:
                for chunk in archive.chunks(CAPTURE):
                    seen.update(chunk)
                    file.write(chunk)
        except OSError as error:
            raise BundleRefused(
                f"its capture cannot be unpacked to {folder}: {error.strerror or error}"
            ) from None
    if wanted is None or seen.hexdigest() != wanted.sha256:
        raise BundleRefused(f"{path}: its member {CAPTURE} is not the one that its manifest names")
    return target


@contextlib.contextmanager
def _archive(path: Path) -> Iterator[Archive]:
    """What is wrong is said with the file's name."""
    try:
        with opened_file(path, MAX_BUNDLE_BYTES) as file:
            try:
                yield Archive(file)
            except BundleRefused as refused:
                raise BundleRefused(f"{path} is not opened: {refused}") from None
    except Unreadable as error:
        raise BundleRefused(str(error)) from None


def _text(archive: Archive, manifest: Manifest, name: str) -> str:
    data = archive.whole(name)
    wanted = manifest.members.get(name)
    if wanted is None or wanted.sha256 != digest(data):
        raise BundleRefused(f"its member {name} is not the one that its manifest names")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BundleRefused(f"its member {name} is not UTF-8") from None
