"""Things on their way: where each is at an instant between two known places, and where it came from.

Owns the things of one document, their trails and how far in the past they are drawn. The way between two places is the
client engine's interpolation; past the last known place nothing is predicted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sonde_client.smoothing import Interpolator
from sonde_ui.desktop.models.places import Path, Place, places_in
from sonde_ui.desktop.models.trails import Trails

SHORTEST_S: Final = 0.08  # how far in the past things are drawn, so that there is a place on either side
LONGEST_S: Final = 0.5
TICKS: Final = 1.25  # … in intervals between two documents
GAP_S: Final = 2.0  # a thing that was not told of for longer jumps


@dataclass(slots=True)
class Thing:
    """One thing, where it was told to be last."""

    place: Place
    x_path: Path
    y_path: Path

    @property
    def path(self) -> Path:
        """Where the document has it."""
        return self.place.path

    @property
    def name(self) -> str:
        """What it is called."""
        return self.place.name


class Things:
    """The things of one document, remembered from document to document. Times are monotonic seconds."""

    def __init__(self, delay_s: float | None = None) -> None:
        """`delay_s`: how far in the past they are drawn; without it, as the pace of the documents asks for."""
        self.by_path: dict[Path, Thing] = {}
        self.trails = Trails()
        self.is_cut = False
        self._adapts = delay_s is None
        self._way = Interpolator(SHORTEST_S if delay_s is None else delay_s, GAP_S)
        self._updated_at: float | None = None
        self._interval_s = 0.2
        self._moved_at = float("-inf")

    @property
    def delay_s(self) -> float:
        """How far in the past things are drawn."""
        return self._way.delay_s

    def update(self, document: Any, now: float) -> None:
        """Take over a document that became known at `now`."""
        found = places_in(document)
        self.is_cut = found.is_cut
        here: dict[Path, Thing] = {}
        for place in found.places:
            thing = here[place.path] = self.by_path.get(place.path) or _thing(place)
            if (thing.place.x, thing.place.y) != (place.x, place.y):
                self._moved_at = now
            thing.place = place
            self._add(thing, place, now)
        if here.keys() != self.by_path.keys():
            self._moved_at = now
        self.by_path = here
        self.trails.add(((place.path, place.x, place.y) for place in found.places), now)
        self._keep_pace(now)

    def lead_to(self, document: Any, at: float) -> None:
        """Where the same things will be at `at`: what is between now and then lies on the way."""
        for place in places_in(document).places:
            thing = self.by_path.get(place.path)
            if thing is not None:
                self._add(thing, place, at)

    def position(self, thing: Thing, now: float, smooth: bool) -> tuple[float, float]:
        """Where to draw a thing."""
        place = thing.place
        if not smooth:
            return place.x, place.y
        x, y = self._way.at(thing.x_path, now), self._way.at(thing.y_path, now)
        return (place.x if x is None else x.value), (place.y if y is None else y.value)

    def drawn_at(self, now: float, smooth: bool) -> float:
        """The instant that is drawn at `now`."""
        return now - self._way.delay_s if smooth else now

    def begin_trails(self, stood: Sequence[tuple[Any, float]]) -> None:
        """Where everything was before, oldest first; the trails so far are forgotten."""
        self.trails = Trails()
        for document, at in stood:
            here = [place for place in places_in(document).places if place.path in self.by_path]
            self.trails.add(((place.path, place.x, place.y) for place in here), at)
        if self._updated_at is not None:
            self.trails.add(
                ((path, thing.place.x, thing.place.y) for path, thing in self.by_path.items()),
                self._updated_at,
            )

    def is_moving(self, now: float, trail_s: float = 0.0) -> bool:
        """Whether another frame would look different."""
        return now <= self._moved_at + self.delay_s + trail_s

    def __iter__(self) -> Iterator[Thing]:
        return iter(self.by_path.values())

    def __len__(self) -> int:
        return len(self.by_path)

    def _add(self, thing: Thing, place: Place, at: float) -> None:
        """Also where it stood still: that it was here is known, and so the next step begins now."""
        self._way.add(thing.x_path, at, place.x)
        self._way.add(thing.y_path, at, place.y)

    def _keep_pace(self, now: float) -> None:
        if self._updated_at is not None and self._adapts:
            took_s = min(1.0, max(0.0, now - self._updated_at))
            self._interval_s += (took_s - self._interval_s) * 0.1
            self._way.delay_s = min(LONGEST_S, max(SHORTEST_S, self._interval_s * TICKS))
        self._updated_at = now


def _thing(place: Place) -> Thing:
    return Thing(place, (*place.path, "x"), (*place.path, "y"))
