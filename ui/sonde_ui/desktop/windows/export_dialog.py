"""Asks what shown rows are to be exported as, and whether their secrets are masked; the file is asked for next.

Non-modal, opened with `open()`, as every dialog here.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QStyledItemDelegate,
    QVBoxLayout,
    QWidget,
)

from sonde_lab.export.formats import BY_NAME, FORMATS
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.theme import CONTROL, GRID, font_ui
from sonde_ui.desktop.widgets.pieces import push_button, text_label

_MASKED = "Of tokens, cookies, passwords and keys at most four characters are left; how many were masked is said at the end."
_OPEN = "Everything is written as it was sent, passwords and tokens among it: look at the file before you hand it on."


class ExportDialog(QDialog):
    """`chosen` carries the format and whether secrets are masked, which they are unless a person says no."""

    chosen = Signal(object, bool)  # Format

    def __init__(self, rows: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export shown rows")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(460)
        self.kind = QComboBox()
        self.kind.setAccessibleName("Format")
        self.kind.setFont(font_ui())
        self.kind.setItemDelegate(
            QStyledItemDelegate(self.kind)
        )  # Fusion's own draws a frame around the choice
        for each in FORMATS:
            self.kind.addItem(f"{each.suffix}  ·  {each.says}", each.name)
        self.masks = QCheckBox("Mask secrets")
        self.masks.setFont(font_ui())
        self.masks.setAccessibleName(self.masks.text())
        self.masks.setChecked(True)
        self.hint = text_label(_MASKED, tone="dim", wrap=True)
        self.masks.toggled.connect(self._show_hint)
        self._lay_out(rows)

    def _lay_out(self, rows: int) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(4 * GRID)
        form.setVerticalSpacing(2 * GRID)
        count = f"{figures.count(rows)}, as the filter and the switches show them"
        for name, field in (
            ("Rows", text_label(count, font=font_ui())),
            ("Format", self.kind),
            ("", self.masks),
            ("", self.hint),
        ):
            label = text_label(name, font=font_ui(), tone="dim")
            label.setMinimumHeight(CONTROL if name == "Format" else 0)
            form.addRow(label, field)
        column = QVBoxLayout(self)
        column.setContentsMargins(4 * GRID, 4 * GRID, 4 * GRID, 4 * GRID)
        column.setSpacing(3 * GRID)
        column.addLayout(form)
        column.addLayout(self._buttons())

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2 * GRID)
        cancel = push_button("Cancel", font=font_ui(13, 500))
        onward = push_button("Choose a file…", kind="primary", font=font_ui(13, 500))
        onward.setDefault(True)
        cancel.clicked.connect(self.reject)
        onward.clicked.connect(self._finish)
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(onward)
        return row

    def _show_hint(self, masks: bool) -> None:
        self.hint.setText(_MASKED if masks else _OPEN)
        self.hint.setProperty("tone", "dim" if masks else "warn")
        self.hint.style().polish(self.hint)

    def _finish(self) -> None:
        self.chosen.emit(BY_NAME[self.kind.currentData()], self.masks.isChecked())
        self.accept()
