"""What may end a process from outside: signals, and the end of the pipe to its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from collections.abc import Coroutine
from typing import Any, Final, TextIO, TypeVar

from sonde_server.config_file import ConfigInvalid

PARENT_GONE: Final = "parent gone"
T = TypeVar("T")


class Endings:
    """What may end this process from outside, in the order in which it came."""

    def __init__(self) -> None:
        self._came: asyncio.Queue[str] = asyncio.Queue(8)
        self._pipe: asyncio.BaseTransport | None = None
        self._signals: list[signal.Signals] = []

    def watch_signals(self) -> None:
        """SIGTERM and SIGINT ask for a drain."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                loop.add_signal_handler(number, self.tell, number.name)
            except NotImplementedError:  # a loop of Windows
                signal.signal(
                    number, lambda got, _: loop.call_soon_threadsafe(self.tell, signal.Signals(got).name)
                )
            self._signals.append(number)

    async def watch_pipe(self) -> None:
        """The end of stdin means that the parent is gone.

        Raises:
            ConfigInvalid: stdin is no pipe.
        """
        if not _is_pipe(sys.stdin):  # uvloop ends the whole process over anything else
            raise ConfigInvalid("--parent-pipe needs a pipe as standard input")
        loop = asyncio.get_running_loop()
        self._pipe, _ = await loop.connect_read_pipe(lambda: _ParentPipe(self), sys.stdin.buffer)

    def tell(self, what: str) -> None:
        """An ending came."""
        if not self._came.full():
            self._came.put_nowait(what)

    async def first(self) -> str:
        """Wait for an ending."""
        return await self._came.get()

    async def unless_first(self, start: Coroutine[Any, Any, T]) -> T | None:
        """The outcome of `start`, or None when an ending came before it was done."""
        starting = asyncio.ensure_future(start)
        ending = asyncio.ensure_future(self._came.get())
        await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
        if ending.done() and not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return None
        if ending.done():
            self.tell(ending.result())
        else:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)
        return starting.result()

    async def or_again(self, work: Coroutine[Any, Any, None]) -> None:
        """Finish `work`, unless another ending comes first."""
        doing = asyncio.ensure_future(work)
        hurry = asyncio.ensure_future(self._came.get())
        await asyncio.wait({doing, hurry}, return_when=asyncio.FIRST_COMPLETED)
        for task in (doing, hurry):
            task.cancel()
        await asyncio.gather(doing, hurry, return_exceptions=True)

    def close(self) -> None:
        """Watch no more."""
        if self._pipe is not None:
            self._pipe.close()
        loop = asyncio.get_running_loop()
        for number in self._signals:
            try:
                loop.remove_signal_handler(number)
            except NotImplementedError:
                signal.signal(number, signal.SIG_DFL)


def _is_pipe(stream: TextIO | None) -> bool:
    try:
        mode = os.fstat(stream.fileno()).st_mode if stream is not None else 0
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


class _ParentPipe(asyncio.Protocol):
    def __init__(self, endings: Endings) -> None:
        self._endings = endings

    def connection_lost(self, exc: Exception | None) -> None:
        self._endings.tell(PARENT_GONE)
