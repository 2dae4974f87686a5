"""One connection's bytes and happenings as rows: parsed passively, decoded lightly, matched to their answers.

Owns a parser pair per socket, the round trip of each answered command, and when the last frame came. It
believes nothing that it reads: what cannot be decoded is a row that says so.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from sonde_lab.decoders.choosing import Chooser
from sonde_lab.decoders.decoding import Decoded, Part
from sonde_lab.envelope import BINARY, Envelope, integer, peek
from sonde_lab.monitoring import FAULTS
from sonde_lab.records import NO_RTT, Direction, Flag, Kind, Record
from sonde_lab.rowlog import RowLog
from sonde_lab.wire import CLOSE, PONG, TEXT, WireParser
from sonde_lab.wire_items import BodySeen, CloseSeen, HandshakeSeen, Link, MessageSeen, WireItem
from sonde_protocol.codes import CloseCode

MAX_WAITING: Final = 512  # questions whose answer is awaited; the oldest is forgotten
_MAX_OP: Final = 64
_HEARTBEATS: Final = frozenset({"ping", "pong"})
_REFUSALS: Final = frozenset({"error", "resume_failed"})
_SWITCHING: Final = 101
_HTTP_ERRORS: Final = 400
_ONLY_DIAL: Final = 1  # of a connection whose sockets are not seen here: nothing is matched on it
_CALM_CLOSES: Final = frozenset({CloseCode.NORMAL, CloseCode.GOING_AWAY})


@dataclass(slots=True)
class _Asked:
    row_id: int
    at: float


class _Recent:
    """Rows of the last messages of a direction, by their ordinal from 1."""

    __slots__ = ("_count", "_rows")

    def __init__(self) -> None:
        self._count = 0
        self._rows: deque[int] = deque(maxlen=MAX_WAITING)

    def add(self, row_id: int) -> None:
        self._count += 1
        self._rows.append(row_id)

    def row(self, ordinal: int) -> int | None:
        place = ordinal - 1 - (self._count - len(self._rows))
        return self._rows[place] if ordinal and 0 <= place < len(self._rows) else None


class _Dial:
    """The two directions of one socket."""

    def __init__(self, any_protocol: bool) -> None:
        link = Link()
        self.chooser = Chooser(speaks_sonde=not any_protocol)
        self.parsers = {side: WireParser(side, link) for side in (Direction.IN, Direction.OUT)}
        self.asked: OrderedDict[Hashable, _Asked] = OrderedDict()
        self.was_refused = False  # by the newest head


class Recorder:
    """Writes one connection's rows. `last_frame_at` is when the peer's last frame came, goodbyes not counted.

    Messages are held to Sonde's protocol. With `any_protocol` only those of a connection that has agreed on it
    are, and all others are read with the decoder that fits. Every message bears `flags`. A message with somebody
    else's frame goes to `on_tapped`, and is a row here only where that does not take it.
    """

    def __init__(self, conn: str, log: RowLog, *, any_protocol: bool = False, flags: int = 0) -> None:
        self.conn = conn
        self.on_tapped: Callable[[MessageSeen], bool] | None = None
        self._flags = Flag(flags)
        self.last_frame_at: float | None = None
        self.types_seen: dict[str, None] = {}
        self._log = log
        self._any_protocol = any_protocol
        self._dials: dict[int, _Dial] = {}
        self._newest_dial = 0
        self._recent = {side: _Recent() for side in (Direction.IN, Direction.OUT)}

    def row_of(self, side: Direction, ordinal: int) -> int | None:
        """The row of a direction's nth message or control frame, while it is one of the last few hundred."""
        recent = self._recent.get(side)
        return recent.row(ordinal) if recent is not None else None

    def on_wire(self, direction: str, data: bytes, at: float, dial: int) -> None:
        """Bytes that passed. The signature is `sonde_client`'s `on_wire`."""
        side = Direction.IN if direction == "in" else Direction.OUT
        for item in self._dial(dial).parsers[side].feed(data, at):
            self.on_item(item, side, dial)

    def on_item(self, item: WireItem, side: Direction, dial: int) -> None:
        """What was parsed already, here or by another tool whose file is read."""
        known = self._dial(dial)
        if isinstance(item, HandshakeSeen):
            known.chooser.see(item)
        self._write(item, side, dial)

    def on_message(self, item: MessageSeen, side: Direction) -> None:
        """A message of a connection whose bytes pass elsewhere."""
        self._write_message(item, side, _ONLY_DIAL)

    def on_lost(self, dial: int, at: float) -> None:
        """A socket is gone: say what had begun on it and will never be whole."""
        known = self._dials.pop(dial, None)
        for side, parser in known.parsers.items() if known else ():
            for item in parser.finish(at):
                self._write(item, side, dial)

    def say(
        self,
        kind: Kind,
        op: str,
        text: str,
        at: float,
        *,
        flags: int = 0,
        code: int = 0,
        dial: int | None = None,
        channel: str = "",
        seq: int = -1,
    ) -> int:
        """Write a row that is no frame; its id. It belongs to the newest socket, or to the named one."""
        at = self._log.not_before(at)
        return self._log.add(
            Record(
                at=at,
                wall=self._log.wall(at),
                conn=self.conn,
                dial=self._newest_dial if dial is None else dial,
                direction=Direction.NONE,
                kind=kind,
                opcode=0,
                op=op,
                channel=channel,
                size=0,
                payload=text.encode("utf-8", "replace"),
                code=code,
                flags=flags,
                seq=seq,
            )
        )

    def _dial(self, dial: int) -> _Dial:
        known = self._dials.get(dial)
        if known is None:
            known = self._dials[dial] = _Dial(self._any_protocol)
            self._newest_dial = max(dial, self._newest_dial)
        return known

    # ------------------------------------------------------------ items to rows

    def _write(self, item: WireItem, side: Direction, dial: int) -> None:
        if isinstance(item, MessageSeen):
            self._write_message(item, side, dial)
        elif isinstance(item, HandshakeSeen):
            self._write_head(item, side, dial)
        elif isinstance(item, BodySeen):
            known = self._dials.get(dial)
            wrong = Flag.ERROR if known is None or known.was_refused else 0
            self._add(
                item, side, dial, Kind.HANDSHAKE, "body", item.text.encode(), size=item.size, flags=wrong
            )
        elif isinstance(item, CloseSeen):
            self._write_close(item, side, dial)
        else:
            shown = f"{item.reason}: {item.data[:24].hex(' ')}" if item.data else item.reason
            self._add(item, side, dial, Kind.NOTE, "garbage", shown.encode(), size=0, flags=Flag.MALFORMED)

    def _write_head(self, item: HandshakeSeen, side: Direction, dial: int) -> None:
        """An upgrade that is answered by anything else is an error; plain HTTP before it is not."""
        refused = item.status not in (0, _SWITCHING) if item.is_upgrade else item.status >= _HTTP_ERRORS
        known = self._dials.get(dial)
        if known is not None:
            known.was_refused = refused
        op, flags = "upgrade" if item.is_upgrade else "http", Flag.ERROR if refused else 0
        self._add(item, side, dial, Kind.HANDSHAKE, op, item.text.encode(), size=item.size, flags=flags)

    def _write_close(self, item: CloseSeen, side: Direction, dial: int) -> None:
        flags = Flag.CONTROL | (Flag.MALFORMED if item.odd else 0)
        if item.code is not None and item.code not in _CALM_CLOSES:
            flags |= Flag.ERROR
        self._add(
            item,
            side,
            dial,
            Kind.FRAME,
            "close",
            item.payload,
            opcode=CLOSE,
            flags=flags,
            code=item.code or 0,
        )

    def _write_message(self, item: MessageSeen, side: Direction, dial: int) -> None:
        flags = self._flags | (Flag.MALFORMED if item.odd else 0)
        flags |= Flag.COMPRESSED if item.compressed else 0
        flags |= Flag.FRAGMENT if item.fragments > 1 else 0
        flags |= Flag.TRUNCATED if item.truncated else 0
        if item.control:
            self._write_heartbeat(item, side, dial, flags | Flag.CONTROL | Flag.HEARTBEAT)
            return
        known = self._dials.get(dial)
        if known is not None and not known.chooser.speaks_sonde:
            decoded = known.chooser.decode(item.payload, item.opcode == BINARY, side)
            self._write_foreign(item, side, dial, decoded, flags)
            return
        envelope = None if item.odd else peek(item.payload, item.opcode == BINARY)
        op = envelope.op if envelope is not None else None
        if envelope is None or not isinstance(op, str) or not op:
            op = "text" if item.opcode == TEXT else "binary"
            envelope = Envelope()
            flags |= Flag.MALFORMED
        if op == "tapped" and side is Direction.IN and self.on_tapped is not None and self.on_tapped(item):
            self._heard(side, item.at)
            return
        self._write_frame(item, side, dial, op[:_MAX_OP], envelope, flags)

    def _write_heartbeat(self, item: MessageSeen, side: Direction, dial: int, flags: int) -> None:
        op = "pong" if item.opcode == PONG else "ping"
        row_id = self._add(item, side, dial, Kind.FRAME, op, item.payload, opcode=item.opcode, flags=flags)
        key = ("control", item.payload)
        if op == "ping" and side is Direction.OUT:
            self._ask(dial, key, row_id, item.at)
        elif op == "pong" and side is Direction.IN:
            self._answer(dial, key, row_id, item.at)
        self._heard(side, item.at)

    def _write_frame(
        self, item: MessageSeen, side: Direction, dial: int, op: str, envelope: Envelope, flags: int
    ) -> None:
        flags |= Flag.HEARTBEAT if op in _HEARTBEATS else 0
        flags |= Flag.ERROR if op in _REFUSALS else 0
        flags |= Flag.REPLAY if envelope.replay is True else 0
        flags |= Flag.TAPPED if op == "tapped" else 0
        flags |= Flag.INJECTED if op == "event" and envelope.ch == FAULTS else 0
        row_id = self._add(
            item,
            side,
            dial,
            Kind.FRAME,
            op,
            item.payload,
            opcode=item.opcode,
            size=item.size,
            flags=flags,
            channel=envelope.ch if isinstance(envelope.ch, str) else "",
            seq=integer(envelope.seq),
            command=integer(envelope.id),
        )
        if op in ("event", "publish") and isinstance(envelope.type, str):
            self._remember_type(envelope.type)
        self._match(side, dial, op, envelope, row_id, item.at)
        if op != "bye":
            self._heard(side, item.at)

    def _write_foreign(
        self, item: MessageSeen, side: Direction, dial: int, decoded: Decoded, flags: int
    ) -> None:
        """A message of another protocol: nothing about it is wrong that its own protocol does not call so."""
        flags |= Flag.HEARTBEAT if decoded.is_heartbeat else 0
        flags |= Flag.ERROR if decoded.is_error else 0
        row_id = self._add(
            item,
            side,
            dial,
            Kind.FRAME,
            decoded.op[:_MAX_OP],
            item.payload,
            opcode=item.opcode,
            size=item.size,
            flags=flags,
            channel=decoded.channel,
            command=decoded.command,
            protocol=decoded.protocol,
        )
        if decoded.part is Part.ASKS:
            self._ask(dial, (decoded.protocol, side, decoded.key), row_id, item.at)
        elif decoded.part is Part.ANSWERS:
            asker = Direction.IN if side is Direction.OUT else Direction.OUT
            self._answer(dial, (decoded.protocol, asker, decoded.key), row_id, item.at)
        self._heard(side, item.at)

    def _add(
        self,
        item: WireItem,
        side: Direction,
        dial: int,
        kind: Kind,
        op: str,
        payload: bytes,
        *,
        opcode: int = 0,
        size: int | None = None,
        flags: int = 0,
        channel: str = "",
        code: int = 0,
        seq: int = -1,
        command: int = -1,
        protocol: str = "",
    ) -> int:
        size = len(payload) if size is None else size
        wire_bytes = item.wire_bytes if isinstance(item, MessageSeen | CloseSeen) else 0
        fragments = item.fragments if isinstance(item, MessageSeen) else int(wire_bytes > 0)
        row_id = self._log.add(
            Record(
                item.at, self._log.wall(item.at), self.conn, dial, side, kind, opcode, op, channel, size, payload,
                code, NO_RTT, int(flags), seq, command, protocol, wire_bytes, fragments,
            )
        )  # fmt: skip
        if wire_bytes and side in self._recent:
            self._recent[side].add(row_id)
        return row_id

    def _heard(self, side: Direction, at: float) -> None:
        if side is Direction.IN:
            self.last_frame_at = at

    def _remember_type(self, name: str) -> None:
        if len(self.types_seen) < 200 and len(name) <= _MAX_OP:
            self.types_seen.setdefault(name)

    # ------------------------------------------------------------ questions and answers

    def _match(self, side: Direction, dial: int, op: str, envelope: Envelope, row_id: int, at: float) -> None:
        """Remember what asks for an answer; give an answer, and what it answers, its round trip."""
        if side is Direction.OUT:
            if op in ("identify", "resume"):
                self._ask(dial, "greeting", row_id, at)
            elif op == "ping":
                self._ask(dial, ("ping", _hashable(envelope.t)), row_id, at)
            elif integer(envelope.id) >= 0:
                self._ask(dial, envelope.id, row_id, at)
        elif op in ("ready", "resumed", "resume_failed"):
            self._answer(dial, "greeting", row_id, at)
        elif op == "pong":
            self._answer(dial, ("ping", _hashable(envelope.t)), row_id, at)
        elif op in ("reply", "error") and integer(envelope.id) >= 0:
            self._answer(dial, envelope.id, row_id, at)

    def _ask(self, dial: int, key: Hashable, row_id: int, at: float) -> None:
        known = self._dials.get(dial)
        if known is not None:
            known.asked[key] = _Asked(row_id, at)
            if len(known.asked) > MAX_WAITING:
                known.asked.popitem(last=False)

    def _answer(self, dial: int, key: Hashable, row_id: int, at: float) -> None:
        known = self._dials.get(dial)
        asked = known.asked.pop(key, None) if known is not None else None
        if asked is not None:
            rtt_ms = (at - asked.at) * 1000
            self._log.annotate(row_id, rtt_ms=rtt_ms)
            self._log.annotate(asked.row_id, rtt_ms=rtt_ms)


def _hashable(value: object) -> Hashable:
    return value if isinstance(value, int | float | str) else None
