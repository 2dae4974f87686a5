"""What a decoder's process and its parent say to one another: framed MessagePack, bounded in both directions.

Owns the messages and the bounds. The parent believes none of it: what does not fit these types is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

import msgspec

MAX_PAYLOAD_BYTES: Final = 1 << 20  # of a message that is given to a decoder
MAX_ANSWER_BYTES: Final = 4 << 20
MAX_WORD: Final = 64  # characters of an op
MAX_CHANNEL: Final = 128
MAX_SUMMARY: Final = 240
MAX_PROBLEM: Final = 300
MAX_TRACE_LINES: Final = 12
MAX_NAMES: Final = 32  # of subprotocols and of upstreams that a decoder calls its own
_LENGTH_BYTES: Final = 4
T = TypeVar("T", bound=msgspec.Struct)


class Garbled(Exception):
    """The other side has sent what is no message."""


class Hello(msgspec.Struct, array_like=True):
    """What a decoder declares of itself; with `problem` it could not be loaded."""

    subprotocols: list[str] = []
    upstreams: list[str] = []
    can_match: bool = False
    problem: str = ""
    trace: list[str] = []


class Ask(msgspec.Struct, array_like=True):
    """A message to be decoded; without `payload` the question whether a connection is the decoder's."""

    number: int
    info: dict[str, Any]
    payload: bytes | None = None


class Answer(msgspec.Struct, array_like=True):
    """What a decoder made of a message. `is_mine` false: it leaves it to others; `problem`: it failed.

    `trace` holds the decoder's own lines of the traceback.
    """

    number: int = 0
    is_mine: bool = True
    op: str = ""
    channel: str = ""
    summary: str = ""
    value: Any = None
    has_value: bool = False
    problem: str = ""
    trace: list[str] = []


def framed(message: msgspec.Struct) -> bytes:
    """A message as it goes through the pipe."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(_LENGTH_BYTES) + body


class Frames:
    """Cuts a stream of bytes into bodies."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bodies that are whole now.

        Raises:
            Garbled: a body is announced that is too long.
        """
        self._held += data
        while len(self._held) >= _LENGTH_BYTES:
            size = int.from_bytes(self._held[:_LENGTH_BYTES])
            if size > self._max_bytes:
                raise Garbled(f"it answered with {size:,} bytes, and at most {self._max_bytes:,} are taken")
            if len(self._held) < _LENGTH_BYTES + size:
                return
            body = bytes(self._held[_LENGTH_BYTES : _LENGTH_BYTES + size])
            del self._held[: _LENGTH_BYTES + size]
            yield body


def read_hello(body: bytes) -> Hello:
    """The first message of a decoder's process, cut to what is shown and compared.

    Raises:
        Garbled: it is none.
    """
    hello = _read(body, Hello)
    hello.subprotocols = [each[:MAX_CHANNEL] for each in hello.subprotocols[:MAX_NAMES]]
    hello.upstreams = [each[:MAX_CHANNEL] for each in hello.upstreams[:MAX_NAMES]]
    hello.problem, hello.trace = hello.problem[:MAX_PROBLEM], _cut_trace(hello.trace)
    return hello


def read_answer(body: bytes) -> Answer:
    """An answer, its texts cut to what a table holds.

    Raises:
        Garbled: it is none.
    """
    answer = _read(body, Answer)
    answer.op, answer.channel = answer.op[:MAX_WORD], answer.channel[:MAX_CHANNEL]
    answer.summary, answer.problem = answer.summary[:MAX_SUMMARY], answer.problem[:MAX_PROBLEM]
    answer.trace = _cut_trace(answer.trace)
    return answer


def _cut_trace(lines: list[str]) -> list[str]:
    return [line[:MAX_PROBLEM] for line in lines[:MAX_TRACE_LINES]]


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError) as error:
        raise Garbled(f"its answer cannot be read: {error}") from None
