"""A child process that ends with its parent however that dies, and whose last words are kept.

Owns the pipe to the child's standard input: the child exits when it ends, and it ends with this process, killed
or not. Keeps the last lines of stderr. Knows nothing of what the child does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from sonde_protocol.redact import redact_text

LOG_LINES: Final = 50
MAX_LINE_CHARACTERS: Final = 500
LAST_WORDS_S: Final = 1.0  # after its end; whoever else holds its pipes is not waited for
_CHUNK_BYTES: Final = 65_536
_TERMINAL_CODES: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment for a child: without Sonde settings meant for other gateways, plus `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SONDE_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **extra}


class Child:
    """One run of `python -m <module> …`. Made by `Child.start`; `on_line` gets stdout's lines, `on_end` the exit code.

    A child whose stdout is no text has `on_chunk` instead: it gets the bytes as they come.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        on_line: Callable[[str], None],
        on_end: Callable[[int], None],
        on_chunk: Callable[[bytes], None] | None = None,
        *,
        own_group: bool = False,
    ) -> None:
        self._process = process
        self._leads_group = own_group and os.name == "posix"
        self._on_line = on_line
        self._on_chunk = on_chunk
        self._on_end = on_end
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._watch = asyncio.get_running_loop().create_task(self._follow(), name=f"child {process.pid}")

    @classmethod
    async def start(
        cls,
        module: str,
        *arguments: str,
        env: Mapping[str, str],
        on_line: Callable[[str], None],
        on_end: Callable[[int], None],
        on_chunk: Callable[[bytes], None] | None = None,
        own_group: bool = False,
    ) -> Child:
        """Start a module of this installation. `own_group`: a terminal's Ctrl+C does not reach it, and what it
        has started itself is killed with it.

        Raises:
            OSError: it cannot be started.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(env),
            start_new_session=own_group,
        )
        return cls(process, on_line, on_end, on_chunk, own_group=own_group)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether its end has not been seen yet."""
        return self._process.returncode is None

    @property
    def log_tail(self) -> tuple[str, ...]:
        """The last lines of stderr, oldest first, with secrets masked."""
        return tuple(self._log)

    async def send(self, data: bytes) -> None:
        """Write to its standard input, and wait while it is slow to read.

        Raises:
            OSError: it does not read any more.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    def kill(self) -> None:
        """End it the way a crash does."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._leads_group and not self._watch.done():  # while its pipes are open, its group is there
                os.killpg(self._process.pid, signal.SIGKILL)
            elif self.is_running:
                self._process.kill()

    def ask_to_end(self) -> None:
        """Politely, as a system does that shuts down."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    async def stop(self, patience_s: float) -> None:
        """Close its standard input, wait, and kill it when it takes longer than `patience_s`."""
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):
            stdin.close()
        try:
            await asyncio.wait_for(asyncio.shield(self._watch), patience_s)
        except TimeoutError:
            await self.end_now()

    async def ended(self) -> None:
        """Wait for its end."""
        await asyncio.shield(self._watch)

    async def end_now(self) -> None:
        """Kill it, and wait for its end."""
        self.kill()
        await asyncio.wait({self._watch}, timeout=LAST_WORDS_S)
        if not self._watch.done():  # a process of another group has its pipes: they would stay open with that
            self._process._transport.close()  # type: ignore[attr-defined]
            await self._watch

    async def _follow(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        stdout, on_chunk = self._process.stdout, self._on_chunk
        said = _lines(stdout, self._on_line) if on_chunk is None else _chunks(stdout, on_chunk)
        await asyncio.gather(said, _lines(self._process.stderr, self._remember))
        self._on_end(await self._process.wait())

    def _remember(self, line: str) -> None:
        if line.strip():
            self._log.append(redact_text(_TERMINAL_CODES.sub("", line)[:MAX_LINE_CHARACTERS]))


async def _lines(stream: asyncio.StreamReader, take: Callable[[str], None]) -> None:
    """Hand over whole lines; a line without an end is handed over in pieces of 64 KiB."""
    rest = b""
    while chunk := await stream.read(_CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > _CHUNK_BYTES:
            whole, rest = [*whole, rest], b""
        for line in whole:
            take(line.decode(errors="replace").rstrip("\r"))
    if rest:
        take(rest.decode(errors="replace"))


async def _chunks(stream: asyncio.StreamReader, take: Callable[[bytes], None]) -> None:
    """Hand over bytes as they come, and let others have their turn between them."""
    while chunk := await stream.read(_CHUNK_BYTES):
        take(chunk)
        await asyncio.sleep(0)
