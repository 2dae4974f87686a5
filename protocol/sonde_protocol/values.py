"""What a free value on the wire may be: the part of JSON that every parser reads alike.

Owns the limits on depth and numbers. Frames' own fields are bounded by their types; sizes are the codec's and the
gateway's affair.
"""

from __future__ import annotations

from typing import Any, Final

from sonde_protocol.errors import MalformedFrame

MAX_DEPTH: Final = 32
MAX_INTEGER: Final = 2**53 - 1


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


def _check_depth(left: int) -> None:
    if left <= 0:
        raise MalformedFrame(f"nested deeper than {MAX_DEPTH} levels")
