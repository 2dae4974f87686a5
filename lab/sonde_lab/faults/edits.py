"""How a person lets a held message go: with which content, how often, how much later; and in words what was changed.

Owns reading text, JSON and hex, with the place where it goes wrong, and the bounds. A text that is no JSON is a text:
nonsense may be sent on purpose. Values whose keys are secrets are never told.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sonde_lab.differing import Change, Sign, difference
from sonde_lab.envelope import value_of
from sonde_lab.faults.framing import Whole
from sonde_lab.faults.limits import MAX_EDIT_BYTES
from sonde_lab.wire import BINARY
from sonde_lab.wording import one_line, short
from sonde_protocol.errors import SondeError, excerpt
from sonde_protocol.redact import is_secret_key, redact_text, redact_value

MAX_COPIES: Final = 100
MAX_DELAY_MS: Final = 600_000
_CONTENTS: Final = ("text", "json", "hex")
_MEMBERS: Final = (*_CONTENTS, "copies", "delay_ms")
_COMPARED_BYTES: Final = 64 << 10  # of a larger message only the sizes are told
_TOLD: Final = 4  # changes
_SHOWN_BYTES: Final = 16
_NO_HEX: Final = re.compile(r"[^0-9a-fA-F\s]")


class EditRefused(SondeError):
    """What was asked is no way to go: why, and the character (from 0) where it goes wrong, where there is one."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class Going(NamedTuple):
    """`plain`: another content; `None`: as it came."""

    plain: bytes | None = None
    copies: int = 1
    delay_s: float = 0.0


def going_of(asked: Mapping[str, Any]) -> Going:
    """Read an order or a request: one of `text`, `json`, `hex`, or none; `copies`; `delay_ms`.

    Raises:
        EditRefused: it says something else, or too much.
    """
    strange = next((name for name in asked if name not in _MEMBERS), None)
    if strange is not None:
        raise EditRefused(f"there is no member “{excerpt(strange, 40)}”: {', '.join(_MEMBERS)} are all")
    copies = _bounded(asked, "copies", 1, 1, MAX_COPIES)
    delay_ms = _bounded(asked, "delay_ms", 0, 0, MAX_DELAY_MS)
    if copies != int(copies):
        raise EditRefused("“copies” is a whole number")
    return Going(_content_of(asked), int(copies), delay_ms / 1000)


def _bounded(asked: Mapping[str, Any], name: str, usual: float, low: float, high: float) -> float:
    value = asked.get(name, usual)
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise EditRefused(f"“{name}” is a number from {low:,} to {high:,}")
    return value


def _content_of(asked: Mapping[str, Any]) -> bytes | None:
    said = [way for way in _CONTENTS if way in asked]
    if not said:
        return None
    if len(said) > 1:
        raise EditRefused(f"a message has one content: {' or '.join(said)}")
    way, value = said[0], asked[said[0]]
    if way == "json":
        way, value = "text", _json_text(value)
    if not isinstance(value, str):
        raise EditRefused(f"“{way}” is a text")
    content = bytes_of_text(value) if way == "text" else bytes_of_hex(value)
    if len(content) > MAX_EDIT_BYTES:
        raise EditRefused(f"an edited message has at most {MAX_EDIT_BYTES >> 10} KiB")
    return content


def _json_text(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise EditRefused("“json” is nested too deep: send it as “text”") from None


def bytes_of_text(text: str) -> bytes:
    """A text as UTF-8.

    Raises:
        EditRefused: it holds half of a surrogate pair.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise EditRefused(
            "half of a surrogate pair stands here: UTF-8 has no such thing", error.start
        ) from None


def bytes_of_hex(text: str) -> bytes:
    """Bytes of digits in pairs; spaces and line breaks may stand anywhere.

    Raises:
        EditRefused: something else stands there, or a digit is alone.
    """
    wrong = _NO_HEX.search(text)
    if wrong is not None:
        raise EditRefused(f"“{excerpt(wrong[0], 8)}” is no hex digit", wrong.start())
    digits = "".join(text.split())
    if len(digits) % 2:
        raise EditRefused("hex digits come in pairs, and the last one is alone", len(text.rstrip()) - 1)
    return binascii.unhexlify(digits)


# ---------------------------------------------------------------- words


def edit_in_words(before: Whole, after: Whole) -> str:
    """`sent edited: d.hp 10 → 99 (41 → 42 B)`; secrets are masked."""
    old, new = before.plain or b"", after.plain or b""
    sizes = f"{len(old):,} → {len(new):,} B"
    if max(len(old), len(new)) > _COMPARED_BYTES:
        return f"sent edited ({sizes})"
    told, more = _changes_told(old, new, before.opcode == BINARY)
    told = told or [_beginning(new, before.is_text)]
    return f"sent edited: {'; '.join(told)}{more} ({sizes})"


def _beginning(content: bytes, is_text: bool) -> str:
    if not is_text:
        return content[:_SHOWN_BYTES].hex(" ") + (" …" if len(content) > _SHOWN_BYTES else "")
    return f"“{one_line(redact_text(content.decode(errors='replace')), 60)}”"


def _changes_told(old: bytes, new: bytes, binary: bool) -> tuple[list[str], str]:
    try:
        changes = difference(value_of(old, binary), value_of(new, binary)).changes
    except (ValueError, RecursionError):
        return [], ""
    told = [_change(each) for each in changes[:_TOLD] if each.path]
    left = len(changes) - len(told)
    return told, f" and {left} more" if told and left else ""


def _change(change: Change) -> str:
    path = one_line(".".join(str(key) for key in change.path), 60)
    if any(isinstance(key, str) and is_secret_key(key) for key in change.path):
        return f"{path} is another"
    before, after = _value(change.before), _value(change.after)
    if change.sign is Sign.REMOVED:
        return f"{path} taken out"
    return f"{path} {after} added" if change.sign is Sign.ADDED else f"{path} {before} → {after}"


def _value(value: Any) -> str:
    return redact_text(short(redact_value(value), 40))
