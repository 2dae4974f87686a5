"""A message as the filter language sees it: one row of a small ring, made only when a rule asks.

Owns the ring, which no table shows. What is read of a message is what the proxy's rows say of it, so a target means
the same here and in the window.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sonde_lab.envelope import integer, value_of
from sonde_lab.faults.framing import Whole
from sonde_lab.filter.evaluation import matching
from sonde_lab.filter.terms import Everything, Not, Term
from sonde_lab.recorder import Recorder
from sonde_lab.records import Direction, Flag
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.wire import BINARY, CLOSE
from sonde_lab.wire_items import CloseSeen, MessageSeen, WireItem

_ROWS: Final = 256
_BYTES: Final = 32 << 20
_MAX_NAMES: Final = 60_000  # the ring's table ends at 65,536: it is begun anew before
_WORDS: Final = {Direction.IN: "in", Direction.OUT: "out"}


class Reader:
    """Makes subjects of one proxy's connections."""

    def __init__(self) -> None:
        self._log = _Scratch(Ring(_ROWS, _BYTES), lambda: 0.0, lambda: 0.0)

    def recorder(self, conn: str) -> Recorder:
        """For one connection, which feeds it its handshake."""
        return Recorder(conn, self._log, any_protocol=True)

    def read(self, recorder: Recorder, item: WireItem, side: Direction) -> tuple[Ring, int]:
        """A row of it, the newest."""
        if len(self._log.ring.names) > _MAX_NAMES:
            self._log.flush()
            self._log.ring = Ring(_ROWS, _BYTES)
        recorder.on_item(item, side, 1)
        self._log.flush()
        return self._log.ring, self._log.ring.next_id - 1


class _Scratch(RowLog):
    """Rows that are asked about once: what is learned about earlier ones (a round trip) is of no use."""

    def annotate(self, row_id: int, *, rtt_ms: float | None = None, flags: int = 0, without: int = 0) -> None:
        """Nothing: the row may be of a ring that is gone."""


class Subject:
    """One message, and what rules ask of it. A target means it as it came, whatever other rules have made of it."""

    __slots__ = ("_came", "_reader", "_recorder", "_row", "direction", "now", "whole")

    def __init__(
        self, reader: Reader, recorder: Recorder, direction: Direction, whole: Whole, now: float
    ) -> None:
        self.direction = direction
        self.whole = whole  # as the rules before have left it
        self._came = whole
        self.now = now
        self._reader = reader
        self._recorder = recorder
        self._row: tuple[Ring, int] | None = None

    def fits(self, term: Term) -> bool:
        """Whether a bound target means it."""
        if isinstance(term, Everything):
            return True
        if term == Not(Everything()):
            return False
        ring, row_id = self._row_of()
        return bool(matching(term, ring, range(row_id, row_id + 1))[0])

    @property
    def op(self) -> str:
        """Its type, as in the column Type."""
        ring, row_id = self._row_of()
        return ring.text("op", row_id)

    @property
    def seq(self) -> int:
        """Its number in its channel; -1: none."""
        ring, row_id = self._row_of()
        return max(int(ring.value("seq", row_id)), self._member("seq"))

    @property
    def command(self) -> int:
        """Its command number; -1: none."""
        ring, row_id = self._row_of()
        return max(int(ring.value("command", row_id)), self._member("id"))

    @property
    def is_heartbeat(self) -> bool:
        """Whether it only says that somebody lives."""
        ring, row_id = self._row_of()
        return bool(ring.value("flags", row_id) & Flag.HEARTBEAT)

    def value(self) -> Any:
        """The message as plain values; `None` when it has none."""
        if self.whole.is_control or self.whole.plain is None:
            return None
        try:
            return value_of(self.whole.plain, self.whole.opcode == BINARY)
        except ValueError:
            return None

    def _member(self, name: str) -> int:
        """A number of the message itself, for protocols whose rows have no such column."""
        value = self.value()
        return integer(value.get(name)) if isinstance(value, dict) else -1

    def encode(self, value: Any) -> bytes:
        """Values as a message of the same encoding."""
        return msgspec.msgpack.encode(value) if self.whole.opcode == BINARY else msgspec.json.encode(value)

    def _row_of(self) -> tuple[Ring, int]:
        if self._row is None:
            item = _item(self._came, self.now)
            self._row = self._reader.read(self._recorder, item, self.direction)
        return self._row


def feed_head(recorder: Recorder, direction: Direction, head: bytes, now: float) -> None:
    """Half of a handshake, by which the connection's decoder is chosen."""
    recorder.on_wire(_WORDS[direction], head, now, 1)


def _item(whole: Whole, now: float) -> WireItem:
    plain = whole.plain if whole.plain is not None else b""
    if whole.opcode == CLOSE:
        code = int.from_bytes(plain[:2]) if len(plain) >= 2 else None
        return CloseSeen(code, plain[2:].decode(errors="replace"), plain, len(plain) + 2, "", now)
    size = sum(len(frame.payload) for frame in whole.frames)
    odd = "" if whole.plain is not None else "does not inflate"
    return MessageSeen(
        whole.opcode, plain, max(1, len(whole.frames)), whole.compressed, whole.is_control, len(plain), size, False,
        odd, now,
    )  # fmt: skip
