"""Phoenix channels, as the serializers of phoenix.js 1.7 write them: `vsn` 2.0.0 arrays and 1.0.0 objects.

Owns both text forms and the binary form of version 2. A reply bears the `ref` of its push, which is matched
within its topic.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from sonde_lab.decoders.decoding import BROKEN, MAX_DECODED_BYTES, MAX_WORD, Decoded, Part, channel_word, word
from sonde_lab.records import Direction

_PUSH, _REPLY, _BROADCAST = 0, 1, 2


class _Message(msgspec.Struct, gc=False):
    """A message of version 1; the payload is left as its bytes."""

    topic: str
    event: str
    payload: msgspec.Raw = msgspec.Raw(b"null")
    ref: str | int | None = None
    join_ref: str | int | None = None


class _Reply(msgspec.Struct, gc=False):
    status: str | None = None


class _Parts(NamedTuple):
    join_ref: Any
    ref: Any
    topic: str
    event: str


_ARRAY: Final = msgspec.json.Decoder(tuple[str | int | None, str | int | None, str, str, msgspec.Raw])
_OBJECT: Final = msgspec.json.Decoder(_Message)
_STATUS: Final = msgspec.json.Decoder(_Reply)
_ANY: Final = msgspec.json.Decoder()


class Phoenix:
    """The reader."""

    name = "phoenix"

    def decode(
        self, payload: bytes, is_binary: bool, direction: Direction, max_bytes: int = MAX_DECODED_BYTES
    ) -> Decoded | None:
        """See `Decoder.decode`."""
        try:
            if is_binary:
                return self._binary(payload, direction)
            return self._text(payload, max_bytes)
        except BROKEN:
            return None

    def _text(self, payload: bytes, max_bytes: int) -> Decoded:
        if payload[:1] == b"[":
            join_ref, ref, topic, event, raw = _ARRAY.decode(payload)
        else:
            message = _OBJECT.decode(payload)
            join_ref, ref, raw = message.join_ref, message.ref, message.payload
            topic, event = message.topic, message.event
        parts = _Parts(join_ref, ref, topic, event)
        body = bytes(raw)
        if len(payload) > max_bytes:
            status = _STATUS.decode(body).status if event == "phx_reply" else None
            decoded = self._made(parts, word(status), None)
            decoded.value, decoded.is_whole = None, False
            decoded.lead = f"{len(payload):,} bytes, open it to see all"
            return decoded
        value = _ANY.decode(body)
        status = value.get("status") if event == "phx_reply" and isinstance(value, dict) else None
        return self._made(parts, word(status), value)

    def _binary(self, payload: bytes, direction: Direction) -> Decoded | None:
        """Version 2's binary form: a kind, the lengths of some texts, these texts, and the data."""
        kind = payload[0] if payload else -1
        counts = {_PUSH: 3, _REPLY: 4, _BROADCAST: 2}
        if kind not in counts:
            return None
        has_ref = kind == _REPLY or (kind == _PUSH and direction is Direction.OUT)  # a server's push has none
        count = 4 if has_ref else counts[kind]
        sizes, at = payload[1 : 1 + count], 1 + count
        if len(sizes) < count or len(payload) < at + sum(sizes):
            return None
        texts = []
        for size in sizes:
            texts.append(payload[at : at + size].decode())
            at += size
        return self._from_texts(kind, texts, payload[at:])

    def _from_texts(self, kind: int, texts: list[str], data: bytes) -> Decoded:
        topic, last = texts[-2], texts[-1]
        join_ref = texts[0] if kind != _BROADCAST else None
        ref = texts[1] if len(texts) == 4 else None
        if kind == _REPLY:
            return self._made(
                _Parts(join_ref, ref, topic, "phx_reply"), word(last), {"status": last, "response": data}
            )
        return self._made(_Parts(join_ref, ref, topic, last), "", data)

    def _made(self, parts: _Parts, status: str, payload: Any) -> Decoded:
        key = _reference(parts)
        is_reply = parts.event == "phx_reply"
        part = Part.NONE if key is None else Part.ANSWERS if is_reply else Part.ASKS
        command = _number(parts.ref)
        lead = " ".join(([f"#{command}"] if command >= 0 else []) + ([status] if status else []))
        return Decoded(
            self.name,
            word(parts.event) or self.name,
            channel=channel_word(parts.topic),
            command=command,
            part=part,
            key=key,
            is_heartbeat=parts.topic == "phoenix" and (is_reply or parts.event == "heartbeat"),
            is_error=parts.event == "phx_error" or status == "error",
            value={**parts._asdict(), "payload": payload},
            lead=lead,
            body=(payload.get("response") if status and isinstance(payload, dict) else payload) or None,
        )


def _reference(parts: _Parts) -> tuple[str, str, str] | None:
    """What a push and its reply have in common."""
    topic, ref = channel_word(parts.topic), parts.ref
    if not topic or isinstance(ref, bool) or not isinstance(ref, str | int):
        return None
    text = str(ref) if isinstance(ref, int) else ref
    return ("ref", topic, text) if 0 < len(text) <= MAX_WORD else None


def _number(ref: Any) -> int:
    """A `ref` as a command id, where it is a number that a column holds."""
    text = str(ref) if isinstance(ref, int) and not isinstance(ref, bool) else ref
    return (
        int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 15 else -1
    )
