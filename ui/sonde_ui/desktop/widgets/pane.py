"""A place in the layout: a 32 px title with figures at its right, over one view or several behind tabs.

Owns the title row and which view is in front. Knows nothing of what views show: it takes `title` and
`figures_changed` from each, and a `title_bar` widget from one that brings its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QMetaObject, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from sonde_ui.desktop.theme import GRID, TITLE, font_title, font_ui
from sonde_ui.desktop.widgets.elided_label import ElidedLabel

_NEWS = " •"
_TELLS_NEWS = frozenset({"notices"})  # what a person should not miss behind a tab
_ALWAYS_NOW = frozenset({"connections", "nodes", "latest"})  # of a moment before they know nothing
_COUNTED = frozenset({"expert", "intercept"})  # views with a count (`badge`) beside their title
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}


class PaneTab(QPushButton):
    """One title. Of several, Tab reaches the one in front; arrows go from there to the others."""

    stepped = Signal(int)  # +1: the tab at the right

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.setFont(font_title())
        self.setAccessibleName(f"{title} panel")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows change the tab."""
        step = _STEPS.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self.stepped.emit(step)


class PaneTitle(QWidget):
    """The title row: one dimmed title, or one tab for each view; figures of the view in front at the right."""

    picked = Signal(str)
    stepped = Signal(int)

    def __init__(self, titles: dict[str, str]) -> None:
        """`titles`: of every view that lives here, by id; a tab is made once, so that it keeps its place for Tab."""
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setProperty("surface", "line-bottom")
        self.setFixedHeight(TITLE)
        self._titles = titles
        self._tabs = {name: PaneTab(title) for name, title in titles.items()}
        self.figures = ElidedLabel(font=font_ui(11, 600), tone="dim", align=Qt.AlignmentFlag.AlignRight)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(3 * GRID, 0, 3 * GRID, 0)
        self._row.setSpacing(4 * GRID)
        for name, button in self._tabs.items():
            button.clicked.connect(lambda _checked=False, name=name: self.picked.emit(name))
            button.stepped.connect(self.stepped)
            self._row.addWidget(button)
        self._row.addStretch(1)
        self._row.addWidget(self.figures)

    def set_tabs(self, open_views: Sequence[str]) -> None:
        """Show these views' titles; one alone is no tab."""
        are_tabs = len(open_views) > 1
        for name, button in self._tabs.items():
            button.setText(self._titles[name])
            button.setProperty("kind", "tab" if are_tabs else "title")
            button.setCheckable(are_tabs)
            button.setVisible(name in open_views)
            _dress_anew(button)

    def show_picked(self, name: str) -> None:
        """Mark the tab of the view in front."""
        for other, button in self._tabs.items():
            is_front = other == name and button.isCheckable()
            button.setChecked(is_front)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus if is_front else Qt.FocusPolicy.NoFocus)
        self.show_news(name, False)

    def focus_tab(self, name: str) -> None:
        """Give the focus to a view's tab."""
        self._tabs[name].setFocus(Qt.FocusReason.TabFocusReason)

    def has_focused_tab(self) -> bool:
        """Whether one of the tabs has the focus."""
        return any(button.hasFocus() for button in self._tabs.values())

    def show_news(self, name: str, is_new: bool) -> None:
        """Put a dot beside the title of a view that has something new behind its tab."""
        button = self._tabs[name]
        title = button.text().removesuffix(_NEWS)
        button.setText(title + _NEWS if is_new else title)
        button.setAccessibleDescription("Something new" if is_new else "")
        button.setProperty("tone", "warn" if is_new else "")
        _dress_anew(button)

    def show_count(self, name: str, count: int, is_new: bool) -> None:
        """Put a count beside the title of an open view; its colour tells that it has grown behind its tab."""
        button = self._tabs[name]
        button.setText(f"{self._titles[name]} {count:,}" if count else self._titles[name])
        button.setAccessibleDescription(
            f"{count:,}, something new" if is_new else f"{count:,}" if count else ""
        )
        button.setProperty("tone", "warn" if is_new else "")
        _dress_anew(button)


class Pane(QWidget):
    """Shows one of its views; a bare pane with a single view has no title row."""

    picked = Signal(str)  # view id, by a person

    def __init__(
        self,
        name: str,
        views: Sequence[tuple[str, QWidget]],
        figures: dict[str, str],
        *,
        bare: bool = False,
    ) -> None:
        """`figures`: what each view said last, shared by all panes, so that it outlives this one."""
        super().__init__()
        self.name = name
        self._views = dict(views)
        self._figures = figures
        self._links: list[QMetaObject.Connection] = []
        self._open: list[str] = []
        self._front = ""
        self._bare = bare
        self._is_held = False
        # Before the views: Tab comes to the title first.
        self._heading = PaneTitle({name: str(getattr(view, "title", name)) for name, view in views})
        self._heading.picked.connect(self._on_picked)
        self._heading.stepped.connect(self.step)
        self._stack = QStackedWidget()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._heading)
        column.addWidget(self._stack, 1)

    def take_views(self) -> None:
        """Let the views in, once the pane itself stands in its place: whatever moves is styled anew with all it holds."""
        for view_id, view in self._views.items():
            self._stack.addWidget(view)
            told = view.figures_changed  # type: ignore[attr-defined]  # every view has it
            self._links.append(told.connect(partial(self._on_figures, view_id)))
            if view_id in _COUNTED:
                counted = view.badge_changed  # type: ignore[attr-defined]  # every counted view has it
                self._links.append(counted.connect(partial(self._on_badge, view_id)))

    @property
    def front(self) -> str:
        """Id of the view in front; "" when all are closed."""
        return self._front

    def views(self) -> tuple[str, ...]:
        """Ids of the views that live here, open or not."""
        return tuple(self._views)

    def set_open(self, open_views: Sequence[str]) -> None:
        """Show these views; the pane itself goes away when there are none."""
        self._open = [name for name in self._views if name in open_views]
        self._heading.set_tabs(self._open)
        self._heading.setVisible(not (self._bare and len(self._open) == 1))
        for name in _COUNTED.intersection(self._open):
            self._heading.show_count(name, self._badge_of(name), is_new=False)
        self.setVisible(bool(self._open))
        if self._open:
            self.show_view(self._front if self._front in self._open else self._open[0])
        else:
            self._front = ""

    def show_view(self, name: str) -> None:
        """Bring an open view to the front."""
        if name not in self._open:
            return
        self._front = name
        self._stack.setCurrentWidget(self._views[name])
        self._heading.show_picked(name)
        if name in _COUNTED:
            self._heading.show_count(name, self._badge_of(name), is_new=False)
        self._show_figures()

    def set_held(self, is_held: bool) -> None:
        """Whether a moment is looked at: views that know of now only say so then."""
        self._is_held = is_held
        self._show_figures()

    def _show_figures(self) -> None:
        told = self._figures.get(self._front, "")
        is_now = self._is_held and self._front in _ALWAYS_NOW
        self._heading.figures.setText(" · ".join(filter(None, (told, "now" if is_now else ""))))

    def step(self, step: int) -> None:
        """Bring the next open view (or with -1 the one before) to the front; the tab keeps the focus if it has it."""
        if len(self._open) < 2:
            return
        on_tab = self._heading.has_focused_tab()
        self._on_picked(self._open[(self._open.index(self._front) + step) % len(self._open)])
        if on_tab:
            self._heading.focus_tab(self._front)

    @property
    def view_in_front(self) -> QWidget | None:
        """The view that is shown."""
        return self._views.get(self._front)

    def _badge_of(self, name: str) -> int:
        return int(getattr(self._views[name], "badge", 0))

    def _on_badge(self, name: str, count: int) -> None:
        if name in self._open:
            self._heading.show_count(name, count, is_new=bool(count) and name != self._front)

    def release(self) -> None:
        """Give the views back, so that another layout can take them."""
        for link in self._links:
            QObject.disconnect(link)
        for view in self._views.values():
            view.setParent(None)

    def _on_picked(self, name: str) -> None:
        self.show_view(name)
        self.picked.emit(name)

    def _on_figures(self, name: str, text: str) -> None:
        self._figures[name] = text
        if name == self._front:
            self._show_figures()
        elif name in _TELLS_NEWS and name in self._open:
            self._heading.show_news(name, bool(text))


def _dress_anew(button: QPushButton) -> None:
    button.style().unpolish(button)
    button.style().polish(button)
