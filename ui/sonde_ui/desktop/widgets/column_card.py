"""A small card that asks which field becomes a column, with the names that the filter knows and rows have had."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sonde_lab.columns import column_of
from sonde_lab.filter import FilterError
from sonde_ui.desktop.theme import GRID, font_ui
from sonde_ui.desktop.widgets.filter_edit import FilterEdit, Offering
from sonde_ui.desktop.widgets.pieces import text_label
from sonde_ui.desktop.widgets.popover import Popover

_WIDTH = 420


class ColumnCard(Popover):
    """`chosen` carries a `FieldColumn` once the name is understood."""

    chosen = Signal(object)

    def __init__(self, window: QWidget, offering: Offering) -> None:
        super().__init__(window)
        self.setFixedWidth(_WIDTH)
        self.setAccessibleName("Add a column")
        self.edit = FilterEdit(offering)
        self.edit.setAccessibleName("Field or path")
        self.edit.setPlaceholderText("seq, wire_bytes, user, d.players.*.x …")
        self.edit.left.connect(self._finish)
        self.edit.textEdited.connect(lambda _text: self.show_problem(None))
        title = text_label("Add a column", font=font_ui(12, 600))
        hint = text_label(
            "Every name that the filter knows; d.name is a value inside the message", tone="dim"
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 3 * GRID)
        column.setSpacing(2 * GRID)
        self._problem = text_label(tone="bad", wrap=True)
        self._problem.hide()
        for piece in (title, self.edit, self._problem, hint):
            column.addWidget(piece)
        self.setFocusProxy(self.edit)

    def open(self, top: int) -> None:
        """Show the card, empty."""
        self.edit.clear()
        self.show_problem(None)
        self.open_centred(top)
        self.edit.setFocus(Qt.FocusReason.PopupFocusReason)

    def show_problem(self, error: FilterError | None) -> None:
        """Say why the name means nothing."""
        self._problem.setText("" if error is None else error.message[:1].upper() + error.message[1:])
        self._problem.setVisible(error is not None)
        self.edit.point_at(None if error is None else error.position)
        if self.isVisible():
            self.adjustSize()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A press on the offers under the line is no press outside."""
        if isinstance(event, QMouseEvent) and event.type() == QEvent.Type.MouseButtonPress:
            is_on_offers = self.edit.has_offers_at(event.globalPosition().toPoint())
            return False if is_on_offers else super().eventFilter(watched, event)
        return super().eventFilter(watched, event)

    def _finish(self) -> None:
        try:
            column = column_of(self.edit.text())
        except FilterError as error:
            self.show_problem(error)
            return
        self.dismiss()
        self.chosen.emit(column)
