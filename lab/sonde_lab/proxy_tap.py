"""What a proxy's process tells its parent, as bytes on a pipe: bounded, and never at the traffic's expense.

Owns the framing in both directions. When the parent is slow, the traffic goes on: connections become blind, one
by one, and the bytes that nobody was shown are counted.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable
from typing import Final, Protocol

from sonde_lab.proxy_connection import ProxyObserver
from sonde_lab.records import Direction

MAX_UNSENT_BYTES: Final = 16 << 20
_HEADER: Final = struct.Struct("!BBIdI")  # what, direction, connection, monotonic seconds, bytes that follow
_MAX_BODY_BYTES: Final = 64 << 20


class _What(enum.IntEnum):
    OPENED = 1
    BYTES = 2
    TROUBLE = 3
    ENDED = 4
    GAP = 5  # bytes of a connection that were not shown
    UNSEEN = 6  # connections that were not shown at all
    ACT = 7  # an injected fault
    TOLD = 8  # by the fault lab: its rules, or an answer to an order


class TapListener(ProxyObserver, Protocol):
    """An observer on the parent's side, who is told of gaps, too."""

    def on_gap(self, number: int, missed_bytes: int, at: float) -> None:
        """Bytes of a connection are not shown from here on (0), or were not (how many) when it ends."""

    def on_unseen(self, connections: int, at: float) -> None:
        """So many connections came and went, or still are, without being shown."""

    def on_told(self, text: str, at: float) -> None:
        """The fault lab has said something, as JSON."""


class TapGarbled(ValueError):
    """What came is no tap's."""


class Tap:
    """An observer that writes to the parent. `unsent` tells how many bytes wait in the pipe's buffer."""

    def __init__(
        self,
        write: Callable[[bytes], object],
        unsent: Callable[[], int],
        max_unsent_bytes: int = MAX_UNSENT_BYTES,
    ) -> None:
        self._write = write
        self._unsent = unsent
        self._max_unsent = max_unsent_bytes
        self._shown: set[int] = set()
        self._missed: dict[int, int] = {}  # bytes of each blind connection
        self._unseen = 0

    def on_opened(self, number: int, peer: str, at: float) -> None:
        """A connection; it is not shown at all when the parent is far behind."""
        if self._unsent() >= self._max_unsent:
            self._unseen += 1
            return
        if self._unseen:
            self._tell(_What.UNSEEN, number, str(self._unseen).encode(), at)
            self._unseen = 0
        self._shown.add(number)
        self._tell(_What.OPENED, number, peer.encode(), at)

    def on_bytes(self, number: int, direction: Direction, data: bytes, at: float) -> None:
        """Bytes, or only their count once the connection is blind."""
        if number not in self._shown:
            return
        if number in self._missed:
            self._missed[number] += len(data)
        elif self._unsent() + len(data) > self._max_unsent:
            self._missed[number] = len(data)
            self._tell(_What.GAP, number, b"0", at)
        else:
            self._write(_HEADER.pack(_What.BYTES, direction, number, at, len(data)) + data)

    def on_trouble(self, number: int, cause: str, sentence: str, at: float) -> None:
        """A refusal."""
        if number in self._shown:
            self._tell(_What.TROUBLE, number, f"{cause}\0{sentence}".encode(), at)

    def on_ended(self, number: int, how: str, at: float) -> None:
        """An end, with the sum of what was missed before it."""
        if number not in self._shown:
            return
        self._shown.discard(number)
        missed = self._missed.pop(number, 0)
        if missed:
            self._tell(_What.GAP, number, str(missed).encode(), at)
        self._tell(_What.ENDED, number, how.encode(), at)

    def on_act(
        self, number: int, direction: Direction, ordinal: int, says: str, is_done: bool, at: float
    ) -> None:
        """An injected fault; number 0: of no connection. One that cannot be told in time is let go."""
        if number and (number not in self._shown or self._unsent() > self._max_unsent):
            return
        self._tell(_What.ACT, number, f"{ordinal}\0{int(is_done)}\0{says}".encode(), at, direction)

    def on_told(self, text: str, at: float) -> None:
        """What the fault lab says. Whoever lets it say much asks `is_behind` first."""
        self._tell(_What.TOLD, 0, text.encode(), at)

    @property
    def is_behind(self) -> bool:
        """Whether the parent is too slow for anything that can wait."""
        return self._unsent() > self._max_unsent

    def _tell(
        self, what: _What, number: int, body: bytes, at: float, direction: Direction = Direction.NONE
    ) -> None:
        self._write(_HEADER.pack(what, direction, number, at, len(body)) + body)


class TapReader:
    """The parent's end: bytes of the pipe in, calls of a listener out, however the bytes are cut."""

    def __init__(self, listener: TapListener) -> None:
        self._listener = listener
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes in.

        Raises:
            TapGarbled: they are no tap's.
        """
        self._buffer += data
        at = 0
        while (end := self._one(at)) > at:
            at = end
        del self._buffer[:at]

    def _one(self, start: int) -> int:
        """Where the message at `start` ends; `start` again when it is not whole yet."""
        begin = start + _HEADER.size
        if len(self._buffer) < begin:
            return start
        what, direction, number, at, size = _HEADER.unpack_from(self._buffer, start)
        if what not in iter(_What) or direction not in iter(Direction) or size > _MAX_BODY_BYTES:
            raise TapGarbled(f"the proxy's process has said something unreadable ({what}, {size:,} bytes)")
        if len(self._buffer) < begin + size:
            return start
        self._hand_on(what, direction, number, at, bytes(self._buffer[begin : begin + size]))
        return begin + int(size)

    def _hand_on(self, what: int, direction: int, number: int, at: float, body: bytes) -> None:
        if what == _What.BYTES:
            self._listener.on_bytes(number, Direction(direction), body, at)
            return
        text = body.decode(errors="replace")
        if what == _What.OPENED:
            self._listener.on_opened(number, text, at)
        elif what == _What.TROUBLE:
            cause, _, sentence = text.partition("\0")
            self._listener.on_trouble(number, cause, sentence, at)
        elif what == _What.ENDED:
            self._listener.on_ended(number, text, at)
        elif what == _What.TOLD:
            self._listener.on_told(text, at)
        elif what == _What.ACT:
            ordinal, _, rest = text.partition("\0")
            is_done, _, says = rest.partition("\0")
            if ordinal.isdecimal():
                self._listener.on_act(number, Direction(direction), int(ordinal), says, is_done == "1", at)
        elif text.isdecimal():
            count = int(text)
            if what == _What.GAP:
                self._listener.on_gap(number, count, at)
            else:
                self._listener.on_unseen(count, at)
