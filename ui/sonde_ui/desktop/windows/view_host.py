"""Lays out the views of the perspective in force, and remembers how a person left each.

Owns the splitters. The views are made once and move from one perspective to the next with their state.
"""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QApplication, QSplitter, QVBoxLayout, QWidget

from sonde_ui.desktop.settings import Layout
from sonde_ui.desktop.theme import Theme, themes
from sonde_ui.desktop.widgets.pane import Pane
from sonde_ui.desktop.windows.perspectives import ARRANGEMENTS, SMALLEST, Place, Split, first_sizes

_BARE = frozenset({"traffic", "detail"})  # their header and tabs are title enough


class ViewHost(QWidget):
    """One splitter tree at a time."""

    changed = Signal()  # a panel came, went or moved to the front

    def __init__(self, views: Mapping[str, QWidget]) -> None:
        super().__init__()
        self._views = views
        self._perspective = ""
        self._root: QSplitter | None = None
        self._panes: dict[str, Pane] = {}
        self._splitters: dict[str, QSplitter] = {}
        self._closed: set[str] = set()
        self._figures: dict[str, str] = {}  # beside the titles
        self._is_held = False
        self._wanted: dict[str, list[int]] | None = None  # sizes that wait for the first layout
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        themes.changed.connect(self._dress)

    @property
    def perspective(self) -> str:
        """The name of the perspective in force."""
        return self._perspective

    def set_held(self, is_held: bool) -> None:
        """Whether a moment is looked at, and no longer what is now."""
        self._is_held = is_held
        for pane in self._panes.values():
            pane.set_held(is_held)

    def arrange(self, perspective: str, layout: Layout | None) -> None:
        """Take up a perspective, as it was left or (without `layout`) as it is at first."""
        arrangement = ARRANGEMENTS[perspective]
        focused = QApplication.focusWidget()
        is_ours = focused is not None and self.isAncestorOf(focused)
        self.setUpdatesEnabled(False)
        self._take_down()
        self._perspective = perspective
        self._closed = set(arrangement.closed if layout is None else layout.closed) & set(self._views)
        self._root = self._splitter(arrangement.root)
        self._column.addWidget(self._root)
        self._fill(self._root, arrangement.root)
        for pane in self._panes.values():
            self._open_in(pane)
            if layout is not None:
                pane.show_view(layout.tabs.get(pane.name, ""))
        self._wanted = dict(layout.sizes) if layout is not None else {}
        self._hide_empty()
        self._root.show()
        self._column.activate()  # sizes can only be given to what has its own
        self._apply_sizes()
        self.setUpdatesEnabled(True)
        if focused is not None and is_ours:
            # It changed its parent, which hands the keyboard to the first control of the window.
            (focused if focused.isVisible() else self).setFocus()
        self.changed.emit()

    def layout_now(self) -> Layout:
        """How the perspective looks now, to be remembered."""
        return Layout(
            sizes={name: splitter.sizes() for name, splitter in self._splitters.items()},
            tabs={name: pane.front for name, pane in self._panes.items() if len(pane.views()) > 1},
            closed=sorted(self._closed),
        )

    def panes_in_sight(self) -> list[Pane]:
        """The panes that are shown, in reading order."""
        return [pane for pane in self._panes.values() if pane.isVisible()]

    def is_open(self, view: str) -> bool:
        """Whether a view is shown, be it behind a tab."""
        return view not in self._closed and self._pane_of(view) is not None

    def set_open(self, view: str, is_open: bool) -> None:
        """Show a view and bring it to the front, or put it away."""
        pane = self._pane_of(view)
        if pane is None:
            return
        if is_open:
            self._closed.discard(view)
        else:
            self._closed.add(view)
        self._open_in(pane)
        self._hide_empty()
        if is_open:
            pane.show_view(view)
        self.changed.emit()

    def show_view(self, view: str) -> None:
        """Make sure that a view can be seen."""
        self.set_open(view, True)

    def forget(self) -> None:
        """Give the views back before the window goes."""
        self._take_down()

    def _splitter(self, split: Split) -> QSplitter:
        direction = Qt.Orientation.Horizontal if split.across else Qt.Orientation.Vertical
        splitter = QSplitter(direction)
        splitter.setChildrenCollapsible(False)
        splitter.setHandleWidth(themes.current().line_px)
        return splitter

    def _fill(self, splitter: QSplitter, split: Split) -> None:
        """From the outside in: whatever is put into another parent is styled anew with all that it holds."""
        for place, part in enumerate(split.parts):
            if isinstance(part, Split):
                inner = self._splitter(part)
                splitter.addWidget(inner)
                self._fill(inner, part)
            else:
                pane = self._pane(part)
                splitter.addWidget(pane)
                pane.take_views()
            splitter.setStretchFactor(place, 0 if part.size else 1)
        self._splitters[split.name] = splitter  # after the inner ones: `_hide_empty` counts on it

    def _pane(self, place: Place) -> Pane:
        views = [(name, self._views[name]) for name in place.views if name in self._views]
        pane = Pane(place.name, views, self._figures, bare=place.name in _BARE)
        pane.setMinimumSize(SMALLEST, SMALLEST)
        pane.set_held(self._is_held)
        pane.picked.connect(lambda _name: self.changed.emit())
        self._panes[place.name] = pane
        return pane

    def _open_in(self, pane: Pane) -> None:
        pane.set_open([name for name in pane.views() if name not in self._closed])

    def _hide_empty(self) -> None:
        """A splitter with nothing in it takes no room."""
        for splitter in self._splitters.values():  # inner ones come first
            if splitter is not self._root:
                splitter.setVisible(not all(_hidden_parts(splitter)))

    def showEvent(self, event: QShowEvent) -> None:
        """Only now is it known how much room there is."""
        super().showEvent(event)
        self._apply_sizes()

    def _apply_sizes(self) -> None:
        """Give each part its size, once; those with none share what is left."""
        if self._wanted is None or self._root is None or not self.isVisible():
            return
        wanted, self._wanted = self._wanted, None
        self._size_parts(ARRANGEMENTS[self._perspective].root, self.width(), self.height(), wanted)

    def _size_parts(self, split: Split, width: int, height: int, wanted: dict[str, list[int]]) -> None:
        splitter = self._splitters[split.name]
        whole = (width if split.across else height) - splitter.handleWidth() * (len(split.parts) - 1)
        sizes = wanted.get(split.name, [])
        if len(sizes) != len(split.parts) or sum(sizes) <= 0:
            sizes = first_sizes(split, whole, _hidden_parts(splitter))
        splitter.setSizes(sizes)
        for part, size in zip(split.parts, splitter.sizes(), strict=True):
            if isinstance(part, Split):
                self._size_parts(
                    part, size if split.across else width, height if split.across else size, wanted
                )

    def _take_down(self) -> None:
        for pane in self._panes.values():
            pane.release()
        self._panes, self._splitters = {}, {}
        if self._root is not None:
            self._column.removeWidget(self._root)
            self._root.hide()
            self._root.deleteLater()
            self._root = None

    def _pane_of(self, view: str) -> Pane | None:
        return next((pane for pane in self._panes.values() if view in pane.views()), None)

    def _dress(self, theme: Theme) -> None:
        for splitter in self._splitters.values():
            splitter.setHandleWidth(theme.line_px)


def _hidden_parts(splitter: QSplitter) -> list[bool]:
    parts = [splitter.widget(at) for at in range(splitter.count())]
    return [part is None or part.isHidden() for part in parts]
