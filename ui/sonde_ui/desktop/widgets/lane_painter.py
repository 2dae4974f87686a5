"""Paints lanes over one time axis: a ruler, names, bars, ticks and the cursor, for the screen and for files alike.

Owns pixels and their bounds: only rows in sight, and never more than `MOST_BARS` bars, however much happened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakKeyDictionary

from PySide6.QtCore import QLineF, QPointF, QRect, QRectF
from PySide6.QtGui import QColor, QPainter, QPen

from sonde_lab.lane_bars import NARROWEST_PX, Bar, Packed, bars, pack
from sonde_lab.swim_lanes import Lane, LaneKind, Stretch
from sonde_ui.desktop.following import Followed
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.lane_rows import LaneRow
from sonde_ui.desktop.models.time_span import TimeSpan, ruler
from sonde_ui.desktop.theme import Theme, font_ui, mix, themes
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.lane_looks import BAR_PX, draw_bar, draw_end, draw_tick
from sonde_ui.desktop.widgets.shapes import CENTER, LEFT, Pen, with_alpha

RULER_PX: Final = 24
EDGE_PX: Final = 12
MOST_BARS: Final = 3_000
MOST_TICKS: Final = 1_000
TICK_APART_PX: Final = 3.0
END_ROOM_PX: Final = 12.0
TIME_EVERY_PX: Final = 84
NAMES_PX: Final = 132
ANTIALIASING: Final = QPainter.RenderHint.Antialiasing


@dataclass(slots=True)
class LanePicture:
    """What is to be painted. `wall` turns a moment into unix seconds; times of `rows` are monotonic."""

    rows: Sequence[LaneRow] = ()
    span: TimeSpan = field(default_factory=TimeSpan)
    wall: Callable[[float], float] = float
    held_at: float | None = None
    who: Followed | None = None
    current: int | None = None  # the row that keys are about
    has_focus: bool = False
    scroll: int = 0


def names_px(width: int) -> int:
    """How wide the names are beside the bars."""
    return min(NAMES_PX, max(64, int(width * 0.26)))


class LanePainter:
    """Paints one picture after another; knows the theme and keeps columns of lanes."""

    def __init__(self) -> None:
        self._packed: WeakKeyDictionary[Lane, Packed] = WeakKeyDictionary()
        self.drawn = 0  # bars of the last picture
        self.dress(themes.current())

    def dress(self, theme: Theme) -> None:
        """Take up a palette."""
        self.theme = theme
        self._name, self._own = Pen(font_ui(12)), Pen(font_ui(12, 600))
        self._small, self._heading = Pen(font_ui(10)), Pen(font_ui(11, 600))
        self._grid = mix(theme.line, theme.panel, 0.7)

    def paint(self, painter: QPainter, size: QRect, picture: LanePicture) -> None:
        """All of it, in `size` from its top left corner."""
        theme, left = self.theme, names_px(size.width())
        painter.fillRect(size, theme.panel)
        axis = QRect(left, RULER_PX, size.width() - left - EDGE_PX, size.height() - RULER_PX)
        if axis.width() <= 0:
            return
        self._ruler(painter, axis, picture)
        painter.save()
        painter.setClipRect(QRect(0, RULER_PX, size.width(), axis.height()))
        self._shade_faults(painter, axis, picture)
        self._lanes(painter, axis, picture)
        painter.restore()
        self._cursor(painter, axis, picture)

    # -------------------------------------------------------------- the axis

    def _ruler(self, painter: QPainter, axis: QRect, picture: LanePicture) -> None:
        span = picture.span
        ahead = picture.wall(span.since) - span.since
        step, times = ruler(span.since + ahead, span.until + ahead, max(1, axis.width() // TIME_EVERY_PX))
        painter.setPen(QPen(self._grid))
        places = [(axis.left() + span.x_of(at - ahead, axis.width()), at) for at in times]
        painter.drawLines([QLineF(round(x), RULER_PX, round(x), axis.bottom() + 1) for x, _at in places])
        painter.drawLine(axis.left(), RULER_PX - 1, axis.right(), RULER_PX - 1)
        taken = self._cursor_box(axis, picture)
        for x, at in places:
            words = figures.wall_clock(at) if step >= 1 else figures.wall_clock_ms(at)
            half = self._small.advance(words) // 2 + 1
            if axis.left() - 8 <= x - half and x + half <= axis.right() + EDGE_PX:
                box = QRect(round(x) - half, 0, 2 * half, RULER_PX - 2)
                if taken is None or not box.intersects(taken):
                    self._small.draw(painter, box, words, self.theme.dim, CENTER)

    def _shade_faults(self, painter: QPainter, axis: QRect, picture: LanePicture) -> None:
        """What was injected lies faintly under all lanes."""
        tint, span = with_alpha(self.theme.injected, 0.10), picture.span
        for row in picture.rows:
            if row.lane is None or row.lane.kind is not LaneKind.FAULTS:
                continue
            for bar in self._bars(row.lane, span, axis.width(), NARROWEST_PX):
                box = QRectF(axis.left() + bar.left, axis.top(), bar.right - bar.left, axis.height())
                painter.fillRect(box, tint)

    def _cursor_words(self, picture: LanePicture, at: float) -> str:
        return figures.wall_clock_ms(picture.wall(at))[:-2]

    def _cursor_box(self, axis: QRect, picture: LanePicture) -> QRect | None:
        """Where the cursor's time stands on the ruler."""
        at = picture.held_at
        if at is None or not picture.span.since <= at <= picture.span.until:
            return None
        width = self._small.advance(self._cursor_words(picture, at)) + 10
        left = axis.left() + picture.span.x_of(at, axis.width()) - width / 2
        left = min(max(float(axis.left() - 8), left), axis.right() + EDGE_PX - width)
        return QRect(round(left), 3, width, RULER_PX - 6)

    def _cursor(self, painter: QPainter, axis: QRect, picture: LanePicture) -> None:
        at, box = picture.held_at, self._cursor_box(axis, picture)
        if at is None or box is None:
            return
        x = axis.left() + picture.span.x_of(at, axis.width())
        painter.setRenderHint(ANTIALIASING, on=True)
        painter.setPen(QPen(self.theme.text, 1.5))
        painter.drawLine(QPointF(x, RULER_PX - 4), QPointF(x, axis.bottom() + 1))
        painter.setPen(shapes.NO_PEN)
        painter.setBrush(self.theme.text)
        painter.drawRoundedRect(box, 4, 4)
        painter.setRenderHint(ANTIALIASING, on=False)
        self._small.draw(painter, box, self._cursor_words(picture, at), self.theme.panel, CENTER)

    # -------------------------------------------------------------- the rows

    def _lanes(self, painter: QPainter, axis: QRect, picture: LanePicture) -> None:
        seen = [
            (place, row)
            for place, row in enumerate(picture.rows)
            if row.top + row.height > picture.scroll and row.top < picture.scroll + axis.height()
        ]
        drawn = self._bars_of([row for _, row in seen], picture.span, axis.width())
        self.drawn = sum(map(len, drawn))
        ticks_left = MOST_TICKS
        for (place, row), found in zip(seen, drawn, strict=True):
            top = axis.top() + row.top - picture.scroll
            box = QRect(axis.left(), top, axis.width(), row.height)
            ground = self._ground(painter, box, picture, place, row)
            if place and _begins_members(picture.rows[place - 1], row):
                painter.fillRect(box.adjusted(EDGE_PX - box.left(), 0, 0, 1 - box.height()), self._grid)
            if row.lane is None:
                self._heading.draw(
                    painter, box.adjusted(EDGE_PX - axis.left(), 4, 0, 0), row.label, self.theme.dim
                )
                continue
            self._label(painter, box, picture, row)
            painter.setRenderHint(ANTIALIASING, on=True)
            self._draw_bars(painter, box, row.lane, found, ground)
            ticks_left -= self._draw_ticks(painter, box, row.lane, picture.span, ticks_left)
            painter.setRenderHint(ANTIALIASING, on=False)

    def _bars_of(self, rows: Sequence[LaneRow], span: TimeSpan, width: int) -> list[list[Bar]]:
        """Bars of each row; where they are too many, those that are narrow share more room."""
        narrowest = NARROWEST_PX
        while True:
            found = [self._bars(row.lane, span, width, narrowest) for row in rows]
            if sum(map(len, found)) <= MOST_BARS or narrowest > width:
                return found
            narrowest *= 3

    def _bars(self, lane: Lane | None, span: TimeSpan, width: int, narrowest: float) -> list[Bar]:
        if lane is None or not lane.stretches:
            return []
        packed = self._packed.get(lane)
        if packed is None:
            packed = self._packed[lane] = pack(lane)
        return bars(packed, span.since, span.until, span.now, width, narrowest)

    def _ground(
        self, painter: QPainter, box: QRect, picture: LanePicture, place: int, row: LaneRow
    ) -> QColor:
        """A row's own ground: of whoever is followed, and of the row that keys are about."""
        is_followed = row.lane is not None and is_of(row.lane, picture.who)
        is_current = picture.has_focus and place == picture.current
        if is_followed or is_current:
            painter.fillRect(box.adjusted(-box.left(), 0, EDGE_PX, 0), self.theme.selection)
        if is_current:
            painter.fillRect(QRect(0, box.top(), 3, box.height()), self.theme.accent)
        return self.theme.selection if is_followed or is_current else self.theme.panel

    def _label(self, painter: QPainter, box: QRect, picture: LanePicture, row: LaneRow) -> None:
        lane = row.lane
        assert lane is not None
        room = QRect(EDGE_PX, box.top(), box.left() - EDGE_PX - 8, box.height())
        if is_of(lane, picture.who) or lane.kind is LaneKind.CONNECTION:
            self._own.draw(painter, room, row.label, self.theme.text, LEFT)
        else:
            color = self.theme.injected if lane.kind is LaneKind.FAULTS else self.theme.dim
            self._name.draw(painter, room, row.label, color, LEFT)

    def _draw_bars(
        self, painter: QPainter, box: QRect, lane: Lane, found: Sequence[Bar], ground: QColor
    ) -> None:
        top, left, whole = box.center().y() - BAR_PX / 2 + 0.5, box.left(), joined(found)
        for place, bar in enumerate(whole):
            area = QRectF(left + bar.left, top, bar.right - bar.left, BAR_PX)
            draw_bar(painter, area, bar.status, self.theme, ground)
            following = whole[place + 1].left if place + 1 < len(whole) else float(box.width())
            last: Stretch = lane.stretches[bar.first + bar.stretches - 1]
            if last.how and lane.kind is LaneKind.MEMBER and following - bar.right >= END_ROOM_PX:
                draw_end(painter, QPointF(left + bar.right + 6, top + BAR_PX / 2), last.how, self.theme)

    def _draw_ticks(self, painter: QPainter, box: QRect, lane: Lane, span: TimeSpan, most: int) -> int:
        """Ticks in sight, the newest first; of one kind never two on the same pixels. How many."""
        taken: set[tuple[str, int]] = set()
        for tick in reversed(lane.ticks):
            if len(taken) >= most:
                break
            x = span.x_of(tick.at, box.width())
            slot = (tick.kind.value, round(x / TICK_APART_PX))
            if 0 <= x <= box.width() and slot not in taken:
                taken.add(slot)
                draw_tick(painter, QPointF(box.left() + x, box.center().y() + 0.5), tick.kind, self.theme)
        return len(taken)


def joined(found: Sequence[Bar]) -> list[Bar]:
    """Bars of one status that touch, as one: what somebody did meanwhile is in the tool tip."""
    made: list[Bar] = []
    for bar in found:
        before = made[-1] if made else None
        if before is not None and before.status == bar.status and bar.left - before.right < 0.01:
            made[-1] = before._replace(right=bar.right, stretches=before.stretches + bar.stretches)
        else:
            made.append(bar)
    return made


def _begins_members(before: LaneRow, row: LaneRow) -> bool:
    """Whether people begin here, below own connections and faults."""
    is_ours = before.lane is not None and before.lane.kind is not LaneKind.MEMBER
    return is_ours and (row.lane is None or row.lane.kind is LaneKind.MEMBER)


def is_of(lane: Lane, who: Followed | None) -> bool:
    """Whether a lane is of whoever is followed."""
    if who is None or lane.kind is not LaneKind.MEMBER:
        return False
    return who.is_one(lane.user, who.session if lane.has(who.session) else "")
