"""Draws things on a plane: dots with names that move smoothly, the way that they came, a ring around who is followed.

Owns painting, the mouse and the keys, and the frames: at most thirty a second, none while hidden or while nothing would
look different. Refuses to know documents or time: it is given `Things` and the instant that is looked at.
"""

from __future__ import annotations

import math
import time
from typing import Final

from PySide6.QtCore import QEvent, QLineF, QPointF, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from sonde_ui.desktop.models.camera import Bounds, Camera
from sonde_ui.desktop.models.movement import Thing, Things
from sonde_ui.desktop.models.places import Path
from sonde_ui.desktop.models.plain import one_line, tool_tip
from sonde_ui.desktop.models.value_tree import value_text
from sonde_ui.desktop.theme import Theme, font_data, mix, themes
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.map_dots import MapDots, PointedOut
from sonde_ui.desktop.widgets.motion import motion_allowed
from sonde_ui.desktop.widgets.shapes import RIGHT, Pen
from sonde_ui.desktop.widgets.trail_layer import FADES, FARTHEST_PX, Seen, TrailLayer

FRAME_MS: Final = 33
MARGIN: Final = 28
REACH: Final = 12.0  # pixels around a dot in which the mouse means it
MOST_COLOURED: Final = 24  # things whose trails have their own colours
FIELDS_SHOWN: Final = 12
ZOOM_STEP: Final = 1.25
PAN_STEP: Final = 48
DRAG_FROM: Final = 4  # pixels; less is a click
PANS: Final = {
    Qt.Key.Key_Left: (PAN_STEP, 0), Qt.Key.Key_Right: (-PAN_STEP, 0),
    Qt.Key.Key_Up: (0, PAN_STEP), Qt.Key.Key_Down: (0, -PAN_STEP),
}  # fmt: skip
ZOOMS: Final = {Qt.Key.Key_Plus: ZOOM_STEP, Qt.Key.Key_Equal: ZOOM_STEP, Qt.Key.Key_Minus: 1 / ZOOM_STEP}
STEPS: Final = {Qt.Key.Key_PageDown: 1, Qt.Key.Key_PageUp: -1}


class MapCanvas(QWidget):
    """Shows `things` at `at`, or while that is `None` now. It grows with them until a person zooms or pans."""

    picked = Signal(object)  # the `Thing` that was clicked, or None
    opened = Signal(object)  # the `Thing` that was double-clicked

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.things = Things()
        self.at: float | None = None
        self.trail_s = 10.0
        self.own_name = ""
        self.followed = ""  # the name of who is followed
        self.chosen: Path | None = None
        self.camera = Camera()
        self._layer = TrailLayer()
        self._dots = MapDots(themes.current())
        self.is_fitted = True
        self._bounds: Bounds | None = None
        self._grip: QPointF | None = None
        self._is_dragged = False
        self.setAccessibleName("Map of everything with a place")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        self._frames = QTimer(self, interval=FRAME_MS)
        self._frames.timeout.connect(self._next_frame)
        self._dress(themes.current())
        themes.changed.connect(self._dress)

    def _dress(self, theme: Theme) -> None:
        self._theme = theme
        self._dots.dress(theme)
        self._scale_pen = Pen(font_data(10), is_fixed=True)
        self.update()

    def minimumSizeHint(self) -> QSize:
        """Still a map."""
        return QSize(120, 80)

    # -------------------------------------------------------------- content

    def show_things(self, things: Things, at: float | None) -> None:
        """Draw these, which may have moved, at `at` or now."""
        self.things, self.at = things, at
        bounds = self._bounds
        for thing in things:
            x, y = thing.place.x, thing.place.y
            bounds = Bounds(x, y, x, y) if bounds is None else bounds.with_spot(x, y)
        if bounds != self._bounds:
            self._bounds = bounds
            self._refit()
        self.setAccessibleDescription(f"{len(things)} things with a place")
        if at is None and motion_allowed() and self.isVisible() and not self._frames.isActive():
            self._frames.start()
        self.update()

    def set_own_name(self, name: str) -> None:
        """The name of the current client, whose dot has the accent's colour."""
        self.own_name = name

    def clear(self) -> None:
        """Another document: forget places and size."""
        self._bounds, self.chosen, self.is_fitted = None, None, True
        self.show_things(Things(), None)

    def fit(self) -> None:
        """See all things that are there now, and go on to see all."""
        self.is_fitted, self._bounds = True, None
        self.show_things(self.things, self.at)
        self._refit()
        self.update()

    def _refit(self) -> None:
        if self.is_fitted and self._bounds is not None:
            self.camera.fit(self._bounds, self.width(), self.height(), MARGIN)

    def _instant(self) -> tuple[float, bool]:
        """What is drawn, and whether between two known places."""
        return (time.monotonic() if self.at is None else self.at), motion_allowed()

    def _trail_length(self) -> float:
        return self.trail_s if motion_allowed() else 0.0

    def _next_frame(self) -> None:
        self.update()
        now = time.monotonic() - FRAME_MS / 1000
        if not self.isVisible() or self.at is not None or not self.things.is_moving(now, self.trail_s):
            self._frames.stop()

    # -------------------------------------------------------------- painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Grid, trails, dots, names."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.bg)
        if len(self.things):
            self._grid(painter)
            spots = self.spots()
            self._dots.point_out(PointedOut(self.own_name, self.chosen, self.followed))
            self._trails(painter, spots)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
            self._dots.draw(painter, spots, self.rect(), self.devicePixelRatioF())
        if self.hasFocus():
            painter.setBrush(shapes.NO_BRUSH)
            painter.setPen(QPen(self._theme.accent))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def spots(self) -> dict[Path, tuple[Thing, QPointF]]:
        """Every thing and the pixel where it is drawn."""
        now, smooth = self._instant()
        position, scale = self.things.position, self.camera.scale
        left = self.width() / 2 - self.camera.x * scale
        top = self.height() / 2 - self.camera.y * scale
        spots = {}
        for path, thing in self.things.by_path.items():
            x, y = position(thing, now, smooth)
            spots[path] = (thing, QPointF(_near(left + x * scale), _near(top + y * scale)))
        return spots

    def _pixel(self, x: float, y: float) -> QPointF:
        """Where a spot is drawn."""
        px, py = self.camera.to_pixels(x, y, self.width(), self.height())
        return QPointF(_near(px), _near(py))

    def _grid(self, painter: QPainter) -> None:
        width, height = self.width(), self.height()
        left, top = self.camera.to_world(0, 0, width, height)
        right, bottom = self.camera.to_world(width, height, width, height)
        step = _round_step(96 / self.camera.scale)
        painter.setPen(QPen(mix(self._theme.line, self._theme.bg, 0.55)))
        for at in _lines(left, right, step):
            x = round(self._pixel(at, 0).x())
            painter.drawLine(x, 0, x, height)
        for at in _lines(top, bottom, step):
            y = round(self._pixel(0, at).y())
            painter.drawLine(0, y, width, y)
        room = QRect(0, height - 20, width - 8, 16)
        self._scale_pen.draw(painter, room, f"grid {step:,g}", self._theme.dim, RIGHT)

    def _trails(self, painter: QPainter, spots: dict[Path, tuple[Thing, QPointF]]) -> None:
        """The ways of all, in a tone that fades; who is pointed out leaves one in their colour."""
        length_s = self._trail_length()
        if length_s <= 0:
            return
        now, smooth = self._instant()
        drawn = self.things.drawn_at(now, smooth)
        seen = self._seen(spots)
        painter.drawPixmap(0, 0, self._layer.pixmap(seen, drawn, length_s))
        heads = self._heads(spots, drawn)
        if not seen.colors:
            painter.setPen(QPen(self._layer.tone(FADES - 1), 1))
            painter.drawLines([*heads.values()])
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
        colors = dict(seen.colors)
        for path, line in heads.items():
            painter.setPen(QPen(self._layer.tone(FADES - 1, QColor.fromRgb(colors[path])), 1))
            painter.drawLine(line)

    def _heads(self, spots: dict[Path, tuple[Thing, QPointF]], drawn: float) -> dict[Path, QLineF]:
        """From the end of each way to the dot."""
        scale = self.camera.scale
        left, top = self.width() / 2 - self.camera.x * scale, self.height() / 2 - self.camera.y * scale
        heads = {}
        for path, (x, y) in self.things.trails.lasts(drawn).items():
            if path in spots:
                heads[path] = QLineF(QPointF(_near(left + x * scale), _near(top + y * scale)), spots[path][1])
        return heads

    def _seen(self, spots: dict[Path, tuple[Thing, QPointF]]) -> Seen:
        """Few ways are told apart by their colours, many share one."""
        few = len(spots) <= MOST_COLOURED
        colors = (
            tuple((path, self._dots.color(thing).rgb()) for path, (thing, _) in spots.items()) if few else ()
        )
        return Seen(self.things.trails, self.camera, self.size(), self.devicePixelRatioF(), colors)

    # -------------------------------------------------------------- mouse and keys

    def thing_at(self, point: QPointF) -> Thing | None:
        """The thing whose dot is nearest to a pixel, within reach."""
        near = [
            (math.hypot(center.x() - point.x(), center.y() - point.y()), at, thing)
            for at, (thing, center) in enumerate(self.spots().values())
        ]
        distance, _, thing = min(near, default=(math.inf, 0, None), key=lambda each: each[:2])
        return thing if distance <= REACH else None

    def _take_over(self) -> None:
        """A person looks where they want to: nothing moves the map any more."""
        self.is_fitted = False
        self.update()

    def zoom(self, factor: float, point: QPointF | None = None) -> None:
        """Larger or smaller around a pixel, or the middle."""
        x, y = (self.width() / 2, self.height() / 2) if point is None else (point.x(), point.y())
        self.camera.zoom(factor, x, y, self.width(), self.height())
        self._take_over()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom around the mouse; a touchpad's small steps zoom a little each."""
        steps = event.angleDelta().y() / 120
        if steps:
            self.zoom(ZOOM_STEP ** max(-4.0, min(4.0, steps)), event.position())
        event.accept()

    def event(self, event: QEvent) -> bool:
        """Pinching zooms; a tool tip tells the fields of a thing."""
        if (
            isinstance(event, QNativeGestureEvent)
            and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
        ):
            self.zoom(max(0.2, min(5.0, 1.0 + event.value())), event.position())
            return True
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            thing = self.thing_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), "" if thing is None else tool_tip(told_of(thing)), self)
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of the map, or of a thing."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._grip, self._is_dragged = event.position(), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Pan while held; else show what can be clicked."""
        if self._grip is None:
            is_over = self.thing_at(event.position()) is not None
            self.setCursor(Qt.CursorShape.PointingHandCursor if is_over else Qt.CursorShape.ArrowCursor)
            return
        way = event.position() - self._grip
        if self._is_dragged or way.manhattanLength() >= DRAG_FROM:
            self._is_dragged, self._grip = True, event.position()
            self.camera.pan(way.x(), way.y())
            self._take_over()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A press that went nowhere is a click."""
        if self._grip is not None and not self._is_dragged:
            self.choose(self.thing_at(event.position()))
        self._grip = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Open a thing."""
        thing = self.thing_at(event.position())
        if thing is not None:
            self.opened.emit(thing)

    def choose(self, thing: Thing | None) -> None:
        """Point a thing out, and tell."""
        self.chosen = None if thing is None else thing.path
        self.update()
        self.picked.emit(thing)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows pan, + and − zoom, Home fits, Page Up and Down go from thing to thing, Return opens one."""
        key = Qt.Key(event.key())
        if key in PANS:
            self.camera.pan(*PANS[key])
            self._take_over()
        elif key in ZOOMS:
            self.zoom(ZOOMS[key])
        elif key == Qt.Key.Key_Home:
            self.fit()
        elif key in STEPS and len(self.things):
            self._step(STEPS[key])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.chosen in self.things.by_path:
            self.opened.emit(self.things.by_path[self.chosen])
        else:
            super().keyPressEvent(event)

    def _step(self, step: int) -> None:
        paths = [*self.things.by_path]
        at = paths.index(self.chosen) + step if self.chosen in self.things.by_path else min(0, step)
        thing = self.things.by_path[paths[at % len(paths)]]
        self.choose(thing)
        self.setAccessibleDescription(told_of(thing))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """All of it stays in sight."""
        super().resizeEvent(event)
        self._refit()


def told_of(thing: Thing) -> str:
    """A thing's name, place and first fields, one a line."""
    place = thing.place
    lines = [f"{place.name} · {'.'.join(place.path)}", f"at {place.x:,g}, {place.y:,g}"]
    others = [(key, item) for key, item in place.value.items() if key not in ("x", "y")]
    lines += [
        f"{one_line(str(key), 40)}: {one_line(value_text(item), 80)}" for key, item in others[:FIELDS_SHOWN]
    ]
    if len(others) > FIELDS_SHOWN:
        lines.append(f"and {len(others) - FIELDS_SHOWN:,} more fields")
    return "\n".join(lines)


def _near(pixel: float) -> float:
    """Far outside is far enough: Qt counts pixels in whole numbers."""
    return -FARTHEST_PX if pixel < -FARTHEST_PX else FARTHEST_PX if pixel > FARTHEST_PX else pixel


def _round_step(wanted: float) -> float:
    power = 10.0 ** math.floor(math.log10(max(wanted, 1e-9)))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= wanted * 0.999)


def _lines(first: float, last: float, step: float) -> list[float]:
    start = math.ceil(first / step)
    return [at * step for at in range(start, min(start + 200, math.floor(last / step) + 1))]
