"""What a passive parser sees, as values, and what the two directions of a connection share."""

from __future__ import annotations

from dataclasses import dataclass, field

from sonde_lab.records import Direction


@dataclass(slots=True)
class HandshakeSeen:
    """An HTTP request or response, with its secrets masked. `status` is 0 for a request.

    `is_upgrade`: it asks for a WebSocket, or answers a request that did.
    """

    line: str
    headers: list[tuple[str, str]]
    status: int
    text: str
    size: int
    at: float
    is_upgrade: bool = True


@dataclass(slots=True)
class BodySeen:
    """What came with a refusal, or with plain HTTP before an upgrade; its secrets masked."""

    text: str
    size: int
    at: float


@dataclass(slots=True)
class MessageSeen:
    """A whole message, or a ping or pong.

    `size` is the payload's bytes after inflating, `wire_bytes` with all framing; `payload` may be cut (then
    `truncated`). `odd` says what is against the standard, in words; empty when nothing is.
    """

    opcode: int
    payload: bytes
    fragments: int
    compressed: bool
    control: bool
    size: int
    wire_bytes: int
    truncated: bool
    odd: str
    at: float


@dataclass(slots=True)
class CloseSeen:
    """A close frame; `code` is `None` when it names none."""

    code: int | None
    reason: str
    payload: bytes
    wire_bytes: int
    odd: str
    at: float


@dataclass(slots=True)
class GarbageSeen:
    """Bytes that are neither handshake nor frame; nothing after them can be read."""

    reason: str
    data: bytes
    at: float


WireItem = HandshakeSeen | BodySeen | MessageSeen | CloseSeen | GarbageSeen


@dataclass(slots=True)
class Link:
    """What both directions of a connection agreed on in the handshake, and how far that has come."""

    deflate: bool = False
    asked_upgrade: bool = True  # by the newest request
    stays_http: bool = False  # the newest answer was no upgrade
    takeover: dict[Direction, bool] = field(default_factory=lambda: {Direction.IN: True, Direction.OUT: True})
    window_bits: dict[Direction, int] = field(default_factory=lambda: {Direction.IN: 15, Direction.OUT: 15})

    def agree(self, header: str) -> None:
        """Take in a response's `Sec-WebSocket-Extensions`."""
        for offer in header.split(","):
            name, *parameters = (part.strip().lower() for part in offer.split(";"))
            if name == "permessage-deflate":
                self.deflate = True
                for parameter in parameters:
                    self._agree_parameter(parameter)

    def _agree_parameter(self, parameter: str) -> None:
        key, _, value = parameter.partition("=")
        side, _, what = key.strip().partition("_")
        direction = {"server": Direction.IN, "client": Direction.OUT}.get(side)
        if direction is None:
            return
        if what == "no_context_takeover":
            self.takeover[direction] = False
        bits = value.strip().strip('"')
        if what == "max_window_bits" and bits.isdecimal() and 8 <= int(bits) <= 15:
            self.window_bits[direction] = int(bits)
