"""Says in the filter bar who is followed, and ends it; while somebody is, the one filter is about them.

Owns the chip and the way back to the filter before. Refuses to choose: that is `Following`.
"""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QPushButton

from sonde_lab.filter.expression import quoted
from sonde_ui.desktop.following import Followed, Following
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.widgets.filter_bar import FilterBar
from sonde_ui.desktop.widgets.pieces import chip

NAME_LIMIT = 24


class FollowChip(QObject):
    """Lives in a filter bar."""

    def __init__(self, following: Following, bar: FilterBar) -> None:
        super().__init__(bar)
        self._following = following
        self._bar = bar
        self._who: Followed | None = None
        self._before = ""
        self.button: QPushButton = chip("", name="Follow nobody", checked=True)
        self.button.hide()
        bar.add_chip(self.button)
        self.button.clicked.connect(following.end)
        following.changed.connect(self._on_changed)

    def _on_changed(self) -> None:
        who = self._following.who
        if who is None:
            self._go_back()
        else:
            self._show(who)
        self._who = who
        self.button.setVisible(who is not None)

    def _show(self, who: Followed) -> None:
        name = one_line(who.name or who.user, NAME_LIMIT)
        self.button.setText(f"Following {name}  ×")
        self.button.setChecked(True)
        self.button.setAccessibleName(f"Following {name}: follow nobody")
        self.button.setToolTip(f"{name} is pointed out in every panel. Click to follow nobody.")
        if self._who is None:  # a name that was clicked on the way here is no filter of a person's own
            typed = self._bar.text()
            self._before = "" if typed in (quoted(who.name), who.filter) else typed
        self._bar.set_text(who.filter)

    def _go_back(self) -> None:
        """The filter before, unless a person has written another one since."""
        if self._who is not None and self._bar.text() == self._who.filter:
            self._bar.set_text(self._before)
        self._before = ""
