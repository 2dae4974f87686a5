"""The one band of the window: that it is held and where, what came meanwhile, the next change, and the way back.

It stands below all views and above the status bar, so that no row moves from under the mouse when it comes.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QWidget

from sonde_lab.workbench import Workbench
from sonde_ui.desktop.action_set import ActionSet
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.theme import GRID, font_ui, icon, themes
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.action_button import ActionButton
from sonde_ui.desktop.widgets.elided_label import ElidedLabel
from sonde_ui.desktop.widgets.pieces import text_label

HEIGHT: Final = 32
_SOON_S: Final = 0.0005  # what is no millisecond apart is the same moment


class HeldBand(QWidget):
    """Shown while held; always of the same height. `left`: it went away with the focus in it."""

    left = Signal()

    def __init__(self, workbench: Workbench, bridge: Bridge, cursor: TimeCursor, actions: ActionSet) -> None:
        super().__init__()
        self._workbench = workbench
        self._cursor = cursor
        self._actions = actions
        self._now = 0.0
        self._sign = QLabel()
        self.what = text_label(font=font_ui(12, 600))
        self.about = ElidedLabel(font=font_ui(12), tone="dim")
        self.previous = ActionButton(actions["time.previous_change"], text="‹ change", kind="chip")
        self.next = ActionButton(actions["time.next_change"], text="change ›", kind="chip")
        self.back = ActionButton(actions["traffic.live"], text="Back to live (Esc)", kind="chip")
        self._lay_out()
        self._dress()
        self.hide()
        cursor.moved.connect(self._on_moved)
        bridge.ticked.connect(self._on_tick)
        themes.changed.connect(self._dress)

    def _lay_out(self) -> None:
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(HEIGHT)
        self.setAccessibleName("Held")
        self.setProperty("surface", "held")
        row = QHBoxLayout(self)
        row.setContentsMargins(3 * GRID, 0, 2 * GRID, 0)
        row.setSpacing(2 * GRID)
        for widget in (self._sign, self.what):
            row.addWidget(widget)
        row.addWidget(self.about, 1)
        for button in (self.previous, self.next, self.back):
            button.setFont(font_ui(12, 500))
            row.addWidget(button)

    def _dress(self) -> None:
        self._sign.setPixmap(icon("pause", "accent").pixmap(16, 16))

    def _on_moved(self) -> None:
        was_held, is_held = not self.isHidden(), not self._cursor.is_live
        if is_held:
            self._show_state()
            has_live = self._cursor.has_live
            self.back.show_action(self._actions["traffic.live" if has_live else "traffic.follow"])
            self.back.show_text("Back to live (Esc)" if has_live else "To the end (End)")
        focused = QApplication.focusWidget()
        had_focus = focused is not None and self.isAncestorOf(focused)
        self.setVisible(is_held)
        if had_focus and not is_held:
            self.left.emit()
        if was_held != is_held:
            self._announce()

    def _on_tick(self, now: float) -> None:
        self._now = now
        if not self._cursor.is_live:
            self._show_state()

    def _show_state(self) -> None:
        """Where it is held, and what to know about it."""
        word = "Held at" if self._cursor.has_live else "At"
        self.what.setText(f"{word} {self._cursor.time_of_day(exact=True)}")
        self.about.setText(self._since() if self._cursor.has_live else self._before_end())
        self.setAccessibleName(f"{self.what.text()}, {self.about.text()}")

    def _since(self) -> str:
        moment, rows = self._cursor.moment, self._cursor.new_rows
        age = 0.0 if moment is None else self._now - moment.at
        came = f"{figures.count(rows)} new {'row' if rows == 1 else 'rows'}"
        return f"{figures.duration(age)} ago · {came} · capture goes on"

    def _before_end(self) -> str:
        moment, ring = self._cursor.moment, self._workbench.ring
        if moment is None or not len(ring):
            return ""
        left = float(ring.value("at", ring.next_id - 1)) - moment.at
        return (
            f"{figures.duration(left)} before the end of the capture"
            if left >= _SOON_S
            else "the end of the capture"
        )

    def _announce(self) -> None:
        """Tell a screen reader of the other mode."""
        way = " Escape goes back to live." if self._cursor.has_live else ""
        words = "Live again." if self._cursor.is_live else f"{self.what.text()}.{way}"
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, words))
