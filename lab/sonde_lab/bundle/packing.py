"""Packs a bundle: rows without their secrets as a capture, the scenario, the report, and what was masked where.

Owns the order and the file, which stands in its place only when it is whole. It never writes over one.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np

from sonde_lab.bundle.manifest import (
    CAPTURE,
    FORMAT,
    MANIFEST,
    MEMBERS,
    README,
    REDACTION,
    REPORT,
    SCENARIO,
    SUFFIX,
    BundleRefused,
    Manifest,
    Member,
    versions_now,
)
from sonde_lab.bundle.telling import Masked, readme_of, redaction_of
from sonde_lab.bundle.zipping import digest, write_archive
from sonde_lab.export.exporting import mask
from sonde_lab.export.files import ExportFailed, Told, cannot, new_file, part_of
from sonde_lab.export.masking import Masker
from sonde_lab.export.rows import Facts, RingRows, Row
from sonde_lab.export.sonde import Capture
from sonde_lab.ring import Ring
from sonde_lab.wording import one_line

MAX_ROWS: Final = 50_000
MAX_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Contents:
    """What goes into a bundle. `ids`: rows of the ring, in order; of too many the newest.

    `row`: the number of the row that it is about, -1 for none. Others as in `Manifest`.
    """

    name: str
    scenario: str
    ring: Ring
    ids: Sequence[int]
    report: Sequence[str] = ()
    seed: int = 1
    stage: str = ""
    gateway: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    verdict: str = ""
    row: int = -1


class Packed(NamedTuple):
    """A bundle that is there."""

    path: Path
    manifest: Manifest
    size_bytes: int

    @property
    def words(self) -> str:
        """What is in it, in a sentence or two."""
        told = Told(self.manifest.rows, self.manifest.masked, self.manifest.replaced)
        return f"{self.manifest.rows:,} rows, {self.size_bytes:,} bytes, in {one_line(self.path.name, 120)}. {told.words}"


def free_path(folder: Path, stem: str) -> Path:
    """A name in a folder that no file has."""
    numbered = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    return next(path for end in numbered if not os.path.lexists(path := folder / f"{stem}{end}{SUFFIX}"))


def pack(target: Path, contents: Contents, *, replaces: bool = False) -> Packed:
    """Write a bundle. `replaces`: whoever asks has agreed that a file of that name goes.

    Raises:
        ExportFailed: it cannot be written, or a file of that name is there.
        BundleRefused: it would be larger than a bundle may be.
    """
    if not replaces and os.path.lexists(target):
        raise ExportFailed(f"{target} is there already; choose another name, or move it away")
    masker, where = Masker(), list[Masked]()
    try:
        with tempfile.TemporaryDirectory(prefix="sonde-repro-") as folder:
            capture = Path(folder) / CAPTURE
            rows = _write_rows(capture, contents, masker, where)
            members, manifest = _members(contents, capture.read_bytes(), rows, masker, where)
        return _written(target, members, manifest, replaces=replaces)
    except OSError as error:
        raise ExportFailed(cannot(target, error)) from None


def _write_rows(path: Path, contents: Contents, masker: Masker, where: list[Masked]) -> int:
    ids = _within(contents.ring, contents.ids)
    capture = Capture(path, Facts(contents.name))
    try:
        for batch in RingRows(contents.ring, ids).batches():
            capture.add([_masked(row, masker, where) for row in batch.rows])
        capture.close(Told(len(ids), masker.masked, masker.replaced))
    except BaseException:
        capture.abandon()
        raise
    return len(ids)


def _within(ring: Ring, ids: Sequence[int]) -> list[int]:
    """The newest rows that fit."""
    kept: list[int] = []
    size = 0
    for row_id in reversed(ids[-MAX_ROWS:]):
        size += int(ring.value("stored", row_id))
        if size > MAX_BYTES:
            break
        kept.append(row_id)
    return kept[::-1]


def _masked(row: Row, masker: Masker, where: list[Masked]) -> Row:
    masked, replaced = masker.masked, masker.replaced
    made = mask(row, masker)
    if masker.masked > masked or masker.replaced > replaced:
        what = f"{row.record.kind.name.lower()} {one_line(made.record.op, 40)} of {one_line(made.record.conn, 40)}"
        where.append(Masked(row.row_id + 1, what, masker.masked - masked, masker.replaced - replaced))
    return made


def _members(
    contents: Contents, capture: bytes, rows: int, masker: Masker, where: list[Masked]
) -> tuple[dict[str, bytes], Manifest]:
    def text(name: str, words: str) -> str:
        masked = masker.masked
        shown = masker.text(words)
        if masker.masked > masked:
            where.append(Masked(-1, name, masker.masked - masked, 0))
        return shown

    scenario = text(SCENARIO, contents.scenario)
    report = text(REPORT, "\n".join(contents.report) + "\n")
    manifest = Manifest(
        format=FORMAT, name=one_line(text("the name", contents.name), 200), made=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        versions=versions_now(), seed=contents.seed, stage=contents.stage,  # type: ignore[arg-type] # msgspec checks it when it is read
        gateway=one_line(text("the gateway's address", contents.gateway), 200), settings=contents.settings,
        verdict=contents.verdict, row=contents.row, rows=rows, masked=masker.masked, replaced=masker.replaced,
    )  # fmt: skip
    members = {
        README: readme_of(manifest, report.split("\n")).encode(),
        SCENARIO: scenario.encode(),
        REPORT: report.encode(),
        REDACTION: redaction_of(manifest, where).encode(),
        CAPTURE: capture,
    }
    listed = {name: Member(len(data), digest(data)) for name, data in members.items()}
    manifest = msgspec.structs.replace(manifest, members=listed)
    return {MANIFEST: msgspec.json.format(msgspec.json.encode(manifest), indent=2), **members}, manifest


def _written(target: Path, members: dict[str, bytes], manifest: Manifest, *, replaces: bool) -> Packed:
    for name, data in members.items():
        if len(data) > MEMBERS[name]:
            raise BundleRefused(
                f"{name} has {len(data):,} bytes, more than a bundle holds: choose fewer rows"
            )
    part = part_of(target)
    try:
        with new_file(part) as file:
            write_archive(file, members)
        if replaces:
            os.replace(part, target)
        else:
            _place(part, target)
    finally:
        part.unlink(missing_ok=True)
    return Packed(target, manifest, target.stat().st_size)


def _place(part: Path, target: Path) -> None:
    try:
        os.link(part, target)  # unlike a rename, this fails when somebody was faster
    except FileExistsError:
        raise ExportFailed(f"{target} is there already; choose another name, or move it away") from None
    except OSError:  # a disk without links
        if os.path.lexists(target):
            raise ExportFailed(f"{target} is there already; choose another name, or move it away") from None
        os.rename(part, target)


def rows_of(ring: Ring, rows: range, conns: Sequence[str]) -> list[int]:
    """Rows of a stretch, and those before it without which they are not understood: greetings and subscriptions."""
    return [*greetings(ring, range(ring.first_id, rows.start), conns), *rows]


_GREETED: Final = ("upgrade", "hello", "identify", "ready", "resume", "resumed", "subscribe", "snapshot")
_MAX_GREETINGS: Final = 500


def greetings(ring: Ring, before: range, conns: Sequence[str]) -> Iterator[int]:
    """Rows that say who a connection is and where it was."""
    wanted = [number for number in map(ring.names.number, _GREETED) if number is not None]
    mine = [number for number in map(ring.names.number, conns) if number is not None]
    fits = np.isin(ring.column("op", before), wanted) & np.isin(ring.column("conn", before), mine)
    yield from (np.flatnonzero(fits)[-_MAX_GREETINGS:] + before.start).tolist()
