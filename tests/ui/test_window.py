"""The desk on the window: layout, perspectives, filter, names, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLabel, QScrollArea, QWidget
from pytestqt.qtbot import QtBot

from sonde_lab.changes import CaptureStatus
from sonde_lab.filter import FilterError
from sonde_ui.cli_options import PanelName
from sonde_ui.desktop.actions import PERSPECTIVES, VIEWS
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.settings import Layout, Settings
from sonde_ui.desktop.theme import ThemeChoice, themes
from sonde_ui.desktop.widgets.filter_offers import FilterOffers
from sonde_ui.desktop.widgets.pane import Pane
from sonde_ui.desktop.windows.desk import Desk
from sonde_ui.desktop.windows.main_window import MainWindow
from sonde_ui.desktop.windows.perspectives import ARRANGEMENTS, Place, Split, first_sizes
from sonde_ui.desktop.windows.skeleton import ABOVE, BELOW, Skeleton
from support.scripted_workbench import live_status, story, throughput
from support.shell import ShellWorkbench


def shown(root: QWidget) -> Iterator[QWidget]:
    return (widget for widget in root.findChildren(QWidget) if widget.isVisible() and widget.window() is root)


def place_of(widget: QWidget) -> QRect:
    return QRect(widget.mapTo(widget.window(), QPoint(0, 0)), widget.size())


def panes(desk: Desk) -> list[Pane]:
    return [pane for pane in desk.host.findChildren(Pane) if pane.isVisible()]


def test_the_bare_window_shows_lines_and_no_data(window: MainWindow) -> None:
    assert isinstance(window.centralWidget(), Skeleton)
    picture = window.grab().toImage()
    colors = {picture.pixelColor(x, y).name() for x in range(0, 1280, 7) for y in range(40, 800, 3)}
    assert colors <= {themes.current().panel.name(), themes.current().line.name()}


@pytest.mark.parametrize("perspective", PERSPECTIVES)
def test_the_first_lines_are_where_the_panes_will_be(qtbot: QtBot, desk: Desk, perspective: str) -> None:
    desk.commands.set_perspective(perspective)
    skeleton = Skeleton(perspective)
    qtbot.addWidget(skeleton)
    page = desk.window.centralWidget()
    assert page is not None
    skeleton.resize(page.size())
    picture, line = skeleton.grab().toImage(), themes.current().line
    for pane in panes(desk):
        x, y = pane.mapTo(page, QPoint(0, 0)).toTuple()
        down = [picture.pixelColor(x + 40, y + dy) == line for dy in range(-14, 15) if y + dy >= 0]
        assert any(down), f"no line near the top of {pane.name}"


def test_the_status_bar_and_promises_are_as_high_as_the_first_lines_say(desk: Desk) -> None:
    page = desk.window.centralWidget()
    assert page is not None
    assert desk.host.mapTo(page, QPoint(0, 0)).y() == sum(ABOVE)
    assert page.height() - desk.host.mapTo(page, QPoint(0, desk.host.height())).y() == sum(BELOW)


def misplaced(desk: Desk) -> list[str]:
    """Panes that overlap or stick out, and buttons of the bars with less room than their words need."""
    places = [place_of(pane) for pane in panes(desk)]
    found = [str(one) for one in places if not desk.window.rect().contains(one)]
    for number, one in enumerate(places):
        found.extend(f"{one} on {other}" for other in places[number + 1 :] if one.intersects(other))
    for bar in (desk.top_bar, desk.filter_bar, desk.status_bar):
        for piece in bar.findChildren(QAbstractButton):
            if piece.isVisible() and piece.width() < piece.minimumSizeHint().width():
                found.append(f"{piece.text()} is cut")
            if piece.isVisible() and not place_of(bar).contains(place_of(piece)):
                found.append(f"{piece.text()} sticks out")
    return found


@pytest.mark.parametrize("theme", [ThemeChoice.DARK, ThemeChoice.LIGHT, ThemeChoice.CONTRAST])
def test_at_1280_by_800_nothing_is_cut_and_nothing_overlaps(
    qtbot: QtBot, desk: Desk, bench: ShellWorkbench, bridge: Bridge, theme: ThemeChoice
) -> None:
    themes.choose(theme)
    bench.add(story(6))
    bench.pending.statuses["you"] = live_status()
    bridge.drain()
    for perspective in PERSPECTIVES:
        desk.commands.set_perspective(perspective)
        assert desk.window.size().toTuple() == (1280, 800)
        qtbot.waitUntil(lambda: misplaced(desk) == [])


def test_the_command_line_knows_every_panel() -> None:
    assert {panel.value for panel in PanelName} == set(VIEWS)


def placed(split: Split) -> list[str]:
    """Every view of an arrangement, as often as it stands there."""
    return [
        name for part in split.parts for name in (placed(part) if isinstance(part, Split) else part.views)
    ]


def test_no_view_has_two_places_in_a_perspective() -> None:
    for arrangement in ARRANGEMENTS.values():
        assert sorted(placed(arrangement.root)) == sorted(VIEWS)


def test_a_perspective_has_every_view_and_opens_all_but_the_closed(desk: Desk) -> None:
    for perspective in PERSPECTIVES:
        desk.commands.set_perspective(perspective)
        here = {name for pane in desk.host.findChildren(Pane) for name in pane.views()}
        assert here == set(VIEWS)
        assert {name for name in VIEWS if not desk.host.is_open(name)} == ARRANGEMENTS[perspective].closed


def test_ctrl_and_a_figure_change_the_perspective(desk: Desk) -> None:
    for key, name in ((Qt.Key.Key_3, "watch"), (Qt.Key.Key_2, "break"), (Qt.Key.Key_1, "inspect")):
        QTest.keyClick(desk.window, key, Qt.KeyboardModifier.ControlModifier)
        assert desk.host.perspective == name
        assert desk.actions_table[f"view.perspective.{name}"].isChecked()


def test_the_keyboard_stays_where_it_was_when_the_perspective_changes(
    desk: Desk, bench: ShellWorkbench
) -> None:
    bench.add(story(1))
    desk.views.traffic.refresh()
    table = desk.views.traffic.table
    table.setFocus()
    desk.commands.set_perspective("break")
    assert table.hasFocus()
    desk.commands.set_perspective("watch")  # the table is put away there
    assert desk.host.hasFocus()


def test_a_layout_of_an_earlier_version_opens_what_it_does_not_know(desk: Desk) -> None:
    earlier = Layout(sizes={"main": [500, 100, 100]}, tabs={"tools": "notices"}, closed=["detail", "gone"])
    desk.host.arrange("inspect", earlier)
    assert desk.host.is_open("expert")
    assert desk.host.is_open("latest")
    assert not desk.host.is_open("detail")
    assert desk.views.traffic.isVisible()
    assert desk.views.notices.isVisible()


def test_the_layout_is_remembered_for_each_perspective_and_can_be_reset(
    desk: Desk, settings: Settings
) -> None:
    first = desk.host.layout_now().sizes["left"]
    desk.host.set_open("detail", False)
    pane = next(pane for pane in panes(desk) if pane.name == "tools")
    pane.show_view("notices")
    desk.commands.set_perspective("watch")
    assert settings.layouts["inspect"].closed == ["detail", "scenarios"]
    assert settings.layouts["inspect"].tabs["tools"] == "notices"
    desk.commands.set_perspective("inspect")
    assert not desk.host.is_open("detail")
    assert next(pane for pane in panes(desk) if pane.name == "tools").front == "notices"
    desk.actions_table["view.reset"].trigger()
    assert desk.host.is_open("detail")
    assert desk.host.layout_now().sizes["left"] == first


def test_remembered_sizes_come_back(qtbot: QtBot, desk: Desk) -> None:
    desk.host.arrange("inspect", Layout(sizes={"inspect": [400, 879]}))
    assert desk.host.layout_now().sizes["inspect"] == pytest.approx([400, 879], abs=2)


def test_a_layout_of_another_version_is_ignored_where_it_does_not_fit(desk: Desk) -> None:
    desk.host.arrange(
        "inspect", Layout(sizes={"inspect": [1, 2, 3], "gone": [1]}, tabs={"tools": "gone"}, closed=["gone"])
    )
    sizes = desk.host.layout_now().sizes["inspect"]
    assert len(sizes) == 2
    assert sizes[0] == pytest.approx(264, abs=4)


def test_sizes_leave_room_for_everybody() -> None:
    split = Split("x", True, (Place("a", ("a",), 300), Place("b", ("b",)), Place("c", ("c",))))
    assert first_sizes(split, 1000, [False, False, False]) == [300, 350, 350]
    assert first_sizes(split, 1000, [False, False, True])[1] == 700
    assert min(first_sizes(split, 100, [False, False, False])) >= 72


def test_tabs_change_by_mouse_and_figures_follow(desk: Desk) -> None:
    pane = next(pane for pane in panes(desk) if pane.name == "tools")
    tab = next(each for each in pane.findChildren(QAbstractButton) if each.text() == "Composer")
    QTest.mouseClick(tab, Qt.MouseButton.LeftButton)
    assert pane.front == "composer"
    desk.views.composer.figures_changed.emit("7 kept")
    labels = [
        label for label in pane.findChildren(QWidget) if getattr(label, "text", lambda: "")() == "7 kept"
    ]
    assert labels


def test_figures_stand_beside_their_titles_in_the_next_perspective_too(desk: Desk) -> None:
    desk.views.latency.figures_changed.emit("p50 1.0 · p95 2.0")
    desk.commands.set_perspective("break")
    pane = next(pane for pane in panes(desk) if pane.name == "latency")
    assert pane._heading.figures.text() == "p50 1.0 · p95 2.0"


def test_a_notice_behind_its_tab_is_pointed_at_until_it_was_looked_at(desk: Desk) -> None:
    pane = next(pane for pane in panes(desk) if pane.name == "tools")
    desk.views.notices.figures_changed.emit("1 failure")
    tab = next(each for each in pane.findChildren(QAbstractButton) if each.text().startswith("Notices"))
    assert tab.text() == "Notices •"
    assert tab.accessibleDescription() == "Something new"
    QTest.mouseClick(tab, Qt.MouseButton.LeftButton)
    assert tab.text() == "Notices"
    desk.views.notices.figures_changed.emit("2 failures")
    assert tab.text() == "Notices"


def test_every_widget_that_takes_the_keyboard_has_a_name(desk: Desk) -> None:
    for perspective in PERSPECTIVES:
        desk.commands.set_perspective(perspective)
        nameless = [
            widget
            for widget in shown(desk.window)
            if widget.focusPolicy() != Qt.FocusPolicy.NoFocus
            and not widget.accessibleName()
            and widget.focusProxy() is None
            and not isinstance(widget, QScrollArea)
        ]
        assert nameless == []


def test_no_label_reads_markup(desk: Desk) -> None:
    rich = [
        label.text()
        for label in desk.window.findChildren(QLabel)
        if label.textFormat() == Qt.TextFormat.RichText
    ]
    assert rich == []


def test_a_filter_narrows_the_table_is_green_and_escape_takes_it_back(
    qtbot: QtBot, desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    bench.add(story(6))
    bridge.drain()
    traffic, edit = desk.views.traffic, desk.filter_bar.edit
    qtbot.waitUntil(lambda: traffic.model.rowCount() > 10)
    everything = traffic.model.rowCount()
    QTest.keyClick(desk.window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert edit.hasFocus()
    QTest.keyClicks(edit, "presence")
    qtbot.waitUntil(lambda: 0 < traffic.model.rowCount() < everything)
    assert edit.property("state") == "valid"
    QTest.keyClick(edit, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: traffic.model.rowCount() == everything)
    assert edit.property("state") == ""
    QTest.keyClick(edit, Qt.Key.Key_Return)
    assert traffic.table.hasFocus()


def test_a_filter_that_is_not_understood_is_red_and_says_why(desk: Desk) -> None:
    desk.filter_bar.edit.setText("size>")
    desk.filter_bar.show_state(FilterError("a number is missing", 5))
    assert desk.filter_bar.edit.property("state") == "invalid"
    assert desk.filter_bar.edit.found.text() == "a number is missing"
    desk.filter_bar.show_state(None)
    assert desk.filter_bar.edit.property("state") == "valid"


def test_a_wrong_filter_leaves_the_table_and_points_at_the_place(
    qtbot: QtBot, desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    bench.add(story(2))
    bridge.drain()
    traffic, edit = desk.views.traffic, desk.filter_bar.edit
    desk.filter_bar.set_text("op:presence")
    traffic.refresh()
    shown = traffic.model.rowCount()
    assert shown > 0
    before = edit.grab().toImage()
    desk.filter_bar.set_text("op:presence rrt>200ms")
    traffic.refresh()
    assert traffic.model.rowCount() == shown
    assert edit.property("state") == "invalid"
    assert "rtt" in edit.found.text()
    assert edit.grab().toImage() != before
    desk.filter_bar.set_text("op:presence")
    assert "type is “presence”" in edit.toolTip()


def test_what_may_come_next_is_offered_and_taken_by_keys(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    bench.add(story(2))
    bridge.drain()
    edit = desk.filter_bar.edit
    edit.setFocus()
    QTest.keyClicks(edit, "di")
    offers = desk.window.findChild(FilterOffers)
    assert offers is not None
    assert offers.isVisible()
    QTest.keyClick(edit, Qt.Key.Key_Down)
    QTest.keyClick(edit, Qt.Key.Key_Down)
    QTest.keyClick(edit, Qt.Key.Key_Return)
    assert edit.text() == "dir:"
    QTest.keyClicks(edit, "o")
    QTest.keyClick(edit, Qt.Key.Key_Tab)
    assert edit.text() == "dir:out "
    assert edit.hasFocus()
    QTest.keyClicks(edit, "co")
    QTest.keyClick(edit, Qt.Key.Key_Escape)
    assert not offers.isVisible()
    assert edit.text() == "dir:out co"


def test_selecting_a_row_shows_it_in_the_detail(
    qtbot: QtBot, desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    bench.add(story(2))
    bridge.drain()
    desk.views.traffic.refresh()
    with qtbot.waitSignal(desk.views.traffic.selected) as selected:
        QTest.keyClick(desk.window, Qt.Key.Key_F7)
    assert selected.args[0] >= 0


def test_the_status_bar_tells_rates_round_trips_and_what_went_wrong(
    qtbot: QtBot, desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    bench.pending.throughput = throughput(1.0)
    bridge.drain()
    assert desk.status_bar.messages.text() == "196 msg/s"
    assert desk.status_bar.bytes.text().endswith("/s")
    desk.status_bar.show_round_trips("p50 12.1 · p95 18.9 · p99 41.0 · jitter 1.8 ms")
    assert desk.status_bar.rtt.text() == "RTT p50 12.1 · p95 18.9 ms"
    desk.tasks.failed.emit("Could not kick the session: refused")
    assert desk.status_bar.gateway.text() == "Could not kick the session: refused"


def test_with_the_table_closed_the_status_bar_counts_rows_itself(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    desk.commands.set_perspective("watch")
    bench.add(story(1))
    bridge.drain()
    assert desk.status_bar.rows.text() == f"{len(story(1))} rows"


def test_switches_of_rows_and_folding_stand_in_the_menu_as_beside_the_filter(desk: Desk) -> None:
    desk.actions_table["traffic.sent"].trigger()
    assert desk.views.pills.state()["sent"] is False
    assert not desk.actions_table["traffic.sent"].isChecked()
    desk.actions_table["traffic.fold"].trigger()
    assert not desk.views.traffic.is_folded
    desk.views.pills.set_state({"sent": True})
    assert desk.actions_table["traffic.sent"].isChecked()


@pytest.mark.parametrize("name", ["system", "dark", "light", "contrast"])
def test_a_theme_of_the_menu_is_chosen_and_remembered(desk: Desk, settings: Settings, name: str) -> None:
    desk.actions_table[f"view.theme.{name}"].trigger()
    assert settings.theme == name
    assert themes.choice is ThemeChoice(name)
    assert desk.actions_table[f"view.theme.{name}"].isChecked()


def test_the_theme_button_turns_through_the_themes(desk: Desk, settings: Settings) -> None:
    seen = set()
    for _ in range(4):
        QTest.mouseClick(desk.top_bar.theme, Qt.MouseButton.LeftButton)
        seen.add(settings.theme)
    assert seen == {"system", "dark", "light", "contrast"}


def test_looks_for_eyes_that_need_them_are_remembered(desk: Desk, settings: Settings) -> None:
    for name in ("colour_blind", "system_font", "reduced_motion"):
        desk.actions_table[f"view.{name}"].trigger()
        assert getattr(settings, name) is True
        desk.actions_table[f"view.{name}"].trigger()
        assert getattr(settings, name) is False


def test_players_are_switched_by_the_top_bar(desk: Desk, bench: ShellWorkbench) -> None:
    desk.actions_table.refresh()
    assert desk.top_bar.players.isChecked()
    QTest.mouseClick(desk.top_bar.players, Qt.MouseButton.LeftButton)
    assert not bench.players_on
    assert not desk.top_bar.players.isChecked()


def test_closing_the_window_asks_for_the_end_and_does_not_close_by_itself(qtbot: QtBot, desk: Desk) -> None:
    with qtbot.waitSignal(desk.window.close_asked):
        QTest.keyClick(desk.window, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
    assert desk.window.isVisible()


def test_what_a_person_changed_is_remembered_at_the_end(
    desk: Desk, settings: Settings, tmp_path: Path
) -> None:
    desk.window.resize(1300, 820)
    desk.host.set_open("detail", False)
    desk.views.traffic.set_fold(False)
    desk.remember()
    assert (settings.width, settings.height) == (1300, 820)
    assert settings.layouts["inspect"].closed == ["detail", "scenarios"]
    assert '"fold": false' in settings.traffic


def test_the_status_bar_tells_the_capture(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> None:
    bench.pending.capture = CaptureStatus("/somewhere/sonde-1.sonde", 1_234, 1_000, 2, 4_096, 3)
    bridge.drain()
    assert desk.status_bar.capture.text() == "● sonde-1.sonde · 1,234 rows · 4.0 KB · 2 lost"
    tip = desk.status_bar.capture.toolTip()
    assert "/somewhere/sonde-1.sonde" in tip
    assert "the newest 20 within 4 GB are kept" in tip
    assert "3 comments, rosters or documents are not in it" in tip
    bench.pending.capture = CaptureStatus()
    bridge.drain()
    assert desk.status_bar.capture.text() == ""


async def test_the_capture_is_begun_and_ended_by_its_keys_and_that_is_remembered(
    desk: Desk, bench: ShellWorkbench, settings: Settings
) -> None:
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    for wanted in (True, False):
        QTest.keyClick(desk.window, Qt.Key.Key_E, keys)
        await asyncio.sleep(0)
        assert (bench.captures, settings.capture) == (wanted, wanted)
        desk.actions_table.refresh()
        assert desk.actions_table["capture.toggle"].isChecked() is wanted
