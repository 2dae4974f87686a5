"""How many were in a room over time: now, at most, at a moment, and how fast people come and go.

Owns the arithmetic over spells of presence. Who comes back within the grace never left, so a reconnect is no join.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sonde_lab.spells import Spell
from sonde_lab.timeline import Line

MOST_ROOMS: Final = 64
RATE_OVER_S: Final = 60.0
SPARKS: Final = 48  # points of the small curve


def rooms_of(lines: Sequence[Line], current: str) -> dict[str, Line]:
    """Every channel whose presence somebody told of, and who tells of it: the current client where it does.

    Rooms come first, then other channels, each by name; at most `MOST_ROOMS`.
    """
    found: dict[str, Line] = {}
    for line in lines:
        if line.has_roster and (line.channel not in found or line.conn == current):
            found[line.channel] = line
    names = sorted(found, key=lambda channel: (not channel.startswith("room:"), channel))
    return {channel: found[channel] for channel in names[:MOST_ROOMS]}


@dataclass(slots=True, frozen=True)
class RoomStory:
    """A room's members over time, as a staircase: from `at[i]` on there were `count[i]`. Times are monotonic seconds."""

    channel: str
    at: NDArray[np.float64]
    count: NDArray[np.int64]
    joins: NDArray[np.float64]
    leaves: NDArray[np.float64]

    def count_at(self, moment: float) -> int:
        """Members at a moment; 0 before anything is known."""
        place = int(np.searchsorted(self.at, moment, side="right"))
        return int(self.count[place - 1]) if place else 0

    @property
    def peak(self) -> int:
        """The most at once."""
        return int(self.count.max()) if len(self.count) else 0

    def rates(self, moment: float) -> tuple[int, int]:
        """Joins and leaves in the minute before a moment."""
        joined, left = (
            int(
                np.searchsorted(times, moment, "right")
                - np.searchsorted(times, moment - RATE_OVER_S, "right")
            )
            for times in (self.joins, self.leaves)
        )
        return joined, left

    def curve(self, since: float, until: float, points: int = SPARKS) -> list[int]:
        """The most members in each of some equal parts of a stretch."""
        if until <= since or points < 1:
            return []
        edges = np.linspace(since, until, points + 1)
        before = np.searchsorted(self.at, edges, side="right")
        known = np.concatenate((np.zeros(1, np.int64), self.count))
        return [int(known[low : high + 1].max()) for low, high in itertools.pairwise(before)]


def room_story(channel: str, spells: Sequence[Spell], since: float) -> RoomStory:
    """What a room's spells come to. Whoever is there at `since`, where the story begins, is no join."""
    times: list[float] = []
    steps: list[int] = []
    begins: dict[str, set[float]] = {}
    ends: dict[str, set[float]] = {}
    for spell in spells:
        times.append(spell.began)
        steps.append(1)
        begins.setdefault(spell.session, set()).add(spell.began)
        if spell.ended is not None:
            times.append(max(spell.ended, spell.began))
            steps.append(-1)
            ends.setdefault(spell.session, set()).add(spell.ended)
    at, place = np.unique(np.array(times, np.float64), return_inverse=True)
    count = np.cumsum(np.bincount(place, weights=np.array(steps, np.float64), minlength=len(at)))
    nobody: set[float] = set()
    joins = [when for who, all_ in begins.items() for when in all_ - ends.get(who, nobody) if when > since]
    leaves = [when for who, all_ in ends.items() for when in all_ - begins.get(who, nobody)]
    return RoomStory(
        channel,
        at,
        np.rint(count).astype(np.int64),
        np.array(sorted(joins), np.float64),
        np.array(sorted(leaves), np.float64),
    )
