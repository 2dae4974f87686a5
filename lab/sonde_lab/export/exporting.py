"""One export: rows through the masker into a file that stands in its place only when it is whole.

Owns the part file beside the target, the masking and the figures. It may be fed from another thread than the one that
reads the rows, by one at a time. Refuses to write over a file, unless whoever asks has agreed to that.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from sonde_lab.export.files import AlreadyThere, ExportFailed, Told, cannot, part_of
from sonde_lab.export.formats import Format
from sonde_lab.export.masking import Masker
from sonde_lab.export.rows import Facts, Row, RowSource
from sonde_lab.wording import one_line

T = TypeVar("T")


@dataclass(slots=True, frozen=True)
class Outcome:
    """What was written."""

    path: Path
    told: Told
    size_bytes: int

    @property
    def words(self) -> str:
        """The outcome in one or two sentences."""
        name = one_line(self.path.name, 80)
        rows = f"{self.told.rows:,} row{'' if self.told.rows == 1 else 's'}"
        return f"{rows}, {self.size_bytes:,} bytes, in {name}. {self.told.words}"


class Export:
    """A file in the making.

    Raises:
        AlreadyThere: there is a file of that name.
        ExportFailed: it cannot be made.
    """

    def __init__(
        self, target: Path, kind: Format, facts: Facts, *, masks: bool = True, replaces: bool = False
    ) -> None:
        self.target = target
        self._replaces = replaces
        self._masker = Masker() if masks else None
        self._rows = 0
        if not replaces and os.path.lexists(target):
            raise AlreadyThere(_there_already(target))
        self._part = part_of(target)
        if self._masker is not None:
            facts = Facts(
                self._masker.text(facts.source),
                self._masker.text(facts.url),
                tuple((name, self._masker.text(value)) for name, value in facts.details),
            )
        try:
            self._writer = kind.write(self._part, facts)
        except (OSError, ValueError) as error:
            raise ExportFailed(cannot(target, error)) from None

    def add(self, rows: Sequence[Row]) -> None:
        """Take in rows.

        Raises:
            ExportFailed: the disk fails.
        """
        masked = [mask(row, self._masker) for row in rows] if self._masker is not None else rows
        self._rows += sum(not row.is_context for row in rows)
        try:
            self._writer.add(masked)
        except OSError as error:
            raise ExportFailed(cannot(self.target, error)) from None

    def finish(self) -> Outcome:
        """End the file and put it in its place.

        Raises:
            AlreadyThere: a file of that name has appeared.
        ExportFailed: the disk fails.
        """
        masker = self._masker
        told = (
            Told(self._rows, masker.masked, masker.replaced) if masker else Told(self._rows, is_masking=False)
        )
        try:
            self._writer.close(told)
            size = self._part.stat().st_size
            self._place()
        except OSError as error:
            raise ExportFailed(cannot(self.target, error)) from None
        return Outcome(self.target, told, size)

    def abandon(self) -> None:
        """Leave nothing behind."""
        try:
            self._writer.abandon()
        finally:
            self._part.unlink(missing_ok=True)

    def _place(self) -> None:
        if self._replaces:
            os.replace(self._part, self.target)
            return
        try:
            os.link(self._part, self.target)  # unlike a rename, this fails when somebody was faster
        except FileExistsError:
            raise AlreadyThere(_there_already(self.target)) from None
        except OSError:  # a disk without links
            if os.path.lexists(self.target):
                raise AlreadyThere(_there_already(self.target)) from None
            os.rename(self._part, self.target)
            return
        self._part.unlink()


def mask(row: Row, masker: Masker) -> Row:
    """A row without its secrets, those of its comment among them."""
    record, is_masked = masker.row(row.record)
    comment = masker.text(row.comment) if row.comment else ""
    if not is_masked and comment == row.comment:
        return row
    return row._replace(record=record, comment=comment, is_masked=is_masked)


def run(
    export: Export,
    source: RowSource,
    handshakes: bool = False,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Outcome | None:
    """Write all rows of a source; `None` when it was cancelled. Whatever goes wrong leaves nothing behind.

    Raises:
        SondeError: the rows cannot be read, or the file cannot be written.
    """
    looked_at = 0
    try:
        for batch in source.batches(handshakes):
            if is_cancelled():
                export.abandon()
                return None
            export.add(batch.rows)
            looked_at += batch.looked_at
            on_progress(looked_at, source.total)
        return export.finish()
    except BaseException:
        export.abandon()
        raise


async def run_sliced(
    export: Export,
    source: RowSource,
    handshakes: bool = False,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Outcome | None:
    """The same as `run` beside a loop: rows are read on it, a slice at a time, all else is done in a thread.

    Raises:
        SondeError: as `run`.
    """
    looked_at = 0
    try:
        for batch in source.batches(handshakes):
            if is_cancelled():
                await _threaded(export.abandon)
                return None
            await _threaded(partial(export.add, batch.rows))
            looked_at += batch.looked_at
            on_progress(looked_at, source.total)
        return await _threaded(export.finish)
    except BaseException:
        await _threaded(export.abandon)
        raise


async def _threaded(work: Callable[[], T]) -> T:
    """Work in a thread that is over when this is, even when it is cancelled."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def _there_already(target: Path) -> str:
    return f"{target} is there already; choose another name, or move it away"
