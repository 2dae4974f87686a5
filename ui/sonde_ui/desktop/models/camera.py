"""What part of a plane is seen, and how large: from world to pixels and back.

Pure. Owns fitting, zooming and panning, and their bounds. The scale is the same both ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

SMALLEST: Final = 1e-11  # pixels a unit
LARGEST: Final = 1e6
FARTHEST: Final = 1e13  # the middle never leaves where things can be


class Bounds(NamedTuple):
    """A rectangle of the world."""

    left: float
    top: float
    right: float
    bottom: float

    def with_spot(self, x: float, y: float) -> Bounds:
        """Grown to hold a spot."""
        return Bounds(min(self.left, x), min(self.top, y), max(self.right, x), max(self.bottom, y))


@dataclass(slots=True)
class Camera:
    """Looks at `(x, y)`, which stands in the middle, at `scale` pixels a unit."""

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0

    def fit(self, bounds: Bounds, width: float, height: float, margin: float) -> None:
        """See all of `bounds`, with a margin in pixels."""
        self.x, self.y = (bounds.left + bounds.right) / 2, (bounds.top + bounds.bottom) / 2
        across = max(width - 2 * margin, 1.0) / max(bounds.right - bounds.left, 1.0)
        down = max(height - 2 * margin, 1.0) / max(bounds.bottom - bounds.top, 1.0)
        self.scale = _within(min(across, down), SMALLEST, LARGEST)

    def zoom(self, factor: float, px: float, py: float, width: float, height: float) -> None:
        """Make everything larger by `factor`; what is under a pixel stays there."""
        x, y = self.to_world(px, py, width, height)
        self.scale = _within(self.scale * factor, SMALLEST, LARGEST)
        self._look_at(x - (px - width / 2) / self.scale, y - (py - height / 2) / self.scale)

    def pan(self, dx: float, dy: float) -> None:
        """Move what is seen by so many pixels."""
        self._look_at(self.x - dx / self.scale, self.y - dy / self.scale)

    def to_pixels(self, x: float, y: float, width: float, height: float) -> tuple[float, float]:
        """Where a spot of the world is seen."""
        return width / 2 + (x - self.x) * self.scale, height / 2 + (y - self.y) * self.scale

    def to_world(self, px: float, py: float, width: float, height: float) -> tuple[float, float]:
        """The spot of the world under a pixel."""
        return self.x + (px - width / 2) / self.scale, self.y + (py - height / 2) / self.scale

    def _look_at(self, x: float, y: float) -> None:
        self.x, self.y = _within(x, -FARTHEST, FARTHEST), _within(y, -FARTHEST, FARTHEST)


def _within(value: float, least: float, most: float) -> float:
    return min(most, max(least, value))
