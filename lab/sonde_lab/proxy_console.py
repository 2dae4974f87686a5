"""`sonde proxy`: a proxy in a terminal, with a line for each frame on demand; `sonde show`: the same of a capture.

Owns the lines. With `--print` or `--capture`, the proxy is a process of its own and the lines are made here, so that a slow
terminal never slows the traffic: what is not printed in time is counted and said.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from sonde_lab.bundle import BundleRefused, captured_in
from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.schema import CaptureFailed, CaptureUnreadable
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.decoders.own.desk import OwnDecoders
from sonde_lab.decoders.own.sources import named_file
from sonde_lab.filter import Filter, FilterError
from sonde_lab.proxy_options import ProxyFailed, ProxyOptions, controlled, started
from sonde_lab.proxy_process import ProxyProcess
from sonde_lab.proxy_recorder import ProxyRecorder
from sonde_lab.records import Direction, Record
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog, RowSink
from sonde_lab.summary import Summaries
from sonde_lab.wording import one_line

PRINT_EVERY_S: Final = 0.1
_RING_ROWS: Final = 20_000
_RING_BYTES: Final = 64 << 20
_LINES_AT_ONCE: Final = 500
_ARROWS: Final = {Direction.IN: "▼", Direction.OUT: "▲", Direction.NONE: "·"}


async def run(
    options: ProxyOptions, prints: bool, capture: Path | None = None, decoders: Sequence[Path] = ()
) -> int:
    """Proxy until Ctrl+C; an exit code, 2 with a sentence when that cannot be.

    With `decoders`, which a person has named, lines tell what these make of the messages.
    """
    stop = asyncio.Event()
    with contextlib.suppress(NotImplementedError):
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        if capture is not None:
            return await _captured(options, stop, prints, capture, decoders)
        if not prints:
            return await _silent(options, stop)
        return await _printed(options, stop, RowLines(upstream=options.upstream, decoders=decoders))
    except (ProxyFailed, CaptureFailed) as error:
        sys.stderr.write(f"sonde proxy: {error}\n")
        return 2
    except BrokenPipeError:
        return 0  # whoever read the lines has gone: `| head` is no failure


async def _silent(options: ProxyOptions, stop: asyncio.Event) -> int:
    proxy = options.proxy()
    control = options.control_of(proxy)
    await controlled(control)
    try:
        await started(proxy)
        _ready(proxy.url, options, control.url if control else "", control.token if control else "")
        await stop.wait()
    finally:
        if control is not None:
            await control.stop()
        await proxy.stop()
    return 0


async def _captured(
    options: ProxyOptions, stop: asyncio.Event, prints: bool, path: Path, decoders: Sequence[Path]
) -> int:
    """Write every row to a new file and say at the end what is in it and what is not."""
    options.proxy()  # what is wrong with an address leaves no file behind
    writer = CaptureWriter(path)
    lines = RowLines(sink=writer, upstream=options.upstream, decoders=decoders)
    handing_on = asyncio.create_task(_hand_on(lines))
    try:
        return await _printed(options, stop, lines, prints)
    finally:
        handing_on.cancel()
        await asyncio.to_thread(writer.close)
        _tell_captured(writer, was_ready=stop.is_set())


async def _hand_on(lines: RowLines) -> None:
    """Rows go to the capture in time, however long the terminal takes."""
    while True:
        lines.skip()
        await asyncio.sleep(PRINT_EVERY_S)


def _tell_captured(writer: CaptureWriter, was_ready: bool) -> None:
    if not (was_ready or writer.rows or writer.failure):
        writer.path.unlink(missing_ok=True)  # nothing ever started: the next try may have the name
        return
    name = one_line(str(writer.path), 300)
    sys.stderr.write(f"Captured {writer.rows:,} rows, {writer.payload_bytes:,} bytes, in {name}\n")
    if writer.rows_lost:
        sys.stderr.write(f"sonde proxy: {writer.rows_lost:,} rows are not in the capture\n")
    if writer.failure:
        sys.stderr.write(f"sonde proxy: {one_line(writer.failure, 600)}\n")


def show(path: Path, limit: int, filter_text: str = "") -> int:
    """Print the rows of a capture that a filter means, `limit` at most; 2 with a sentence when that cannot be."""
    lines = RowLines()
    try:
        wanted = Filter(filter_text)
        with captured_in(path) as capture, CaptureReader.open(capture) as reader:
            first, left, comments = reader.first_id, limit, _comments(reader)
            while left and (rows := reader.rows_from(first, _LINES_AT_ONCE)):
                shown = lines.of(rows, wanted, comments)[:left]
                _write("".join(line + "\n" for line in shown))
                first, left = rows[-1][0] + 1, left - len(shown)
    except FilterError as error:
        sys.stderr.write(f"sonde show: {pointed(filter_text, error)}\n")
        return 2
    except (CaptureUnreadable, BundleRefused) as error:
        sys.stderr.write(f"sonde show: {one_line(str(error), 600)}\n")
        return 2
    except BrokenPipeError:
        return 0  # as above
    return 0


def _comments(reader: CaptureReader) -> dict[int, str]:
    """What people said about rows. Where the file is damaged there, its rows are shown all the same."""
    try:
        return reader.newest_comments()
    except CaptureUnreadable as error:
        sys.stderr.write(f"sonde show: comments are left out: {one_line(str(error), 600)}\n")
        return {}


async def _printed(options: ProxyOptions, stop: asyncio.Event, lines: RowLines, prints: bool = True) -> int:
    try:
        return await _followed(options, stop, lines, prints)
    finally:
        await lines.decoders.stop()


async def _followed(options: ProxyOptions, stop: asyncio.Event, lines: RowLines, prints: bool) -> int:
    options.proxy()  # what is wrong with an address is said at once, without a process
    deaths: list[str] = []

    def on_death(why: str) -> None:
        deaths.append(why)
        stop.set()

    process = ProxyProcess(lines.recorder, on_death)
    try:
        await process.start(options)
        _ready(process.url, options, process.control_url, process.control_token)
        while not stop.is_set():
            if not await _print(lines, prints):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), PRINT_EVERY_S)
    finally:
        await process.stop()
    while await _print(lines, prints):
        pass
    if deaths:
        raise ProxyFailed(deaths[0])
    return 0


class RowLines:
    """Rows as lines of plain text, each once, oldest first."""

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        unix: Callable[[], float] = time.time,
        sink: RowSink | None = None,
        upstream: str = "",
        decoders: Sequence[Path] = (),
    ) -> None:
        self._log = RowLog(Ring(_RING_ROWS, _RING_BYTES), now, unix)
        self._log.sink = sink
        self._words = Summaries(self._log.ring)
        self._next_id = 0
        self.recorder = ProxyRecorder(self._log)
        self.decoders = OwnDecoders(lambda: self._log.ring, lambda: upstream, _warn)
        for path in decoders:
            self.decoders.use(named_file(path))

    def take(self, limit: int = _LINES_AT_ONCE) -> list[str]:
        """The next lines, `limit` at most. Rows that were pushed out before they were printed are one line."""
        self._log.flush()
        ring, lines = self._log.ring, []
        if self._next_id < ring.first_id:
            lines.append(f"… {ring.first_id - self._next_id:,} rows came faster than they could be printed …")
            self._next_id = ring.first_id
        last = min(ring.next_id, self._next_id + limit)
        lines += [self._line(row_id) for row_id in range(self._next_id, last)]
        self._next_id = last
        return lines

    async def decode(self, limit: int = _LINES_AT_ONCE) -> None:
        """Let the named decoders read the rows of the next lines; costs nothing without one."""
        self._log.flush()
        if self.decoders.is_active:
            for row_id in range(self._next_id, min(self._log.ring.next_id, self._next_id + limit)):
                await self.decoders.read(row_id)

    def of(self, rows: list[tuple[int, Record]], wanted: Filter, comments: Mapping[int, str]) -> list[str]:
        """Lines of those rows of a file, each with its number, that a filter means. `comments`: number to text."""
        ids = self._log.ring.extend([record for _, record in rows], [number for number, _ in rows])
        for row_id, (number, _) in zip(ids, rows, strict=True):
            if number in comments:
                self._log.ring.comment(row_id, comments[number])
        self._next_id = ids.stop
        matching = wanted.matching(self._log.ring, ids)
        return [self._line(row_id) for row_id, matches in zip(ids, matching.tolist(), strict=True) if matches]

    def skip(self) -> None:
        """Hand rows on to the sink, printed or not."""
        self._log.flush()

    def _line(self, row_id: int) -> str:
        ring = self._log.ring
        wall = ring.value("wall", row_id)
        clock = time.strftime("%H:%M:%S", time.localtime(wall)) + f".{int(wall % 1 * 1000):03}"
        arrow = _ARROWS[Direction(ring.value("direction", row_id))]
        op, size = one_line(ring.text("op", row_id), 24), ring.value("size", row_id)
        comment = ring.comments.text(row_id)
        said = self._words.text(row_id) + (f"  “{comment}”" if comment else "")
        return f"{clock}  {one_line(ring.text('conn', row_id), 24):<5} {arrow} {op:<12} {size:>9,}  {said}"


def pointed(text: str, error: FilterError) -> str:
    """An error with the filter below it, and a caret under the place; a long filter is cut to what is near."""
    begin = max(0, error.position - 60)
    near = one_line(text[begin : begin + 120], 200) or " "
    return f"--filter: {error.message}\n  {near}\n  {' ' * (error.position - begin)}^"


async def _print(lines: RowLines, prints: bool) -> bool:
    """Print some lines, in a thread: a terminal takes its time, and the proxy's pipe is read meanwhile."""
    if not prints:
        lines.skip()
        return False
    await lines.decode()
    batch = lines.take()
    if batch:
        await asyncio.to_thread(_write, "\n".join(batch) + "\n")
    return bool(batch)


def _write(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def _warn(_cause: str, title: str, detail: str, _advice: str) -> None:
    sys.stderr.write(f"sonde proxy: {one_line(f'{title}: {detail}', 600)}\n")


def _ready(url: str, options: ProxyOptions, control_url: str = "", token: str = "") -> None:
    lines = [f"Proxy ready: clients connect to {url}, their bytes go to {one_line(options.upstream, 200)}"]
    if options.faults or options.presets:
        armed = [*options.faults, *(f"preset {name}" for name in options.presets)]
        lines.append(f"Faults armed, seed {options.seed}: {one_line('; '.join(armed), 400)}")
    if control_url:
        shown = "in the file you named" if options.control_token else token
        lines.append(f"Control: {control_url}, token {shown}")
    _write("\n".join(lines) + "\n")
