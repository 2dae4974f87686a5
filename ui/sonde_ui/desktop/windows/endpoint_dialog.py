"""Asks for an endpoint: a remote gateway with its token, or a proxy with its upstream and where it listens.

Non-modal, opened with `open()`: a nested event loop inside a task would break asyncio for good.
"""

from __future__ import annotations

import shlex

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from sonde_lab.endpoints import (
    ANY_PORT,
    Endpoint,
    EndpointInvalid,
    EndpointKind,
    TokenKind,
    TokenSource,
    checked_url,
    proxy,
    remote,
)
from sonde_ui.desktop.theme import CONTROL, GRID, font_data, font_ui

_SOURCES = {
    TokenKind.PASTE: ("Paste a token", "eyJhbGciOi…", "Kept for this run only, never written to a file"),
    TokenKind.COMMAND: (
        "Run a command",
        "my-auth token --game arena",
        "Its standard output is the token; it runs again when the token ends",
    ),
    TokenKind.URL: (
        "Ask a URL",
        "https://auth.example/token",
        "Answers with the token, or with JSON that holds it as “token” or “access_token”",
    ),
}


class EndpointDialog(QDialog):
    """`made` carries the new endpoint when every field is right."""

    made = Signal(object)  # Endpoint

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("New endpoint")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(480)
        self.what = QComboBox()
        self.what.setAccessibleName("Kind")
        self.what.setFont(font_ui())
        self.what.addItem("Gateway: connect to it with a client of our own", EndpointKind.REMOTE)
        self.what.addItem("Proxy: watch any client of any server", EndpointKind.PROXY)
        self.upstream = self._line("Upstream", "wss://game.example/v1/ws")
        self.listen = self._line("Listen at", f"{ANY_PORT}: a free port")
        self.url = self._line("Address", "wss://game.example/v1/ws")
        self.name = self._line("Name", "as in the address")
        self.kind = QComboBox()
        self.kind.setAccessibleName("Token")
        self.kind.setFont(font_ui())
        for kind, (words, _, _) in _SOURCES.items():
            self.kind.addItem(words, kind)
        self.token = self._line("Token value", "")
        self.token.setMaxLength(20_000)
        self.hint = _words("dim")
        self.production = QCheckBox("Production: lock the acts that break something")
        self.production.setFont(font_ui())
        self.production.setAccessibleName(self.production.text())
        self.error = _words("bad")
        self.kind.currentIndexChanged.connect(self._show_source)
        self.what.currentIndexChanged.connect(self._show_kind)
        self._lay_out()
        self._show_source()
        self._show_kind()

    def _line(self, name: str, placeholder: str) -> QLineEdit:
        line = QLineEdit()
        line.setAccessibleName(name)
        line.setPlaceholderText(placeholder)
        line.setFont(font_data(12))
        line.textEdited.connect(lambda _text: self.error.setText(""))
        return line

    def _lay_out(self) -> None:
        form = self._form = QFormLayout()
        form.setHorizontalSpacing(4 * GRID)
        form.setVerticalSpacing(2 * GRID)
        for name, field in (
            ("Kind", self.what),
            ("Upstream", self.upstream),
            ("Listen at", self.listen),
            ("Address", self.url),
            ("Name", self.name),
            ("Token", self.kind),
            ("", self.token),
            ("", self.hint),
            ("", self.production),
        ):
            label = QLabel(name)
            label.setFont(font_ui())
            label.setProperty("tone", "dim")
            label.setMinimumHeight(CONTROL if name else 0)
            form.addRow(label, field)
        column = QVBoxLayout(self)
        column.setContentsMargins(4 * GRID, 4 * GRID, 4 * GRID, 4 * GRID)
        column.setSpacing(3 * GRID)
        column.addLayout(form)
        column.addWidget(self.error)
        column.addLayout(self._buttons())

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2 * GRID)
        cancel, connect = QPushButton("Cancel"), QPushButton("Save and connect")
        connect.setProperty("kind", "primary")
        connect.setDefault(True)
        cancel.clicked.connect(self.reject)
        connect.clicked.connect(self._finish)
        row.addStretch(1)
        for button in (cancel, connect):
            button.setFont(font_ui(13, 500))
            button.setAccessibleName(button.text())
            row.addWidget(button)
        return row

    def _is_proxy(self) -> bool:
        return EndpointKind(self.what.currentData()) is EndpointKind.PROXY

    def _show_kind(self) -> None:
        is_proxy = self._is_proxy()
        of_proxy: tuple[QWidget, ...] = (self.upstream, self.listen)
        of_gateway: tuple[QWidget, ...] = (self.url, self.kind, self.token, self.hint)
        for field in (*of_proxy, *of_gateway):
            self._form.setRowVisible(field, is_proxy == (field in of_proxy))
        self.error.setText("")

    def _show_source(self) -> None:
        kind = self._kind()
        _, placeholder, hint = _SOURCES[kind]
        self.token.setPlaceholderText(placeholder)
        secret = kind is TokenKind.PASTE
        self.token.setEchoMode(QLineEdit.EchoMode.PasswordEchoOnEdit if secret else QLineEdit.EchoMode.Normal)
        self.hint.setText(hint)

    def _kind(self) -> TokenKind:
        return TokenKind(self.kind.currentData())  # Qt hands a str enum back as a plain str

    def _finish(self) -> None:
        try:
            endpoint = self._endpoint()
        except (EndpointInvalid, ValueError) as error:
            self.error.setText(str(error))
            return
        self.made.emit(endpoint)
        self.accept()

    def _endpoint(self) -> Endpoint:
        if self._is_proxy():
            return proxy(
                self.upstream.text(),
                self.listen.text(),
                self.name.text().strip(),
                production=self.production.isChecked(),
            )
        return remote(
            checked_url(self.url.text()),  # first: what is wrong is told from the top down
            self._source(),
            name=self.name.text().strip(),
            production=self.production.isChecked(),
        )

    def _source(self) -> TokenSource:
        kind = self._kind()
        value = self.token.text().strip()
        if not value:
            raise ValueError(
                {TokenKind.PASTE: "Paste a token.", TokenKind.COMMAND: "Name the command."}.get(
                    kind, "Give the URL."
                )
            )
        if kind is TokenKind.COMMAND:
            return TokenSource(kind, argv=tuple(shlex.split(value)))
        return TokenSource(kind, value)


def _words(tone: str) -> QLabel:
    label = QLabel()
    label.setProperty("tone", tone)
    label.setFont(font_ui(12))
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
