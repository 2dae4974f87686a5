"""Paints lanes over one time axis: a ruler, names, bars, ticks and the cursor, for the screen and for files alike.

Owns pixels and their bounds: only rows in sight, and never more than `MOST_BARS` bars, however much happened.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QStaticText

from sonde_lab.lane_bars import Bar, Packed, View, bars, pack
from sonde_lab.swim_lanes import Lane, LaneKind
from sonde_ui.desktop.following import Followed
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.lane_rows import LaneRow
from sonde_ui.desktop.models.time_span import TimeSpan, ruler
from sonde_ui.desktop.theme import Theme, font_ui, mix, themes
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.lane_looks import BAR_PX, draw_bars, draw_end, draw_tick
from sonde_ui.desktop.widgets.shapes import CENTER, Pen, with_alpha

RULER_PX: Final = 24
EDGE_PX: Final = 12
MOST_BARS: Final = 1_500
FINE_UP_TO: Final = 160  # bars with round ends; more are drawn plain, by the hundred
MOST_ENDS: Final = 200
MOST_TICKS: Final = 1_000
TICK_APART_PX: Final = 3.0
END_ROOM_PX: Final = 12.0
TIME_EVERY_PX: Final = 84
KEPT_TEXTS: Final = 1_024
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
        self._rows: Sequence[LaneRow] = ()  # that the columns are of
        self._packed = pack(())
        self._texts: dict[tuple[str, int, bool], QStaticText] = {}
        self.drawn = 0  # bars of the last picture
        self.dress(themes.current())

    def dress(self, theme: Theme) -> None:
        """Take up a palette."""
        self.theme = theme
        self._name, self._own = Pen(font_ui(12)), Pen(font_ui(12, 600))
        self._small, self._heading = Pen(font_ui(10)), Pen(font_ui(11, 600))
        self._texts = {}
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
        for place, row in enumerate(picture.rows):
            if row.lane is None or row.lane.kind is not LaneKind.FAULTS:
                continue
            view = View(range(place, place + 1), span.since, span.until, span.now, axis.width())
            for bar in bars(self._columns(picture), view, MOST_BARS):
                box = QRectF(axis.left() + bar.left, axis.top(), bar.right - bar.left, axis.height())
                painter.fillRect(box, tint)

    def _columns(self, picture: LanePicture) -> Packed:
        """The columns of a picture's rows; headings are lanes with nothing on them."""
        if picture.rows is not self._rows:
            self._rows = picture.rows
            self._packed = pack([row.lane or _NO_LANE for row in picture.rows])
        return self._packed

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
        rows, span = picture.rows, picture.span
        seen = _in_sight(rows, picture.scroll, axis.height())
        view = View(seen, span.since, span.until, span.now, axis.width())
        found = bars(self._columns(picture), view, MOST_BARS)
        self.drawn = len(found)
        grounds = {}
        for place in seen:
            row = rows[place]
            box = QRect(axis.left(), axis.top() + row.top - picture.scroll, axis.width(), row.height)
            grounds[place] = self._ground(painter, box, picture, place, row)
            if place and _begins_members(rows[place - 1], row):
                painter.fillRect(box.adjusted(EDGE_PX - box.left(), 0, 0, 1 - box.height()), self._grid)
            self._label(painter, box, picture, row)
        painter.setRenderHint(ANTIALIASING, on=True)
        self._draw_bars(painter, axis, picture, found, grounds)
        self._draw_ends(painter, axis, picture, found)
        self._draw_ticks(painter, axis, picture, seen)
        painter.setRenderHint(ANTIALIASING, on=False)

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
        lane, theme = row.lane, self.theme
        if lane is None:
            self._heading.draw(painter, box.adjusted(EDGE_PX - box.left(), 4, 0, 0), row.label, theme.dim)
            return
        is_strong = lane.kind is LaneKind.CONNECTION or is_of(lane, picture.who)
        plain = theme.injected if lane.kind is LaneKind.FAULTS else theme.dim
        pen = self._own if is_strong else self._name
        painter.setFont(pen.font)
        painter.setPen(theme.text if is_strong else plain)
        text = self._static(row.label, box.left() - EDGE_PX - 8, is_strong)
        painter.drawStaticText(QPointF(EDGE_PX, box.top() + (box.height() - pen.height) / 2), text)

    def _static(self, label: str, room: int, is_strong: bool) -> QStaticText:
        """A name, cut and laid out once."""
        text = self._texts.get((label, room, is_strong))
        if text is None:
            if len(self._texts) >= KEPT_TEXTS:
                self._texts.clear()
            pen = self._own if is_strong else self._name
            text = QStaticText(pen.fitted(label, room))
            text.setTextFormat(Qt.TextFormat.PlainText)
            text.prepare(font=pen.font)
            self._texts[label, room, is_strong] = text
        return text

    def _middle(self, axis: QRect, picture: LanePicture, place: int) -> float:
        """The pixel in the middle of a row."""
        row = picture.rows[place]
        return axis.top() + row.top - picture.scroll + row.height // 2

    def _draw_bars(
        self,
        painter: QPainter,
        axis: QRect,
        picture: LanePicture,
        found: Sequence[Bar],
        grounds: Mapping[int, QColor],
    ) -> None:
        """Bars of one status on one ground together."""
        boxes: dict[tuple[str, bool], list[QRectF]] = {}
        tops = {place: self._middle(axis, picture, place) - BAR_PX / 2 for place in grounds}
        left, panel = axis.left(), self.theme.panel
        for bar in found:
            box = QRectF(left + bar.left, tops[bar.lane], bar.right - bar.left, BAR_PX)
            boxes.setdefault((bar.status, grounds[bar.lane] is not panel), []).append(box)
        is_fine = len(found) <= FINE_UP_TO
        painter.setRenderHint(ANTIALIASING, on=is_fine)
        for (status, is_chosen), some in boxes.items():
            ground = self.theme.selection if is_chosen else panel
            draw_bars(painter, some, status, self.theme, ground, is_fine=is_fine)
        painter.setRenderHint(ANTIALIASING, on=True)

    def _draw_ends(self, painter: QPainter, axis: QRect, picture: LanePicture, found: Sequence[Bar]) -> None:
        """How people went, where there is room for it."""
        drawn = 0
        for place, bar in enumerate(found):
            following = found[place + 1] if place + 1 < len(found) else None
            edge = axis.width() if following is None or following.lane != bar.lane else following.left
            lane = picture.rows[bar.lane].lane
            if edge - bar.right < END_ROOM_PX or lane is None or lane.kind is not LaneKind.MEMBER:
                continue
            how = lane.stretches[bar.first + bar.stretches - 1].how
            if how and drawn < MOST_ENDS:
                drawn += 1
                center = QPointF(axis.left() + bar.right + 6, self._middle(axis, picture, bar.lane))
                draw_end(painter, center, how, self.theme)

    def _draw_ticks(self, painter: QPainter, axis: QRect, picture: LanePicture, seen: range) -> None:
        """Ticks in sight, the newest first; of one kind never two on the same pixels."""
        left = MOST_TICKS
        for place in seen:
            lane, taken = picture.rows[place].lane, set[tuple[str, int]]()
            for tick in reversed(lane.ticks if lane is not None else ()):
                x = picture.span.x_of(tick.at, axis.width())
                slot = (tick.kind.value, round(x / TICK_APART_PX))
                if len(taken) < left and 0 <= x <= axis.width() and slot not in taken:
                    taken.add(slot)
                    center = QPointF(axis.left() + x, self._middle(axis, picture, place))
                    draw_tick(painter, center, tick.kind, self.theme)
            left -= len(taken)


_NO_LANE: Final = Lane("", LaneKind.MEMBER, "")


def _in_sight(rows: Sequence[LaneRow], scroll: int, height: int) -> range:
    """Numbers of the rows that stand in a window of some height."""
    begin = bisect_right(rows, scroll, key=lambda row: row.top + row.height)
    return range(begin, max(begin, bisect_left(rows, scroll + height, key=lambda row: row.top)))


def _begins_members(before: LaneRow, row: LaneRow) -> bool:
    """Whether people begin here, below own connections and faults."""
    is_ours = before.lane is not None and before.lane.kind is not LaneKind.MEMBER
    return is_ours and (row.lane is None or row.lane.kind is LaneKind.MEMBER)


def is_of(lane: Lane, who: Followed | None) -> bool:
    """Whether a lane is of whoever is followed."""
    if who is None or lane.kind is not LaneKind.MEMBER:
        return False
    return who.is_one(lane.user, who.session if lane.has(who.session) else "")
