"""What a free value on the wire may be: the part of JSON that every parser reads alike, and how much of it.

Owns the limits on depth, numbers and the size of single values. Frames' own fields are bounded by their types.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sonde_protocol.codes import ErrorCode
from sonde_protocol.errors import MalformedFrame, Refused

MAX_DEPTH: Final = 32
MAX_INTEGER: Final = 2**53 - 1
MAX_META_BYTES: Final = 4 * 1024

_encode_json = msgspec.json.Encoder().encode


def check_value(value: Any, depth: int = MAX_DEPTH) -> None:
    """Refuse what the two subprotocols cannot both carry.

    Raises:
        MalformedFrame: nested deeper than `depth`, an integer beyond 2^53, NaN or an infinity, a map key that
            is no string, or a type outside JSON's.
    """
    if value is None or value is True or value is False or isinstance(value, str):
        return
    if isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise MalformedFrame("an integer beyond 2^53")
    elif isinstance(value, float):
        if value - value != 0.0:
            raise MalformedFrame("a number that is not finite")
    elif isinstance(value, dict):
        _check_depth(depth)
        for key, item in value.items():
            if not isinstance(key, str):
                raise MalformedFrame("a map key that is no string")
            check_value(item, depth - 1)
    elif isinstance(value, list | tuple):
        _check_depth(depth)
        for item in value:
            check_value(item, depth - 1)
    else:
        raise MalformedFrame(f"a value of type {type(value).__name__}")


def check_meta(meta: Any) -> None:
    """Bound the `meta` of a presence, which is copied to every member of every channel.

    Raises:
        Refused: `too_large` when its JSON is over `MAX_META_BYTES`.
    """
    size_bytes = len(_encode_json(meta))
    if size_bytes > MAX_META_BYTES:
        raise Refused(ErrorCode.TOO_LARGE, f"presence meta is limited to {MAX_META_BYTES} bytes of JSON")


def _check_depth(left: int) -> None:
    if left <= 0:
        raise MalformedFrame(f"nested deeper than {MAX_DEPTH} levels")
