"""The lanes as a widget: one cursor by mouse and keys, zoom and pan, tool tips, and words for who cannot see it.

Owns what a hand does to it. Where the cursor is and who is followed belongs to others: both are only asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QToolTip, QWidget

from sonde_lab.swim_lanes import Lane, LaneKind
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.lane_rows import LANE_PX, height_of, row_at, tick_in_words, tick_near, told
from sonde_ui.desktop.models.plain import tool_tip
from sonde_ui.desktop.theme import Theme, themes
from sonde_ui.desktop.widgets.lane_painter import EDGE_PX, RULER_PX, LanePainter, LanePicture, names_px

ZOOM: Final = 0.8  # of what is in sight, for each notch
NOTCH: Final = 120.0
STEP_SHARE: Final = 0.01  # of what is in sight, for each arrow; with Shift ten times that
NEAR_PX: Final = 5
_GRAB_PX: Final = 3  # the mouse may shake so much in a click
_LEFT_BUTTON: Final = Qt.MouseButton.LeftButton


class LaneCanvas(QAbstractScrollArea):
    """Paints `picture`; whoever changes it calls `refresh`."""

    pointed = Signal(float)  # a moment, monotonic s
    followed = Signal(object)  # Lane
    moved = Signal()  # what is in sight is another stretch
    menu_asked = Signal(object, QPoint)  # Lane or None, and where on the screen

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.picture = LanePicture()
        self._painter = LanePainter()
        self._pan_from: QPointF | None = None
        self._is_pointing = False
        self.setAccessibleName("Timeline lanes")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumSize(160, RULER_PX + 2 * LANE_PX)
        self.viewport().setMouseTracking(True)
        self.verticalScrollBar().setSingleStep(LANE_PX)
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        themes.changed.connect(self._dress)

    def _dress(self, theme: Theme) -> None:
        self._painter.dress(theme)
        self.viewport().update()

    def sizeHint(self) -> QSize:
        """A handful of lanes."""
        return QSize(420, RULER_PX + 8 * LANE_PX)

    def refresh(self) -> None:
        """The picture is another one."""
        self._fit_bar()
        if self.picture.current is not None and self.picture.current >= len(self.picture.rows):
            self.picture.current = None
        self.viewport().update()

    @property
    def bars_drawn(self) -> int:
        """How many bars the last picture had."""
        return self._painter.drawn

    def paint_whole(self, painter: QPainter, width: int, most_height: int) -> int:
        """Paint all lanes from the first on, for a file; how high that is."""
        height = self.whole_height(most_height)
        scroll, focus = self.picture.scroll, self.picture.has_focus
        self.picture.scroll, self.picture.has_focus = 0, False
        self._painter.paint(painter, QRect(0, 0, width, height), self.picture)
        self.picture.scroll, self.picture.has_focus = scroll, focus
        return height

    def whole_height(self, most: int) -> int:
        """Ruler and all lanes."""
        return min(most, RULER_PX + max(LANE_PX, height_of(self.picture.rows)) + 8)

    # -------------------------------------------------------------- places

    @property
    def _axis(self) -> tuple[int, int]:
        left = names_px(self.viewport().width())
        return left, max(1, self.viewport().width() - left - EDGE_PX)

    def at_x(self, x: float) -> float:
        """The moment at a pixel."""
        left, width = self._axis
        return self.picture.span.at_x(x - left, width)

    def x_of(self, at: float) -> float:
        """The pixel of a moment."""
        left, width = self._axis
        return left + self.picture.span.x_of(at, width)

    def row_at_y(self, y: float) -> int | None:
        """The row at a pixel; `None` on the ruler and below all."""
        return row_at(self.picture.rows, y - RULER_PX + self.picture.scroll) if y >= RULER_PX else None

    def y_of(self, row: int) -> int:
        """The pixel in the middle of a row."""
        found = self.picture.rows[row]
        return RULER_PX + found.top - self.picture.scroll + found.height // 2

    def lane_at(self, y: float) -> Lane | None:
        """The lane at a pixel."""
        row = self.row_at_y(y)
        return None if row is None else self.picture.rows[row].lane

    def clock(self, at: float) -> str:
        """A moment as time of day; with parts of a second where little is in sight."""
        wall = self.picture.wall(at)
        return figures.wall_clock(wall) if self.picture.span.length_s > 15 else figures.wall_clock_ms(wall)

    def words_at(self, place: QPoint) -> str:
        """What stands at a place, for a tool tip."""
        lane, (left, _width) = self.lane_at(place.y()), self._axis
        if lane is None:
            return ""
        span = self.picture.span
        if place.x() < left:
            where = f" · {lane.node}" if lane.node else ""
            return f"{told(lane, min(span.now, span.until), span.now, self.clock)}{where}"
        at = self.at_x(place.x())
        tick = tick_near(lane, at, self.at_x(place.x() + NEAR_PX) - at)
        words = told(lane, at, span.now, self.clock)
        return f"{tick_in_words(tick, self.clock)}\n{words}" if tick else words

    # -------------------------------------------------------------- Qt

    def paintEvent(self, _event: QPaintEvent) -> None:
        """One picture."""
        painter = QPainter(self.viewport())
        self._painter.paint(painter, self.viewport().rect(), self.picture)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """There is room for more lanes, or for fewer."""
        super().resizeEvent(event)
        self._fit_bar()

    def _fit_bar(self) -> None:
        bar, room = self.verticalScrollBar(), self.viewport().height() - RULER_PX
        bar.setPageStep(max(LANE_PX, room))
        bar.setRange(0, max(0, height_of(self.picture.rows) - room))

    def _on_scrolled(self, value: int) -> None:
        self.picture.scroll = value
        self.viewport().update()

    def viewportEvent(self, event: QEvent) -> bool:
        """Tool tips."""
        if isinstance(event, QHelpEvent) and event.type() is QEvent.Type.ToolTip:
            words = self.words_at(event.pos())
            QToolTip.showText(event.globalPos(), tool_tip(words) if words else "", self.viewport())
            return True
        return super().viewportEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Keys are about a lane from now on."""
        super().focusInEvent(event)
        self._on_focus(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """No longer."""
        super().focusOutEvent(event)
        self._on_focus(False)

    def _on_focus(self, has_focus: bool) -> None:
        self.picture.has_focus = has_focus
        self.viewport().update()

    # -------------------------------------------------------------- mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """On the ruler a pan begins; on bars the cursor is put there; on names the lane is chosen."""
        if event.button() is not _LEFT_BUTTON:
            return
        place = event.position()
        if place.y() < RULER_PX:
            self._pan_from = place
        elif place.x() >= self._axis[0] - NEAR_PX:
            self._is_pointing = True
            self._point(place.x())
        self._choose(self.row_at_y(place.y()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the cursor, or the ruler."""
        place = event.position()
        if self._pan_from is not None and event.buttons() & _LEFT_BUTTON:
            _left, width = self._axis
            moved = (self._pan_from.x() - place.x()) / width * self.picture.span.length_s
            if abs(self._pan_from.x() - place.x()) >= _GRAB_PX:
                self._pan_from = place
                self.picture.span.pan(moved)
                self._tell_moved()
        elif self._is_pointing:
            self._point(place.x())
        else:
            self._show_hand(place)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go; a click on the ruler, without a drag, puts the cursor there."""
        place, begun = event.position(), self._pan_from
        if begun is not None and abs(begun.x() - place.x()) < _GRAB_PX and not self.picture.span.is_free:
            self._point(place.x())
        self._pan_from, self._is_pointing = None, False

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Follow whoever's lane it is."""
        lane = self.lane_at(event.position().y())
        if lane is not None and event.button() is _LEFT_BUTTON:
            self._follow(lane)

    def _show_hand(self, place: QPointF) -> None:
        held = self.picture.held_at
        on_cursor = held is not None and abs(self.x_of(held) - place.x()) <= NEAR_PX and place.y() >= RULER_PX
        shape = Qt.CursorShape.SplitHCursor if on_cursor else Qt.CursorShape.ArrowCursor
        if place.y() < RULER_PX:
            shape = Qt.CursorShape.OpenHandCursor
        self.viewport().setCursor(shape)

    def _point(self, x: float) -> None:
        span = self.picture.span
        self.pointed.emit(min(max(self.at_x(x), span.since, span.first), span.until, span.now))

    def _follow(self, lane: Lane) -> None:
        if lane.kind is LaneKind.MEMBER:
            self.followed.emit(lane)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Over bars and ruler time is zoomed around the pointer, sideways it is panned; names are scrolled."""
        left, _width = self._axis
        turn, place = event.angleDelta(), event.position()
        sideways = turn.x() or (turn.y() if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 0)
        if sideways:
            self.picture.span.pan(-sideways / NOTCH * 0.1 * self.picture.span.length_s)
            self._tell_moved()
        elif place.x() < left:
            super().wheelEvent(event)
            return
        elif turn.y():
            self.picture.span.zoom(ZOOM ** (turn.y() / NOTCH), self.at_x(place.x()))
            self._tell_moved()
        event.accept()

    def _tell_moved(self) -> None:
        self.viewport().update()
        self.moved.emit()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """The menu of a lane is the view's."""
        is_by_key = event.reason() is QContextMenuEvent.Reason.Keyboard
        row = self.picture.current if is_by_key else self.row_at_y(event.pos().y())
        lane = None if row is None else self.picture.rows[row].lane
        place = QPoint(self._axis[0], self.y_of(row)) if is_by_key and row is not None else event.pos()
        self.menu_asked.emit(lane, self.viewport().mapToGlobal(place))

    # -------------------------------------------------------------- keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """←/→ move the cursor, ↑/↓ go from lane to lane, + and - zoom, and Return follows."""
        act = self._KEYS.get(Qt.Key(event.key()))
        if act is None:
            super().keyPressEvent(event)
            return
        act(self, bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))

    def _step_time(self, direction: int, is_far: bool) -> None:
        span = self.picture.span
        held = self.picture.held_at
        at = min(span.now, span.until) if held is None else held
        at += direction * STEP_SHARE * (10 if is_far else 1) * span.length_s
        self.pointed.emit(min(max(at, span.first), span.now))

    def _step_row(self, direction: int) -> None:
        rows = self.picture.rows
        start = self.picture.current
        place = (-1 if direction > 0 else len(rows)) if start is None else start
        place += direction
        while 0 <= place < len(rows) and rows[place].lane is None:
            place += direction
        if 0 <= place < len(rows):
            self._choose(place)
            row, bar = rows[place], self.verticalScrollBar()
            room = self.viewport().height() - RULER_PX
            bar.setValue(min(max(bar.value(), row.top + row.height - room), row.top))

    def _choose(self, row: int | None) -> None:
        if row is None or self.picture.rows[row].lane is None:
            return
        self.picture.current = row
        self.tell_current()
        self.viewport().update()

    def tell_current(self) -> None:
        """Say in words what the chosen lane tells of the moment that is looked at."""
        rows, row = self.picture.rows, self.picture.current
        lane = rows[row].lane if row is not None and row < len(rows) else None
        span, held = self.picture.span, self.picture.held_at
        words = "" if lane is None else told(lane, span.now if held is None else held, span.now, self.clock)
        if words != self.accessibleDescription():
            self.setAccessibleDescription(words)
            QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))

    def _follow_current(self) -> None:
        rows, row = self.picture.rows, self.picture.current
        lane = rows[row].lane if row is not None and row < len(rows) else None
        if lane is not None:
            self._follow(lane)

    def _zoom_by_key(self, factor: float) -> None:
        span, held = self.picture.span, self.picture.held_at
        span.zoom(factor, span.now if held is None else held)
        self._tell_moved()

    _KEYS: Final[dict[Qt.Key, Callable[[LaneCanvas, bool], None]]] = {
        Qt.Key.Key_Left: lambda self, far: self._step_time(-1, far),
        Qt.Key.Key_Right: lambda self, far: self._step_time(1, far),
        Qt.Key.Key_Up: lambda self, _far: self._step_row(-1),
        Qt.Key.Key_Down: lambda self, _far: self._step_row(1),
        Qt.Key.Key_Plus: lambda self, _far: self._zoom_by_key(ZOOM),
        Qt.Key.Key_Equal: lambda self, _far: self._zoom_by_key(ZOOM),
        Qt.Key.Key_Minus: lambda self, _far: self._zoom_by_key(1 / ZOOM),
        Qt.Key.Key_Return: lambda self, _far: self._follow_current(),
        Qt.Key.Key_Enter: lambda self, _far: self._follow_current(),
    }
