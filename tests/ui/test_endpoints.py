"""The endpoint book, its combo and its dialog."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from sonde_lab.endpoints import EMBEDDED, OWN, Endpoint, TokenKind, TokenSource, proxy, remote
from sonde_ui.desktop.endpoint_book import EndpointBook
from sonde_ui.desktop.widgets.endpoint_combo import EndpointCombo
from sonde_ui.desktop.windows.desk import Desk
from sonde_ui.desktop.windows.endpoint_dialog import EndpointDialog

REMOTE = remote("wss://game.example/v1/ws", TokenSource(TokenKind.COMMAND, argv=("mint", "it")), name="game")


@pytest.fixture
def book(tmp_path: Path) -> EndpointBook:
    return EndpointBook(tmp_path / "endpoints.toml")


@pytest.fixture
def combo(qtbot: QtBot, dressed: object, book: EndpointBook) -> EndpointCombo:
    combo = EndpointCombo(book)
    qtbot.addWidget(combo)
    return combo


@pytest.fixture
def dialog(qtbot: QtBot, desk: Desk) -> EndpointDialog:
    desk.actions_table["endpoint.new"].trigger()
    dialog = desk.window.findChild(EndpointDialog)
    assert dialog is not None
    qtbot.waitUntil(dialog.isVisible)
    return dialog


def finish(dialog: EndpointDialog) -> None:
    button = next(each for each in dialog.findChildren(QPushButton) if each.text() == "Save and connect")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_gateways_of_our_own_are_always_first(book: EndpointBook) -> None:
    assert book.endpoints == OWN


def test_an_added_endpoint_is_there_at_the_next_start(book: EndpointBook, tmp_path: Path) -> None:
    assert book.add(REMOTE) is None
    assert EndpointBook(tmp_path / "endpoints.toml").named("game") == REMOTE


def test_an_endpoint_of_the_same_name_takes_its_place(book: EndpointBook) -> None:
    book.add(REMOTE)
    other = remote("ws://127.0.0.1:1/v1/ws", TokenSource(TokenKind.PASTE, "x"), name="game")
    book.add(other)
    assert book.endpoints == (*OWN, other)


def test_an_endpoint_of_the_command_line_is_not_written(book: EndpointBook, tmp_path: Path) -> None:
    book.remember(REMOTE)
    assert REMOTE in book.endpoints
    assert EndpointBook(tmp_path / "endpoints.toml").endpoints == OWN


def test_a_broken_file_is_told_and_kept_when_a_new_endpoint_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.toml"
    path.write_text("[[endpoint]\n")
    book = EndpointBook(path)
    assert book.error is not None
    assert "line 1" in str(book.error)
    assert path.read_text() == "[[endpoint]\n"
    assert book.add(REMOTE) is None
    assert path.with_suffix(".broken.toml").read_text() == "[[endpoint]\n"
    assert EndpointBook(path).named("game") == REMOTE


def test_a_file_that_cannot_be_written_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    book = EndpointBook(tmp_path / "file" / "endpoints.toml")
    assert "endpoints.toml" in str(book.add(REMOTE))
    assert REMOTE in book.endpoints


def test_the_combo_lists_endpoints_and_offers_a_new_one(combo: EndpointCombo, book: EndpointBook) -> None:
    book.add(Endpoint("live", REMOTE.kind, REMOTE.url, REMOTE.token, production=True))
    texts = [combo.itemText(place) for place in range(combo.count())]
    assert texts == [
        "Embedded gateway",
        "Cluster of 2 nodes",
        "live · production",
        "",
        "Open a capture…",
        "New endpoint…",
    ]


def test_the_combo_shows_what_is_open_not_what_was_asked_for(
    qtbot: QtBot, combo: EndpointCombo, book: EndpointBook
) -> None:
    book.add(REMOTE)
    combo.show_endpoint(EMBEDDED)
    with qtbot.waitSignal(combo.chosen) as chosen:
        combo.activated.emit(2)
    assert chosen.args == [REMOTE]
    assert combo.currentText() == "Embedded gateway"
    with qtbot.waitSignal(combo.new_asked):
        combo.activated.emit(combo.count() - 1)


def test_the_dialog_makes_an_endpoint_of_what_was_typed(qtbot: QtBot, dialog: EndpointDialog) -> None:
    made: list[Endpoint] = []
    dialog.made.disconnect()
    dialog.made.connect(made.append)
    QTest.keyClicks(dialog.url, "wss://game.example/v1/ws")
    dialog.kind.setCurrentIndex(1)
    QTest.keyClicks(dialog.token, 'mint --game "north gate"')
    dialog.production.setChecked(True)
    finish(dialog)
    assert made[0].token == TokenSource(TokenKind.COMMAND, argv=("mint", "--game", "north gate"))
    assert made[0].production
    assert made[0].name == "game.example"


@pytest.mark.parametrize(
    ("url", "token", "said"),
    [
        ("game.example", "x", "must look like"),
        ("http://game.example", "x", "must look like"),
        ("ws://game.example/v1/ws?token=x", "x", "never belongs in the address"),
        ("ws://game.example/v1/ws", "", "Paste a token"),
    ],
)
def test_the_dialog_says_what_is_wrong_and_stays(
    dialog: EndpointDialog, url: str, token: str, said: str
) -> None:
    dialog.url.setText(url)
    dialog.token.setText(token)
    finish(dialog)
    assert said in dialog.error.text()
    assert dialog.isVisible()
    QTest.keyClicks(dialog.url, "x")
    assert dialog.error.text() == ""
    dialog.reject()


def test_the_dialog_makes_a_proxy(dialog: EndpointDialog, qtbot: QtBot) -> None:
    made: list[Endpoint] = []
    dialog.made.disconnect()
    dialog.made.connect(made.append)
    dialog.what.setCurrentIndex(1)
    assert dialog.upstream.isVisible()
    assert not dialog.url.isVisible()
    dialog.upstream.setText("http://game.example")
    finish(dialog)
    assert "WebSocket server" in dialog.error.text()
    dialog.upstream.setText("wss://game.example/v1/ws")
    dialog.listen.setText("127.0.0.1:9100")
    dialog.name.setText("through")
    finish(dialog)
    assert made == [proxy("wss://game.example/v1/ws", "127.0.0.1:9100", "through")]


def test_a_saved_proxy_is_listed_with_where_it_leads(combo: EndpointCombo, book: EndpointBook) -> None:
    book.add(proxy("ws://game.example", name="through"))
    place = combo.findText("through")
    assert place >= len(OWN)
    tip = combo.itemData(place, Qt.ItemDataRole.ToolTipRole)
    assert "A proxy at 127.0.0.1:0 → ws://game.example" in tip


def test_a_command_with_an_open_quote_is_told(dialog: EndpointDialog) -> None:
    dialog.url.setText("ws://game.example/v1/ws")
    dialog.kind.setCurrentIndex(1)
    dialog.token.setText('mint "it')
    finish(dialog)
    assert dialog.error.text()
    dialog.reject()


def test_a_pasted_token_is_not_readable_on_the_screen(dialog: EndpointDialog) -> None:
    assert dialog.token.echoMode() == dialog.token.EchoMode.PasswordEchoOnEdit
    dialog.kind.setCurrentIndex(2)
    assert dialog.token.echoMode() == dialog.token.EchoMode.Normal
    dialog.reject()


def test_a_long_name_loses_its_middle_and_keeps_its_port(combo: EndpointCombo) -> None:
    assert combo.shown_name == combo.currentText()
    combo.setItemText(0, "Proxy to gateway.example.org:18765")
    combo.setCurrentIndex(0)
    assert "…" in combo.shown_name
    assert combo.shown_name.endswith(":18765")
    assert not combo.grab().isNull()
