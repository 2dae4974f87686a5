"""Whatever in a state document has a place: every object with numbers `x` and `y`, wherever it stands.

Pure. Owns the search and the smooth way from one place to the next.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sonde_ui.desktop.models.plain import one_line

DEPTH: Final = 6
MOST: Final = 500  # things on the map
MOST_LOOKED_AT: Final = 5_000
SHORTEST_S: Final = 0.05
LONGEST_S: Final = 0.3  # a thing that comes rarely jumps rather than crawls


@dataclass(slots=True)
class Thing:
    """One thing on its way from where it was drawn to where it is."""

    key: str
    name: str
    x: float
    y: float
    from_x: float
    from_y: float
    moved_at: float
    takes_s: float = SHORTEST_S

    def position(self, now: float, smooth: bool) -> tuple[float, float]:
        """Where to draw it."""
        share = min(1.0, max(0.0, (now - self.moved_at) / self.takes_s)) if smooth else 1.0
        return self.from_x + (self.x - self.from_x) * share, self.from_y + (self.y - self.from_y) * share

    def is_moving(self, now: float) -> bool:
        """Whether it has not arrived yet."""
        return now < self.moved_at + self.takes_s


def places_in(document: Any) -> Iterator[tuple[str, str, float, float]]:
    """(key, name, x, y) of everything with a place, breadth first, bounded."""
    waiting: deque[tuple[str, str, Any, int]] = deque([("", "", document, 0)])
    looked_at = 0
    while waiting and looked_at < MOST_LOOKED_AT:
        key, name, value, depth = waiting.popleft()
        looked_at += 1
        if isinstance(value, dict) and _has_place(value):
            shown = value.get("name") if isinstance(value.get("name"), str) else value.get("kind", name)
            yield key, one_line(str(shown or name), 40), float(value["x"]), float(value["y"])
        if depth < DEPTH:
            waiting.extend(
                (f"{key}/{child}", name_of, item, depth + 1)
                for child, name_of, item in _children(value, name)
            )


def _has_place(value: dict[Any, Any]) -> bool:
    return all(
        isinstance(number, (int, float))
        and not isinstance(number, bool)
        and abs(number) < 1e12
        and not math.isnan(number)
        for number in (value.get("x"), value.get("y"))
    )


def _children(value: Any, name: str) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, dict):
        pairs = ((str(key), str(key), item) for key, item in value.items())
    elif isinstance(value, list):
        pairs = ((str(at), name, item) for at, item in enumerate(value))
    else:
        return
    for key, name_of, item in pairs:
        if isinstance(item, (dict, list)):
            yield key, name_of, item


class Things:
    """The things of one document, remembered from update to update."""

    def __init__(self) -> None:
        self.by_key: dict[str, Thing] = {}

    def update(self, document: Any, now: float, smooth: bool) -> None:
        """Take over a document."""
        here: dict[str, Thing] = {}
        for key, name, x, y in places_in(document):
            if len(here) >= MOST:
                break
            before = self.by_key.get(key)
            here[key] = (
                _arrived(key, name, x, y, now) if before is None else _moved(before, name, x, y, now, smooth)
            )
        self.by_key = here

    def is_moving(self, now: float) -> bool:
        """Whether another frame would look different."""
        return any(thing.is_moving(now) for thing in self.by_key.values())


def _arrived(key: str, name: str, x: float, y: float, now: float) -> Thing:
    return Thing(key, name, x, y, x, y, now - 1.0)


def _moved(before: Thing, name: str, x: float, y: float, now: float, smooth: bool) -> Thing:
    if (x, y) == (before.x, before.y):
        before.name = name
        return before
    from_x, from_y = before.position(now, smooth)
    takes_s = min(LONGEST_S, max(SHORTEST_S, now - before.moved_at))
    return Thing(before.key, name, x, y, from_x, from_y, now, takes_s)
