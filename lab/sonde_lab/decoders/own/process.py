"""The parent's end of a decoder's process: one question at a time, each with a limit on its time.

Owns the process, its restarts and its end: a decoder that takes too long is killed and started again for the next
message; after the third time it is switched off. Every failure is an answer in words, never an exception.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sonde_lab.child import Child
from sonde_lab.decoders.own.answers import (
    MAX_ANSWER_BYTES,
    MAX_PAYLOAD_BYTES,
    Answer,
    Ask,
    Frames,
    Garbled,
    Hello,
    framed,
    read_answer,
    read_hello,
)
from sonde_lab.decoders.own.sources import Source

MAX_KILLS: Final = 3
FORGIVEN_AFTER: Final = 200  # answers in a row: a machine that was busy once is no decoder's fault
STOP_PATIENCE_S: Final = 1.0


@dataclass(slots=True, frozen=True)
class Limits:
    """Seconds for an answer, and for the start with all that the decoder imports."""

    call_s: float = 0.2
    start_s: float = 10.0


class State(enum.StrEnum):
    """What is known of a decoder."""

    ALLOWED = "allowed"  # it starts with the first message
    RUNNING = "running"
    FAILED = "failed"  # it could not be loaded
    OFF = "off"  # it was killed too often
    STOPPED = "stopped"  # nobody wants it any more


class _Ended(Exception):
    """The process is gone."""


class DecoderProcess:
    """One decoder. `on_off` gets a sentence when it is switched off or cannot be loaded."""

    def __init__(self, source: Source, on_off: Callable[[str], None], limits: Limits | None = None) -> None:
        self.source = source
        self.state = State.ALLOWED
        self.hello = Hello()
        self.kills = 0
        self.why = ""
        self._on_off = on_off
        self._limits = limits or Limits()
        self._child: Child | None = None
        self._frames = Frames(MAX_ANSWER_BYTES)
        self._waiting: asyncio.Future[bytes] | None = None
        self._number = 0
        self._in_a_row = 0  # answers since it was killed last
        self._turn = asyncio.Lock()

    @property
    def printed(self) -> tuple[str, ...]:
        """The last lines that the decoder has printed."""
        return self._child.log_tail if self._child is not None else ()

    @property
    def is_usable(self) -> bool:
        """Whether it may still answer."""
        return self.state in (State.ALLOWED, State.RUNNING)

    async def declared(self) -> Hello:
        """What it says of itself; it is started for that."""
        async with self._turn:
            await self._be_ready()
        return self.hello

    async def decode(self, payload: bytes, info: dict[str, Any]) -> Answer:
        """What it makes of a message."""
        if len(payload) > MAX_PAYLOAD_BYTES:
            return Answer(problem=f"Only messages of up to {MAX_PAYLOAD_BYTES:,} bytes are given to decoders")
        return await self._ask(info, payload)

    async def matches(self, info: dict[str, Any]) -> bool:
        """Whether it calls a connection its own; one that fails at this does not."""
        answer = await self._ask(info, None)
        return answer.is_mine and not answer.problem

    async def stop(self) -> None:
        """End the process, for good."""
        self.state, self.why = State.STOPPED, "The decoder is not used any more"
        if self._child is not None:
            await self._child.stop(STOP_PATIENCE_S)

    # ------------------------------------------------------------ how

    async def _ask(self, info: dict[str, Any], payload: bytes | None) -> Answer:
        async with self._turn:
            child = await self._be_ready()
            if child is None:
                return Answer(problem=self.why, trace=self.hello.trace)
            self._number += 1
            ask = framed(Ask(self._number, info, payload))
            try:
                async with asyncio.timeout(self._limits.call_s):
                    return await self._answered(child, ask)
            except TimeoutError:
                came = self._came_meanwhile()
                return came or await self._killed(f"it took longer than {self._limits.call_s * 1000:.0f} ms")
            except (_Ended, OSError):
                return await self._killed("it has ended its own process")
            except Garbled as error:
                return await self._killed(str(error))

    async def _answered(self, child: Child, ask: bytes) -> Answer:
        """The answer with our number; an older one is of a question that nobody waits for any more."""
        self._waiting = asyncio.get_running_loop().create_future()
        await child.send(ask)
        while True:
            answer = read_answer(await self._waiting)
            if answer.number == self._number:
                self._in_a_row += 1
                self.kills = 0 if self._in_a_row >= FORGIVEN_AFTER else self.kills
                return answer
            self._waiting = asyncio.get_running_loop().create_future()

    def _came_meanwhile(self) -> Answer | None:
        """The answer that was there when the time was found to be over: then it was this side that was late."""
        waiting = self._waiting
        if waiting is None or not waiting.done() or waiting.cancelled() or waiting.exception() is not None:
            return None
        try:
            answer = read_answer(waiting.result())
        except Garbled:
            return None
        return answer if answer.number == self._number else None

    async def _be_ready(self) -> Child | None:
        """The running process, started where there is none; `None` when there can be none."""
        if not self.is_usable:
            return None
        if self._child is not None and self._child.is_running:
            return self._child
        try:
            self._child = await self._started()
            async with asyncio.timeout(self._limits.start_s):
                assert self._waiting is not None
                self.hello = read_hello(await self._waiting)
        except TimeoutError:
            self._fail(f"it was not loaded within {self._limits.start_s:.0f} s")
        except (_Ended, OSError, Garbled) as error:
            self._fail(str(error) or "its process ended at once")
        if self.hello.problem:
            self._fail(self.hello.problem)
        if self.state is State.FAILED:
            if self._child is not None:
                self._child.kill()
            return None
        if self.state is State.STOPPED:  # meanwhile
            if self._child is not None:
                await self._child.end_now()
            return None
        self.state = State.RUNNING
        return self._child

    async def _started(self) -> Child:
        self._frames = Frames(MAX_ANSWER_BYTES)
        self._waiting = asyncio.get_running_loop().create_future()
        return await Child.start(
            "sonde_lab.decoders.own.worker",
            self.source.kind,
            self.source.target,
            self.source.digest,
            env={},
            on_line=lambda _line: None,
            on_end=self._on_end,
            on_chunk=self._on_chunk,
            own_group=True,
        )

    def _on_chunk(self, data: bytes) -> None:
        try:
            for body in self._frames.feed(data):
                if self._waiting is not None and not self._waiting.done():
                    self._waiting.set_result(body)
        except Garbled as error:
            self._give_up(error)

    def _on_end(self, _exit_code: int) -> None:
        self._give_up(_Ended())

    def _give_up(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    async def _killed(self, why: str) -> Answer:
        """End a process that cannot be used any more; the next question starts another."""
        self.kills += 1
        self._in_a_row = 0
        if self._child is not None:
            await self._child.end_now()
        if self.kills >= MAX_KILLS and self.is_usable:
            self.state = State.OFF
            self.why = f"Switched off, since {why} for the third time" if self.kills == MAX_KILLS else why
            self._on_off(self.why)
        return Answer(problem=f"The decoder was stopped: {why}")

    def _fail(self, why: str) -> None:
        if self.state is State.STOPPED:
            return
        self.state = State.FAILED
        self.why = f"The decoder cannot be loaded: {why}"
        self._on_off(self.why)
