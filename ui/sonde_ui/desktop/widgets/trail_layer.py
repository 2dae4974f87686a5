"""The ways of all things as one picture, painted anew only when it would look different.

Owns the picture and the tones in which ways fade. A way is a thin line, and those of many things share their tone: all
of hundreds must fit into a frame.
"""

from __future__ import annotations

import importlib
from typing import Any, Final, NamedTuple

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap

from sonde_ui.desktop.models.camera import Camera
from sonde_ui.desktop.models.places import Path
from sonde_ui.desktop.models.trails import Floats, Trails
from sonde_ui.desktop.theme import Theme, mix, themes

FADES: Final = 4
FARTHEST_PX: Final = 1e5  # Qt counts pixels in whole numbers
functions: Any = importlib.import_module("pyqtgraph.functions")  # untyped as a whole


class Seen(NamedTuple):
    """What the picture is of. `colors`: of the things whose ways are told apart; all others share a tone."""

    trails: Trails
    camera: Camera
    size: QSize
    ratio: float
    colors: tuple[tuple[Path, int], ...] = ()


class TrailLayer:
    """One for a map."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._pixmap = QPixmap()

    def tone(self, fade: int, color: QColor | None = None) -> QColor:
        """The colour of a way, from the oldest part (0) to the newest."""
        theme: Theme = themes.current()
        return mix(color or theme.dim, theme.bg, (0.9 if color else 0.75) * (fade + 1) / FADES)

    def pixmap(self, seen: Seen, until: float, length_s: float) -> QPixmap:
        """The last `length_s` of all ways up to `until`."""
        trails, camera = seen.trails, seen.camera
        key = (
            id(trails), trails.version, trails.newest(until), camera.x, camera.y, camera.scale,
            seen.size.width(), seen.size.height(), seen.ratio, seen.colors, length_s, themes.current(),
        )  # fmt: skip
        if key != self._key:
            self._key = key
            self._paint(seen, until, length_s)
        return self._pixmap

    def _paint(self, seen: Seen, until: float, length_s: float) -> None:
        if self._pixmap.size() != seen.size * seen.ratio:
            self._pixmap = QPixmap(seen.size * seen.ratio)
            self._pixmap.setDevicePixelRatio(seen.ratio)
        self._pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(self._pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
        since = until - length_s
        for path, color in seen.colors:
            times, x, y = seen.trails.way(path, since, until)
            way = times, x[:, None], y[:, None]
            self._way(painter, seen, way, (times - since) / length_s, QColor.fromRgb(color))
        if not seen.colors:
            ways = seen.trails.ways(since, until)
            self._way(painter, seen, ways, (ways[0] - since) / length_s, None)
        painter.end()

    def _way(
        self,
        painter: QPainter,
        seen: Seen,
        ways: tuple[Floats, Floats, Floats],
        ages: Floats,
        color: QColor | None,
    ) -> None:
        """One way or several, each part in its tone. A pen of one pixel: a wider one takes forty times as long."""
        if len(ages) < 2:
            return
        px, py = _pixels(seen, ways[1], ways[2])
        fades = np.clip((ages * FADES).astype(int), 0, FADES - 1)
        for fade in range(FADES):
            rows = np.flatnonzero(fades == fade)
            if len(rows):
                part = slice(rows[0], rows[-1] + 2)  # to where the next tone begins
                painter.setPen(QPen(self.tone(fade, color), 1))
                painter.drawPath(_path(px[part], py[part]))


def _pixels(seen: Seen, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    camera, width, height = seen.camera, seen.size.width(), seen.size.height()
    px = np.clip(width / 2 + (x - camera.x) * camera.scale, -FARTHEST_PX, FARTHEST_PX)
    py = np.clip(height / 2 + (y - camera.y) * camera.scale, -FARTHEST_PX, FARTHEST_PX)
    return px, py


def _path(x: Floats, y: Floats) -> Any:
    """The columns of two tables as one path of several lines."""
    gap = np.full((1, x.shape[1]), np.nan)
    lines = (np.vstack([each, gap]).T.ravel() for each in (x, y))
    return functions.arrayToQPath(*lines, connect="finite")
