"""The keys that people bring along, sent to the real window: each does what it says, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QMenu, QWidget
from pytestqt.qtbot import QtBot

from sonde_lab.changes import Act
from sonde_lab.records import Flag
from sonde_ui.desktop.actions import ACTIONS, VIEWS, keys_of
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.theme import ThemeChoice, themes
from sonde_ui.desktop.widgets.focus_ring import THICK
from sonde_ui.desktop.widgets.pane import Pane, PaneTab
from sonde_ui.desktop.widgets.popover import Popover
from sonde_ui.desktop.windows.desk import Desk
from support import scripted_workbench as script
from support.shell import ShellWorkbench


@dataclass
class Person:
    """Somebody at the keyboard of a window with traffic, the third row selected."""

    desk: Desk
    bench: ShellWorkbench

    def begin_anew(self) -> None:
        """As at first: no card, the third row selected, and so the table held."""
        for card in self.desk.window.findChildren(Popover):
            card.dismiss()
        self.desk.commands.set_perspective("inspect")
        self.desk.host.show_view("traffic")
        traffic = self.desk.views.traffic
        traffic.show_all()
        traffic.table.select_row(2)
        row_id = self.desk.cursor.row_id
        assert row_id is not None
        self.bench.unmark(row_id)
        traffic.refresh()
        traffic.table.setFocus()
        self.bench.asked.clear()

    def press(self, keys: str) -> None:
        """Send a key to whatever has the focus."""
        pressed = QKeySequence(keys)[0]
        focused = QApplication.focusWidget()
        assert focused is not None
        QTest.keyClick(focused, pressed.key(), pressed.keyboardModifiers())

    @property
    def row(self) -> int:
        return self.desk.views.traffic.table.currentIndex().row()

    @property
    def focus(self) -> QWidget | None:
        return QApplication.focusWidget()

    def pane(self) -> str:
        """Where the focus is."""
        widget = self.focus
        while widget is not None and not isinstance(widget, Pane):
            if widget in (self.desk.top_bar, self.desk.filter_bar):
                return "top" if widget is self.desk.top_bar else "filter"
            widget = widget.parentWidget()
        return widget.name if widget is not None else ""


@pytest.fixture
def person(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> Person:
    bench.add(script.story(6))
    changes = bench.pending
    changes.statuses = {"you": script.live_status(), "player 2": script.live_status(3.0)}
    changes.presence = {"room:arena": script.room()}
    changes.sessions = script.sessions()
    bridge.drain()
    person = Person(desk, bench)
    person.begin_anew()
    return person


def flags_of(person: Person) -> int:
    cells = person.desk.views.traffic.model.cells(person.row)
    return 0 if cells is None else int(cells.flags)


def is_composing(person: Person) -> bool:
    return person.desk.views.composer.isAncestorOf(person.focus)  # type: ignore[arg-type]


# key → what is to be seen afterwards
EFFECTS: dict[str, Callable[[Person], bool]] = {
    "Ctrl+F": lambda person: person.desk.filter_bar.edit.hasFocus(),
    "/": lambda person: person.desk.filter_bar.edit.hasFocus(),
    "End": lambda person: person.desk.cursor.is_live,
    "F": lambda person: person.desk.cursor.is_live,
    "Space": lambda person: person.desk.cursor.is_live,  # selecting the third row had held it
    "Esc": lambda person: person.desk.cursor.is_live,
    "Ctrl+L": lambda person: person.desk.views.traffic.model.rowCount() == 0,
    "F8": lambda person: person.row == 3,
    "F7": lambda person: person.row == 1,
    "J": lambda person: person.row == 3,
    "K": lambda person: person.row == 1,
    "Ctrl+M": lambda person: bool(flags_of(person) & Flag.MARKED),  # held: the row that is looked at
    "M": lambda person: bool(flags_of(person) & Flag.MARKED),
    "C": lambda person: person.desk.window.focusWidget().accessibleName() == "Comment",  # type: ignore[union-attr]
    "Ctrl+T": lambda person: person.desk.views.traffic.model.timing.reference is not None,
    "Ctrl+E": is_composing,
    "Ctrl+Shift+D": lambda person: (Act.DROP,) in person.bench.asked,
    "Ctrl+R": lambda person: (Act.RETRY_NOW,) in person.bench.asked,
    "Ctrl+2": lambda person: person.desk.host.perspective == "break",
    "Ctrl+3": lambda person: person.desk.host.perspective == "watch",
    "Ctrl+K": lambda person: person.desk.palette_card.isVisible(),
    "F1": lambda person: person.desk.key_list.isVisible(),
    "F6": lambda person: person.pane() == "detail",
    "Shift+F6": lambda person: person.pane() == "presence",
}


def test_each_key_does_what_it_says(person: Person) -> None:
    """One window for all of them: to build it takes longer than to press a key."""
    without_effect = []
    for key, is_seen in EFFECTS.items():
        person.begin_anew()
        was_seen = is_seen(person)
        person.press(key)
        if was_seen or not is_seen(person):
            without_effect.append(key)
    assert without_effect == []


def test_the_next_and_the_previous_of_a_conversation_are_neighbours(person: Person) -> None:
    person.press("Ctrl+.")
    further = person.row
    assert further > 2
    person.press("Ctrl+,")
    assert person.row == 2


def test_alt_and_the_arrows_walk_through_what_was_selected(person: Person) -> None:
    table = person.desk.views.traffic.table
    table.select_row(7)
    person.press("Alt+Left")
    assert person.row == 2
    person.press("Alt+Right")
    assert person.row == 7


@pytest.mark.parametrize(
    ("key", "signal"),
    [("Ctrl+O", "files.dialog_asked"), ("Ctrl+N", "endpoint_asked"), ("Ctrl+Q", "quit_asked")],
)
def test_a_key_asks_for_its_dialog(qtbot: QtBot, person: Person, key: str, signal: str) -> None:
    commands = person.desk.commands
    asked = commands.files.dialog_asked if signal.startswith("files") else getattr(commands, signal)
    asked.disconnect()  # what it opens is tested elsewhere
    with qtbot.waitSignal(asked, timeout=1_000):
        person.press(key)


def test_what_desktop_people_bring_along_is_in_the_table_of_actions() -> None:
    known = {key for action in ACTIONS for key in keys_of(action)}
    assert (
        set(EFFECTS) | {"Ctrl+.", "Ctrl+,", "Alt+Left", "Alt+Right", "Ctrl+O", "Ctrl+S", "Ctrl+Return"}
        <= known
    )


# ---------------------------------------------------------------- from pane to pane


@pytest.mark.parametrize("perspective", ["inspect", "break", "watch"])
def test_f6_comes_to_every_bar_and_pane_in_turn_and_back(person: Person, perspective: str) -> None:
    person.desk.commands.set_perspective(perspective)
    places = ["top", "filter", *(pane.name for pane in person.desk.host.panes_in_sight())]
    person.desk.top_bar.combo.setFocus()
    there = []
    for _ in places:
        there.append(person.pane())
        person.press("F6")
    assert there == places
    assert person.pane() == "top"
    person.press("Shift+F6")
    assert person.pane() == places[-1]


@pytest.mark.parametrize("theme", [ThemeChoice.DARK, ThemeChoice.LIGHT, ThemeChoice.CONTRAST])
def test_a_ring_in_the_accent_shows_where_keys_have_led(person: Person, theme: ThemeChoice) -> None:
    themes.choose(theme)
    ring, window = person.desk.ring, person.desk.window
    assert not ring.isVisible()
    person.press("F6")
    assert ring.isVisible()
    focused = person.focus
    assert focused is not None
    assert ring.geometry().topLeft() == focused.mapTo(window, QPoint(0, 0))
    edge = window.grab(ring.geometry()).toImage().pixelColor(ring.width() // 2, THICK // 2)
    assert edge == themes.current().accent


def test_the_ring_is_for_who_goes_by_keys_alone(person: Person) -> None:
    person.press("Tab")
    assert person.desk.ring.isVisible()
    QTest.mouseClick(person.desk.filter_bar.edit, Qt.MouseButton.LeftButton)
    assert person.desk.filter_bar.edit.hasFocus()
    assert not person.desk.ring.isVisible()


# ---------------------------------------------------------------- tabs


def test_arrows_on_a_title_change_the_tab_and_stay_on_it(person: Person) -> None:
    pane = next(pane for pane in person.desk.host.panes_in_sight() if pane.name == "tools")
    tabs = [tab for tab in pane.findChildren(PaneTab) if tab.isVisible()]
    tabs[0].setFocus()
    for key, view, at in (("Right", "state", 1), ("Left", "timeline", 0), ("Left", "expert", -1)):
        person.press(key)
        assert pane.front == view
        assert tabs[at].hasFocus()


def test_ctrl_and_page_down_turns_through_the_views_of_a_pane(person: Person) -> None:
    person.desk.commands.focus_composer()
    seen = []
    for _ in range(6):
        person.press("Ctrl+PgDown")
        seen.append(next(name for name in VIEWS if person.desk.views.by_name()[name].isVisible()
                         and person.desk.views.by_name()[name].isAncestorOf(person.focus)))  # fmt: skip
    assert seen == ["faults", "notices", "expert", "timeline", "state", "composer"]


def test_the_focus_goes_from_the_words_of_an_empty_view_to_what_comes_in_their_place(person: Person) -> None:
    while person.pane() != "latency":
        person.press("F6")
    person.desk.host.show_view("reconnects")
    person.press("Ctrl+PgDown")
    assert not person.desk.views.latest.table.isVisible()
    person.desk.views.latest.refresh()
    assert person.desk.views.latest.table.hasFocus()


# ---------------------------------------------------------------- menus and lists


def opened_menu() -> list[str]:
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    words = [action.text() for action in menu.actions()]
    menu.close()
    return words


def test_the_menu_of_the_selected_row_opens_by_key(person: Person) -> None:
    for key in ("Shift+F10", "Menu"):
        person.press(key)
        assert "Copy row" in opened_menu()
        assert person.row == 2


def test_the_menu_comes_to_a_row_that_was_out_of_sight(person: Person) -> None:
    table = person.desk.views.traffic.table
    table.scrollToBottom()
    person.press("Shift+F10")
    assert "Copy row" in opened_menu()
    assert table.rowAt(0) <= 2


def test_connections_the_tree_and_the_header_have_their_menus_by_key(person: Person) -> None:
    desk = person.desk
    links = desk.views.connections.list
    links.setFocus()
    links.setCurrentIndex(links.model().index(1, 0))
    person.press("Shift+F10")
    assert "Show its rows only" in opened_menu()
    person.desk.views.traffic.table.setFocus()
    person.press("F6")  # the tree of the detail
    person.press("Down")
    person.press("Shift+F10")
    assert "Copy as JSON" in opened_menu()
    desk.actions_table["traffic.columns"].trigger()
    assert "Reset columns" in opened_menu()


def test_presence_latest_and_the_experts_findings_have_their_menus_by_key(person: Person) -> None:
    desk = person.desk
    desk.views.cursor.release()  # the people of now, not of the row at which it is held
    for view in ("latest", "expert"):
        desk.host.show_view(view)
    desk.views.latest.refresh()
    desk.views.expert.judge()
    lists = {
        desk.views.presence.list: "Copy the name",
        desk.views.latest.table: "Copy row\tCtrl+C",
        desk.views.expert.list: "Show only the rows behind it",
    }
    for view, words in lists.items():
        view.setFocus()
        view.setCurrentIndex(view.model().index(1, 0))
        person.press("Shift+F10")
        assert words in opened_menu()


def link_row(person: Person, is_meant: Callable[[object], bool]) -> QModelIndex:
    model = person.desk.views.connections.model
    return next(model.index(row) for row in range(model.rowCount()) if is_meant(model.item(row)))


async def test_space_taps_a_session_and_adds_a_client(qtbot: QtBot, person: Person) -> None:
    view = person.desk.views.connections
    view.list.setFocus()
    view.list.setCurrentIndex(link_row(person, lambda link: link.can_tap))  # type: ignore[attr-defined]
    with qtbot.waitSignal(view.tap_asked) as tapped:
        person.press("Space")
    await asyncio.sleep(0)
    assert tapped.args[1] == 1.0
    view.list.setCurrentIndex(link_row(person, lambda link: link.is_adder))  # type: ignore[attr-defined]
    for key in ("Space", "Return"):
        with qtbot.waitSignal(view.add_asked):
            person.press(key)
        await asyncio.sleep(0)


# ---------------------------------------------------------------- cards


def test_escape_leaves_a_card_and_the_focus_is_where_it_was(person: Person) -> None:
    table, model = person.desk.views.traffic.table, person.desk.views.traffic.model
    close = next(row for row in range(200) if model.cells(row).is_close)  # type: ignore[union-attr]
    table.select_row(close)
    for key in ("C", "W", "Ctrl+K", "F1"):
        person.press(key)
        assert not table.hasFocus()
        person.press("Esc")
        assert table.hasFocus()
        assert not person.desk.cursor.is_live  # that Esc was the card's


def test_tab_stays_in_a_card(person: Person) -> None:
    person.press("Ctrl+K")
    for key in ("Tab", "Tab", "Shift+Tab"):
        person.press(key)
        assert person.desk.palette_card.isAncestorOf(person.focus)  # type: ignore[arg-type]
    person.press("Esc")
    assert person.desk.views.traffic.table.hasFocus()


def test_the_list_of_keys_is_whole_and_scrolls_by_keys_where_it_is_higher_than_the_window(
    person: Person,
) -> None:
    window, card = person.desk.window, person.desk.key_list
    window.resize(960, 600)
    person.press("F1")
    QApplication.sendPostedEvents()
    assert window.rect().contains(card.geometry())
    bar = card.area.verticalScrollBar()
    assert card.area.widget().width() <= card.area.viewport().width()  # type: ignore[union-attr]
    assert bar.maximum() > 0
    for _ in range(5):
        person.press("PgDown")
    assert bar.value() == bar.maximum()
    person.press("Esc")


def test_escape_leaves_a_dialog(person: Person) -> None:
    person.desk.commands.table.edit_colours()
    dialog = person.desk.window.findChild(QDialog)
    assert dialog is not None
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
