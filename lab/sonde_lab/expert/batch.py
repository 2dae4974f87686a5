"""New rows as columns, and how a rule tells what it found.

Owns the reading of a ring for all rules: each column is taken once a batch, names are looked up once.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sonde_lab.envelope import BINARY
from sonde_lab.expert.findings import Findings, Told
from sonde_lab.records import Direction, Flag, Kind
from sonde_lab.ring import Ring

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
MAX_PEEKED_BYTES: Final = 1 << 20
UNREAD: Final = "gap"  # the type of a note that bytes were not read


class Seen(msgspec.Struct, gc=False):
    """The members of a frame that some rule asks for, as they came: their types are not checked."""

    prev: Any = None
    epoch: Any = None
    state: Any = None
    channels: Any = None
    heartbeat_ms: Any = None
    max_frame: Any = None
    dropped: Any = None
    conflated: Any = None
    code: Any = None
    cause: Any = None
    message: Any = None
    by_ms: Any = None


_JSON: Final = msgspec.json.Decoder(Seen)
_MSGPACK: Final = msgspec.msgpack.Decoder(Seen)
_NOTHING: Final = Seen()


class Batch:
    """Rows `ids` of a ring, all of them there. The columns are valid until the ring's next write."""

    def __init__(self, ring: Ring, ids: range, findings: Findings, clock: float) -> None:
        self.ring = ring
        self.ids = ids
        self._findings = findings
        self.at = ring.column("at", ids)
        # Time as it was known at each row: happenings may bear a moment that is a little older than the row above.
        self.clock: NDArray[np.float64] = np.maximum.accumulate(np.maximum(self.at, clock))
        self.now = float(self.clock[-1])
        self.conn = ring.column("conn", ids).astype(np.int64)
        self.dial = ring.column("dial", ids).astype(np.int64)
        self.channel = ring.column("channel", ids).astype(np.int64)
        self.op = ring.column("op", ids)
        self.seq = ring.column("seq", ids)
        self.flags = ring.column("flags", ids)
        self.size = ring.column("size", ids)
        self.kind = ring.column("kind", ids)
        self.opcode = ring.column("opcode", ids)
        self.command = ring.column("command", ids)
        self.rtt_ms = ring.column("rtt_ms", ids)
        self.protocol = ring.column("protocol", ids)
        direction = ring.column("direction", ids)
        # Of a tapped connection perhaps only a part is shown: what is missing there means nothing.
        self.is_frame: Mask = (self.kind == Kind.FRAME) & ((self.flags & int(Flag.TAPPED)) == 0)
        self.is_close: Mask = self.kind == Kind.CLOSE
        # A connection that ended, or of which no more is read here: what does not come then is nobody's fault.
        self.is_end: Mask = self.is_close | ((self.kind == Kind.NOTE) & self.op_is(UNREAD))
        self.received: Mask = self.is_frame & (direction == Direction.IN)
        self.sent: Mask = self.is_frame & (direction == Direction.OUT)
        self.is_ours: Mask = self.is_frame & (self.protocol == 0)  # Sonde's own protocol
        self.socket: Ints = (self.conn << 32) | (self.dial & 0xFFFF_FFFF)

    def op_is(self, *names: str) -> Mask:
        """Rows whose type is one of `names`."""
        found = np.zeros(len(self.ids), np.bool_)
        for number in map(self.ring.names.number, names):
            if number is not None:
                found |= self.op == number
        return found

    def peek(self, row_id: int) -> Seen:
        """What a row's frame says; all members missing where it cannot be read any more."""
        try:
            payload, opcode = self.ring.payload(row_id), self.ring.value("opcode", row_id)
            if len(payload) > MAX_PEEKED_BYTES:
                return _NOTHING
            return (_MSGPACK if opcode == BINARY else _JSON).decode(payload)
        except (KeyError, msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
            return _NOTHING

    def tell(
        self, kind: str, row_id: int, sentence: str, *, detail: str = "", at: float | None = None
    ) -> None:
        """A finding about a row; `at` when it is not about the row's own moment."""
        ring = self.ring
        moment = ring.value("at", row_id)
        late_s = 0.0 if at is None else at - moment
        self._findings.tell(
            Told(
                kind, ring.text("conn", row_id), ring.text("channel", row_id), detail, row_id,
                moment + late_s, ring.value("wall", row_id) + late_s, sentence,
            )
        )  # fmt: skip


def groups_of(keys: Ints, places: Ints) -> list[tuple[int, Ints]]:
    """`places` by their key (one a place), each group in order."""
    if not len(places):
        return []
    order = np.argsort(keys, kind="stable")
    ordered, placed = keys[order], places[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    ends = [*starts[1:].tolist(), len(ordered)]
    return [
        (int(ordered[start]), placed[start:end]) for start, end in zip(starts.tolist(), ends, strict=True)
    ]
