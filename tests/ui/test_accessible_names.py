"""Every control of the whole window, of its cards and its dialogs, says what it is to who cannot see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QHeaderView,
    QLineEdit,
    QPlainTextEdit,
    QTabBar,
    QTextEdit,
    QWidget,
)

from sonde_ui.desktop.actions import PERSPECTIVES
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.widgets.popover import Popover
from sonde_ui.desktop.windows.capture_dialog import CaptureDialog
from sonde_ui.desktop.windows.desk import Desk
from support import scripted_workbench as script
from support.shell import ShellWorkbench

CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTabBar,
    QTextEdit,
)
# Parts that Qt makes inside its own widgets and never gives the focus to.
OF_QT = re.compile(r"qt_tableview_cornerbutton|qt_menubar_ext_button|Scroll(Left|Right)Button|qt_.*clear.*")


def fill(bench: ShellWorkbench, bridge: Bridge) -> None:
    bench.add(script.story(6))
    changes = bench.pending
    changes.statuses = {"you": script.live_status(), "player 2": script.live_status(3.0)}
    changes.presence = {"room:arena": script.room(), "room:lobby": script.room()}
    changes.sessions = script.sessions()
    changes.notices = script.notices()
    bridge.drain()


def open_cards(desk: Desk) -> None:
    """Every card and dialog of the window; each comes over the one before."""
    desk.views.traffic.refresh()
    desk.views.traffic.table.select_row(2)
    table = desk.commands.table
    table.comment()
    table.add_column()
    desk.filter_bar.set_text("op:event")
    table.save_filter()
    desk.inspector.colour_like("op:event", "blue")
    table.edit_colours()
    desk.filter_bar.set_text("")
    desk.views.traffic.refresh()
    close = next(row for row in range(200) if desk.views.traffic.model.cells(row).is_close)  # type: ignore[union-attr]
    desk.views.traffic.table.select_row(close)
    table.explain()
    desk.commands.detail.show_decoders()
    desk.exchange.ask_rows(12)
    desk.commands.new_endpoint()
    desk.commands.show_palette()
    desk.commands.show_keys()
    desk.views.faults.rules.ask()
    desk.commands.show_about()


def spoken(widget: QWidget) -> str:
    """What a screen reader calls it: its own name, its buddy's words or its text."""
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name) if interface is not None else ""


def controls(root: QWidget) -> Iterator[QWidget]:
    for widget in (root, *root.findChildren(QWidget)):
        is_inner = OF_QT.fullmatch(widget.objectName()) or isinstance(widget, QHeaderView)
        takes_keys = widget.focusPolicy() != Qt.FocusPolicy.NoFocus and widget.focusProxy() is None
        is_away = isinstance(widget, QAbstractButton) and widget.isHidden() and not widget.text()
        if (takes_keys or isinstance(widget, CONTROLS)) and not is_inner and not is_away:
            yield widget


def is_popup_of_combo(widget: QWidget) -> bool:
    """The list that drops down has the box's own name."""
    parent = widget.parentWidget()
    return parent is not None and isinstance(parent.parentWidget(), QComboBox)


def faults(root: QWidget) -> list[str]:
    found = []
    for widget in controls(root):
        name = spoken(widget)
        if is_popup_of_combo(widget):
            continue
        what = f"{type(widget).__name__} {name!r} in {type(widget.parentWidget()).__name__}"
        if not re.search(r"\w", name) or name in {type(widget).__name__, widget.objectName()}:
            found.append(f"{what} has no name")
        is_icon = isinstance(widget, QAbstractButton) and not re.search(r"\w", widget.text())
        if is_icon and not widget.toolTip():
            found.append(f"{what} has no tooltip")
    return found


def close_all(desk: Desk) -> None:
    for dialog in desk.window.findChildren(QDialog):
        dialog.close()


def test_every_control_of_every_view_card_and_dialog_says_what_it_is(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    fill(bench, bridge)
    open_cards(desk)
    cards = {card.accessibleName() for card in desk.window.findChildren(Popover)}
    assert cards >= {
        "Add a column",
        "Add a rule",
        "Comment on a row",
        "Command palette",
        "Keys",
        "Save this filter",
    }
    assert any(card.startswith("Why: ") for card in cards)
    dialogs = {dialog.windowTitle() for dialog in desk.window.findChildren(QDialog)}
    assert dialogs == {"Colour rules", "Decoders", "Export shown rows", "New endpoint"}
    assert faults(desk.window) == []
    close_all(desk)


def test_the_dialogs_for_files_name_their_fields(desk: Desk, tmp_path: Path) -> None:
    CaptureDialog(desk.window, tmp_path).open()
    desk.exchange.ask_latency()
    dialogs = desk.window.findChildren(QFileDialog)
    assert len(dialogs) == 2
    assert [fault for dialog in dialogs for fault in faults(dialog)] == []
    close_all(desk)


def test_every_list_table_and_tree_has_a_name_of_its_own(desk: Desk) -> None:
    names = [
        view.accessibleName()
        for view in desk.window.findChildren(QAbstractItemView)
        if not is_popup_of_combo(view) and not isinstance(view, QHeaderView)
    ]
    assert len(names) > 10
    assert "" not in names
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("perspective", PERSPECTIVES)
def test_tab_goes_through_the_window_pane_by_pane_and_reaches_every_open_one(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge, perspective: str
) -> None:
    fill(bench, bridge)
    desk.commands.set_perspective(perspective)
    places = [desk.top_bar, desk.filter_bar, *desk.host.panes_in_sight()]
    first = desk.top_bar.combo
    first.setFocus()
    visited, now = [], first
    for _ in range(100):
        visited.append(next(at for at, place in enumerate(places) if place.isAncestorOf(now)))
        now.focusNextPrevChild(True)
        now = QApplication.focusWidget()  # type: ignore[assignment]
        if now is first:
            break
    assert visited == sorted(visited)
    assert set(visited) == set(range(len(places)))


def test_tab_goes_from_rule_to_rule_also_after_they_changed_places(desk: Desk) -> None:
    for term in ("op:event", "op:error"):
        desk.inspector.colour_like(term, "blue")
    desk.commands.table.edit_colours()
    dialog = desk.inspector.dialog
    assert dialog is not None
    dialog.lines[1].move_asked.emit(-1)
    first, second = dialog.lines
    order, now = [], first.on
    for _ in range(8):
        order.append(now)
        now = now.nextInFocusChain()  # type: ignore[assignment]
        while not now.focusPolicy() & Qt.FocusPolicy.TabFocus or not now.isEnabled() or now.isHidden():
            now = now.nextInFocusChain()  # type: ignore[assignment]
    assert order == [
        first.on, first.colour, first.edit, first.down, first.gone, second.on, second.colour, second.edit
    ]  # fmt: skip
    close_all(desk)
