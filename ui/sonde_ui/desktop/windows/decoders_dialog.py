"""The decoders of a person's own: which there are, how each stands, and whether it may run.

Owns the list and its buttons. A decoder's code runs when its button was pressed here, never before. Non-modal,
opened with `open()`.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from sonde_lab.decoders.own.desk import Listed, OwnDecoders
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.theme import GRID, font_data, font_ui
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.pieces import push_button, rule, text_label

LOOK_AGAIN_MS = 1_000
WIDTH, HEIGHT = 600, 380
INTRODUCTION = (
    "A decoder is Python code that reads the messages of your own protocol. It runs in a process of its own, with "
    "all rights that you have: allow only what you have read."
)


class DecodersDialog(QDialog):
    """`changed`: a permission was given or taken back, and is to be remembered."""

    changed = Signal()

    def __init__(self, decoders: OwnDecoders, parent: QWidget) -> None:
        super().__init__(parent)
        self._decoders = decoders
        self._shown: list[Listed] = []
        self._buttons: list[QPushButton] = []
        self.setWindowTitle("Decoders")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(WIDTH, HEIGHT)
        self._list = QVBoxLayout()
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(0)
        self._lay_out()
        self.refresh()
        self._again = QTimer(self, interval=LOOK_AGAIN_MS)
        self._again.timeout.connect(self.refresh)
        self._again.start()

    def _lay_out(self) -> None:
        page = QWidget()
        page.setProperty("surface", "clear")
        page.setLayout(self._list)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(page)
        area.setAccessibleName("Decoders")
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._close = close = push_button("Close")
        close.clicked.connect(self.close)
        foot = QHBoxLayout()
        folder = self._decoders.folder
        self._place = ElidedLabel(tone="dim")
        self._place.setText(f"Folder: {one_line(str(folder), 300)}" if folder is not None else "")
        foot.addWidget(self._place, 1)
        foot.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(4 * GRID, 4 * GRID, 4 * GRID, 4 * GRID)
        column.setSpacing(3 * GRID)
        column.addWidget(text_label(INTRODUCTION, font=font_ui(12), tone="dim", wrap=True))
        column.addWidget(area, 1)
        column.addLayout(foot)

    def refresh(self) -> None:
        """Show the list anew where something has changed."""
        listed = self._decoders.listed()
        if listed == self._shown and self._list.count():
            return
        self._shown = listed
        now = self.focusWidget()
        focused = next((at for at, button in enumerate(self._buttons) if button is now), None)
        self._buttons = []
        while (item := self._list.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for each in listed:
            row = self._row(each)
            self._list.addWidget(row)
            row.show()  # now: what is not in sight takes no focus
            self._list.addWidget(rule())
        if not listed:
            self._list.addWidget(text_label(self._nothing(), tone="dim", wrap=True))
        self._list.addStretch(1)
        self._lead_keys(focused)

    def _lead_keys(self, focused: int | None) -> None:
        """Tab goes down the list and then to Close; who pressed a button by key stays at its row."""
        for before, after in pairwise((*self._buttons, self._close)):
            self.setTabOrder(before, after)
        if focused is not None and focused < len(self._buttons):
            self._buttons[focused].setFocus(Qt.FocusReason.OtherFocusReason)

    def _nothing(self) -> str:
        return (
            "There is no decoder yet. Put a Python file with a function decode(payload, info) into the folder below, "
            "or start Sonde with --decoder FILE."
        )

    def _row(self, listed: Listed) -> QWidget:
        source = listed.source
        name = text_label(one_line(source.name, 64), font=font_ui(13, 600))
        words = text_label(one_line(listed.words, 300), tone="" if listed.is_allowed else "dim", wrap=True)
        place = ElidedLabel(tone="dim")
        place.setFont(font_data(11))
        place.setText(one_line(source.where, 300))
        text = QVBoxLayout()
        text.setSpacing(2)
        for label in (name, words, place):
            text.addWidget(label)
        verb = "Stop" if listed.is_allowed else "Allow"
        button = push_button(verb, name=f"{verb} the decoder {source.name}")
        button.clicked.connect(partial(self._stop if listed.is_allowed else self._allow, listed))
        self._buttons.append(button)
        row = QWidget()
        row.setProperty("surface", "clear")
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 2 * GRID, 2 * GRID, 2 * GRID)
        line.setSpacing(4 * GRID)
        line.addLayout(text, 1)
        line.addWidget(button, 0, Qt.AlignmentFlag.AlignVCenter)
        return row

    def _allow(self, listed: Listed) -> None:
        self._decoders.allow(listed.source)
        self._after()

    def _stop(self, listed: Listed) -> None:
        self._decoders.forbid(listed.source)
        self._after()

    def _after(self) -> None:
        self.changed.emit()
        self.refresh()
