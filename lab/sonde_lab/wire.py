"""A passive WebSocket parser for one byte direction: handshake, frames, fragments, deflate (RFC 6455, RFC 7692).

Owns the reading of bytes that somebody else sends: a proxy's or an own client's. It never answers, never
raises and never gives up a byte unseen: what is no handshake and no frame comes out as `GarbageSeen`. However
the bytes are split, the same items come out. Two parsers of one connection share a `Link`, since what the
response agrees on holds for both directions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sonde_lab.inflating import Inflater
from sonde_lab.records import Direction
from sonde_lab.wire_body import Body
from sonde_lab.wire_items import BodySeen, CloseSeen, GarbageSeen, HandshakeSeen, Link, MessageSeen, WireItem
from sonde_protocol.redact import redact_text

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_KEPT_BYTES: Final = 16 << 20  # of one message; the rest is counted and let go

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_OPCODES: Final = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})
_HEAD_END: Final = b"\r\n\r\n"


@dataclass(slots=True)
class _Frame:
    """A frame whose header has been read; its payload is on the way."""

    final: bool
    compressed: bool
    opcode: int
    length: int
    mask: bytes
    header_bytes: int
    odd: str
    seen: int = 0
    kept: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class _Message:
    """A message whose frames are being gathered."""

    opcode: int
    compressed: bool
    odd: str
    data: bytearray = field(default_factory=bytearray)
    size: int = 0
    wire_bytes: int = 0
    fragments: int = 0


class WireParser:
    """Reads one direction of one connection. `garbage_bytes` counts what came after it gave up."""

    def __init__(
        self, direction: Direction, link: Link | None = None, max_kept_bytes: int = MAX_KEPT_BYTES
    ) -> None:
        self.direction = direction
        self.link = link or Link()
        self.garbage_bytes = 0
        self._max_kept = max_kept_bytes
        self._buffer = bytearray()
        self._step: Callable[[float], bool] = self._read_head
        self._items: list[WireItem] = []
        self._body: Body | None = None
        self._frame: _Frame | None = None
        self._message: _Message | None = None
        self._inflater: Inflater | None = None

    def feed(self, data: bytes, at: float) -> list[WireItem]:
        """Take bytes in, in their order; what was completed by them. `at` is monotonic seconds."""
        if self._step == self._swallow:
            self.garbage_bytes += len(data)
            return []
        self._buffer += data
        while self._step(at):
            pass
        return self._take()

    def finish(self, at: float) -> list[WireItem]:
        """The connection is gone: what had begun and will never be whole."""
        if self._body is not None:
            self._say_body(self._body, at)
        elif self._step == self._read_head and self._buffer:
            self._give_up("the connection ended inside the handshake", at)
        elif self._frame is not None:
            missing = self._frame.length - self._frame.seen
            self._give_up(f"the connection ended inside a frame, {missing:,} bytes short", at)
        elif self._buffer:
            self._give_up("the connection ended inside a frame's header", at)
        elif self._message is not None:
            self._give_up("the connection ended inside a fragmented message", at)
        self._buffer.clear()
        self._frame = self._message = self._body = None
        self._step = self._swallow
        return self._take()

    def _take(self) -> list[WireItem]:
        items, self._items = self._items, []
        return items

    def _give_up(self, reason: str, at: float) -> bool:
        self._items.append(GarbageSeen(reason, bytes(self._buffer[:64]), at))
        self.garbage_bytes += len(self._buffer)
        self._buffer.clear()
        self._step = self._swallow
        return False

    def _swallow(self, _at: float) -> bool:
        return False

    # ------------------------------------------------------------ handshake

    def _read_head(self, at: float) -> bool:
        end = self._buffer.find(_HEAD_END, 0, MAX_HEAD_BYTES)
        if end < 0:
            if len(self._buffer) < MAX_HEAD_BYTES:
                return False
            del self._buffer[MAX_HEAD_BYTES:]
            return self._give_up("no end of a handshake within 64 KiB", at)
        head = self._buffer[:end].decode("latin-1")
        line, *rest = head.split("\r\n")
        status = _status(line)
        if status is None or (status == 0) != (self.direction == Direction.OUT):
            del self._buffer[end:]
            return self._give_up("this is no WebSocket handshake", at)
        headers = _headers(rest)
        size = end + len(_HEAD_END)
        del self._buffer[:size]
        shown = [(name, redact_text(f"{name}: {value}").partition(": ")[2]) for name, value in headers]
        values = {name.lower(): value for name, value in headers}
        is_upgrade = self._is_upgrade(status, values)
        self._items.append(
            HandshakeSeen(redact_text(line), shown, status, redact_text(head), size, at, is_upgrade)
        )
        self._after_head(status, headers, values)
        return True

    def _is_upgrade(self, status: int, values: dict[str, str]) -> bool:
        """Whether a head asks for a WebSocket, or answers one that did."""
        if status == 0:
            self.link.asked_upgrade = "upgrade" in values
        return self.link.asked_upgrade

    def _after_head(self, status: int, headers: list[tuple[str, str]], values: dict[str, str]) -> None:
        if status == 0:
            self.link.stays_http = False  # until its answer says so
        elif status == 101:
            self.link.agree(", ".join(v for n, v in headers if n.lower() == "sec-websocket-extensions"))
        elif status < 200:
            return
        else:
            self.link.stays_http = True
        body = Body(status, values) if status != 101 else None
        if body is not None and (status or not body.is_whole):
            self._body, self._step = body, self._read_body
        else:
            self._step = self._read_header

    def _read_body(self, at: float) -> bool:
        body = self._body
        assert body is not None
        if not body.eat(self._buffer):
            return False
        self._say_body(body, at)
        self._body = None
        self._step = self._read_head
        return True

    def _say_body(self, body: Body, at: float) -> None:
        if body.size:
            self._items.append(BodySeen(redact_text(body.text), body.size, at))

    # ------------------------------------------------------------ frames

    def _read_header(self, at: float) -> bool:
        if self.link.stays_http and self._message is None:
            self._step = (
                self._read_head
            )  # a client that was answered in HTTP asks again on the same connection
            return True
        data = self._buffer
        if len(data) < 2:
            return False
        masked, length = bool(data[1] & 0x80), data[1] & 0x7F
        extra = {126: 2, 127: 8}.get(length, 0)
        size = 2 + extra + (4 if masked else 0)
        if len(data) < size:
            return False
        if extra:
            length = int.from_bytes(data[2 : 2 + extra])
        wrong = self._wrong_header(data[0], length)
        if wrong:
            del data[size:]
            return self._give_up(wrong, at)
        self._frame = _Frame(
            final=bool(data[0] & 0x80),
            compressed=bool(data[0] & 0x40),
            opcode=data[0] & 0x0F,
            length=length,
            mask=bytes(data[size - 4 : size]) if masked else b"",
            header_bytes=size,
            odd=self._odd_masking(masked),
        )
        del data[:size]
        self._step = self._read_payload
        return True

    def _wrong_header(self, first: int, length: int) -> str:
        """Why the stream cannot be read on: a header that no endpoint may send and no reader can skip."""
        opcode = first & 0x0F
        if opcode not in _OPCODES:
            return f"reserved opcode {opcode}"
        if first & 0x30 or (first & 0x40 and not self.link.deflate):
            return "a reserved bit is set without an extension for it"
        if opcode >= CLOSE and (length > 125 or not first & 0x80 or first & 0x40):
            return "a control frame that is long, fragmented or compressed"
        if length >= 1 << 63:
            return "a length with its highest bit set"
        return ""

    def _odd_masking(self, masked: bool) -> str:
        if masked == (self.direction == Direction.OUT):
            return ""
        return "masked by the server" if masked else "not masked by the client"

    def _read_payload(self, at: float) -> bool:
        frame = self._frame
        assert frame is not None
        part = self._buffer[: frame.length - frame.seen]
        del self._buffer[: len(part)]
        held = len(self._message.data) if self._message is not None and frame.opcode < CLOSE else 0
        frame.kept += part[: max(0, self._max_kept - held - len(frame.kept))]
        frame.seen += len(part)
        if frame.seen < frame.length:
            return False
        self._frame = None
        self._step = self._read_header
        payload = _unmask(frame.kept, frame.mask)
        if frame.opcode >= CLOSE:
            self._items.append(_control(frame, payload, at))
        else:
            self._join(frame, payload, at)
        return True

    def _join(self, frame: _Frame, payload: bytes, at: float) -> None:
        if frame.opcode != CONTINUATION and self._message is not None:
            self._message.odd = self._message.odd or "interrupted by another message"
            self._complete(self._message, at)
        if self._message is None:
            lost = "" if frame.opcode != CONTINUATION else "a continuation of nothing"
            self._message = _Message(frame.opcode, frame.compressed, frame.odd or lost)
        elif frame.compressed:
            self._message.odd = self._message.odd or "a continuation that claims to be compressed"
        message = self._message
        message.data += payload
        message.size += frame.length
        message.wire_bytes += frame.header_bytes + frame.length
        message.fragments += 1
        if frame.final:
            self._complete(message, at)

    def _complete(self, message: _Message, at: float) -> None:
        self._message = None
        payload, size, odd = bytes(message.data), message.size, message.odd
        truncated = len(payload) < size
        if message.compressed:
            inflated = self._inflate(payload, whole=not truncated)
            if inflated is None:
                odd = odd or "does not inflate"
            else:
                payload, size = inflated
                truncated = len(payload) < size
        self._items.append(
            MessageSeen(
                message.opcode, payload, message.fragments, message.compressed, False, size, message.wire_bytes,
                truncated, odd, at,
            )
        )  # fmt: skip

    def _inflate(self, data: bytes, whole: bool) -> tuple[bytes, int] | None:
        if self._inflater is None:
            link = self.link
            self._inflater = Inflater(
                link.window_bits[self.direction], link.takeover[self.direction], self._max_kept
            )
        return self._inflater.inflate(data, whole)


def _status(line: str) -> int | None:
    """0 for a request line, the status of a response line, `None` for anything else."""
    words = line.split(" ", 2)
    if len(words) == 3 and words[0].isalpha() and words[2].startswith("HTTP/1."):
        return 0
    if len(words) >= 2 and words[0].startswith("HTTP/1.") and len(words[1]) == 3 and words[1].isdecimal():
        return int(words[1])
    return None


def _headers(lines: list[str]) -> list[tuple[str, str]]:
    pairs = (line.partition(":") for line in lines)
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _control(frame: _Frame, payload: bytes, at: float) -> WireItem:
    size = frame.header_bytes + frame.length
    if frame.opcode != CLOSE:
        return MessageSeen(
            frame.opcode, payload, 1, False, True, len(payload), size, False, frame.odd, at
        )  # fmt: skip
    code = int.from_bytes(payload[:2]) if len(payload) >= 2 else None
    odd = frame.odd or ("a close frame of one byte" if len(payload) == 1 else "")
    return CloseSeen(code, payload[2:].decode(errors="replace"), payload, size, odd, at)


def _unmask(data: bytearray, mask: bytes) -> bytes:
    if not mask or not data:
        return bytes(data)
    count = len(data)
    key = (mask * (count // 4 + 1))[:count]
    return (int.from_bytes(data) ^ int.from_bytes(key)).to_bytes(count)
