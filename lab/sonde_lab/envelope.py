"""The outside of a Sonde frame: what kind it is and where it belongs, read without believing the rest.

Owns the light decode that every captured message goes through. Whatever arrives is either an envelope or
`None`; nothing is ever raised, and a wrong type in a field is a missing field.
"""

from __future__ import annotations

from typing import Any, Final

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
