"""Held messages in the window: what is to wait, the queue, the editor, and the ways in which a message goes."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sonde_lab.changes import Act, HeldContent, HeldRow, HeldRows, RuleRow
from sonde_lab.endpoints import EndpointKind
from sonde_lab.faults.limits import MAX_EDIT_BYTES
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.loop import WindowLoop
from sonde_ui.desktop.models.held_draft import Verdict, hex_lines, shown, verdict
from sonde_ui.desktop.models.held_model import HeldItem
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.hold_stops import stop_in_words
from sonde_ui.desktop.widgets.intercept_view import InterceptView
from sonde_ui.desktop.windows.desk import Desk
from support.shell import ShellWorkbench

LEFT = Qt.MouseButton.LeftButton
CTRL = Qt.KeyboardModifier.ControlModifier
SHOT = '{"type":"shot","hp":10}'


def row(number: int, op: str = "shot", **more: object) -> HeldRow:
    now = time.monotonic()
    told = {
        "number": number, "rule": 1, "conn": f"p{number}", "peer": "127.0.0.1:5000", "is_up": True, "op": op,
        "is_binary": False, "size": 23, "since": now - 3, "goes_at": now + 597,
    }  # fmt: skip
    return HeldRow(**{**told, **more})  # type: ignore[arg-type]


def stop(number: int = 1, says: str = "hold 10 min · to the server · of op:shot", hits: int = 2) -> RuleRow:
    now = time.monotonic()
    return RuleRow(number, "hold", "", says, "firing", hits, now + 600, now + 600)


@pytest.fixture
def view(qtbot: QtBot, bench: ShellWorkbench, bridge: Bridge, cursor: TimeCursor) -> InterceptView:
    """The panel on a proxy, as narrow as it stands in the Break perspective."""
    bench.endpoint.kind = EndpointKind.PROXY
    view = InterceptView(bench, bridge, cursor)
    qtbot.addWidget(view)
    view.resize(312, 560)
    with qtbot.waitExposed(view):
        view.show()
    return view


def finish(loop: WindowLoop, view: InterceptView, act: Callable[[], object]) -> None:
    """Do something in the loop, and wait for what it started."""

    async def whole() -> None:
        act()
        while view._tasks._running:
            for task in list(view._tasks._running):
                await task

    loop.run_until_complete(whole())


@pytest.fixture
def tell(
    view: InterceptView, bench: ShellWorkbench, bridge: Bridge, window_loop: WindowLoop
) -> Callable[..., None]:
    """`tell(rows…)`: these messages wait now."""

    def told(*rows: HeldRow, passed: int = 0) -> None:
        for each in rows:
            bench.contents.setdefault(each.number, HeldContent(each.number, SHOT))
        bench.pending.held = HeldRows(rows, passed)
        finish(window_loop, view, bridge.drain)

    return told


# ------------------------------------------------------------ what is to wait


def test_whatever_is_said_the_buttons_stay_in_sight(
    qtbot: QtBot, view: InterceptView, tell: Callable[..., None]
) -> None:
    view.resize(312, 440)
    tell(*(row(number) for number in range(1, 9)))
    view.editor.text.setPlainText('{"type": }')
    words = (
        "This stands where no message is held, and it goes on for so long that it needs more than one line."
    )
    view.stops.say(words)
    assert view.stops.said.text() == words
    one_line = view.stops.said.fontMetrics().height()
    qtbot.waitUntil(lambda: view.stops.said.height() >= 2 * one_line)
    for _ in range(4):
        QApplication.sendPostedEvents()  # each layout asks the one around it
    for button in (view.editor.send, view.editor.drop, view.editor.twice):
        foot = button.mapTo(view, button.rect().bottomLeft()).y()
        assert 0 < foot < view.height(), button.text()


def test_a_filter_and_a_direction_are_held_with_enter(
    view: InterceptView, bench: ShellWorkbench, window_loop: WindowLoop
) -> None:
    view.stops.line.setText("op:shot number:2")
    assert view.stops.line.property("state") == "valid"
    view.stops.ways.setCurrentIndex(view.stops.ways.findData("down"))
    finish(window_loop, view, lambda: QTest.keyClick(view.stops.line, Qt.Key.Key_Return))
    assert bench.asked == [(Act.HOLD, "op:shot number:2", "down")]


def test_esc_in_the_empty_line_holds_nothing(
    view: InterceptView, bench: ShellWorkbench, window_loop: WindowLoop
) -> None:
    view.stops.line.setText("op:shot")
    for _ in range(2):
        finish(window_loop, view, lambda: QTest.keyClick(view.stops.line, Qt.Key.Key_Escape))
    assert (view.stops.line.text(), bench.asked) == ("", [])


def test_a_filter_that_is_none_is_pointed_at_and_nothing_is_held(
    view: InterceptView, bench: ShellWorkbench, window_loop: WindowLoop
) -> None:
    view.stops.line.setText("op:shot siz>3")
    assert view.stops.said.text().startswith("There is no field “siz”; the nearest is “size”.")
    assert (view.stops.line._wrong_at, view.stops.line.property("state")) == (8, "invalid")
    finish(window_loop, view, lambda: QTest.mouseClick(view.stops.hold, LEFT))
    assert bench.asked == []


def test_an_empty_panel_says_what_to_do_and_does_it(
    view: InterceptView, bench: ShellWorkbench, window_loop: WindowLoop
) -> None:
    assert view.empty.isVisible()
    finish(window_loop, view, lambda: QTest.mouseClick(view.empty._button, LEFT))
    assert bench.asked == [(Act.HOLD, "", "both")]


def test_where_there_is_no_proxy_the_panel_says_so_and_puts_one_there(
    view: InterceptView, bench: ShellWorkbench, window_loop: WindowLoop
) -> None:
    bench.refusals[Act.HOLD] = "Messages are held in a proxy: put one in front of this gateway."
    view.check()
    assert not view.stops.hold.isEnabled()
    assert view.empty._sentence.text() == bench.refusals[Act.HOLD]
    finish(window_loop, view, lambda: QTest.mouseClick(view.empty._button, LEFT))
    assert bench.asked == [(Act.PUT_PROXY,)]


def test_stops_say_whom_and_how_many_and_are_taken_off_one_by_one(
    view: InterceptView, bench: ShellWorkbench, bridge: Bridge, window_loop: WindowLoop
) -> None:
    bench.pending.rules = (stop(1), stop(2, "hold 10 min · both ways", 0))
    bridge.drain()
    words = [line.words.text() for line in view.stops.lines.values()]
    assert words[0].startswith("▲ op:shot · 2 so far · off in 9 min")
    assert words[1].startswith("▲▼ all messages · none yet · off in")
    assert view.empty._sentence.text() == "Waiting for the first message that is meant. All others pass."
    finish(window_loop, view, lambda: QTest.mouseClick(view.stops.lines[2].off, LEFT))
    assert bench.asked == [(Act.DISARM, 2)]
    bench.pending.rules = (stop(1),)
    bridge.drain()
    assert list(view.stops.lines) == [1]


def test_of_many_stops_the_newest_are_shown(
    view: InterceptView, bench: ShellWorkbench, bridge: Bridge
) -> None:
    bench.pending.rules = tuple(stop(number) for number in range(1, 6))
    bridge.drain()
    assert list(view.stops.lines) == [3, 4, 5]
    assert view.stops._more.text() == "and 2 more, in the panel Faults"


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ("hold 10 min · to the client · for 5 s · of op:a", "▼ for 5 s · of op:a"),
        ("hold 30 s · both ways · of a · b", "▲▼ a · b"),
        ("hold", " all messages"),
    ],
)
def test_a_stop_is_said_in_few_words(says: str, words: str) -> None:
    assert stop_in_words(stop(1, says)) == words


# ------------------------------------------------------------ the queue


def test_the_oldest_message_is_chosen_and_stays_so_while_others_come_and_go(
    view: InterceptView, window_loop: WindowLoop, tell: Callable[..., None]
) -> None:
    counted: list[int] = []
    view.badge_changed.connect(counted.append)
    tell(row(1), row(2))
    assert view.editor.text.content() == SHOT
    assert view.editor.heading.text().startswith("▲ p1 · shot · 23 B · held 3.")
    finish(window_loop, view, lambda: view.list.setCurrentIndex(view.model.index(1)))
    tell(row(2), row(3), row(4))
    assert view._current() == view.model.item(0)
    assert view._current().row.number == 2  # type: ignore[union-attr]
    assert counted == [2, 3]
    tell()
    assert view.empty.isVisible()


def test_ages_tick_and_it_is_said_when_a_message_will_go_by_itself() -> None:
    held = HeldItem(row(1, since=100.0, goes_at=400.0))
    assert [held.age(now) for now in (103.2, 199.0, 280.0, 345.0)] == ["3 s", "99 s", "3 min", "in 55 s"]
    assert [held.is_soon(now) for now in (103.2, 345.0)] == [False, True]
    assert held.time_in_words(103.2) == "held 3.2 s, goes in 4 min 56 s"


def test_a_full_queue_is_said_in_the_title(view: InterceptView, tell: Callable[..., None]) -> None:
    said: list[str] = []
    view.figures_changed.connect(said.append)
    tell(row(1), passed=1_204)
    assert said == ["1 held · full: 1,204 passed"]


def test_enter_in_the_queue_lets_the_chosen_one_go_as_it_came_and_delete_drops_it(
    view: InterceptView, bench: ShellWorkbench, window_loop: WindowLoop, tell: Callable[..., None]
) -> None:
    tell(row(1), row(2))
    view.editor.text.setPlainText("a draft")
    finish(window_loop, view, lambda: QTest.keyClick(view.list, Qt.Key.Key_Return))
    assert bench.asked[-1] == (Act.LET_GO, 1, {})
    assert view.stops.said.text() == "shot: sent as it came."
    tell(row(2))
    finish(window_loop, view, lambda: QTest.keyClick(view.list, Qt.Key.Key_Delete))
    assert bench.asked[-1] == (Act.CHANGE_HELD, 2)


def test_a_second_key_press_before_the_answer_asks_nothing(
    view: InterceptView, bench: ShellWorkbench, window_loop: WindowLoop, tell: Callable[..., None]
) -> None:
    tell(row(1))

    def twice() -> None:
        QTest.keyClick(view.list, Qt.Key.Key_Return)
        QTest.keyClick(view.list, Qt.Key.Key_Return)

    finish(window_loop, view, twice)
    assert bench.asked == [(Act.LET_GO, 1, {})]


def test_what_the_proxy_refuses_is_said(
    view: InterceptView, bench: ShellWorkbench, window_loop: WindowLoop, tell: Callable[..., None]
) -> None:
    tell(row(1))
    bench.arm_answer = "Message 1 is not held any more: it was let go or dropped."
    finish(window_loop, view, lambda: QTest.mouseClick(view.editor.send, LEFT))
    assert (view.stops.said.text(), view.stops.said.property("tone")) == (bench.arm_answer, "bad")


def test_all_go_and_off_are_one_click_each(
    view: InterceptView, bench: ShellWorkbench, window_loop: WindowLoop, tell: Callable[..., None]
) -> None:
    tell(row(1))
    finish(window_loop, view, lambda: QTest.mouseClick(view.stops.all_go, LEFT))
    finish(window_loop, view, lambda: QTest.mouseClick(view.stops.off, LEFT))
    assert bench.asked == [(Act.LET_GO,), (Act.HOLD_NOTHING,)]


# ------------------------------------------------------------ the editor


def test_an_edited_message_is_sent_with_ctrl_enter_and_never_by_the_composer(
    view: InterceptView, bench: ShellWorkbench, window_loop: WindowLoop, tell: Callable[..., None]
) -> None:
    tell(row(1))
    assert not view.editor.send_edited.isEnabled()
    view.editor.text.setPlainText('{"type":"shot","hp":99}')
    assert view.editor.send_edited.isEnabled()
    assert view.editor.verdict.text() == "Edited: 23 B → 23 B"
    finish(window_loop, view, lambda: QTest.keyClick(view.editor.text, Qt.Key.Key_Return, CTRL))
    assert bench.asked == [(Act.LET_GO, 1, {"text": '{"type":"shot","hp":99}'})]


def test_twice_and_later_send_what_stands_in_the_editor(
    view: InterceptView, bench: ShellWorkbench, window_loop: WindowLoop, tell: Callable[..., None]
) -> None:
    tell(row(1))
    finish(window_loop, view, lambda: QTest.mouseClick(view.editor.twice, LEFT))
    view.editor.text.setPlainText("{}")
    view.editor.delay_ms.setText("250")
    finish(window_loop, view, lambda: QTest.mouseClick(view.editor.delay, LEFT))
    assert bench.asked == [(Act.LET_GO, 1, {"copies": 2}), (Act.LET_GO, 1, {"text": "{}", "delay_s": 0.25})]
    assert view.stops.said.text() == "shot: sent edited, 250 ms later."


def test_a_text_that_is_no_json_any_more_is_warned_of_and_sent(
    view: InterceptView, bench: ShellWorkbench, window_loop: WindowLoop, tell: Callable[..., None]
) -> None:
    tell(row(1))
    view.editor.text.setPlainText('{"type": shot}')
    assert view.editor.verdict.text() == ("No longer JSON (1:10): Expecting value. You can still send it.")
    finish(window_loop, view, lambda: QTest.mouseClick(view.editor.send_edited, LEFT))
    assert bench.asked == [(Act.LET_GO, 1, {"text": '{"type": shot}'})]


def test_bytes_are_edited_as_hex_and_what_is_no_hex_is_not_sent(
    view: InterceptView, bench: ShellWorkbench, window_loop: WindowLoop, tell: Callable[..., None]
) -> None:
    bench.contents[1] = HeldContent(1, None, bytes(range(17)))
    tell(row(1, is_binary=True))
    assert view.editor.text.content() == "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f\n10"
    view.editor.text.setPlainText("00 01\n0g")
    assert view.editor.verdict.text() == "Line 2, column 2: “g” is no hex digit."
    assert not any(
        each.isEnabled() for each in (view.editor.send_edited, view.editor.twice, view.editor.delay)
    )
    assert view.editor.drop.isEnabled()
    finish(window_loop, view, lambda: QTest.keyClick(view.editor.text, Qt.Key.Key_Return, CTRL))
    assert bench.asked == []
    view.editor.text.setPlainText("00 01\n0f")
    finish(window_loop, view, lambda: QTest.mouseClick(view.editor.send_edited, LEFT))
    assert bench.asked == [(Act.LET_GO, 1, {"data": b"\x00\x01\x0f"})]


def test_a_draft_is_kept_while_another_message_is_looked_at(
    view: InterceptView, window_loop: WindowLoop, tell: Callable[..., None]
) -> None:
    tell(row(1), row(2))
    view.editor.text.setPlainText("my draft")
    for chosen, stands in ((1, SHOT), (0, "my draft")):
        finish(window_loop, view, lambda at=chosen: view.list.setCurrentIndex(view.model.index(at)))
        assert view.editor.text.content() == stands


def test_in_a_read_only_window_messages_can_only_be_let_go(
    view: InterceptView, bench: ShellWorkbench, tell: Callable[..., None]
) -> None:
    for act in (Act.HOLD, Act.CHANGE_HELD):
        bench.refusals[act] = "The window is read-only."
    tell(row(1))
    view.editor.text.setPlainText("another")
    able = {each.text() for each in (
        view.stops.hold, view.stops.all_go, view.editor.send, view.editor.send_edited, view.editor.drop,
        view.editor.twice, view.editor.delay,
    ) if each.isEnabled()}  # fmt: skip
    assert able == {"All go", "Send"}


@pytest.mark.parametrize("where", ["list", "editor"])
def test_the_keyboard_stays_where_one_works_through_the_queue_and_does_nothing_between_two_messages(
    view: InterceptView,
    bench: ShellWorkbench,
    window_loop: WindowLoop,
    qtbot: QtBot,
    tell: Callable[..., None],
    where: str,
) -> None:
    place = view.list if where == "list" else view.editor.text
    tell(row(1), row(2))
    view.activateWindow()
    place.setFocus()
    qtbot.waitUntil(place.hasFocus)
    tell(row(2))
    assert place.hasFocus()
    assert view.list.selectionModel().isSelected(view.list.currentIndex())
    tell()
    assert view.empty.hasFocus()
    finish(window_loop, view, lambda: QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return))
    assert bench.asked == []
    tell(row(3))
    assert place.hasFocus()


def test_nothing_is_sent_of_a_message_before_it_has_come_into_the_editor(
    view: InterceptView, window_loop: WindowLoop, bench: ShellWorkbench, tell: Callable[..., None]
) -> None:
    tell(row(1), row(2))
    view.editor.text.setPlainText("of the first")

    def at_once() -> None:
        view.list.setCurrentIndex(view.model.index(1))
        assert not any(
            each.isEnabled() for each in (view.editor.send_edited, view.editor.twice, view.editor.delay)
        )
        QTest.keyClick(view.editor.text, Qt.Key.Key_Return, CTRL)

    finish(window_loop, view, at_once)
    assert bench.asked == []


# ------------------------------------------------------------ what an editor can carry


def test_a_no_break_space_comes_back_as_it_was(view: InterceptView, tell: Callable[..., None]) -> None:
    text = '{"a":"1\u00a0000\u2028"}'
    view._workbench.contents[1] = HeldContent(1, text)  # type: ignore[attr-defined]
    tell(row(1))
    assert view.editor.text.content() == text
    assert not view.editor.is_edited


@pytest.mark.parametrize("text", ["a\r\nb", "nul \x00", "\u2029", "\ufffc"])
def test_a_text_that_an_editor_would_change_is_edited_as_bytes(text: str) -> None:
    came = shown(HeldContent(1, text))
    assert (came.is_hex, came.text) == (True, hex_lines(text.encode()))


def test_what_is_cut_or_does_not_inflate_cannot_be_edited() -> None:
    cut = shown(HeldContent(1, "x", is_cut=True))
    assert verdict(cut, "y") == Verdict(hint="Only its first 256 KB: it is too long to be edited.")
    assert "does not inflate" in shown(HeldContent(1)).why_not


def test_an_edited_message_is_bounded_and_half_a_pair_is_pointed_at() -> None:
    came = shown(HeldContent(1, "text"))
    assert verdict(came, "x" * (MAX_EDIT_BYTES + 1)).problem == "An edited message has at most 256 KB."
    found = verdict(came, "a\nb\ud800")
    assert (found.line, found.column) == (2, 2)
    assert verdict(came, "text").hint == "As it came"
    assert verdict(came, "no JSON, as before").warning == ""


# ------------------------------------------------------------ in the window


@pytest.mark.parametrize("perspective", ["inspect", "break", "watch"])
def test_the_panel_is_shown_by_its_action_in_every_perspective(desk: Desk, perspective: str) -> None:
    desk.commands.set_perspective(perspective)  # type: ignore[arg-type]
    desk.actions_table["intercept.show"].trigger()
    assert desk.views.intercept.isVisible()
    assert QApplication.focusWidget() is desk.views.intercept.stops.line
