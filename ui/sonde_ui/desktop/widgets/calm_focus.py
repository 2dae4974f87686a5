"""Focus that selects nothing: Qt would make the first row current, and choosing a row is an act here."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QAbstractItemView


def focus_without_choice(
    view: QAbstractItemView, event: QFocusEvent, handle: Callable[[QFocusEvent], None]
) -> None:
    """Let `handle`, Qt's own, take the focus; without a current row there is none afterwards either."""
    rows = view.selectionModel()
    had_current = view.currentIndex().isValid()
    blocked = rows.blockSignals(not had_current)
    handle(event)
    if not had_current:
        rows.clearCurrentIndex()
    rows.blockSignals(blocked)
