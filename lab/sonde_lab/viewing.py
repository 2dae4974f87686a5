"""A capture file as an endpoint: its rows come into the ring from a thread, block by block, and nobody is connected.

Owns the thread, how far it has read, and the words for that. What is wrong with the file is told as a notice; the rows
before it stay. It changes no file.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from sonde_client import Severity
from sonde_lab.blocks import ReadyRows
from sonde_lab.bundle import Bundle, BundleRefused, captured_in, is_bundle, opened
from sonde_lab.capture.loading import Bounds, Loader
from sonde_lab.capture.schema import CaptureUnreadable
from sonde_lab.capture.taken import Roster, Snapshot
from sonde_lab.changes import GatewayState, GatewayStatus, RttSample
from sonde_lab.rowlog import RowLog
from sonde_lab.wording import one_line

TELL_EVERY_S: Final = 0.1
MAX_ROWS_AT_ONCE: Final = 2_048  # what the loop takes in at a time: a few milliseconds
Notify = Callable[[str, str, str, str, Severity], None]


class Viewing:
    """At most one file. `on_change`: how far it is read has changed. `on_kept` gets what it keeps beside its rows, first.

    `notify` gets what a person should know: cause, title, detail, advice, severity.
    """

    def __init__(
        self, log: RowLog, clock: Callable[[], float], on_change: Callable[[], None], notify: Notify
    ) -> None:
        self.state = GatewayState.NONE
        self.on_kept: Callable[[list[Roster | Snapshot]], None] = lambda kept: None
        self._log = log
        self._now = clock
        self._on_change = on_change
        self._notify = notify
        self._path = Path()
        self._loader: Loader | None = None
        self._unpacked = ExitStack()  # of a bundle: its capture, for as long as it is read
        self._bundle: Bundle | None = None
        self._task: asyncio.Task[None] | None = None
        self._read_rows = self._total = 0
        self._round_trips: dict[str, list[RttSample]] = {}
        self._told_at = -math.inf

    def take_round_trips(self) -> dict[str, list[RttSample]]:
        """What was measured when the file was written, by connection: once, when it has been read."""
        taken, self._round_trips = self._round_trips, {}
        return taken

    @property
    def status(self) -> GatewayStatus:
        """What is known of the file, in words."""
        return GatewayStatus("capture", self.state, url=str(self._path), progress=self._words())

    def start(self, path: Path) -> None:
        """Read a file from now on, into a ring without any other rows."""
        self._log.clear()
        self._path, self._read_rows, self._total = path, 0, 0
        self._move(GatewayState.STARTING)
        self._task = asyncio.get_running_loop().create_task(self._read(path), name=f"read {path.name}")

    async def until_read(self) -> None:
        """Wait until all is read that can be."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def stop(self) -> None:
        """Read no further, and let the rows go."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self._round_trips = {}
        self._log.clear()
        self.state = GatewayState.NONE

    # ------------------------------------------------------------ reading

    async def _read(self, path: Path) -> None:
        loop = asyncio.get_running_loop()
        ring = self._log.ring
        rows = min(ring.block_rows, MAX_ROWS_AT_ONCE)
        bounds = Bounds(rows, ring.block_bytes, ring.max_payload, ring.capacity)
        with ThreadPoolExecutor(1, "capture") as thread:
            try:
                await loop.run_in_executor(thread, self._open, path, bounds)
                self.on_kept(await loop.run_in_executor(thread, self._kept))
                await self._take_rows(thread)
                self._take_comments(await loop.run_in_executor(thread, self._comments))
                self._round_trips = await loop.run_in_executor(thread, self._measured)
            except CaptureUnreadable as error:
                self._tell_failure(str(error))
            else:
                self._tell_end()
            finally:
                if self._loader is not None:
                    self._loader.interrupt()
                await loop.run_in_executor(thread, self._close)

    def _open(self, path: Path, bounds: Bounds) -> None:
        self._bundle = None
        try:
            self._bundle = opened(path) if is_bundle(path) else None
            self._loader = Loader(self._unpacked.enter_context(captured_in(path)), bounds)
        except BundleRefused as error:
            raise CaptureUnreadable(str(error)) from None
        self._total = self._loader.total

    def _close(self) -> None:
        loader, self._loader = self._loader, None
        if loader is not None:
            loader.close()
        self._unpacked.close()

    def _next(self) -> ReadyRows | None:
        spool = self._log.ring.spool
        if spool is not None:
            spool.wait_for_room()  # a file may be read faster than its payload is written
        return None if self._loader is None else self._loader.next_rows()

    async def _take_rows(self, thread: ThreadPoolExecutor) -> None:
        """Take blocks in while the thread makes the next one."""
        loop = asyncio.get_running_loop()
        coming = loop.run_in_executor(thread, self._next)
        try:
            while (rows := await coming) is not None:
                coming = loop.run_in_executor(thread, self._next)
                self._log.extend_ready(rows)
                self._read_rows += len(rows)
                self._progressed()
                await asyncio.sleep(0)
        finally:
            coming.cancel()

    def _kept(self) -> list[Roster | Snapshot]:
        with suppress(CaptureUnreadable):  # the rows may be whole all the same
            return [] if self._loader is None else self._loader.kept()
        return []

    def _measured(self) -> dict[str, list[RttSample]]:
        return {} if self._loader is None else self._loader.round_trips()

    def _comments(self) -> list[tuple[int, str]]:
        return [] if self._loader is None else self._loader.comments()

    def _take_comments(self, comments: list[tuple[int, str]]) -> None:
        """What people said about rows that are shown."""
        ring = self._log.ring
        for number, text in comments:
            row_id = ring.id_of(number)
            if row_id is not None:
                ring.comment(row_id, text)

    # ------------------------------------------------------------ telling

    def _progressed(self) -> None:
        now = self._now()
        if now - self._told_at >= TELL_EVERY_S:
            self._told_at = now
            self._on_change()

    def _move(self, state: GatewayState) -> None:
        self.state = state
        self._told_at = self._now()
        self._on_change()

    def _tell_failure(self, sentence: str) -> None:
        self._move(GatewayState.FILE if self._read_rows else GatewayState.DEAD)
        if self._read_rows:
            detail = f"{sentence}. {self._read_rows:,} rows before that are shown."
            self._say("capture_damaged", "The capture could not be read to its end", detail, Severity.WARNING)
        else:
            self._say(
                "capture_unreadable", "The capture cannot be opened", f"{sentence}.", Severity.ERROR,
                "Choose another file with “Open a capture…”.",
            )  # fmt: skip

    def _tell_end(self) -> None:
        self._move(GatewayState.FILE)
        if self._bundle is not None:
            self._tell_bundle(self._bundle)
        if len(self._log.ring) < self._total:
            detail = f"{self._path} has {self._total:,} rows. Of them {self._shown()} are shown."
            advice = "`sonde show FILE` prints all of them, or those that a filter means."
            self._say("capture_part", "The capture is larger than the table", detail, Severity.INFO, advice)
        if self._loader is not None and self._loader.is_open_elsewhere:
            detail = f"{self._path} is still being written, or its writer ended before it could close it."
            advice = "What had been written is shown. Open it again to see more."
            self._say("capture_not_closed", "The capture was not closed", detail, Severity.INFO, advice)

    def _tell_bundle(self, bundle: Bundle) -> None:
        told = bundle.manifest
        about = f" It is about row {told.row:,}." if told.row >= 0 else ""
        detail = f"{one_line(told.name, 200)}.{about} Seed {told.seed}; secrets are masked."
        advice = "`sonde run FILE` plays its scenario; nothing in it runs by itself."
        self._say("bundle_opened", "This is a repro bundle", detail, Severity.INFO, advice)

    def _say(self, cause: str, title: str, detail: str, severity: Severity, advice: str = "") -> None:
        self._notify(cause, title, detail, advice, severity)

    def _words(self) -> str:
        if self.state is GatewayState.STARTING:
            return f"{self._read_rows:,} of {self._total:,} rows read" if self._total else "reading the file"
        if self.state is GatewayState.DEAD:
            return "the file cannot be read"
        if len(self._log.ring) < self._total:
            return f"{self._shown()} of {self._total:,}"
        return _rows(self._read_rows)

    def _shown(self) -> str:
        """The rows that are in the ring, by the numbers of the file."""
        ring = self._log.ring
        if not len(ring):
            return "no rows"
        return f"rows {ring.label(ring.first_id):,} to {ring.label(ring.next_id - 1):,}"


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
