"""The capture of a workbench: begun and ended, rolled over to the next file, told as a value, given up with a sentence.

Owns the writers, the names of their files and how many of them are kept. The rows are the row log's, from the moment
of the start on. What takes long is done in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sonde_client import Severity
from sonde_lab.capture.files import CaptureLimits, must_have_room, new_path, tidy
from sonde_lab.capture.leftovers import Leftover, recover
from sonde_lab.capture.rolling import RollingWriter
from sonde_lab.capture.sampling import Sampler
from sonde_lab.capture.saving import Saved, Saving, save
from sonde_lab.capture.schema import CaptureFailed
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.changes import CaptureStatus, Changes
from sonde_lab.rowlog import RowLog

TELL_EVERY_S: Final = 1.0
LOOK_EVERY_S: Final = 1.0  # at the size of the file and the room on the disk
_SETTLE_S: Final = 5.0
_ADVICE: Final = "Free some room or mend the folder, then capture again: that makes a new file."

Notify = Callable[[str, str, str, str, Severity], None]


class Capturing:
    """At most one capture. `notify` gets what a person should know: cause, title, detail, advice, severity."""

    def __init__(
        self,
        log: RowLog,
        notify: Notify,
        limits: CaptureLimits | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._notify = notify
        self._limits = limits or CaptureLimits()
        self._now = now
        self._sampler = Sampler(log)
        self._files: RollingWriter | None = None
        self._folder = Path()
        self._parts: list[Path] = []  # the files of this capture, or of the last one
        self._changing = asyncio.Lock()
        self._keeping: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._told = CaptureStatus()
        self._told_at = -math.inf

    @property
    def is_on(self) -> bool:
        """Whether rows are being written."""
        return self._files is not None

    async def start(self, folder: Path) -> None:
        """Begin a new file in `folder`, named by the time. That it cannot be made is told, never raised."""
        async with self._changing:
            if self._files is not None:
                return
            try:
                writer = await self._made(folder)
            except (CaptureFailed, OSError) as error:
                self._tell("The capture did not start", str(error))
                return
            self._log.flush()  # what was seen before is not part of it
            files = self._files = self._log.sink = RollingWriter(writer)
            self._folder, self._parts = folder, [writer.path]
            self._sampler.begin()
            self._ended = asyncio.Event()
            work = self._keep(files, self._ended)
            self._keeping = asyncio.get_running_loop().create_task(work, name="capture: keep")

    async def stop(self) -> None:
        """End it: what waits is written, and whole files are left."""
        async with self._changing:
            files = self._detach()
            self._ended.set()
            if self._keeping is not None:
                await self._keeping
            if files is not None:
                await self._close(files)

    async def save(self, target: Path, saving: Saving, *, overwrite: bool = False) -> Saved:
        """A copy with all rows of the capture until now, in one file; of the last one when nothing is captured.

        Raises:
            CaptureFailed: there is none, or the copy cannot be made. SaveCancelled: as `saving` said.
        """
        if self._files is not None:
            self._log.flush()
            for writer in self._files.writers:
                await asyncio.to_thread(writer.wait_until_written, _SETTLE_S)
        sources = [path for path in self._parts if path.exists()]  # the oldest may have been tidied away
        if not sources:
            raise CaptureFailed("Nothing was captured since Sonde was started; turn the capture on")
        copying = asyncio.ensure_future(asyncio.to_thread(save, sources, target, saving, overwrite=overwrite))
        try:
            return await asyncio.shield(copying)
        except asyncio.CancelledError:
            saving.cancel()
            await asyncio.wait({copying})  # it ends soon; nothing of it may outlive this
            raise

    async def recover(self, folder: Path) -> None:
        """Tell of a capture that the last run did not close, and make it one file again."""
        found = [each for each in await asyncio.to_thread(recover, folder) if each.rows]
        if found:
            self._notify("capture_left", *_left_in_words(found), Severity.WARNING)

    def take(self, now: float, changes: Changes | None = None) -> CaptureStatus | None:
        """Hand on what else a batch tells; what is known of the capture, where that has changed (once a second)."""
        files = self._files
        if files is not None and any(writer.failure for writer in files.writers):
            self._give_up(files)
            files = None
        if changes is not None:
            self._sampler.take(changes, now, None if files is None else files.give)
        status = CaptureStatus() if files is None else self._status(files.current)
        is_due = status.path != self._told.path or now - self._told_at >= TELL_EVERY_S
        if status == self._told or not is_due:
            return None
        self._told, self._told_at = status, now
        return status

    def _status(self, writer: CaptureWriter) -> CaptureStatus:
        return CaptureStatus(
            str(writer.path),
            writer.rows,
            writer.payload_bytes,
            writer.rows_lost,
            writer.file_bytes,
            writer.left_out + self._sampler.left_out,
        )

    # ------------------------------------------------------------ begin and end

    def _new_file(self, folder: Path) -> CaptureWriter:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        must_have_room(folder, self._limits)
        return CaptureWriter(new_path(folder))

    async def _made(self, folder: Path) -> CaptureWriter:
        """A new file, made in a thread; when nobody waits for it any more, it goes again."""
        making = asyncio.ensure_future(asyncio.to_thread(self._new_file, folder))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(_discard)
            raise

    def _detach(self) -> RollingWriter | None:
        """From here on nothing is captured; what was is still to be closed."""
        files = self._files
        if files is not None:
            self._log.flush()
            self._sampler.finish(self._now(), files.give)
            self._files = self._log.sink = None
        return files

    async def _close(self, files: RollingWriter) -> None:
        for writer in files.writers:
            await asyncio.to_thread(writer.close)
            if not writer.rows and not writer.failure:  # as when a capture was only looked at
                writer.path.unlink(missing_ok=True)
        self._tell_loss(files.writers)

    # ------------------------------------------------------------ one file after the other

    async def _keep(self, files: RollingWriter, ended: asyncio.Event) -> None:
        """See to room, to the size of the file and to the number of files, for as long as the capture goes on."""
        may_roll = True
        await self._tidy()
        while self._files is files:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), LOOK_EVERY_S)
            if self._files is not files or not await self._has_room(files):
                return
            if may_roll and self._is_full(files.current):
                may_roll = await self._roll(files)
                await self._tidy()

    async def _tidy(self) -> None:
        await asyncio.to_thread(tidy, self._folder, self._limits)

    async def _has_room(self, files: RollingWriter) -> bool:
        """Whether the capture may go on; where it may not, it is ended and that is told."""
        try:
            await asyncio.to_thread(must_have_room, self._folder, self._limits)
        except CaptureFailed as error:
            if self._files is files:
                self._detach()
                self._tell("The capture has stopped", f"{error}. What was captured is kept.")
                await self._close(files)
            return False
        except OSError:
            return True  # the writer will say what is wrong with the folder
        return True

    def _is_full(self, writer: CaptureWriter) -> bool:
        limits = self._limits
        return writer.rows >= limits.rows_per_file or writer.file_bytes >= limits.bytes_per_file

    async def _roll(self, files: RollingWriter) -> bool:
        """Go on in a new file; whether one could be made. Rows go to the old one until it is there."""
        try:
            writer = await self._made(self._folder)
        except (CaptureFailed, OSError) as error:
            self._tell("The capture goes on in the same file", str(error))
            return False
        if files is not self._files:  # ended meanwhile: the new file holds nothing
            await asyncio.to_thread(writer.close)
            writer.path.unlink(missing_ok=True)
            return False
        self._log.flush()
        done = files.roll(writer)
        self._parts.append(writer.path)
        self._sampler.begin()
        if done is not None:
            await asyncio.to_thread(done.close)
            self._tell_loss([done])
        return True

    # ------------------------------------------------------------ what is said

    def _give_up(self, files: RollingWriter) -> None:
        """A writer has failed, and its thread has ended; the other one writes what it has and ends too."""
        self._files = self._log.sink = None
        self._ended.set()
        for writer in files.writers:
            writer.end()
        self._tell_loss(files.writers)

    def _tell_loss(self, writers: Sequence[CaptureWriter]) -> None:
        rows = sum(writer.rows_lost for writer in writers)
        lost = f" {rows:,} rows are not in it." if rows else ""
        failure = next((writer.failure for writer in writers if writer.failure), "")
        if failure or lost:
            title = "The capture has stopped" if failure else "The capture is not whole"
            self._tell(title, f"{failure}{lost}".strip())

    def _tell(self, title: str, detail: str) -> None:
        self._notify("capture_failed", title, detail, _ADVICE, Severity.ERROR)


def _discard(making: asyncio.Future[CaptureWriter]) -> None:
    if not making.cancelled() and making.exception() is None:
        writer = making.result()
        writer.close()
        writer.path.unlink(missing_ok=True)


def _left_in_words(found: Sequence[Leftover]) -> tuple[str, str, str]:
    """Title, detail and advice about what earlier runs left behind, the newest first."""
    newest, more = found[0], len(found) - 1
    is_recent = time.time() - newest.last_wall < 64_800
    clock = time.strftime("%H:%M:%S" if is_recent else "%Y-%m-%d %H:%M:%S", time.localtime(newest.last_wall))
    detail = f"Its capture holds {newest.rows:,} {'row' if newest.rows == 1 else 'rows'} up to {clock}."
    if more:
        detail += f" {more:,} more {'capture was' if more == 1 else 'captures were'} not closed."
    mended = "It is whole" if all(each.repaired for each in found) else "Keep its -wal file beside it"
    return "The last run ended without closing", detail, f"{mended}: {newest.path}"
