"""What is known around one end: rows of the socket, goodbyes, silences, stalls, acts, and what came after.

Owns the looking. It judges nothing: rules get a `Case` and look at no ring themselves. Whatever a peer wrote is cut
and may be nonsense.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from sonde_client.errors import CAUSES as FAILURES
from sonde_lab.envelope import BINARY, integer
from sonde_lab.records import Direction, Flag, Kind
from sonde_lab.ring import Ring
from sonde_lab.stalls import STALL, stall_of
from sonde_lab.summary import summarize
from sonde_lab.verdict.closes import CloseWords, read_close
from sonde_lab.verdict.verdicts import Evidence
from sonde_lab.wording import one_line, seconds

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]
ACT_BEFORE_S: Final = 60.0  # an act that long ago may still be the reason: a half-open link takes its time
LOOK_ROWS: Final = 20_000  # after the end, and for other connections before it
STALL_LATE_S: Final = 2.0  # a stall is told by a timer, perhaps a moment after what it brought about
MAX_PEEKED_BYTES: Final = 1 << 20
CLOSE_FRAME: Final = 8
AT_GATEWAY: Final = "at the gateway: "  # how the words of such an act begin, before the rule
_HOUR_MS: Final = 3_600_000
_SAID: Final = 120


class _Peeked(msgspec.Struct, gc=False):
    """Members of a frame that rules ask for, as they came."""

    session: Any = None
    code: Any = None
    cause: Any = None
    kind: Any = None
    node: Any = None
    epoch: Any = None
    heartbeat_ms: Any = None
    resume_ttl_ms: Any = None
    max_frame: Any = None
    d: Any = None


_JSON: Final = msgspec.json.Decoder(_Peeked)
_MSGPACK: Final = msgspec.msgpack.Decoder(_Peeked)
_BROKEN: Final = (KeyError, msgspec.MsgspecError, UnicodeError, RecursionError, ValueError)


class Stall(NamedTuple):
    """This process was not running."""

    row_id: int
    began: float
    ended: float


@dataclass(frozen=True)
class Case:
    """One end, and the rows around it. `at` is when it ended; `ids` are the rows of its socket up to then."""

    ring: Ring
    row_id: int
    conn: str
    dial: int
    at: float
    ids: Ids
    words: CloseWords = field(default_factory=CloseWords)

    # ------------------------------------------------------------ reading rows

    def pick(self, column: str, ids: Ids | None = None) -> NDArray[Any]:
        """A column of some rows, those of the socket unless others are named."""
        ids = self.ids if ids is None else ids
        picked: NDArray[Any] = self.ring.column(column)[ids - self.ring.first_id]
        return picked

    def where(self, mask: Mask, ids: Ids | None = None) -> Ids:
        """The rows that a mask means, of the socket unless others are named."""
        meant: Ids = (self.ids if ids is None else ids)[mask]
        return meant

    def op_is(self, *ops: str, ids: Ids | None = None) -> Mask:
        """Which rows are of a type."""
        numbers = [number for number in map(self.ring.names.number, ops) if number is not None]
        return np.isin(self.pick("op", ids), numbers)

    def peek(self, row_id: int) -> _Peeked:
        """What a frame says; all members missing where it cannot be read."""
        try:
            payload, opcode = self.ring.payload(row_id), self.ring.value("opcode", row_id)
            if len(payload) > MAX_PEEKED_BYTES:
                return _Peeked()
            return (_MSGPACK if opcode == BINARY else _JSON).decode(payload)
        except _BROKEN:
            return _Peeked()

    def says(self, row_id: int, limit: int = _SAID) -> str:
        """A row's summary, safe for one line and without a full stop."""
        return one_line(summarize(self.ring.record(row_id)), limit).rstrip(". …")

    def ago(self, row_id: int) -> str:
        """How long before the end a row came."""
        return seconds(max(0.0, self.at - self.time(row_id)) * 1000)

    def time(self, row_id: int) -> float:
        """When a row came."""
        return float(self.ring.value("at", row_id))

    def row(self, text: str, row_id: int) -> Evidence:
        """A sentence and its row."""
        return Evidence(text, row_id)

    # ------------------------------------------------------------ the socket's own rows

    @cached_property
    def is_foreign(self) -> bool:
        """Whether frames of another protocol than Sonde's passed: their codes are not ours to explain."""
        if self.pick("protocol").any():
            return True
        return bool(self.words.is_proxied and not self.op_is("hello", "identify", "resume").any())

    @cached_property
    def frames(self) -> Mask:
        """Which rows are frames of this socket, goodbyes not counted."""
        is_frame = (self.pick("kind") == Kind.FRAME) & ((self.pick("flags") & int(Flag.TAPPED)) == 0)
        wanted: Mask = is_frame & (self.pick("opcode") != CLOSE_FRAME) & ~self.op_is("bye")
        return wanted

    @cached_property
    def received(self) -> Ids:
        """Frames that came, in order."""
        return self.where(self.frames & (self.pick("direction") == Direction.IN))

    @cached_property
    def sent(self) -> Ids:
        """Frames that were sent, in order."""
        return self.where(self.frames & (self.pick("direction") == Direction.OUT))

    @cached_property
    def last_received(self) -> int | None:
        """The newest frame received."""
        return int(self.received[-1]) if len(self.received) else None

    @cached_property
    def last_sent(self) -> int | None:
        """The newest frame sent."""
        return int(self.sent[-1]) if len(self.sent) else None

    @cached_property
    def answered_at(self) -> float:
        """When the newest frame was sent that is known to have been answered; minus infinity without one."""
        rtt = self.pick("rtt_ms", self.sent)
        answered = self.sent[~np.isnan(rtt)]
        return float(self.pick("at", answered).max()) if len(answered) else -np.inf

    @cached_property
    def close_frame(self) -> int | None:
        """The first close frame of either side."""
        found = self.ids[self.pick("opcode") == CLOSE_FRAME]
        return int(found[0]) if len(found) else None

    @cached_property
    def bye(self) -> int | None:
        """The gateway's last words."""
        is_bye = self.op_is("bye") & (self.pick("direction") == Direction.IN) & (self.pick("protocol") == 0)
        found = self.ids[is_bye]
        return int(found[-1]) if len(found) else None

    @cached_property
    def code(self) -> int:
        """The close code; 0 where nobody named one."""
        code = int(self.ring.value("code", self.row_id))
        if code in (0, 1005, 1006) and self.close_frame is not None:
            code = int(self.ring.value("code", self.close_frame)) or code
        if code in (0, 1005, 1006) and self.bye is not None:
            code = integer(self.peek(self.bye).code, code)
        return 0 if code == 1006 else code

    @cached_property
    def by(self) -> str:
        """Who ended it: "server", "client", "network", "proxy"; empty where it cannot be told."""
        if self.close_frame is not None and not self.words.is_refused:
            way = self.ring.value("direction", self.close_frame)
            by_frame = "server" if way == Direction.IN else "client"
            return by_frame if self.bye is None else "server"
        return "server" if self.bye is not None else self.words.by

    @cached_property
    def reason(self) -> str:
        """What whoever ended it said: the word of `bye`, else of the close frame, else of the close row."""
        if self.bye is not None:
            cause = self.peek(self.bye).cause
            return one_line(cause, 80) if isinstance(cause, str) else ""
        if self.close_frame is not None:
            return one_line(self.ring.payload(self.close_frame)[2:125].decode(errors="replace"), 80)
        return one_line(self.words.cause, 80)

    # ------------------------------------------------------------ what was announced

    def newest(self, *ops: str) -> int | None:
        """The newest frame received of a type on this socket."""
        way = self.pick("direction") == Direction.IN
        found = self.ids[self.op_is(*ops) & way & (self.pick("kind") == Kind.FRAME)]
        return int(found[-1]) if len(found) else None

    @cached_property
    def heartbeat_s(self) -> float:
        """What `hello` announced; 0 where it is not known."""
        hello = self.newest("hello")
        announced = 0 if hello is None else integer(self.peek(hello).heartbeat_ms, 0)
        return min(max(announced, 0), _HOUR_MS) / 1000

    @cached_property
    def node(self) -> str:
        """The node's name in `hello`."""
        hello = self.newest("hello")
        node = None if hello is None else self.peek(hello).node
        return node if isinstance(node, str) else ""

    @cached_property
    def session(self) -> str:
        """The session's id, as `ready` or `resumed` said it."""
        greeted = self.newest("ready", "resumed")
        session = None if greeted is None else self.peek(greeted).session
        return session if isinstance(session, str) else ""

    # ------------------------------------------------------------ around it

    @cached_property
    def before(self) -> Ids:
        """Rows of all connections before the end, the newest `LOOK_ROWS`."""
        return np.arange(max(self.ring.first_id, self.row_id - LOOK_ROWS), self.row_id)

    @cached_property
    def after(self) -> Ids:
        """Rows of the same connection after the end, among the next `LOOK_ROWS`."""
        following = np.arange(self.row_id + 1, min(self.ring.next_id, self.row_id + 1 + LOOK_ROWS))
        same = self.pick("conn", following) == self.ring.value("conn", self.row_id)
        return self.where(same, following)

    @cached_property
    def began(self) -> int:
        """The socket's first row; what was done before that cannot have hit it."""
        return int(self.ids[0]) if len(self.ids) else self.row_id

    def acts(self, within_s: float = ACT_BEFORE_S, *, since: int | None = None) -> list[tuple[int, str]]:
        """What persons did in the socket's life, or since a row, newest first: row and words, whomever it was done to."""
        is_act = (self.pick("kind", self.before) == Kind.ACT) & self.op_is("act", ids=self.before)
        recent = self.pick("at", self.before) >= self.at - within_s
        recent &= self.before >= (self.began if since is None else since)
        found = self.before[is_act & recent][::-1][:200]
        return [(row_id, self.text(row_id)) for row_id in found.tolist()]

    def is_mine(self, row_id: int) -> bool:
        """Whether a row belongs to this very connection."""
        return bool(self.ring.value("conn", row_id) == self.ring.value("conn", self.row_id))

    def text(self, row_id: int, limit: int = 300) -> str:
        """The words of a row that is no frame."""
        return self.ring.payload(row_id)[:limit].decode(errors="replace")

    def commands(self, op: str, within_s: float = ACT_BEFORE_S) -> list[int]:
        """Frames `op` that anybody here sent about this very session before the end, newest first."""
        ids = self.before
        sent = (self.pick("direction", ids) == Direction.OUT) & (self.pick("kind", ids) == Kind.FRAME)
        recent = (self.pick("at", ids) >= self.at - within_s) & (ids >= self.began)
        found = ids[sent & recent & self.op_is(op, ids=ids)][::-1][:50]
        return [row for row in found.tolist() if self.session and self.peek(row).session == self.session]

    def faults(self, within_s: float) -> list[tuple[int, str]]:
        """What a gateway was asked to do wrong to this session, from here too, and what it told of that, newest first."""
        asked = [(row, self.peek(row).kind) for row in self.commands("fault", within_s)]
        ids = self.before
        told = (self.pick("direction", ids) == Direction.IN) & self.op_is("event", ids=ids)
        told &= (self.pick("flags", ids) & int(Flag.INJECTED)) != 0
        for row in ids[told & (self.pick("at", ids) >= self.at - within_s)][::-1][:50].tolist():
            news = self.peek(row).d
            if isinstance(news, dict) and self.session and news.get("session") == self.session:
                asked.append((row, news.get("kind")))
        for row, text in self.acts(within_s):
            if self.is_mine(row) and text.startswith(AT_GATEWAY):
                asked.append((row, text.removeprefix(AT_GATEWAY).partition(" ")[0]))
        return sorted(((row, str(kind)) for row, kind in asked), reverse=True)

    @cached_property
    def stalls(self) -> list[Stall]:
        """Times when this process was not running, that began before the end."""
        ids = np.arange(self.before[0] if len(self.before) else self.row_id, self.ring.next_id)[
            : 2 * LOOK_ROWS
        ]
        is_stall = (self.pick("kind", ids) == Kind.NOTE) & self.op_is(STALL, ids=ids)
        is_stall &= self.pick("at", ids) <= self.at + STALL_LATE_S
        told = [(row, self.time(row), stall_of(self.text(row))) for row in ids[is_stall][-50:].tolist()]
        return [Stall(row, at - lasted, at) for row, at, lasted in told if lasted and at - lasted < self.at]

    def stall_within(self, since: float) -> Stall | None:
        """The stall that covers at least half of the time from `since` to the end."""
        whole_s = self.at - since
        for stall in self.stalls:
            covered_s = min(stall.ended, self.at) - max(stall.began, since)
            if whole_s > 0 and covered_s >= whole_s / 2:
                return stall
        return None

    @cached_property
    def failures(self) -> Ids:
        """Notes of failures of this connection after the end, in order."""
        is_note = self.pick("kind", self.after) == Kind.NOTE
        return self.where(is_note & self.op_is(*FAILURES, ids=self.after), self.after)

    def note(self, *ops: str, before_s: float = 5.0, after_s: float = 5.0, mine: bool = True) -> int | None:
        """The note of a type that is nearest before the end, else the first after it."""
        ids = np.arange(
            max(self.ring.first_id, self.row_id - LOOK_ROWS), min(self.ring.next_id, self.row_id + LOOK_ROWS)
        )
        found = (self.pick("kind", ids) == Kind.NOTE) & self.op_is(*ops, ids=ids)
        at = self.pick("at", ids)
        found &= (at >= self.at - before_s) & (at <= self.at + after_s)
        if mine:
            found &= self.pick("conn", ids) == self.ring.value("conn", self.row_id)
        rows = ids[found].tolist()
        return max((row for row in rows if row <= self.row_id), default=rows[0] if rows else None)


def gather(ring: Ring, row_id: int) -> Case:
    """The case of an end.

    Raises:
        KeyError: the row is not in the ring.
    """
    conn, dial, at = (ring.value(name, row_id) for name in ("conn", "dial", "at"))
    same = (ring.column("conn", range(ring.first_id, row_id + 1)) == conn) & (
        ring.column("dial", range(ring.first_id, row_id + 1)) == dial
    )
    ids = _since_upgrade(ring, np.flatnonzero(same) + ring.first_id)
    if ring.value("kind", row_id) != Kind.FRAME:
        ids = ids[ids < row_id]
    words = CloseWords()
    if ring.value("kind", row_id) == Kind.CLOSE:
        words = read_close(ring.payload(row_id)[:600].decode(errors="replace"))
    return Case(ring, row_id, ring.text("conn", row_id), int(dial), float(at), ids, words)


def _since_upgrade(ring: Ring, ids: Ids) -> Ids:
    """Rows of the newest socket of that number: on another endpoint the numbers begin anew."""
    places = ids - ring.first_id
    asked = ring.column("kind")[places] == Kind.HANDSHAKE
    asked &= (ring.column("direction")[places] == Direction.OUT) & (
        ring.column("op")[places] == ring.names.number("upgrade")
    )
    requests = np.flatnonzero(asked)
    return ids[requests[-1] :] if len(requests) else ids
