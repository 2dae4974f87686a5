"""Values in words: numbers with their thousands apart, short objects, and peer text made safe for one line."""

from __future__ import annotations

import re
from typing import Any, Final

_CONTROLS: Final = re.compile(
    # C0, C1, line and paragraph separators, the marks that reorder text around them, and half characters
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_SHOWN_KEYS: Final = 4
_SHOWN_ITEMS: Final = 4


def one_line(text: str, limit: int = 160) -> str:
    """Peer text without line breaks, controls and direction overrides, cut at `limit` characters."""
    safe = _CONTROLS.sub("·", text[: limit + 1])
    return safe[: limit - 1] + "…" if len(safe) > limit else safe


def number(value: Any) -> str:
    """`3,102`, `41.2`; whatever is no number is shown as a value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return short(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.1f}" if abs(value) >= 0.05 or value == 0 else f"{value:.2g}"


def short(value: Any, limit: int = 60, depth: int = 2) -> str:
    """A value in a few characters: `{x: 40, y: 11}`, `“hi”`, `[3 items]`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, str):
        return f"“{one_line(value, limit)}”"
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, dict):
        return _object(value, limit, depth)
    if isinstance(value, list | tuple):
        return _list(value, limit, depth)
    return one_line(str(value), limit)


def _object(value: dict[Any, Any], limit: int, depth: int) -> str:
    if depth == 0 and value:
        return f"{{{len(value)} keys}}"
    parts: list[str] = []
    for key, item in list(value.items())[:_SHOWN_KEYS]:
        parts.append(f"{one_line(str(key), 24)}: {short(item, limit // 2, depth - 1)}")
    more = f", +{len(value) - _SHOWN_KEYS} more" if len(value) > _SHOWN_KEYS else ""
    return one_line("{" + ", ".join(parts) + more + "}", 3 * limit)


def _list(value: list[Any] | tuple[Any, ...], limit: int, depth: int) -> str:
    if depth == 0 or len(value) > _SHOWN_ITEMS:
        return f"[{len(value)} items]"
    return one_line("[" + ", ".join(short(item, limit // 2, depth - 1) for item in value) + "]", 3 * limit)


def seconds(value_ms: Any) -> str:
    """Milliseconds as `850 ms`, `3.2 s` or `2 min`."""
    if isinstance(value_ms, bool) or not isinstance(value_ms, int | float):
        return short(value_ms)
    if abs(value_ms) < 1_000:
        return f"{value_ms:.0f} ms"
    if abs(value_ms) < 120_000:
        return f"{value_ms / 1000:.1f}".removesuffix(".0") + " s"
    return f"{value_ms / 60_000:.0f} min"


def identity(value: Any) -> str:
    """The first characters of a session id: enough to tell two apart."""
    text = one_line(value, 64) if isinstance(value, str) else short(value)
    return text[:6] + "…" if len(text) > 8 else text


def last_words(log_tail: tuple[str, ...], advice: str = "") -> str:
    """Advice, with the end of a log."""
    if not log_tail:
        return advice or "It left no words behind."
    tail = "\n".join(log_tail[-8:])
    return f"{advice} Its last words:\n{tail}".strip()
