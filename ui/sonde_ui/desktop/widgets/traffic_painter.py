"""How a page of traffic is painted: dense, aligned, and with colour only where it means something.

Owns pixels. Works column by column over the rows in sight: a page has some 300 cells and is painted fifteen
times a second, and one delegate call a cell with its own font and colour costs three times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QPainter

from sonde_lab.records import Direction, Flag, Kind
from sonde_ui.desktop.models.figures import Figure
from sonde_ui.desktop.models.presence_model import hue_of
from sonde_ui.desktop.models.timing import REFERENCE
from sonde_ui.desktop.models.traffic_cells import HEADERS, Column, RowCells
from sonde_ui.desktop.theme import ROW, Theme, font_data, font_ui, mix, rule_bars, rule_tints
from sonde_ui.desktop.widgets import shapes
from sonde_ui.desktop.widgets.shapes import Pen, identity_color

PAD: Final = 8
BUILT_IN: Final = len(HEADERS)
COMMENT_SHARE: Final = 0.6  # of the summary's room that a comment may take from the summary
GAP: Final = 12
WHY: Final = "Why?"
WHY_ROOM: Final = 56
BAR: Final = 3
HERE: Final = "this computer"
# Plain integers: an enum's own arithmetic costs more than a cell.
INJECTED, MARKED = int(Flag.INJECTED), int(Flag.MARKED)
WRONG, BARRED = int(Flag.ERROR | Flag.MALFORMED), int(Flag.INJECTED | Flag.MARKED)
ERROR: Final = int(Flag.ERROR)
NO_DIRECTION, SENT = int(Direction.NONE), int(Direction.OUT)
ACT, STATE = int(Kind.ACT), int(Kind.STATE)
BEFORE_CLOSE: Final = frozenset({int(Column.NUMBER), int(Column.TIME), int(Column.STEP)})
QUIET: Final = frozenset({int(Kind.STATE), int(Kind.HANDSHAKE), int(Kind.NOTE)})


class Line(NamedTuple):
    """One row in sight: its place, what it says, and whether it is selected."""

    top: int
    cells: RowCells
    is_selected: bool
    colour: str = ""  # of the colour rule that it matches


class Strip(NamedTuple):
    """One column in sight."""

    column: int
    left: int
    width: int
    is_right: bool = False


class TrafficPainter:
    """Paints pages in one theme."""

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self._data = Pen(font_data(), is_fixed=True)
        self._ui = Pen(font_ui(13))
        self._strong = Pen(font_ui(13, 600))
        self._line = mix(theme.line, theme.bg, 0.45)
        self._close = mix(theme.bad, theme.bg, 0.2 if theme.is_dark else 0.14)
        self._close_selected = mix(theme.bad, theme.selection, 0.28)
        self._bars, self._tints = rule_bars(theme), rule_tints(theme)
        self._data_base = self._data.baseline(0, ROW - 1)
        self._ui_base = self._ui.baseline(0, ROW - 1)
        self._texts: dict[int, Callable[[RowCells], tuple[str, QColor]]] = {
            Column.NUMBER: lambda cells: (cells.number, theme.dim),
            Column.TIME: lambda cells: (
                cells.time,
                theme.accent if cells.time[:1] == REFERENCE else theme.text,
            ),
            Column.TYPE: lambda cells: (cells.op, theme.bad if cells.flags & ERROR else theme.text),
            Column.SUMMARY: self._summary,
            Column.FLAGS: lambda cells: (cells.flag_text, theme.bad if cells.flags & WRONG else theme.dim),
        }
        self._figures: dict[int, Callable[[RowCells], tuple[Figure, QColor]]] = {
            Column.STEP: lambda cells: (cells.step, theme.dim),
            Column.SIZE: lambda cells: (cells.size, theme.dim),
            Column.RTT: lambda cells: (cells.rtt, theme.text),
        }

    def paint(
        self, painter: QPainter, lines: Sequence[Line], strips: Sequence[Strip], width: int, current: str
    ) -> None:
        """A page. `width` is where the last column ends; `current` the connection that has the accent."""
        for line in lines:
            self._ground(painter, line, width)
        painter.setFont(self._data.font)
        for strip in strips:
            if strip.column in self._texts:
                self._text_column(painter, lines, strip)
            elif strip.column in self._figures:
                self._figure_column(painter, lines, strip)
            elif strip.column >= BUILT_IN:
                self._field_column(painter, lines, strip)
        self._comments(painter, lines, strips)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
        painter.setFont(self._ui.font)
        for strip in strips:
            if strip.column == Column.CONNECTION:
                self._connection_column(painter, lines, strip, current)
            elif strip.column == Column.DIRECTION:
                self._direction_column(painter, lines, strip)
        self._close_rows(painter, [line for line in lines if line.cells.is_close], strips, width)

    def _ground(self, painter: QPainter, line: Line, width: int) -> None:
        cells = line.cells
        if cells.is_close:
            painter.fillRect(
                0, line.top, width, ROW, self._close_selected if line.is_selected else self._close
            )
        elif line.is_selected:
            painter.fillRect(0, line.top, width, ROW, self.theme.selection)
        elif line.colour:
            painter.fillRect(0, line.top, width, ROW, self._tints[line.colour])
        painter.fillRect(0, line.top + ROW - 1, width, 1, self._line)
        if cells.flags & BARRED:
            bar = self.theme.mark if cells.flags & MARKED else self.theme.injected
            painter.fillRect(0, line.top, BAR, ROW - 1, bar)
        if line.colour:  # beside a bar that means something, never over it
            painter.fillRect(
                BAR if cells.flags & BARRED else 0, line.top, BAR, ROW - 1, self._bars[line.colour]
            )

    # -------------------------------------------------------------- columns

    def _text_column(self, painter: QPainter, lines: Sequence[Line], strip: Strip) -> None:
        read = self._texts[strip.column]
        is_right = strip.column in (Column.NUMBER, Column.FLAGS)
        left, width = strip.left + PAD, strip.width - 2 * PAD
        ink: QColor | None = None
        for line in lines:
            if line.cells.is_close and strip.column > Column.TIME:
                continue
            text, color = read(line.cells)
            color = self.theme.bad if line.cells.is_close else color
            if color is not ink:
                painter.setPen(color)
                ink = color
            is_shared = strip.column == Column.SUMMARY and line.cells.comment
            room = self._summary_room(line.cells, strip) if is_shared else width
            if text and room > 0:
                self._data.line(painter, left, room, line.top + self._data_base, text, is_right)

    def _figure_column(self, painter: QPainter, lines: Sequence[Line], strip: Strip) -> None:
        """Numbers, then their dimmed units: each in one colour but for closes."""
        read = self._figures[strip.column]
        left, width = strip.left + PAD, strip.width - 2 * PAD
        if width <= 0:
            return
        for line in lines:
            if line.cells.is_close and strip.column > Column.STEP:
                continue
            figure, color = read(line.cells)
            unit_room = self._data.width * (len(figure.unit) + 1) if figure.unit else 0.0
            base = line.top + self._data_base
            painter.setPen(self.theme.bad if line.cells.is_close else color)
            if figure.number and width > unit_room:
                self._data.line(painter, left, width - unit_room, base, figure.number, is_right=True)
            if figure.unit:
                painter.setPen(self.theme.bad if line.cells.is_close else self.theme.dim)
                self._data.line(painter, left, width, base, figure.unit, is_right=True)

    def _field_column(self, painter: QPainter, lines: Sequence[Line], strip: Strip) -> None:
        """A column that a person made of a field."""
        left, width = strip.left + PAD, strip.width - 2 * PAD
        place = strip.column - BUILT_IN
        painter.setPen(self.theme.text)
        for line in lines:
            fields = line.cells.fields
            if place < len(fields) and fields[place].text and width > 0 and not line.cells.is_close:
                base = line.top + self._data_base
                self._data.line(painter, left, width, base, fields[place].text, strip.is_right)

    def _summary_room(self, cells: RowCells, strip: Strip) -> float:
        """What a comment leaves of the summary's room."""
        room = strip.width - 2 * PAD
        return room - min(self._data.advance(cells.comment) + GAP, room * COMMENT_SHARE)

    def _comments(self, painter: QPainter, lines: Sequence[Line], strips: Sequence[Strip]) -> None:
        """What a person wrote about a row, in gold behind what happened."""
        strip = next((strip for strip in strips if strip.column == Column.SUMMARY), None)
        said = [line for line in lines if line.cells.comment and not line.cells.is_close]
        if strip is None or not said:
            return
        painter.setPen(self.theme.mark)
        for line in said:
            room = self._summary_room(line.cells, strip)
            used = min(self._data.advance(line.cells.summary), room) + GAP
            left, width = strip.left + PAD + used, strip.width - 2 * PAD - used
            self._data.line(painter, left, width, line.top + self._data_base, line.cells.comment)

    def _connection_column(
        self, painter: QPainter, lines: Sequence[Line], strip: Strip, current: str
    ) -> None:
        left, width = strip.left + PAD, strip.width - 2 * PAD
        for line in lines:
            conn = line.cells.conn
            if line.cells.is_close or width <= 0:
                continue
            base = line.top + self._ui_base
            if not conn:
                painter.setPen(self.theme.dim)
                self._ui.line(painter, left, width, base, HERE)
                continue
            color = self.theme.accent if conn == current else identity_color(hue_of(conn), self.theme.is_dark)
            shapes.dot(painter, QPointF(left + 5, line.top + (ROW - 1) / 2), 4.5, color)
            painter.setPen(self.theme.text)
            self._ui.line(painter, left + 15, width - 15, base, conn)

    def _direction_column(self, painter: QPainter, lines: Sequence[Line], strip: Strip) -> None:
        theme = self.theme
        x = strip.left + strip.width / 2
        for line in lines:
            cells = line.cells
            center = QPointF(x, line.top + (ROW - 1) / 2)
            if cells.is_close:
                continue
            if cells.direction != NO_DIRECTION:
                is_out = cells.direction == SENT
                shapes.triangle(painter, center, 5.5, theme.sent if is_out else theme.received, up=is_out)
            elif cells.kind == ACT:
                tone = (
                    theme.mark
                    if cells.flags & MARKED
                    else theme.injected
                    if cells.flags & INJECTED
                    else theme.dim
                )
                shapes.diamond(painter, center, 5.5, tone)
            elif cells.kind == STATE:
                shapes.ring(painter, center, 4.5, theme.dim)
            else:
                shapes.square(painter, center, 3.5, theme.bad if cells.flags & ERROR else theme.dim)

    def _close_rows(
        self, painter: QPainter, lines: Sequence[Line], strips: Sequence[Strip], width: int
    ) -> None:
        """A close is one sentence from the direction's column to the right edge, where one may ask why."""
        lefts = [strip.left for strip in strips if strip.column not in BEFORE_CLOSE]
        left = min(lefts, default=0) + PAD
        room = width - left - PAD - 16 - WHY_ROOM
        for line in lines:
            shapes.cross(painter, QPointF(left + 5, line.top + (ROW - 1) / 2), 3.5, self.theme.bad)
            painter.setFont(self._strong.font)
            painter.setPen(self.theme.bad)
            base = line.top + self._ui_base
            if room > 0:
                self._strong.line(painter, left + 16, room, base, line.cells.summary)
                self._strong.line(painter, width - WHY_ROOM, WHY_ROOM - PAD, base, WHY, is_right=True)
            if line.cells.comment and room > 0:
                used = min(self._strong.advance(line.cells.summary), room) + GAP
                painter.setPen(self.theme.mark)
                self._strong.line(painter, left + 16 + used, room - used, base, line.cells.comment)

    def _summary(self, cells: RowCells) -> tuple[str, QColor]:
        if cells.flags & ERROR:
            return cells.summary, self.theme.bad
        return cells.summary, self.theme.dim if cells.kind in QUIET else self.theme.text
