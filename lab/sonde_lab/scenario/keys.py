"""Keys of a table in a scenario's file: what each is called, holds and means, and how a value of it is read.

Owns the checking of values by tables of keys, so that a file, its complaints and its page speak of the same thing.
Refuses what it does not know, with the nearest name.
"""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sonde_lab.wording import one_line
from sonde_protocol.errors import SondeError, excerpt

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|min|m|h)")
_SECONDS: Final[Mapping[str, float]] = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3_600.0,
}
MAX_LIST: Final = 100
MAX_TEXT: Final = 4_000
MAX_KEY: Final = 80  # characters of one that is shown


class ScenarioRefused(SondeError):
    """A scenario that cannot be: why. `line` counts from 1, 0 where there is none to name; `key` is what it is about."""

    def __init__(self, message: str, line: int = 0, key: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.key = key

    def __str__(self) -> str:
        place = f"line {self.line}" if self.line else ""
        place += f"{', ' if place else ''}“{self.key}”" if self.key else ""
        return f"{place}: {self.message}" if place else self.message


class Holds(enum.Enum):
    """What a key holds."""

    TEXT = "a text"
    DURATION = "a duration"
    WHOLE = "a whole number"
    NUMBER = "a number"
    TEXTS = "a list of texts"


class Key(NamedTuple):
    """One key. `low` and `high` bound a number (of seconds, of a duration); `words` are all that a text may be."""

    name: str
    holds: Holds
    says: str
    default: Any = None
    is_needed: bool = False
    low: float = 0.0
    high: float = 3_600.0
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A table of a file: how complaints call it, and where it is.

    `line_of` finds the line of a key, 0 where it is none; it is asked of the key that is complained about, and of no other.
    """

    name: str
    line_of: Callable[[str], int]
    line: int = 0

    def refuse(self, key: str, why: str) -> ScenarioRefused:
        """A complaint about a key, or about the whole table."""
        named = f"{self.name}.{one_line(key, MAX_KEY)}" if key else self.name
        return ScenarioRefused(why, (self.line_of(key) if key else 0) or self.line, named)


def nearest(name: str, known: Sequence[str]) -> str:
    """`"; the nearest is “handover”"`, or nothing."""
    near = difflib.get_close_matches(name[:MAX_KEY].lower(), known, 1)
    return f"; the nearest is “{near[0]}”" if near else ""


def read_table(keys: Sequence[Key], values: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The checked values of a table, defaults filled in.

    Raises:
        ScenarioRefused: a key is unknown, missing, or holds something else.
    """
    known = {key.name: key for key in keys}
    for name in values:
        if name not in known:
            raise place.refuse(name, f"there is no such key here{nearest(name, list(known))}")
    read: dict[str, Any] = {}
    for key in keys:
        if key.name in values:
            read[key.name] = _value(key, values[key.name], place)
        elif key.is_needed:
            raise place.refuse("", f"it needs “{key.name}”: {key.says}")
        else:
            read[key.name] = key.default
    return read


def seconds(text: str) -> float | None:
    """A duration such as `1.5s`; `None` where it is none."""
    found = _DURATION.fullmatch(text.strip())
    return float(found[1]) * _SECONDS[found[2]] if found else None


def _value(key: Key, value: Any, place: Place) -> Any:
    if key.holds is Holds.DURATION:
        return _duration(key, value, place)
    if key.holds is Holds.TEXTS:
        return _texts(key, value, place)
    if key.holds is Holds.TEXT:
        return _text(key, value, place)
    wanted = int if key.holds is Holds.WHOLE else int | float
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise place.refuse(key.name, f"it is {key.holds.value}")
    if not key.low <= value <= key.high:
        raise place.refuse(key.name, f"it is between {key.low:g} and {key.high:g}")
    return value


def _duration(key: Key, value: Any, place: Place) -> float:
    read = seconds(value) if isinstance(value, str) else None
    if read is None:
        raise place.refuse(key.name, f'it is a duration such as "1.5s", and {_shown(value)} is none')
    if not key.low <= read <= key.high:
        raise place.refuse(key.name, f"it is between {key.low:g} s and {key.high:g} s")
    return read


def _text(key: Key, value: Any, place: Place) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT:
        raise place.refuse(key.name, f"it is a text of at most {MAX_TEXT:,} characters")
    if key.words and value not in key.words:
        listed = ", ".join(key.words)
        raise place.refuse(key.name, f"{_shown(value)} is none of {listed}{nearest(value, key.words)}")
    return value


def _texts(key: Key, value: Any, place: Place) -> tuple[str, ...]:
    if (
        not isinstance(value, list)
        or len(value) > MAX_LIST
        or not all(isinstance(each, str) for each in value)
    ):
        raise place.refuse(key.name, f"it is a list of at most {MAX_LIST} texts")
    return tuple(value)


def _shown(value: Any) -> str:
    return f"“{excerpt(value, 40)}”" if isinstance(value, str) else "what stands there"
