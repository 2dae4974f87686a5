"""The three arrangements of the same views, as data.

Owns which view stands where and how large at first. A size of 0 takes what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SMALLEST: Final = 72  # no pane is made smaller


@dataclass(slots=True, frozen=True)
class Place:
    """A pane: views that share it, the first in front. `size`: pixels along the parent's direction."""

    name: str
    views: tuple[str, ...]
    size: int = 0


@dataclass(slots=True, frozen=True)
class Split:
    """Parts beside (`across`) or below one another."""

    name: str
    across: bool
    parts: tuple[Place | Split, ...]
    size: int = 0


@dataclass(slots=True, frozen=True)
class Arrangement:
    """One perspective. `closed`: views that are put away at first."""

    root: Split
    closed: frozenset[str] = frozenset()


ARRANGEMENTS: Final = {
    "inspect": Arrangement(
        Split(
            "inspect",
            True,
            (
                Split(
                    "left",
                    False,
                    (Place("connections", ("connections", "nodes"), 308), Place("presence", ("presence",))),
                    264,
                ),
                Split(
                    "main",
                    False,
                    (
                        Place("traffic", ("traffic",)),
                        Place("detail", ("detail",), 140),
                        Split(
                            "bottom",
                            True,
                            (
                                Place(
                                    "latency",
                                    ("latency", "reconnects", "latest", "map", "intercept", "scenarios"),
                                ),
                                Place(
                                    "tools",
                                    ("timeline", "state", "composer", "faults", "notices", "expert"),
                                    464,
                                ),
                            ),
                            224,
                        ),
                    ),
                ),
            ),
        ),
        closed=frozenset({"scenarios"}),
    ),
    "break": Arrangement(
        Split(
            "break",
            True,
            (
                Split(
                    "left",
                    False,
                    (
                        Place("faults", ("faults", "intercept", "scenarios")),
                        Place("people", ("connections", "nodes", "presence"), 200),
                    ),
                    312,
                ),
                Split(
                    "middle",
                    False,
                    (
                        Place("latency", ("latency", "latest", "map"), 192),
                        Place("timeline", ("timeline",)),
                        Place("notices", ("notices", "reconnects", "expert", "state"), 144),
                    ),
                ),
                Split(
                    "right",
                    False,
                    (Place("traffic", ("traffic",)), Place("detail", ("detail", "composer"), 220)),
                    480,
                ),
            ),
        )
    ),
    "watch": Arrangement(
        Split(
            "watch",
            False,
            (
                Split(
                    "top",
                    True,
                    (
                        Place("presence", ("presence", "connections", "nodes"), 400),
                        Place("map", ("map", "state", "latest", "composer", "intercept", "scenarios")),
                    ),
                ),
                Split(
                    "bottom",
                    True,
                    (
                        Place("timeline", ("timeline",)),
                        Place(
                            "latency",
                            ("latency", "reconnects", "notices", "expert", "faults"),
                            440,
                        ),
                    ),
                ),
                Place("traffic", ("traffic", "detail"), 200),
            ),
        ),
        closed=frozenset({"traffic", "detail", "intercept", "scenarios"}),
    ),
}


def first_sizes(split: Split, whole: int, hidden: list[bool]) -> list[int]:
    """Fixed parts as they are drawn; the others share the rest. Nobody gets less than the smallest."""
    fixed = sum(part.size for part, away in zip(split.parts, hidden, strict=True) if not away)
    loose = sum(1 for part, away in zip(split.parts, hidden, strict=True) if not part.size and not away)
    share = max(SMALLEST, (whole - fixed) // max(1, loose))
    return [part.size or share for part in split.parts]
