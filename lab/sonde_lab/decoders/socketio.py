"""Socket.IO (protocol revision 5) over Engine.IO (protocol revision 4), as its two specifications say.

Owns the packet's text form. Acknowledgements are numbered by each side and namespace on their own, so both are
part of what matches them. Binary messages are attachments of the packet before, which says how many come; whose
each is, `Chooser` knows.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import msgspec

from sonde_lab.decoders.decoding import (
    BROKEN,
    MAX_CHANNEL,
    MAX_DECODED_BYTES,
    Decoded,
    Part,
    word,
)
from sonde_lab.records import Direction

_ENGINE: Final = ("open", "close", "ping", "pong", "message", "upgrade", "noop")
_PACKETS: Final = (
    "connect", "disconnect", "event", "ack", "connect_error", "binary_event", "binary_ack",
)  # fmt: skip
_ATTACHED: Final = ("binary_event", "binary_ack")
_HEAD: Final = re.compile(r"4([0-6])(?:(\d{1,6})-)?(?:(/[^,]{0,512}),)?(\d{1,15})?")
_HEAD_CHARACTERS: Final = 1_024
_EVENT: Final = re.compile(r'\[\s*"([^"\\]{1,64})"')
_JSON: Final = msgspec.json.Decoder()


class _Head(NamedTuple):
    """What stands before a packet's JSON."""

    packet: str
    attachments: int
    namespace: str
    ack: int
    end: int


class SocketIo:
    """The reader."""

    name = "socket.io"

    def decode(
        self, payload: bytes, is_binary: bool, direction: Direction, max_bytes: int = MAX_DECODED_BYTES
    ) -> Decoded | None:
        """See `Decoder.decode`."""
        if is_binary:
            return Decoded(self.name, "attachment", value=payload, body=payload, lead="attachment,")
        kind = payload[:1]
        if not b"0" <= kind <= b"6" or not kind:
            return None
        if kind == b"4":
            return self._message(payload, max_bytes)
        return self._engine(payload, _ENGINE[int(kind)], max_bytes)

    def _engine(self, payload: bytes, op: str, max_bytes: int) -> Decoded | None:
        rest = payload[1:]
        if op == "open":
            return self._open(rest, max_bytes)
        if rest not in (b"", b"probe") or (rest and op not in ("ping", "pong")):
            return None
        part = {"ping": Part.ASKS, "pong": Part.ANSWERS}.get(op, Part.NONE)
        value = {"packet": op, "data": rest.decode()} if rest else {"packet": op}
        return Decoded(
            self.name,
            op,
            part=part,
            key=("engine", rest),
            is_heartbeat=part is not Part.NONE,
            value=value,
            lead="probe" if rest else "Engine.IO heartbeat" if part is not Part.NONE else "Engine.IO",
        )

    def _open(self, rest: bytes, max_bytes: int) -> Decoded | None:
        found, data = _load(rest, max_bytes)
        if not found or not isinstance(data, dict):
            return None
        return Decoded(self.name, "open", value={"packet": "open", "data": data}, body=data)

    def _message(self, payload: bytes, max_bytes: int) -> Decoded | None:
        head = _head_of(payload)
        if head is None:
            return None
        rest = payload[head.end :]
        if len(payload) > max_bytes:
            event = _EVENT.match(rest[:256].decode(errors="replace"))
            decoded = self._packet(head, event[1] if event else "")
            decoded.is_whole = False
            decoded.lead = f"{len(payload):,} bytes, open it to see all"
            return decoded
        found, data = _load(rest, max_bytes) if rest else (True, None)
        return self._whole(head, data) if found else None

    def _whole(self, head: _Head, data: Any) -> Decoded | None:
        value: dict[str, Any] = {"packet": head.packet, "namespace": head.namespace}
        if head.ack >= 0:
            value["ack"] = head.ack
        if head.packet in _ATTACHED:
            value["attachments"] = head.attachments
        event, body = "", data
        if head.packet in ("event", "binary_event", "ack", "binary_ack"):
            if not isinstance(data, list):
                return None
            if head.packet in ("event", "binary_event"):
                if not data:
                    return None
                event, data = word(data[0]), data[1:]
                value["event"] = event or head.packet
            value["args"] = data
            body = data[0] if len(data) == 1 else data or None
        elif data is not None:
            value["data"] = data
        decoded = self._packet(head, event)
        decoded.value, decoded.body = value, body
        decoded.lead = _lead(head)
        return decoded

    def _packet(self, head: _Head, event: str) -> Decoded:
        part = Part.NONE
        if head.ack >= 0:
            part = Part.ANSWERS if head.packet in ("ack", "binary_ack") else Part.ASKS
        key = ("ack", head.namespace, head.ack) if part is not Part.NONE else None
        return Decoded(
            self.name,
            event or head.packet,
            channel="" if head.namespace == "/" else head.namespace[:MAX_CHANNEL],
            command=head.ack,
            part=part,
            key=key,
            is_error=head.packet == "connect_error",
            attachments=head.attachments,
        )


def _head_of(payload: bytes) -> _Head | None:
    text = payload[:_HEAD_CHARACTERS].decode("utf-8", "replace")
    match = _HEAD.match(text)
    if match is None:
        return None
    packet = _PACKETS[int(match[1])]
    if (match[2] is not None) != (packet in _ATTACHED):
        return None
    # The query string of a namespace is not part of its name.
    namespace = (match[3] or "/").partition("?")[0]
    end = len(match[0].encode())
    return _Head(packet, int(match[2] or 0), namespace, int(match[4]) if match[4] else -1, end)


def _load(data: bytes, max_bytes: int) -> tuple[bool, Any]:
    """Whether `data` is JSON, and its value."""
    if len(data) > max_bytes:
        return False, None
    try:
        return True, _JSON.decode(data)
    except BROKEN:
        return False, None


def _lead(head: _Head) -> str:
    number = f"#{head.ack}" if head.ack >= 0 else ""
    count = head.attachments
    attached = f"+{count} attachment{'' if count == 1 else 's'}" if count else ""
    return " ".join(part for part in (number, attached) if part)
