"""What RFC 6455 lets a peer write as text: messages in UTF-8, and a short reason in a close frame."""

from __future__ import annotations

from typing import Final

MAX_REASON_BYTES: Final = 123  # section 5.5: a control frame carries 125 bytes, two are the code


def is_utf8(data: bytes) -> bool:
    """Whether a text message may be one (section 8.1)."""
    if data.isascii():
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def fitting_reason(reason: str) -> str:
    """`reason` cut to what a close frame can carry, at a character's end."""
    encoded = reason.encode("utf-8", "replace")
    return (
        reason if len(encoded) <= MAX_REASON_BYTES else encoded[:MAX_REASON_BYTES].decode("utf-8", "ignore")
    )
