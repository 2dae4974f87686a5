"""`sonde proxy`: a proxy in a terminal, with a line for each frame on demand.

Owns the lines. With `--print`, the proxy is a process of its own and the lines are made here, so that a slow
terminal never slows the traffic: what is not printed in time is counted and said.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable
from typing import Final

from sonde_lab.proxy_options import ProxyFailed, ProxyOptions, started
from sonde_lab.proxy_process import ProxyProcess
from sonde_lab.proxy_recorder import ProxyRecorder
from sonde_lab.records import Direction
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.summary import Summaries
from sonde_lab.wording import one_line

PRINT_EVERY_S: Final = 0.1
_RING_ROWS: Final = 20_000
_RING_BYTES: Final = 64 << 20
_LINES_AT_ONCE: Final = 500
_ARROWS: Final = {Direction.IN: "▼", Direction.OUT: "▲", Direction.NONE: "·"}


async def run(options: ProxyOptions, prints: bool) -> int:
    """Proxy until Ctrl+C; an exit code, 2 with a sentence when that cannot be."""
    stop = asyncio.Event()
    with contextlib.suppress(NotImplementedError):
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        return await (_printed(options, stop) if prints else _silent(options, stop))
    except ProxyFailed as error:
        sys.stderr.write(f"sonde proxy: {error}\n")
        return 2
    except BrokenPipeError:
        return 0  # whoever read the lines has gone: `| head` is no failure


async def _silent(options: ProxyOptions, stop: asyncio.Event) -> int:
    proxy = options.proxy()
    await started(proxy)
    _ready(proxy.url, options)
    await stop.wait()
    await proxy.stop()
    return 0


async def _printed(options: ProxyOptions, stop: asyncio.Event) -> int:
    options.proxy()  # what is wrong with an address is said at once, without a process
    deaths: list[str] = []

    def on_death(why: str) -> None:
        deaths.append(why)
        stop.set()

    lines = RowLines()
    process = ProxyProcess(lines.recorder, on_death)
    try:
        await process.start(options)
        _ready(process.url, options)
        while not stop.is_set():
            if not await _print(lines):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), PRINT_EVERY_S)
    finally:
        await process.stop()
    while await _print(lines):
        pass
    if deaths:
        raise ProxyFailed(deaths[0])
    return 0


class RowLines:
    """Rows as lines of plain text, each once, oldest first."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, unix: Callable[[], float] = time.time
    ) -> None:
        self._log = RowLog(Ring(_RING_ROWS, _RING_BYTES), now, unix)
        self._words = Summaries(self._log.ring)
        self._next_id = 0
        self.recorder = ProxyRecorder(self._log)

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

    def _line(self, row_id: int) -> str:
        ring = self._log.ring
        wall = ring.value("wall", row_id)
        clock = time.strftime("%H:%M:%S", time.localtime(wall)) + f".{int(wall % 1 * 1000):03}"
        arrow = _ARROWS[Direction(ring.value("direction", row_id))]
        op, size = one_line(ring.text("op", row_id), 24), ring.value("size", row_id)
        return (
            f"{clock}  {ring.text('conn', row_id):<5} {arrow} {op:<12} {size:>9,}  {self._words.text(row_id)}"
        )


async def _print(lines: RowLines) -> bool:
    """Print some lines, in a thread: a terminal takes its time, and the proxy's pipe is read meanwhile."""
    batch = lines.take()
    if batch:
        await asyncio.to_thread(_write, "\n".join(batch) + "\n")
    return bool(batch)


def _write(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def _ready(url: str, options: ProxyOptions) -> None:
    _write(f"Proxy ready: clients connect to {url}, their bytes go to {one_line(options.upstream, 200)}\n")
