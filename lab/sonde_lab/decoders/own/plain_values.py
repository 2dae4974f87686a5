"""What a decoder returned, as plain values within bounds: what a tree can show and a pipe can carry.

Runs in the decoder's own process. Refuses what is no value (an object of some class) and what is too deep or too
much, in words.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, Final

from sonde_lab.decoders.own.answers import Answer

MAX_DEPTH: Final = 64
MAX_VALUES: Final = 50_000
MAX_TEXT_BYTES: Final = 1 << 20  # of all texts and bytes together
NAMED: Final = frozenset({"op", "channel", "summary", "value"})
_MAX_INTEGER: Final = 1 << 63


class Nonsense(Exception):
    """A decoder's result that cannot be shown."""


def answer_of(number: int, result: Any) -> Answer:
    """What `decode` returned: nothing, a dict of `op`, `channel`, `summary` and `value`, or else a value.

    Raises:
        Nonsense: it is none of these, or too large.
    """
    if result is None:
        return Answer(number, is_mine=False)
    if not isinstance(result, dict) or not result or not result.keys() <= NAMED:
        return Answer(number, value=plain(result), has_value=True)
    words = {name: result.get(name) for name in ("op", "channel", "summary")}
    for name, word in words.items():
        if word is not None and not isinstance(word, str):
            raise Nonsense(f"“{name}” must be a text, and is {_kind(word)}")
    return Answer(
        number,
        op=_text(words["op"] or ""),
        channel=_text(words["channel"] or ""),
        summary=_text(words["summary"] or ""),
        value=plain(result.get("value")),
        has_value="value" in result,
    )


def plain(value: Any) -> Any:
    """`value` of nothing but what MessagePack has.

    Raises:
        Nonsense: as `answer_of`.
    """
    return _Copy().of(value, 0)


def _text(text: str) -> str:
    """A text that can be encoded: half characters become escapes."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def _kind(value: Any) -> str:
    return f"a {type(value).__name__[:60]}"


class _Copy:
    def __init__(self) -> None:
        self._values = 0
        self._bytes = 0

    def of(self, value: Any, depth: int) -> Any:
        self._values += 1
        if depth > MAX_DEPTH:
            raise Nonsense(f"the value is more than {MAX_DEPTH} levels deep")
        if self._values > MAX_VALUES:
            raise Nonsense(f"the value has more than {MAX_VALUES:,} parts")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, enum.Enum):
            return _text(value.name)
        if isinstance(value, int | float):
            return self._number(value)
        if isinstance(value, str | bytes | bytearray | memoryview):
            return self._weighed(value)
        return self._container(value, depth)

    def _number(self, value: Any) -> Any:
        if isinstance(value, float):
            return float(value)
        fits = -_MAX_INTEGER <= value < 2 * _MAX_INTEGER
        return int(value) if fits else f"{value:#x}"

    def _weighed(self, value: str | bytes | bytearray | memoryview) -> str | bytes:
        made = _text(value) if isinstance(value, str) else bytes(value)
        self._bytes += len(made)
        if self._bytes > MAX_TEXT_BYTES:
            raise Nonsense(f"the value holds more than {MAX_TEXT_BYTES:,} bytes of text")
        return made

    def _container(self, value: Any, depth: int) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        if isinstance(value, dict):
            return {self._key(key): self.of(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.of(item, depth + 1) for item in value]
        raise Nonsense(f"decode returned {_kind(value)}, which is no plain value")

    def _key(self, key: Any) -> Any:
        return self._weighed(key) if isinstance(key, str) else _text(repr(key)[:120])
