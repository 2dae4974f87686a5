"""Columns of fields, colour rules and saved filters as a person makes, uses and finds them again."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest

from sonde_lab.colouring import COLOURS, ColourRule
from sonde_lab.columns import column_of
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models.traffic_cells import HEADERS, Column
from sonde_ui.desktop.settings import Rule, SavedFilter, Settings, SettingsFile
from sonde_ui.desktop.theme import ROW, ThemeChoice, themes
from sonde_ui.desktop.tokens import (
    CONTRAST_DARK,
    CONTRAST_LIGHT,
    DARK,
    LIGHT,
    Theme,
    colour_blind,
    contrast,
    rule_bars,
    rule_tints,
)
from sonde_ui.desktop.widgets.traffic_view import TrafficView
from sonde_ui.desktop.windows.desk import Desk
from support.scripted_workbench import story
from support.shell import ShellWorkbench


@pytest.fixture
def view(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> TrafficView:
    """The table of a whole window with one story in it."""
    bench.add(story())
    bridge.drain()
    desk.views.traffic.refresh()
    return desk.views.traffic


def text(view: TrafficView, row_id: int, section: int) -> str:
    return view.model.cells(view.model.row_of(row_id)).text(section)


# ------------------------------------------------------------------ columns


def test_a_value_of_the_detail_becomes_a_column(desk: Desk, view: TrafficView) -> None:
    view.select_row_id(0)
    tree = desk.views.detail.tree
    index = tree.tree.index_of(("d", "players", "ada", "x"))
    if not index.isValid():
        tree.expandAll()
        index = tree.tree.index_of(("d", "players", "ada", "x"))
    menu = desk.views.detail.tree_menu.open(tree.visualRect(index).center())
    offered = {act.text(): act for act in menu.actions()}
    assert "Show d.players.ada.x as a column" in offered
    offered["Show d.players.*.x as a column"].trigger()
    menu.close()
    section = len(HEADERS)
    assert view.model.headerData(section, Qt.Orientation.Horizontal) == "d.players.*.x"
    assert text(view, 0, section) == "42.3"
    assert text(view, 12, section) == ""
    header = view.table.horizontalHeader()
    assert header.visualIndex(section) == header.visualIndex(Column.SUMMARY) + 1


def test_a_column_is_added_by_name_and_a_wrong_name_is_said(desk: Desk, view: TrafficView) -> None:
    desk.commands.table.add_column()
    card = desk.inspector._column_card
    QTest.keyClicks(card.edit, "room2")
    QTest.keyClick(card.edit, Qt.Key.Key_Return)
    assert card.isVisible()
    assert "no field “room2”" in card._problem.text()
    card.edit.clear()
    QTest.keyClicks(card.edit, "wire")
    QTest.keyClick(card.edit, Qt.Key.Key_Tab)
    QTest.keyClick(card.edit, Qt.Key.Key_Return)
    assert not card.isVisible()
    assert [column.name for column in view.model.fields.columns] == ["wire_bytes"]


def test_the_row_menu_filters_by_the_cell_of_such_a_column(desk: Desk, view: TrafficView) -> None:
    desk.inspector.add_column(column_of("d.text"))
    view.table.show_at_top(view.model.row_of(12))
    index = view.model.index(view.model.row_of(12), len(HEADERS))
    assert view.menus.filter_terms(index) == ['d.text:"anyone at the north gate?"']
    assert view.menus.filter_terms(view.model.index(0, len(HEADERS))) == []


def test_columns_of_fields_are_remembered_with_place_and_width(desk: Desk, view: TrafficView) -> None:
    table, header = view.table, view.table.horizontalHeader()
    for name in ("seq", "user", "d.hp"):
        desk.inspector.add_column(column_of(name))
    table.columns.remove_field(len(HEADERS) + 1)
    header.moveSection(header.visualIndex(len(HEADERS)), 0)
    header.resizeSection(len(HEADERS), 133)
    saved = view.save_state()
    table.reset_columns()
    assert view.model.columnCount() == len(HEADERS)
    assert view.restore_state(saved)
    assert [column.name for column in view.model.fields.columns] == ["seq", "d.hp"]
    assert (header.visualIndex(len(HEADERS)), header.sectionSize(len(HEADERS))) == (0, 133)
    assert view.save_state() == saved


def test_a_memory_from_before_columns_of_fields_still_loads(view: TrafficView) -> None:
    state = json.loads(view.save_state())
    old = {key: state[key] for key in ("order", "hidden", "fold", "pills")} | {"version": 1}
    old |= {
        "order": [1, 0, *range(2, 10)],
        "widths": [64, 90, 80, 38, 88, 104, 320, 72, 80, 100],
        "hidden": [8],
    }
    assert view.restore_state(json.dumps(old).encode())
    header = view.table.horizontalHeader()
    assert (header.visualIndex(Column.TIME), header.sectionSize(Column.TIME)) == (0, 90)
    assert view.table.isColumnHidden(Column.RTT)


def test_a_narrow_table_does_without_such_columns_before_the_summary_suffers(view: TrafficView) -> None:
    for name in ("seq", "user", "dial", "code", "protocol", "wire_bytes"):
        view.table.columns.add_field(column_of(name))
    hidden = [view.table.isColumnHidden(section) for section in range(len(HEADERS), len(HEADERS) + 6)]
    assert hidden[-1]
    assert not hidden[0]
    assert view.table.columnWidth(Column.SUMMARY) >= 200
    assert view.table.columns.hidden_by_hand == set()


@pytest.mark.parametrize("fields", [["seq", "seq"], ["no such"], ["seq"], "seq", [1], ["d.*"] * 40])
def test_a_hostile_memory_of_columns_changes_nothing(view: TrafficView, fields: object) -> None:
    before = view.save_state()
    state = json.loads(before) | {"fields": fields}
    assert not view.restore_state(json.dumps(state).encode())
    assert view.save_state() == before


def ground(view: TrafficView, row_id: int, x: int = 300) -> QColor:
    view.table.scrollTo(view.model.index(view.model.row_of(row_id), 0))
    image = view.table.viewport().grab().toImage()
    return image.pixelColor(x, view.table.rowViewportPosition(view.model.row_of(row_id)) + 2)


def test_colour_rows_like_this_from_the_row_menu(desk: Desk, view: TrafficView, settings: Settings) -> None:
    index = view.model.index(view.model.row_of(12), Column.TYPE)
    view.table.scrollTo(index)
    menu = view.menus.open_row_menu(view.table.visualRect(index).center())
    colours = next(act.menu() for act in menu.actions() if act.text() == "Colour rows like op:event")
    next(act for act in colours.actions() if act.text() == "Teal").trigger()
    menu.close()
    view.table.clear_current()
    theme = themes.current()
    assert settings.colour_rules == [Rule("op:event", "teal")]
    assert ground(view, 12).name() == rule_tints(theme)["teal"].name()
    assert ground(view, 12, x=1) == rule_bars(theme)["teal"]
    assert ground(view, 13) == theme.bg


def test_a_bar_that_means_something_stays_beside_the_rules_own(desk: Desk, view: TrafficView) -> None:
    desk.inspector.colour_like("op:live", "blue")
    live = next(row for row in view.model.ring.ids if view.model.ring.text("op", row) == "live")
    theme = themes.current()
    assert ground(view, live, x=1) == theme.mark
    assert ground(view, live, x=4) == rule_bars(theme)["blue"]


def test_rules_are_ordered_switched_mended_and_removed_in_the_dialog(desk: Desk, settings: Settings) -> None:
    settings.colour_rules = [
        Rule("op:event", "teal"),
        Rule("rtt>5kg", "pink"),
        Rule("kind:act", "grey", False),
    ]
    desk.inspector.edit_colours()
    dialog = desk.inspector.dialog
    first, second, third = dialog.lines
    assert second.edit.property("state") == "invalid"
    assert second.edit.found.text() or second.edit.found.accessibleName()
    second.edit.setText("rtt>5s")
    assert second.edit.property("state") == ""
    third.up.click()
    third.on.click()
    first.gone.click()
    second.choose("blue")
    dialog.add()
    dialog.lines[-1].edit.setText("op:error")
    assert settings.colour_rules == [
        Rule("kind:act", "grey"),
        Rule("rtt>5s", "blue"),
        Rule("op:error", "amber"),
    ]
    assert [line.up.isEnabled() for line in dialog.lines] == [False, True, True]
    dialog.accept()


ALL_THEMES = [DARK, LIGHT, CONTRAST_DARK, CONTRAST_LIGHT, colour_blind(DARK), colour_blind(LIGHT)]


@pytest.mark.parametrize("theme", ALL_THEMES, ids=lambda theme: theme.name)
def test_text_on_every_tint_can_be_read_and_every_bar_is_seen(theme: Theme) -> None:
    assert tuple(rule_bars(theme)) == tuple(rule_tints(theme)) == COLOURS
    for name, tint in rule_tints(theme).items():
        for token in ("text", "dim"):
            assert contrast(theme.color(token), tint) >= 4.5, (name, token)
        for token in (
            "bad",
            "mark",
            "sent",
            "received",
            "injected",
        ):  # signs: a shape or a word says the same
            assert contrast(theme.color(token), tint) >= 4.0, (name, token)
        assert contrast(rule_bars(theme)[name], theme.bg) >= 3.0, name


def test_esc_in_a_rule_closes_the_dialog_and_leaves_the_rule(desk: Desk, settings: Settings) -> None:
    settings.colour_rules = [Rule("op:event", "teal")]
    desk.inspector.edit_colours()
    dialog = desk.inspector.dialog
    dialog.lines[0].edit.setFocus()
    QTest.keyClick(dialog.lines[0].edit, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert settings.colour_rules == [Rule("op:event", "teal")]


# ------------------------------------------------------------------ saved filters


def test_a_filter_is_saved_used_left_and_removed(desk: Desk, settings: Settings) -> None:
    bar = desk.filter_bar
    bar.set_text("type:chat")
    desk.commands.table.save_filter()
    card = desk.inspector._name_card
    QTest.keyClicks(card.line, "chat & co")
    QTest.keyClick(card.line, Qt.Key.Key_Return)
    assert settings.saved_filters == [SavedFilter("chat & co", "type:chat")]
    (button,) = bar.saved.buttons
    assert button.isChecked()
    button.click()
    assert (bar.text(), button.isChecked()) == ("", False)
    button.click()
    assert bar.text() == "type:chat"
    menu = bar.saved._open_menu_of(bar.saved.saved[0], button, QPoint(2, 2))
    menu.actions()[0].trigger()
    menu.close()
    assert (settings.saved_filters, bar.saved.buttons) == ([], [])


def test_a_thirteenth_filter_is_not_saved_and_that_is_said(desk: Desk, settings: Settings) -> None:
    desk.inspector._on_saved([SavedFilter(f"filter {at}", f"size>{at}") for at in range(12)])
    said: list[str] = []
    desk.inspector.said.connect(said.append)
    desk.filter_bar.set_text("type:chat")
    desk.inspector._keep_filter("another")
    assert said == ["There are 12 saved filters already: remove one first, or use its name."]
    desk.inspector._keep_filter("filter 3")
    assert len(settings.saved_filters) == 12
    assert settings.saved_filters[-1] == SavedFilter("filter 3", "type:chat")


def test_what_does_not_fit_beside_the_filter_is_in_the_menu(desk: Desk) -> None:
    saved = [SavedFilter(f"filter {at}", f"size>{at}") for at in range(12)]
    desk.inspector._on_saved(saved)
    assert 1 <= len(desk.filter_bar.saved.buttons) < 6
    assert desk.filter_bar.edit.width() > 380
    menu = desk.filter_bar.saved.open_menu()
    assert [act.text() for act in menu.actions() if act.isCheckable()] == [each.name for each in saved]
    menu.close()


def test_rules_and_filters_come_back_from_the_settings_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = SettingsFile(tmp_path)
    file.load().colour_rules = [Rule('d.text:"\\"a\\""', "teal"), Rule("op:x", "pink", False)]
    file.settings.saved_filters = [SavedFilter("naïve “x”", "size>2KB")]
    assert file.save() is None
    again = SettingsFile(tmp_path)
    loaded = again.load()
    assert again.broken is None
    assert (loaded.colour_rules, loaded.saved_filters) == (
        file.settings.colour_rules,
        file.settings.saved_filters,
    )


def test_what_peers_name_their_things_never_breaks_the_settings_file(
    desk: Desk, settings: Settings, tmp_path
) -> None:  # type: ignore[no-untyped-def]
    desk.inspector.colour_like('conn:"half \ud800"', "teal")
    desk.inspector.colour_like("x" * 5_000, "pink")
    desk.inspector._on_saved([SavedFilter("\udfff" * 30, "\ud800")])
    file = SettingsFile(tmp_path)
    file.settings = settings
    assert file.save() is None
    again = SettingsFile(tmp_path)
    again.load()
    assert again.broken is None


def test_a_rule_of_a_file_with_an_unknown_colour_colours_nothing(desk: Desk, view: TrafficView) -> None:
    view.set_colours([ColourRule("op:event", "gold")])
    view.table.clear_current()
    themes.choose(ThemeChoice.DARK)
    assert ground(view, 12) == themes.current().bg
    assert ROW == 24
