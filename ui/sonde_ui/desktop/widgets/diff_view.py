"""What changed between the selected row and another: the one before it, the state before it, or one that was pinned.

Owns which of these a person chose, and how changes look: before with a minus, after with a plus, both in their
colour. What is compared it is told; the comparing itself is done off the window's loop where it may take long.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import partial
from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Signal
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QStackedWidget,
    QStyle,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from sonde_lab.decoders.own.answers import Answer
from sonde_lab.decoders.own.desk import Pending
from sonde_lab.differing import Sign
from sonde_lab.looking_back import gathered, is_state, previous_like
from sonde_lab.ring import Ring
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.comparison import Comparison, DiffLine, compare_records, compare_states
from sonde_ui.desktop.models.line_list import LINE as LINE_ROLE
from sonde_ui.desktop.offload import Offload
from sonde_ui.desktop.theme import Theme, font_data, mix
from sonde_ui.desktop.widgets.dressed_delegate import DressedDelegate
from sonde_ui.desktop.widgets.empty_state import EmptyState
from sonde_ui.desktop.widgets.line_view import LINE, LineView
from sonde_ui.desktop.widgets.pieces import chip, push_button, text_label
from sonde_ui.desktop.widgets.shapes import LEFT, RIGHT, Pen

Index = QModelIndex | QPersistentModelIndex
SMALL_BYTES: Final = 32 << 10  # both sides: compared at once, in a few milliseconds
PAD: Final = 12
GAP: Final = 16
NUMBER_WIDTH: Final = 56
PLACE_SHARE: Final = 0.4  # of the width that paths may take
SELECTED: Final = QStyle.StateFlag.State_Selected
TINT: Final = 0.10
GONE: Final = "This row has left memory: the oldest go when it is full. Select another."


class Against(enum.Enum):
    """What the selected row is compared with."""

    PREVIOUS = "Previous"
    STATE = "State"
    PINNED = "Pinned"


class _DiffDelegate(DressedDelegate):
    """Paints one change on one line."""

    def __init__(self, parent: LineView) -> None:
        super().__init__(parent)
        self._view = parent
        self.place_width = 0

    def _dress(self, theme: Theme) -> None:
        super()._dress(theme)
        self._pen = Pen(font_data(), is_fixed=True)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """One height."""
        return QSize(160, LINE)

    def measure(self, lines: tuple[DiffLine, ...]) -> None:
        """Make room for the longest of the paths."""
        longest = max((len(line.place) for line in lines if not line.is_text), default=0)
        self.place_width = round(longest * self._pen.width) + GAP

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """One line."""
        line: DiffLine | None = index.data(LINE_ROLE)
        if line is None:
            return
        rect: QRect = option.rect
        tone = {Sign.REMOVED: self._theme.bad, Sign.ADDED: self._theme.ok}.get(line.sign)
        if option.state & SELECTED:
            painter.fillRect(rect, self._theme.selection)
        elif line.is_text and tone is not None:
            painter.fillRect(rect, mix(tone, self._theme.panel, TINT))
        room = rect.adjusted(PAD, 0, -PAD, 0)
        if line.is_text:
            self._text_line(painter, room, line)
        elif line.place:
            self._value_line(painter, room, line)
        else:
            self._pen.draw(painter, room, line.note, self._theme.dim, LEFT)

    def _text_line(self, painter: QPainter, room: QRect, line: DiffLine) -> None:
        theme, pen = self._theme, self._pen
        tone = {Sign.REMOVED: theme.bad, Sign.ADDED: theme.ok}.get(line.sign, theme.dim)
        number = QRect(room.left(), room.top(), NUMBER_WIDTH, room.height())
        pen.draw(painter, number, line.place, theme.dim, RIGHT)
        sign = QRect(number.right() + GAP, room.top(), GAP, room.height())
        pen.draw(painter, sign, line.sign.value, tone, LEFT)
        rest = QRect(sign.right(), room.top(), room.right() - sign.right(), room.height())
        text = line.before if line.sign is Sign.REMOVED else line.after
        pen.draw(painter, rest, text, theme.dim if line.sign is Sign.SAME else theme.text, LEFT)

    def _value_line(self, painter: QPainter, room: QRect, line: DiffLine) -> None:
        theme, pen = self._theme, self._pen
        width = min(self.place_width, round(room.width() * PLACE_SHARE))
        pen.draw(painter, QRect(room.left(), room.top(), width - GAP, room.height()), line.place, theme.dim)
        left, right = room.left() + width, room.right()
        sides: list[tuple[str, QColor]] = []
        if line.sign is not Sign.ADDED:
            sides.append((f"− {line.before}", theme.bad))
        if line.sign is not Sign.REMOVED:
            sides.append((f"+ {line.after}", theme.ok))
        for at, (text, tone) in enumerate(sides):
            share = (right - left) // (len(sides) - at)
            taken = min(pen.advance(text) + 1, share)
            pen.draw(painter, QRect(left, room.top(), taken, room.height()), text, tone, LEFT)
            left += taken + GAP
        pen.draw(painter, QRect(left, room.top(), right - left, room.height()), line.note, theme.dim, LEFT)


class DiffView(QWidget):
    """The page. `row_asked`: a person wants to see the row that is compared with."""

    row_asked = Signal(int)

    def __init__(self, workbench: Workbench, offload: Offload, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._offload = offload
        self._row_id = -1
        self._other_id: int | None = None
        self._wanted = Against.PREVIOUS
        self.pinned: int | None = None
        self._about = text_label(tone="dim")
        self._link = push_button(
            "", kind="link", name="The row compared with", tip="Select this row in the table"
        )
        self._chips = {each: self._chip(each) for each in Against}
        self.list = LineView("What has changed")
        self._delegate = _DiffDelegate(self.list)
        self.list.paint_with(self._delegate)
        self._problem = EmptyState("info", "")
        self._pages = QStackedWidget()
        self._lay_out()
        self._link.clicked.connect(self._on_link)

    def _chip(self, against: Against) -> QPushButton:
        tips = {
            Against.PREVIOUS: "Compare with the row before: same connection, direction, type and channel",
            Against.STATE: "Compare the channel's state before this row with the state after it",
            Against.PINNED: "Compare with the row that you pinned by “Compare with this”",
        }
        made = chip(against.value, name=f"Compare with: {against.value}", tip=tips[against], checked=False)
        made.clicked.connect(partial(self.choose, against))
        return made

    def _lay_out(self) -> None:
        self._pages.addWidget(self.list)
        self._pages.addWidget(self._problem)
        bar = QHBoxLayout()
        bar.setContentsMargins(PAD, 4, 8, 0)
        bar.setSpacing(4)
        self._about.setMinimumHeight(24)  # with the link and without it
        bar.addWidget(self._about)
        bar.addWidget(self._link)
        bar.addStretch(1)
        for each in self._chips.values():
            bar.addWidget(each)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(self._pages, 1)

    # -------------------------------------------------------------- doors

    def show_row(self, row_id: int) -> None:
        """Compare a row of the ring with what was chosen; where that does not fit the row, with the one before."""
        self._row_id = row_id
        self._compare_anew()

    def choose(self, against: Against) -> None:
        """Compare with something else, also from the next row on."""
        self._wanted = against
        if self._row_id >= 0:
            self._compare_anew()

    def pin(self, row_id: int) -> None:
        """Compare the rows that are selected from now on with this one."""
        self.pinned = row_id
        self.choose(Against.PINNED)

    def forget(self) -> None:
        """Another endpoint: its rows are others."""
        self._row_id, self.pinned = -1, None
        if self._wanted is Against.PINNED:
            self._wanted = Against.PREVIOUS

    # -------------------------------------------------------------- comparing

    def _compare_anew(self) -> None:
        if self._row_id in self._ring().ids:
            self._offer()
            self._compare()
            return
        self._other_id = None
        self._say("", None)
        self._show(Comparison(problem=GONE))

    def _against(self) -> Against:
        """What this row is compared with: what was chosen, where it fits."""
        fits = {
            Against.PREVIOUS: True,
            Against.STATE: self._row_id in self._ring().ids and is_state(self._ring(), self._row_id),
            Against.PINNED: self.pinned is not None,
        }
        return self._wanted if fits[self._wanted] else Against.PREVIOUS

    def _offer(self) -> None:
        against = self._against()
        for each, made in self._chips.items():
            made.setChecked(each is against)
        self._chips[Against.STATE].setVisible(is_state(self._ring(), self._row_id))
        pinned = self._chips[Against.PINNED]
        pinned.setVisible(self.pinned is not None)
        pinned.setText("" if self.pinned is None else f"Pinned {self._named(self.pinned)}")

    def _compare(self) -> None:
        if self._against() is Against.STATE:
            self._compare_states()
            return
        pinned = self._against() is Against.PINNED
        self._other_id = self.pinned if pinned else previous_like(self._ring(), self._row_id)
        problem = self._why_not(pinned)
        if problem or self._other_id is None:
            self._other_id = None
            self._say("", None)
            self._show(Comparison(problem=problem))
            return
        self._say("Compared with", self._other_id)
        self._compare_rows(self._other_id, self._row_id)

    def _compare_rows(self, before_id: int, after_id: int) -> None:
        """As a person's own decoders read them, as soon as these have answered for both."""
        answers: dict[int, Answer | None] = {}

        def told(row_id: int, answer: Answer | None) -> None:
            answers[row_id] = answer
            ids = self._ring().ids
            is_asked = (self._other_id, self._row_id) == (before_id, after_id)
            if len(answers) < 2 or not is_asked or before_id not in ids or after_id not in ids:
                return
            before, after = self._ring().record(before_id), self._ring().record(after_id)
            is_small = len(before.payload) + len(after.payload) <= SMALL_BYTES
            read = (answers[before_id], answers[after_id])
            self._run(partial(compare_records, before, after, read), is_small)

        for row_id in (before_id, after_id):
            answer = self._workbench.decoders.look(row_id, partial(told, row_id))
            if isinstance(answer, Pending):
                self._show(Comparison((DiffLine(Sign.SAME, note="Decoding…"),)))
            else:
                told(row_id, answer)

    def _ring(self) -> Ring:
        return self._workbench.ring

    def _named(self, row_id: int) -> str:
        """A row's number as the table shows it."""
        return f"#{figures.count(self._ring().label(row_id))}"

    def _why_not(self, pinned: bool) -> str:
        ids = self._ring().ids
        if self._other_id is None:
            return "This is the first row of its type on this connection, so there is none before it."
        if self._other_id not in ids:
            return "The row that you pinned has left memory. Pin another by “Compare with this”."
        if self._other_id == self._row_id and pinned:
            return "This is the row that you pinned. Select another, and it is compared with this one."
        return ""

    def _compare_states(self) -> None:
        trail = gathered(self._ring(), self._row_id)
        self._other_id = None
        if isinstance(trail, str):
            self._say("", None)
            self._show(Comparison(problem=trail))
            return
        self._say("The channel's state before this row and after it", None)
        self._run(partial(compare_states, trail), sum(len(entry.payload) for entry in trail) <= SMALL_BYTES)

    def _run(self, work: Callable[[], Comparison], is_small: bool) -> None:
        row_id, other_id, against = self._row_id, self._other_id, self._against()

        def done(comparison: Comparison) -> None:
            if (self._row_id, self._other_id, self._against()) == (row_id, other_id, against):
                self._show(comparison)

        if is_small:
            done(work())
            return
        self._show(Comparison((DiffLine(Sign.SAME, note="Comparing…"),)))
        self._offload.run("compare two rows", work, done)

    def _say(self, about: str, other_id: int | None) -> None:
        self._about.setText(about)
        self._link.setVisible(other_id is not None)
        if other_id is None:
            return
        apart = self._ring().value("at", self._row_id) - self._ring().value("at", other_id)
        when = f"{figures.latency(abs(apart) * 1000)} {'before' if apart >= 0 else 'after'}"
        self._link.setText(f"{self._named(other_id)} · {when}")
        self._link.setAccessibleName(f"Row {self._named(other_id)}, {when}: select it")

    def _show(self, comparison: Comparison) -> None:
        if comparison.problem:
            self._problem.say("info", comparison.problem)
            self._pages.setCurrentWidget(self._problem)
            return
        self._delegate.measure(comparison.lines)
        self.list.content.show(comparison.lines)
        self.list.scrollToTop()
        self._pages.setCurrentWidget(self.list)

    def _on_link(self) -> None:
        if self._other_id is not None:
            self.row_asked.emit(self._other_id)
