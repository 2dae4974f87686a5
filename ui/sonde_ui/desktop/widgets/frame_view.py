"""The frame as it was on the wire: a strip of its header's bits, and all facts below with their explanations."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem, QWidget

from sonde_lab.framing import Bits
from sonde_lab.records import Record
from sonde_ui.desktop.models.frame_facts import FactLine, frame_lines
from sonde_ui.desktop.models.line_list import LINE as LINE_ROLE
from sonde_ui.desktop.theme import Theme, font_data, font_title, font_ui, mix
from sonde_ui.desktop.widgets.dressed_delegate import DressedDelegate
from sonde_ui.desktop.widgets.line_view import LINE, LineView
from sonde_ui.desktop.widgets.shapes import CENTER, LEFT, Pen

Index = QModelIndex | QPersistentModelIndex
PAD: Final = 12
NAME_WIDTH: Final = 116
VALUE_WIDTH: Final = 232
CELL_PAD: Final = 9
SELECTED: Final = QStyle.StateFlag.State_Selected


class _FactDelegate(DressedDelegate):
    """Paints a heading, a fact, or its half of the strip of bits."""

    def _dress(self, theme: Theme) -> None:
        super()._dress(theme)
        self._data = Pen(font_data(), is_fixed=True)
        self._small = Pen(font_ui(11))
        self._words = Pen(font_ui(12))
        self._title = Pen(font_title(10))

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """One height."""
        return QSize(160, LINE)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One line."""
        line: FactLine | None = index.data(LINE_ROLE)
        if line is None:
            return
        rect: QRect = option.rect
        if line.bits:
            self._strip(painter, rect, line.bits, is_upper=index.row() == 0)
            return
        if option.state & SELECTED:
            painter.fillRect(rect, self._theme.selection)
        room = rect.adjusted(PAD, 0, -PAD, 0)
        if line.is_heading:
            self._title.draw(painter, room.adjusted(0, 4, 0, 0), line.name, self._theme.dim, LEFT)
        else:
            self._fact(painter, room, line)

    def _fact(self, painter: QPainter, room: QRect, line: FactLine) -> None:
        theme, left = self._theme, room.left()
        wide = max(VALUE_WIDTH, self._data.advance(line.value)) if not line.says else VALUE_WIDTH
        columns = (
            (NAME_WIDTH, self._words, line.name, theme.dim),
            (wide, self._data, line.value, theme.text),
        )
        for width, pen, text, tone in columns:
            pen.draw(painter, QRect(left, room.top(), width - 8, room.height()), text, tone, LEFT)
            left += width
        rest = QRect(left, room.top(), room.right() - left, room.height())
        self._words.draw(painter, rest, line.says, theme.dim, LEFT)

    def _strip(self, painter: QPainter, rect: QRect, bits: tuple[Bits, ...], is_upper: bool) -> None:
        """Cells side by side: values in the upper line, their names in the lower."""
        left, theme = rect.left() + PAD, self._theme
        for each in bits:
            width = 2 * CELL_PAD + max(self._data.advance(each.value), self._small.advance(each.name))
            cell = QRect(left, rect.top(), width, rect.height())
            left += width
            if cell.right() > rect.right():
                return
            if not is_upper:
                self._small.draw(painter, cell, each.name, theme.dim, CENTER)
                continue
            box = cell.adjusted(0, 1, 0, -1)
            is_set = each.name in ("FIN", "RSV1", "MASK") and each.value == "1"
            fill = mix(theme.accent, theme.panel, 0.16) if is_set else theme.raised
            painter.setPen(QPen(theme.line, theme.line_px))
            painter.setBrush(fill)
            painter.drawRect(box)
            is_digits = set(each.value) <= {"0", "1"}
            self._data.draw(painter, box, each.value, theme.text if is_digits else theme.dim, CENTER)


class FrameView(LineView):
    """The page."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("The frame as it was on the wire", parent)
        self.paint_with(_FactDelegate(self))

    def show_record(self, record: Record, reader: str = "") -> None:
        """Another row; `reader` is the person's own decoder that has read it."""
        self.content.show(frame_lines(record, reader))
        self.scrollToTop()
