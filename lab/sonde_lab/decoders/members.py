"""The members that many protocols of their own name a message by: what JSON and MessagePack readers share.

Owns the names that are looked for, in their order. Refuses to guess further: a message that bears none of them
is shown under the name of its encoding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from sonde_lab.decoders.decoding import BROKEN, HEARTBEATS, Decoded, channel_word, word
from sonde_lab.envelope import integer

TYPE_NAMES: Final = ("type", "event", "op", "action", "method", "kind")
CHANNEL_NAMES: Final = ("channel", "room", "topic")
_MAX_MEMBER_BYTES: Final = 1_024
_NOTHING: Final = msgspec.Raw(b"")


class Outside(msgspec.Struct, gc=False):
    """The members looked for, as their bytes: nothing of a large message is built but what is a short word."""

    type: msgspec.Raw = _NOTHING
    event: msgspec.Raw = _NOTHING
    op: msgspec.Raw = _NOTHING
    action: msgspec.Raw = _NOTHING
    method: msgspec.Raw = _NOTHING
    kind: msgspec.Raw = _NOTHING
    channel: msgspec.Raw = _NOTHING
    room: msgspec.Raw = _NOTHING
    topic: msgspec.Raw = _NOTHING
    id: msgspec.Raw = _NOTHING


def read(protocol: str, load: Callable[[], Any]) -> Decoded | None:
    """A message from its whole value; `None` when it cannot be loaded, or is neither object nor list."""
    try:
        value = load()
    except BROKEN:
        return None
    if isinstance(value, dict):
        decoded = _named(protocol, value.get)
        decoded.value = decoded.body = value
        return decoded
    return Decoded(protocol, protocol, value=value, body=value) if isinstance(value, list) else None


def peek(
    protocol: str, size_bytes: int, load: Callable[[], Any], build: Callable[[msgspec.Raw], Any]
) -> Decoded | None:
    """A large message from its `Outside`; `None` when it cannot be loaded. What `load` gives besides is a list.

    `build` makes a value of one member's bytes.
    """
    try:
        outside = load()
    except BROKEN:
        return None
    decoded = (
        _named(protocol, lambda name: _built(getattr(outside, name), build))
        if isinstance(outside, Outside)
        else Decoded(protocol, protocol)
    )
    decoded.is_whole = False
    decoded.lead = f"{size_bytes:,} bytes, open it to see all"
    return decoded


def _built(member: msgspec.Raw, build: Callable[[msgspec.Raw], Any]) -> Any:
    if not 0 < len(memoryview(member)) <= _MAX_MEMBER_BYTES:
        return None
    try:
        return build(member)
    except BROKEN:
        return None


def _named(protocol: str, member: Callable[[str], Any]) -> Decoded:
    name = next((name for name in TYPE_NAMES if word(member(name))), "")
    op = word(member(name)) if name else protocol
    return Decoded(
        protocol,
        op,
        channel=next(filter(None, (channel_word(member(name)) for name in CHANNEL_NAMES)), ""),
        command=integer(member("id")),
        is_heartbeat=bool(name) and op.lower() in HEARTBEATS,
        is_error=bool(name) and op.lower() == "error",
        named_by=name,
    )
