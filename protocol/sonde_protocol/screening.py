"""Cheap looks at undecoded JSON that tell whether a closer look is needed at all.

Each answer may be a false alarm, never a false calm: what passes here needs no further check. They exist because
the decoder is ten times faster than any walk in Python, and nearly all frames are small and plain.
"""

from __future__ import annotations

from typing import Final

from sonde_protocol.values import MAX_DEPTH

_SAFE_DIGITS: Final = 15  # any integer of so few digits is below 2^53
_FLATTEN: Final = bytes(
    ord("0") if chr(code).isdigit() else ord("{") if code == ord("[") else code for code in range(128)
) + bytes(range(128, 256))
_LONG_RUN: Final = b"0" * (_SAFE_DIGITS + 1)
_LONG_FRACTION: Final = b"." + _LONG_RUN

_NO_STRUCTURE: Final = bytes(code for code in range(256) if code not in b'[]{}"\\')


def may_break_limits(data: bytes) -> bool:
    """Whether an integer beyond 2^53, or a depth over `MAX_DEPTH`, may be in `data`."""
    flat = data.translate(_FLATTEN)  # all digits are 0, all opening brackets {
    if _LONG_RUN in flat and _LONG_RUN in flat.replace(_LONG_FRACTION, b""):
        return True
    return flat.count(b"{") > MAX_DEPTH and _may_be_deep(data)


def _may_be_deep(data: bytes) -> bool:
    """Many opening brackets are common (a list of players), so pairs without content are taken out, round by round.

    A round takes two levels away at most, and what is left is no deeper than half its length. Strings that hold
    brackets or escapes spoil the count: then, maybe.
    """
    skeleton = data.translate(None, _NO_STRUCTURE).replace(b'""', b"")
    if b'"' in skeleton or b"\\" in skeleton:
        return True
    for levels in range(2, MAX_DEPTH, 2):
        skeleton = skeleton.replace(b"{}", b"").replace(b"[]", b"")
        if levels + len(skeleton) // 2 <= MAX_DEPTH:
            return False
    return True


def may_repeat_key(data: bytes, compact: bytes) -> bool:
    """Whether an object in `data` may hold a key twice; `compact` is what was decoded from it, encoded again.

    A repeated, unknown or defaulted member takes its colon away with it. Without escapes in `data` nothing can
    make up for that, so equal counts prove that every member is still there.
    """
    return data.count(b":") != compact.count(b":") or b"\\" in data
