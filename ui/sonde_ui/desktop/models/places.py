"""Whatever in a state document has a place: numbers `x` and `y`, or a `pos` or `position` of two numbers.

Pure. Owns the search and its bounds: so many things, so many values looked at, so deep. What is no finite number of a
sensible size is no place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from sonde_ui.desktop.models.plain import one_line

DEPTH: Final = 6
MOST: Final = 500  # things on the map
MOST_LOOKED_AT: Final = 5_000
FARTHEST: Final = 1e12  # further out a map could not be drawn any more
NAME_LIMIT: Final = 40
HOLDERS: Final = ("pos", "position")  # members that hold the two numbers

Path = tuple[str, ...]


class Place(NamedTuple):
    """One thing. `value` is the object that has the place."""

    path: Path
    name: str
    x: float
    y: float
    value: dict[Any, Any]


class Found(NamedTuple):
    """The things, and whether there is more than was looked at."""

    places: tuple[Place, ...]
    is_cut: bool


def places_in(document: Any) -> Found:
    """Everything with a place, breadth first."""
    found: list[Place] = []
    waiting: deque[tuple[Path, str, Any]] = deque([((), "", document)])
    looked_at, is_cut = 0, False
    while waiting:
        if looked_at >= MOST_LOOKED_AT or len(found) >= MOST:
            return Found(tuple(found), True)
        path, name, value = waiting.popleft()
        looked_at += 1
        spot = spot_of(value)
        if spot is not None:
            found.append(Place(path, _name(value, name), *spot, value))
        if len(path) < DEPTH:
            room = MOST_LOOKED_AT - len(waiting)
            waiting.extend(islice(_children(path, name, value), room))
            is_cut |= len(waiting) >= MOST_LOOKED_AT
    return Found(tuple(found), is_cut)


def spot_of(value: Any) -> tuple[float, float] | None:
    """Where a value is; `None` for what has no place."""
    if not isinstance(value, dict):
        return None
    own = _pair(value.get("x"), value.get("y"))
    if own is not None:
        return own
    return next((spot for name in HOLDERS if (spot := _held(value.get(name))) is not None), None)


def _held(value: Any) -> tuple[float, float] | None:
    if isinstance(value, dict):
        return _pair(value.get("x"), value.get("y"))
    if isinstance(value, list | tuple) and len(value) >= 2:
        return _pair(value[0], value[1])
    return None


def _pair(x: Any, y: Any) -> tuple[float, float] | None:
    return (float(x), float(y)) if _is_place(x) and _is_place(y) else None


def _is_place(number: Any) -> bool:
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    return is_number and -FARTHEST < number < FARTHEST  # NaN is neither


def _name(value: dict[Any, Any], otherwise: str) -> str:
    own = value.get("name")
    shown = own if isinstance(own, str) else value.get("kind", otherwise)
    return one_line(str(shown or otherwise), NAME_LIMIT) if isinstance(shown, str | int) else otherwise


def _children(path: Path, name: str, value: Any) -> Iterator[tuple[Path, str, Any]]:
    """What may hold further things; a list's items are called like the list."""
    if isinstance(value, dict):
        pairs = ((str(key), str(key), item) for key, item in value.items())
        held = HOLDERS if spot_of(value) is not None else ()
    elif isinstance(value, list):
        pairs, held = ((str(at), name, item) for at, item in enumerate(value)), ()
    else:
        return
    for key, name_of, item in pairs:
        if isinstance(item, dict | list) and key not in held:
            yield (*path, key), one_line(name_of, NAME_LIMIT), item
