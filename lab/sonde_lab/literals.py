"""A value as text that another program reads: JSON, a Python literal, hex; and where it stands, as a filter says it.

Owns how what JSON cannot carry is written (bytes as base64, NaN and infinities as texts), and what a filter can
reach. Refuses to recurse without end: a value nested too deeply is a `ValueError`.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Sequence
from typing import Any, Final

from sonde_lab.filter.expression import quoted
from sonde_lab.filter.grammar import parse
from sonde_lab.filter.terms import FilterError, PathCompare, is_number

LINE: Final = 88  # characters of a Python line before a container is laid out over several
MAX_COMPARED: Final = 200  # characters of a text that is put into a filter
_TOO_DEEP: Final = "nested too deeply to be written"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def json_text(value: Any) -> str:
    """`value` as JSON (RFC 8259), laid out over lines.

    Raises:
        ValueError: it is nested too deeply.
    """
    try:
        plain = _plain(value)
        text = json.dumps(plain, ensure_ascii=False, indent=2, allow_nan=False)
        return json.dumps(plain, indent=2, allow_nan=False) if _SURROGATE.search(text) else text
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def _plain(value: Any) -> Any:
    """`value` of nothing but what JSON has."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _not_finite(value)
    if isinstance(value, dict):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    return str(value)


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(_plain(key))


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def python_literal(value: Any) -> str:
    """Python source that evaluates to `value`.

    It is a literal, but for NaN and infinities: these are calls of `float`.

    Raises:
        ValueError: it is nested too deeply.
    """
    try:
        return _source(value, 0)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def _source(value: Any, indent: int) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value!r}')"
    if isinstance(value, dict):
        parts = [f"{_source(key, 0)}: {_source(item, indent + 4)}" for key, item in value.items()]
        return _laid_out("{", parts, "}", indent)
    if isinstance(value, list):
        return _laid_out("[", [_source(item, indent + 4) for item in value], "]", indent)
    if isinstance(value, tuple):
        parts = [_source(item, indent + 4) for item in value]
        return f"({parts[0]},)" if len(parts) == 1 else _laid_out("(", parts, ")", indent)
    return repr(bytes(value)) if isinstance(value, bytearray | memoryview) else repr(value)


def _laid_out(opening: str, parts: list[str], closing: str, indent: int) -> str:
    room = LINE - indent
    if sum(map(len, parts)) + 2 * len(parts) <= room and not any("\n" in part for part in parts):
        return f"{opening}{', '.join(parts)}{closing}"
    inner = " " * (indent + 4)
    lines = "".join(f"{inner}{part},\n" for part in parts)
    return f"{opening}\n{lines}{' ' * indent}{closing}"


def hex_text(value: Any) -> str:
    """The bytes of a value as hex digits: its own, or those of its text."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex(" ")
    text = value if isinstance(value, str) else json_text(value)
    return text.encode("utf-8", "surrogatepass").hex(" ")


def value_words(value: Any) -> str:
    """The value alone: a text without quotes, bytes as hex, everything else as JSON."""
    if isinstance(value, str):
        return value
    return hex_text(value) if isinstance(value, bytes | bytearray) else json_text(value)


def filter_path(message: Any, path: Sequence[Any]) -> str:
    """Where a value stands in `message`, as a filter asks for it (`d.players.ada.x`).

    Empty where no filter reaches: outside the member `d` of a message that has one, and under keys that the
    language cannot spell.
    """
    keys = list(path)
    if isinstance(message, dict) and "d" in message:
        if keys[:1] != ["d"]:
            return ""
        keys = keys[1:]
    written = ".".join(["d", *(key for key in keys if isinstance(key, str))])
    is_reached = len(keys) > 0 and all(isinstance(key, str) for key in keys)
    return written if is_reached and _spelt(written, keys) else ""


def _spelt(written: str, keys: list[Any]) -> bool:
    """Whether the language reads `written` as the very keys."""
    try:
        term = parse(f"{written}:0")
    except FilterError:
        return False
    return isinstance(term, PathCompare) and list(term.path) == keys and "*" not in keys


def filter_term(message: Any, path: Sequence[Any], value: Any) -> str:
    """A filter for the rows with this value at this place; for what cannot be compared, for the place alone."""
    place = filter_path(message, path)
    if not place:
        return ""
    written = _compared(value)
    return f"{place}:{written}" if written and _asks_for(f"{place}:{written}", value) else f"has:{place}"


def _compared(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return repr(value)
    if not isinstance(value, str) or len(value) > MAX_COMPARED or not value.isprintable():
        return ""
    plain = quoted(value)
    return plain if plain.startswith('"') or _asks_for(f"d.x:{plain}", value) else f'"{value}"'


def _asks_for(text: str, value: Any) -> bool:
    """Whether the filter `text` is one comparison with `value`, of its own type."""
    try:
        term = parse(text)
    except (FilterError, OverflowError):
        return False
    if not isinstance(term, PathCompare):
        return False
    same_kind = is_number(term.value) if is_number(value) else type(term.value) is type(value)
    return same_kind and term.value == value
