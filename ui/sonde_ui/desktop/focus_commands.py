"""What the actions about the focus do: from panel to panel, from tab to tab, and to the menu of what has it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QAbstractItemView, QAbstractScrollArea, QApplication, QWidget

from sonde_ui.desktop.widgets.focus_ring import FocusRing, focus_stops
from sonde_ui.desktop.widgets.pane import Pane
from sonde_ui.desktop.windows.view_host import ViewHost


class FocusCommands:
    """Handlers are named in `actions`; until there is a window they do nothing."""

    def __init__(self) -> None:
        self._bars: Sequence[QWidget] = ()
        self._host: ViewHost | None = None
        self._ring: FocusRing | None = None

    def take_hold_of(self, bars: Sequence[QWidget], host: ViewHost, ring: FocusRing) -> None:
        """The pieces that handlers act on; `bars` come before the panes."""
        self._bars, self._host, self._ring = bars, host, ring

    def next_pane(self) -> None:
        """Go to the next panel or bar."""
        self._walk(1)

    def previous_pane(self) -> None:
        """Go to the panel or bar before."""
        self._walk(-1)

    def next_tab(self) -> None:
        """Show the next view of the panel."""
        self._step(1)

    def previous_tab(self) -> None:
        """Show the view before in the panel."""
        self._step(-1)

    def open_menu(self) -> None:
        """Open the menu of the chosen row, or of whatever has the focus."""
        focused = QApplication.focusWidget()
        if focused is not None:
            place = _place_of_menu(focused)
            menu_asked = QContextMenuEvent(
                QContextMenuEvent.Reason.Keyboard, place, focused.mapToGlobal(place)
            )
            QApplication.sendEvent(focused, menu_asked)

    def _walk(self, step: int) -> None:
        if self._host is None:
            return
        places = [place for place in (*self._bars, *self._host.panes_in_sight()) if focus_stops(place)]
        here = next((at for at, place in enumerate(places) if _has_focus(place)), None)
        if places:
            at = (0 if step > 0 else -1) if here is None else (here + step) % len(places)
            self._enter(places[at])

    def _step(self, step: int) -> None:
        panes = self._host.panes_in_sight() if self._host is not None else []
        pane = next((pane for pane in panes if _has_focus(pane)), None)
        if pane is None:
            return
        in_view = pane.view_in_front is not None and _has_focus(pane.view_in_front)
        pane.step(step)
        if in_view:
            self._enter(pane)

    def _enter(self, place: QWidget) -> None:
        """Give the focus to what a person comes for: the list, table or text; else the first control."""
        view = place.view_in_front if isinstance(place, Pane) else place
        stops = focus_stops(view) if view is not None else []
        stops = stops or focus_stops(place)
        door = next((stop for stop in stops if isinstance(stop, QAbstractScrollArea)), None)
        if stops:
            (door or stops[0]).setFocus(Qt.FocusReason.TabFocusReason)
        if self._ring is not None:
            self._ring.follow_keys()


def _has_focus(place: QWidget) -> bool:
    focused = QApplication.focusWidget()
    return focused is not None and (focused is place or place.isAncestorOf(focused))


def _place_of_menu(widget: QWidget) -> QPoint:
    """Where the menu opens: at the chosen row, which is brought into sight."""
    if not isinstance(widget, QAbstractItemView):
        return widget.rect().center()
    index = widget.currentIndex()
    if not index.isValid():
        return QPoint(0, 0)
    widget.scrollTo(index)
    return widget.visualRect(index).intersected(widget.viewport().rect()).center()
