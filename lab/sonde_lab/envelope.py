"""The outside of a Sonde frame: what kind it is and where it belongs, read without believing the rest.

Owns the light decode that every captured message goes through. Whatever arrives is either an envelope or
`None`; nothing is ever raised, and a wrong type in a field is a missing field.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

TEXT: Final = 1
BINARY: Final = 2
_MAX_SAFE: Final = 2**53


class Envelope(msgspec.Struct, gc=False):
    """The fields that a table needs, as they came: their types are not checked."""

    op: Any = None
    ch: Any = None
    seq: Any = None
    id: Any = None
    t: Any = None
    type: Any = None
    replay: Any = None


_JSON: Final = msgspec.json.Decoder(Envelope)
_MSGPACK: Final = msgspec.msgpack.Decoder(Envelope)
_ANY_JSON: Final = msgspec.json.Decoder()
_ANY_MSGPACK: Final = msgspec.msgpack.Decoder()
_BROKEN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)


def peek(payload: bytes, binary: bool) -> Envelope | None:
    """The envelope of a message; `None` when it is no object of the subprotocol's encoding."""
    try:
        return (_MSGPACK if binary else _JSON).decode(payload)
    except _BROKEN:
        return None


class _Tapped(msgspec.Struct, gc=False):
    session: Any = None
    user: Any = None
    dir: Any = None
    size: Any = None
    frame: msgspec.Raw = msgspec.Raw(b"")


class TappedFrame(NamedTuple):
    """Somebody else's frame, as a gateway shows it; `frame` are the very bytes of it inside the message."""

    session: str
    user: str
    is_from_client: bool
    size: int
    frame: bytes


_TAPPED_JSON: Final = msgspec.json.Decoder(_Tapped)
_TAPPED_MSGPACK: Final = msgspec.msgpack.Decoder(_Tapped)


def peek_tapped(payload: bytes, binary: bool) -> TappedFrame | None:
    """What a `tapped` message holds; `None` when any of it is not as it should be."""
    try:
        told = (_TAPPED_MSGPACK if binary else _TAPPED_JSON).decode(payload)
    except _BROKEN:
        return None
    is_named = isinstance(told.session, str) and isinstance(told.user, str)
    size, frame = integer(told.size), bytes(told.frame)
    if not is_named or told.dir not in ("in", "out") or size < 0 or not frame:
        return None
    return TappedFrame(told.session, told.user, told.dir == "in", size, frame)


def value_of(payload: bytes, binary: bool) -> Any:
    """The whole message as plain values.

    Raises:
        ValueError: it is not decodable.
    """
    try:
        return (_ANY_MSGPACK if binary else _ANY_JSON).decode(payload)
    except _BROKEN as error:
        raise ValueError(str(error)) from None


def integer(value: Any, default: int = -1) -> int:
    """`value` when it is an integer that a column can hold, else `default`."""
    return value if type(value) is int and -_MAX_SAFE <= value <= _MAX_SAFE else default
