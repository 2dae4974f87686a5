"""What a person does with mouse and keys, on widgets that can really be reached, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from sonde_lab.changes import Act
from sonde_lab.records import Flag, Kind, Record
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.widgets import faults_view
from support.window import NotReached, Person

pytestmark = pytest.mark.slow
Tell = Callable[..., None]
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def state(person: Person) -> ConnectionState | None:
    client = person.workbench.clients.get("you")
    return client.status.state if client is not None else None


async def live(person: Person) -> None:
    await person.until(lambda: state(person) is ConnectionState.LIVE, "the window is live")
    await person.until(lambda: person.views.presence.model.rowCount() >= 5, "players are in the room")


def ops(person: Person, kind: Kind) -> list[str]:
    return [record.op for record in records(person) if record.kind is kind]


def records(person: Person) -> list[Record]:
    ring = person.workbench.ring
    return [ring.record(row_id) for row_id in range(ring.first_id, ring.next_id)]


def test_disconnect_and_connect_by_mouse(tell: Tell) -> None:
    async def story(person: Person) -> None:
        await live(person)
        await person.click(person.desk.top_bar.toggle)
        await person.until(lambda: state(person) is ConnectionState.IDLE, "the connection was closed")
        await person.until(lambda: person.desk.status.pill.text() == "Disconnected", "the widget says so")
        await person.until(
            lambda: person.desk.top_bar.toggle.text() == "Connect", "the button offers Connect"
        )
        await person.click(person.desk.top_bar.toggle)
        await live(person)
        await person.until(lambda: person.desk.status.pill.text() == "Live", "the widget says so")

    tell(story)


def test_dropping_by_key_resumes_and_says_so(tell: Tell) -> None:
    async def story(person: Person) -> None:
        await live(person)
        await person.press(Qt.Key.Key_D, CTRL | SHIFT)
        await person.until(lambda: "resumed" in ops(person, Kind.FRAME), "the session was resumed")
        await person.until(lambda: "resumed" in person.desk.status.reason.text(), "the widget says so")
        acts = [
            record for record in records(person) if record.kind is Kind.ACT and record.flags & Flag.INJECTED
        ]
        assert any(b"cut the socket of you" in bytes(record.payload) for record in acts)

    tell(story)


def test_being_kicked_stops_and_names_the_code_and_connect_begins_anew(tell: Tell) -> None:
    async def story(person: Person) -> None:
        await live(person)
        await person.press(Qt.Key.Key_2, CTRL)
        await person.until(lambda: person.desk.host.perspective == "break", "the perspective changed")
        await person.click(person.views.faults.cards[Act.KICK].button)
        await person.until(lambda: state(person) is ConnectionState.STOPPED, "the client stopped")
        await person.until(lambda: person.desk.status.pill.text() == "Stopped", "the widget says so")
        closed = person.workbench.clients["you"].status.last_close
        assert closed is not None
        assert closed.code == 4410
        await person.click(person.desk.top_bar.toggle)
        await live(person)

    tell(story)


def test_refusing_for_a_while_shows_a_countdown_and_retry_now_is_refused_too(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults_view, "REFUSE_S", 4.0)  # what a person gets is ten

    async def story(person: Person) -> None:
        await live(person)
        await person.press(Qt.Key.Key_2, CTRL)
        await person.click(person.views.faults.cards[Act.REFUSE].button)
        await person.click(person.views.faults.cards[Act.DROP].button)
        await person.until(lambda: state(person) is ConnectionState.WAITING, "the client waits")
        await person.until(person.desk.status.retry.isVisible, "Retry now is offered")
        dials = person.workbench.clients["you"].metrics.counters.dials
        await person.click(person.desk.status.retry)
        await person.until(
            lambda: person.workbench.clients["you"].metrics.counters.dials > dials, "it dialled"
        )
        await person.until(lambda: state(person) is ConnectionState.LIVE, "it came back", limit_s=40)

    tell(story)


def test_a_message_written_in_the_composer_comes_back_as_an_event(tell: Tell) -> None:
    async def story(person: Person) -> None:
        await live(person)
        await person.do(lambda: person.desk.host.set_open("composer", True))
        editor = person.views.composer.editor
        await person.click(editor)
        await person.press(Qt.Key.Key_A, CTRL)
        # Every letter that is a key of the table stays a letter here.
        await person.type('{"op":"publish","ch":"room:arena","type":"greeting","d":"f / F end"}')
        assert '"f / F end"' in editor.toPlainText()
        await person.press(Qt.Key.Key_Return, CTRL)
        seen = person.workbench.ring

        def came_back() -> bool:
            rows = (seen.record(row_id) for row_id in range(seen.first_id, seen.next_id))
            return any(r.op == "event" and b'"greeting"' in bytes(r.payload) for r in rows)

        await person.until(came_back, "the event came back")

    tell(story)


def test_the_filter_narrows_the_table_and_escape_and_words_stay_text(tell: Tell) -> None:
    async def story(person: Person) -> None:
        await live(person)
        table = person.views.traffic.table
        await person.press(Qt.Key.Key_F, CTRL)
        await person.type("ready")
        assert person.desk.filter_bar.text() == "ready"
        await person.until(lambda: 1 <= table.model().rowCount() <= 3, "only rows with the word are shown")
        await person.press(Qt.Key.Key_A, CTRL)
        await person.press(Qt.Key.Key_Backspace)
        await person.until(lambda: table.model().rowCount() > 3, "all rows are back")

    tell(story)


def test_the_palette_finds_and_does_an_action(tell: Tell) -> None:
    async def story(person: Person) -> None:
        await live(person)
        await person.press(Qt.Key.Key_K, CTRL)
        await person.until(person.desk.palette_card.isVisible, "the palette is open")
        await person.type("watch")
        await person.press(Qt.Key.Key_Return)
        await person.until(lambda: person.desk.host.perspective == "watch", "the action was done")

    tell(story)


def test_every_focusable_widget_has_a_name_in_every_perspective(tell: Tell) -> None:
    from support import layout

    async def story(person: Person) -> None:
        await live(person)
        for key in (Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_3):
            await person.press(key, CTRL)
            assert layout.unnamed(person.window) == []

    tell(story)


def test_a_planted_hidden_or_covered_button_cannot_be_clicked(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(200, 100)
    button, cover = QLabel("press me", window), QLabel("cover", window)
    button.setGeometry(10, 10, 80, 30)
    cover.setGeometry(0, 0, 200, 100)
    window.show()
    qtbot.waitExposed(window)
    person = Person.__new__(Person)
    with pytest.raises(NotReached, match="covered"):
        person.must_be_reachable(button)
    button.hide()
    with pytest.raises(NotReached, match="hidden"):
        person.must_be_reachable(button)
