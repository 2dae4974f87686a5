"""The timeline in the window: lanes from rows, one cursor by mouse and keys, zoom, words, pictures, following."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sonde_lab.swim_lanes import STATUSES, Lane
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.following import Followed, Following
from sonde_ui.desktop.theme import ThemeChoice, themes
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.lane_looks import LOOKS
from sonde_ui.desktop.widgets.lane_painter import MOST_BARS, RULER_PX
from sonde_ui.desktop.widgets.timeline_view import TimelineView
from support.arena_rows import arena, person, snapshot
from support.lane_crowd import crowd_of_lanes
from support.scripted_workbench import WORST_NAMES, ScriptedWorkbench, storm

NO_BUTTON, LEFT = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
PLAIN, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def view(
    qtbot: QtBot,
    bench: ScriptedWorkbench,
    bridge: Bridge,
    cursor: TimeCursor,
    following: Following,
    began: float,
) -> TimelineView:
    view = TimelineView(bench, bridge, cursor, following)
    qtbot.addWidget(view)
    view.resize(800, 400)
    with qtbot.waitExposed(view):
        view.show()
    bench.add(arena(began))
    bridge.drain()
    view.choose_stretch(2)
    view.draw(began + 100)
    return view


def lane(view: TimelineView, name: str) -> Lane:
    return next(lane for lane in view.lanes if lane.name == name)


def place(view: TimelineView, name: str, at: float) -> QPoint:
    canvas = view.canvas
    row = next(
        at for at, row in enumerate(canvas.picture.rows) if row.lane is not None and row.lane.name == name
    )
    return QPoint(round(canvas.x_of(at)), canvas.y_of(row))


def test_lanes_are_those_of_the_rows_with_own_connections_and_faults_on_top(view: TimelineView) -> None:
    names = [row.lane.name for row in view.canvas.picture.rows if row.lane is not None]
    assert names == ["you", "faults, marks", "ada", "bertil", "chidi", "dalia"]
    assert [each.status for each in lane(view, "chidi").stretches] == ["online", "reconnecting", "online"]
    assert lane(view, "ada").stretches[-1].how == "left"


def test_while_nobody_looks_nothing_is_made(
    view: TimelineView, bench: ScriptedWorkbench, bridge: Bridge, began: float
) -> None:
    view.hide()
    bench.add([snapshot(began + 101, person("emeka"))])
    bridge.drain()
    for _ in range(12):
        view.draw(began + 102)
    assert "emeka" not in [each.name for each in view.lanes]
    view.show()
    view.draw(began + 110)
    assert "emeka" in [each.name for each in view.lanes]


def test_a_click_holds_the_moment_that_was_pointed_at_and_the_title_says_it(
    qtbot: QtBot, view: TimelineView, cursor: TimeCursor, began: float
) -> None:
    with qtbot.waitSignal(view.figures_changed) as told:
        QTest.mouseClick(view.canvas.viewport(), LEFT, PLAIN, place(view, "bertil", began + 30))
    assert cursor.moment is not None
    assert cursor.moment.at == pytest.approx(began + 30, abs=0.2)
    assert " · at " in told.args[0]


def test_the_cursor_is_dragged_and_never_beyond_what_is_known(
    view: TimelineView, cursor: TimeCursor, began: float
) -> None:
    port = view.canvas.viewport()
    QTest.mousePress(port, LEFT, PLAIN, place(view, "bertil", began + 30))
    there = QPointF(port.width() + 500, 60)
    moved = QMouseEvent(QEvent.Type.MouseMove, there, port.mapToGlobal(there), NO_BUTTON, LEFT, PLAIN)
    QApplication.sendEvent(port, moved)
    assert cursor.moment is not None
    assert cursor.moment.at == pytest.approx(view.canvas.picture.span.now)
    QTest.mouseRelease(port, LEFT, PLAIN, QPoint(300, 60))


def test_arrows_move_the_cursor_with_shift_ten_times_as_far_and_escape_is_left_to_the_window(
    view: TimelineView, cursor: TimeCursor, began: float
) -> None:
    cursor.hold(began + 50)
    steps = []
    for key, modifiers in ((Qt.Key.Key_Right, PLAIN), (Qt.Key.Key_Left, SHIFT)):
        before = cursor.moment.at  # type: ignore[union-attr]
        QTest.keyClick(view.canvas, key, modifiers)
        steps.append(cursor.moment.at - before)  # type: ignore[union-attr]
    assert steps[0] > 0
    assert steps[1] == pytest.approx(-10 * steps[0])
    held = cursor.moment
    QTest.keyClick(view.canvas, Qt.Key.Key_Escape)
    assert cursor.moment == held


def turn(view: TimelineView, at: QPointF, notches: int, modifiers: Qt.KeyboardModifier = PLAIN) -> None:
    port = view.canvas.viewport()
    event = QWheelEvent(
        at, port.mapToGlobal(at), QPoint(), QPoint(0, 120 * notches), NO_BUTTON, modifiers,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(port, event)


def test_the_wheel_zooms_around_the_pointer_and_a_stretch_chosen_follows_again(
    view: TimelineView, began: float
) -> None:
    canvas = view.canvas
    before = canvas.picture.span.length_s
    x = canvas.x_of(began + 40)
    turn(view, QPointF(x, 80), 3)
    assert canvas.picture.span.length_s < before * 0.6
    assert canvas.x_of(began + 40) == pytest.approx(x, abs=1)
    assert canvas.picture.span.is_free
    view.choose_stretch(2)
    assert not canvas.picture.span.is_free


def test_the_ruler_is_dragged_to_earlier_times(view: TimelineView) -> None:
    port, span = view.canvas.viewport(), view.canvas.picture.span
    view.choose_stretch(0)
    before = span.since
    QTest.mousePress(port, LEFT, PLAIN, QPoint(300, RULER_PX // 2))
    there = QPointF(420, RULER_PX / 2)
    moved = QMouseEvent(QEvent.Type.MouseMove, there, port.mapToGlobal(there), NO_BUTTON, LEFT, PLAIN)
    QApplication.sendEvent(port, moved)
    QTest.mouseRelease(port, LEFT, PLAIN, QPoint(420, RULER_PX // 2))
    assert span.since < before - 5


@pytest.mark.parametrize(
    ("name", "after_s", "wanted"),
    [
        ("bertil", 30, ("bertil · away · idle · ", "now")),
        ("chidi", 45, ("chidi · reconnecting · ", "10 s")),
        ("ada", 85, ("ada · not there · left at ",)),
        ("you", 30, ("you · live as you (player) · ",)),
        ("faults, marks", 80, ("mark · ", "mark 1")),
        ("faults, marks", 65, ("refuse the dials of you for 10 s", "10 s")),
    ],
)
def test_a_tool_tip_says_who_how_and_how_long(
    view: TimelineView, began: float, name: str, after_s: float, wanted: tuple[str, ...]
) -> None:
    words = view.canvas.words_at(place(view, name, began + after_s))
    assert all(part in words for part in wanted), words


def test_keys_go_from_lane_to_lane_in_words_and_return_follows(
    qtbot: QtBot, view: TimelineView, following: Following
) -> None:
    view.canvas.setFocus()
    for _ in range(3):
        QTest.keyClick(view.canvas, Qt.Key.Key_Down)
    assert view.canvas.accessibleDescription().startswith("ada · not there · left at ")
    QTest.keyClick(view.canvas, Qt.Key.Key_Return)
    assert following.who == Followed("u-ada", "s-ada", "ada")


def test_a_double_click_follows_and_own_connections_cannot_be_followed(
    view: TimelineView, following: Following, began: float
) -> None:
    QTest.mouseDClick(view.canvas.viewport(), LEFT, PLAIN, place(view, "you", began + 50))
    assert following.who is None
    QTest.mouseDClick(view.canvas.viewport(), LEFT, PLAIN, place(view, "chidi", began + 50))
    assert following.who == Followed("u-chidi", "s-chidi", "chidi")


def test_groups_and_the_search_change_which_rows_stand_where(view: TimelineView) -> None:
    view.grouping.setCurrentIndex(2)
    headings = [row.label for row in view.canvas.picture.rows if row.lane is None]
    assert headings == ["online · 2", "away · 1", "left · 1"]
    view.search.setText("bert")
    assert [row.label for row in view.canvas.picture.rows if row.lane is None] == ["away · 1"]


def test_the_title_counts_lanes(qtbot: QtBot, view: TimelineView) -> None:
    with qtbot.waitSignal(view.figures_changed) as told:
        view.choose_stretch(1)
    assert told.args[0] == "room:arena · 4 lanes"


def colours_in(view: TimelineView) -> set[str]:
    image = view.grab().toImage()
    return {image.pixelColor(x, y).name() for x in range(150, 780, 3) for y in range(50, 220, 2)}


def test_every_status_has_a_look_and_no_two_that_meet_look_alike() -> None:
    assert set(LOOKS) == set(STATUSES)
    people = ["online", "away", "busy", "reconnecting"]
    assert len({LOOKS[status].pattern for status in people}) == len(people)


@pytest.mark.parametrize("choice", list(ThemeChoice))
def test_bars_are_in_the_colours_of_the_theme(view: TimelineView, choice: ThemeChoice) -> None:
    themes.choose(choice)
    theme = themes.current()
    assert {theme.ok.name(), theme.warn.name(), theme.panel.name()} <= colours_in(view)


def test_names_that_mean_harm_are_shown_on_one_line(
    view: TimelineView, bench: ScriptedWorkbench, bridge: Bridge, began: float
) -> None:
    people = [person(name, session=f"w{at}", user=f"w{at}") for at, name in enumerate(WORST_NAMES)]
    # JSON cannot carry half a character as it is; the wire escapes it, and so does this.
    bench.add([snapshot(began + 101, *people)])
    bridge.drain()
    view.draw(began + 110)
    view.grab()
    labels = [row.label for row in view.canvas.picture.rows]
    assert all(label.strip() and "\n" not in label and "\u202e" not in label for label in labels)


def test_the_picture_for_a_file_is_at_twice_the_size_and_holds_all_lanes(view: TimelineView) -> None:
    view.resize(800, 140)
    image = view.image()
    assert image.width() == 2 * 1_200
    assert image.height() >= 2 * (RULER_PX + 6 * 22)


def test_of_an_hour_of_two_hundred_people_who_flap_no_more_bars_are_drawn_than_allowed(
    qtbot: QtBot, view: TimelineView
) -> None:
    since, until, rows = crowd_of_lanes(200, 3_600.0)
    picture = view.canvas.picture
    picture.span.advance(since, until)
    picture.span.choose(float("inf"))
    picture.rows = rows
    view.resize(1_400, 900)
    view.canvas.refresh()
    view.grab()
    assert 40 < view.canvas.bars_drawn <= MOST_BARS


def test_rows_that_tell_of_nobody_leave_a_sentence(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge, cursor: TimeCursor, following: Following
) -> None:
    view = TimelineView(bench, bridge, cursor, following)
    qtbot.addWidget(view)
    with qtbot.waitExposed(view):
        view.show()
    bench.add(storm(10))
    bridge.drain()
    view.draw(time.monotonic())
    assert view._empty.isVisible()
    assert "lanes appear" in view._empty.accessibleName()
