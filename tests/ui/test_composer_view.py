"""The composer: letters stay text, mistakes are named with their place, what was sent can be had again."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sonde_lab.changes import Act
from sonde_lab.composing import compose
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.loop import WindowLoop
from sonde_ui.desktop.models.composition import History, check, templates
from sonde_ui.desktop.time_cursor import TimeCursor
from sonde_ui.desktop.widgets.composer_view import ComposerView
from support.scripted_workbench import ScriptedWorkbench

GOOD = '{"op": "publish", "ch": "room:arena", "type": "chat", "d": {"text": "hi"}}'


@pytest.fixture
def view(qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge, cursor: TimeCursor) -> ComposerView:
    view = ComposerView(bench, bridge, cursor)
    qtbot.addWidget(view)
    view.resize(420, 300)
    with qtbot.waitExposed(view):
        view.show()
    view.activateWindow()
    view.editor.setFocus()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is view)
    return view


def send_and_settle(qtbot: QtBot, view: ComposerView, loop: WindowLoop) -> None:
    """Press the keys on a running loop and wait until the answer is there."""

    async def act() -> None:
        qtbot.keyClick(view.editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
        for task in list(view._tasks._running):
            await task

    loop.run_until_complete(act())


def test_typed_letters_stay_text(qtbot: QtBot, view: ComposerView) -> None:
    qtbot.keyClicks(view.editor, "f / . , F k j end")
    assert view.editor.toPlainText() == "f / . , F k j end"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n  "op": "publish"\n  "ch": 1\n}', "Line 3, column 3: Expecting ',' delimiter"),
        ("[1]", "Line 1, column 1: A frame is an object with an “op”"),
        ("/nothing", "Line 1, column 1: There is no command /nothing"),
        ("/close 99", "Line 1, column 8: 99 may not be sent"),
        ("/close abc", "Line 1, column 8: “abc” is no close code"),
        ("/fault", "Line 1, column 8: A rule begins with what goes wrong"),
        ("/fault kik", "Line 1, column 8: There is no fault “kik”; the nearest is “kick”."),
        ("/fault latency 5s", "Line 1, column 8: “latency” is not made by a gateway"),
        ("/fault close 99999", "Line 1, column 14: “code” is between 0 and 65535."),
        ("[" * 10_000, "Nested too deeply"),
    ],
)
def test_mistakes_are_named_with_their_place(view: ComposerView, text: str, said: str) -> None:
    view.set_text(text)
    view._look()
    assert view.verdict.text().startswith(said)
    assert view.editor.accessibleDescription() == view.verdict.text()


def test_the_place_of_a_mistake_is_underlined(view: ComposerView) -> None:
    view.set_text('{\n  "op": "publish"\n  "ch": 1\n}')
    view._look()
    selections = view.editor.extraSelections()  # owns the cursor
    marked = selections[0].cursor
    assert (marked.blockNumber(), marked.selectedText()) == (2, '"')
    view.set_text(GOOD)
    view._look()
    assert view.editor.extraSelections() == []


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (GOOD, "A publish frame, numbered by the client."),
        ('{"op":"patch","id":7}', "A patch frame, as it stands, with its own id."),
        ("!nonsense", "Sent as it is: 8 characters."),
        ("/ping hello", "A protocol ping with “hello”."),
        ("/close 1013 try again later", "Closes with 1013 try again later."),
        ("/close", "Closes with 1000 normal."),
        ("/fault reset", "The gateway does this to your session: reset · both ways · once."),
    ],
)
def test_what_will_be_sent_is_said_before(text: str, hint: str) -> None:
    assert check(text).hint == hint


@pytest.mark.parametrize(
    "text", ["", "   \n", "x" * ((1 << 20) + 1), "/ping " + "x" * 126, "/close 4000 " + "x" * 124]
)
def test_what_cannot_be_sent_is_a_problem(text: str) -> None:
    assert check(text).problem


def test_control_enter_sends_and_the_result_is_shown(
    qtbot: QtBot, view: ComposerView, bench: ScriptedWorkbench, window_loop: WindowLoop
) -> None:
    view.set_text(GOOD)
    send_and_settle(qtbot, view, window_loop)
    assert bench.asked == [(Act.SEND, GOOD)]
    assert view.result.text().startswith("Sent ")


def test_what_the_gateway_refuses_is_shown(
    qtbot: QtBot, view: ComposerView, bench: ScriptedWorkbench, window_loop: WindowLoop
) -> None:
    bench.send_answer = "The gateway refused it: forbidden: <b>no</b>"
    view.set_text(GOOD)
    send_and_settle(qtbot, view, window_loop)
    assert view.result.text() == "The gateway refused it: forbidden: <b>no</b>"


def test_nothing_is_sent_while_it_is_wrong_or_not_possible(
    view: ComposerView, bench: ScriptedWorkbench
) -> None:
    view.set_text("{")
    view.send()
    assert view.result.text().startswith("Not sent: Expecting property name")
    bench.refusals[Act.SEND] = "there is no connection"
    view.set_text(GOOD)
    view.send()
    assert view.result.text() == "Not sent: there is no connection"
    assert bench.asked == []


def test_arrows_at_the_edges_look_through_what_was_sent(
    qtbot: QtBot, view: ComposerView, window_loop: WindowLoop
) -> None:
    for text in ("/ping one", "/ping two"):
        view.set_text(text)
        send_and_settle(qtbot, view, window_loop)
    view.set_text("a draft")
    qtbot.keyClick(view.editor, Qt.Key.Key_Up)
    assert view.editor.toPlainText() == "/ping two"
    qtbot.keyClick(view.editor, Qt.Key.Key_Up)
    qtbot.keyClick(view.editor, Qt.Key.Key_Up)
    assert view.editor.toPlainText() == "/ping one"
    qtbot.keyClick(view.editor, Qt.Key.Key_Down)
    qtbot.keyClick(view.editor, Qt.Key.Key_Down)
    assert view.editor.toPlainText() == "a draft"


def test_arrows_inside_a_text_move_the_cursor(
    qtbot: QtBot, view: ComposerView, window_loop: WindowLoop
) -> None:
    view.set_text("/ping one")
    send_and_settle(qtbot, view, window_loop)
    view.set_text("first\nsecond")
    qtbot.keyClick(view.editor, Qt.Key.Key_Up)
    assert view.editor.toPlainText() == "first\nsecond"


def test_every_template_can_be_sent_as_it_is() -> None:
    for template in templates("you", "room:arena", ("hit", "<b>x</b>")):
        assert not check(template.text).problem, template.name
        compose(template.text, binary=False)


def test_event_types_that_were_seen_become_templates(
    qtbot: QtBot, view: ComposerView, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    bench.pending.sent_types = ("chat", "hit")
    bridge.drain()
    view._menu.aboutToShow.emit()
    action = next(action for action in view._menu.actions() if action.text() == "Publish hit")
    action.trigger()
    assert json.loads(view.editor.toPlainText())["type"] == "hit"


def test_the_history_is_bounded_and_keeps_no_doubles() -> None:
    history = History()
    for at in range(200):
        history.add(str(at // 2))
    assert len(history._sent) == 50
    assert history.older("draft") == "99"
