"""A capture in the window: how it is opened, and what the window says while it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from sonde_lab.changes import Act, GatewayState, GatewayStatus
from sonde_lab.endpoints import EMBEDDED, Endpoint, EndpointKind, capture, proxy
from sonde_lab.workbench import WorkbenchConfig
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.connection_words import Shape, look_of
from sonde_ui.desktop.endpoint_book import MAX_CAPTURES, EndpointBook
from sonde_ui.desktop.endpoint_words import EMPTY, OF_PROXY
from sonde_ui.desktop.widgets.status_bar import gateway_words
from sonde_ui.desktop.widgets.status_popover import status_facts
from sonde_ui.desktop.windows.capture_dialog import CaptureDialog
from sonde_ui.desktop.windows.desk import Desk
from support.records import row
from support.shell import ShellWorkbench

WHOLE = GatewayStatus("capture", GatewayState.FILE, url="/a/b.sonde", progress="9 rows")


@pytest.fixture
def file(tmp_path: Path, bench: ShellWorkbench) -> Path:
    """A file that the scripted workbench takes for a capture."""
    bench.config = WorkbenchConfig(captures=tmp_path)
    path = tmp_path / "c.sonde"
    path.write_bytes(b"anything")
    return path


async def opened(desk: Desk, bench: ShellWorkbench, bridge: Bridge, path: Path) -> None:
    """Open a file, and let the window know."""
    desk.commands.files.open_file(str(path))
    await asyncio.sleep(0)
    bench.pending.gateway = WHOLE
    bench.pending.gateway_changed = True
    bridge.drain()


def said_in(view: QWidget, sentence: str) -> bool:
    return any(label.accessibleName() == sentence for label in view.findChildren(QWidget))


async def test_ctrl_o_asks_for_a_file_and_opens_it(
    desk: Desk, bench: ShellWorkbench, file: Path, qtbot: QtBot
) -> None:
    QTest.keyClick(desk.window, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    dialog = desk.window.findChild(CaptureDialog)
    assert dialog is not None
    assert (dialog.isVisible(), dialog.directory().path()) == (True, str(file.parent))
    dialog.fileSelected.emit(str(file))
    dialog.close()
    await asyncio.sleep(0)
    assert bench.asked == [("open", capture(file), desk._settings.players)]
    assert desk.top_bar.combo.findText("c") >= 0
    assert desk._settings.endpoint == ""
    qtbot.waitUntil(lambda: desk.window.findChild(CaptureDialog) is None)


def test_the_list_of_endpoints_asks_for_a_file_too(desk: Desk, file: Path) -> None:
    combo = desk.top_bar.combo
    combo.activated.emit(combo.findText("Open a capture…"))
    dialog = desk.window.findChild(CaptureDialog)
    assert dialog is not None
    dialog.close()


async def test_a_file_that_is_dropped_is_opened(desk: Desk, bench: ShellWorkbench, file: Path) -> None:
    dragged = QMimeData()
    dragged.setUrls([QUrl.fromLocalFile(str(file))])
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    desk.window.dropEvent(QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, dragged, left, none))
    await asyncio.sleep(0)
    assert [asked[1] for asked in bench.asked] == [capture(file)]


def test_a_file_that_is_not_there_is_told(desk: Desk, bench: ShellWorkbench, tmp_path: Path) -> None:
    desk.commands.files.open_file(str(tmp_path / "gone.sonde"))
    assert desk.status_bar.gateway.text() == f"That cannot be opened: {tmp_path / 'gone.sonde'} is no file"
    assert bench.asked == []


async def test_every_view_says_what_a_capture_is_not(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge, file: Path
) -> None:
    bench.refusals[Act.SEND] = "A capture is open: there is nobody to send to."
    await opened(desk, bench, bridge, file)
    assert desk.window.windowTitle() == "c.sonde"
    for name, sentence in EMPTY.items():
        assert said_in(desk.views.by_name()[name], sentence), name
    assert desk.views.composer.result.text() == bench.refusals[Act.SEND]
    pieces = (desk.top_bar.toggle, desk.top_bar.acts, desk.top_bar.players)
    assert not any(piece.isVisible() for piece in pieces)
    bench.endpoint = EMBEDDED
    bench.pending.endpoint_changed = True
    bridge.drain()
    assert all(piece.isVisible() for piece in pieces)
    assert not said_in(desk.views.presence, EMPTY["presence"])
    assert desk.views.composer.result.text() == ""


def test_on_a_proxy_no_view_waits_for_a_client_of_ones_own(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    bench.refusals[Act.SEND] = "A proxy has no client of its own."
    bench.endpoint = proxy("ws://127.0.0.1:9/v1/ws")
    bench.pending.endpoint_changed = True
    bridge.drain()
    for name, sentence in OF_PROXY.items():
        assert said_in(desk.views.by_name()[name], sentence), name
    assert desk.views.composer.result.text() == bench.refusals[Act.SEND]
    assert not desk.top_bar.players.isVisible()
    assert desk.top_bar.mark.isVisible()


async def test_a_capture_is_read_from_its_first_row_and_live_traffic_is_followed_again(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge, file: Path
) -> None:
    traffic = desk.views.traffic
    await opened(desk, bench, bridge, file)
    traffic.refresh()
    assert said_in(traffic, "The capture has no rows.")
    bench.add([row("event", at=float(number)) for number in range(300)])
    bridge.drain()
    traffic.refresh()
    assert (traffic.table.top_row(), desk.cursor.row_id, desk.cursor.is_live) == (0, 0, False)
    bench.endpoint = EMBEDDED
    bench.pending.endpoint_changed = True
    bridge.drain()
    assert desk.cursor.is_live
    assert traffic.table.following


@pytest.mark.parametrize(
    ("state", "progress", "name", "shape", "bar"),
    [
        (GatewayState.STARTING, "5 of 9 rows read", "Reading", Shape.RING, "5 of 9 rows read"),
        (GatewayState.FILE, "9 rows", "Capture", Shape.DASH, "b.sonde · 9 rows"),
        (GatewayState.DEAD, "the file cannot be read", "Capture", Shape.CROSS, "the file cannot be read"),
    ],
)
def test_the_status_is_of_the_file(
    state: GatewayState, progress: str, name: str, shape: Shape, bar: str
) -> None:
    gateway = GatewayStatus("capture", state, url="/a/b.sonde", progress=progress)
    look = look_of(None, gateway, 0.0)
    assert (look.name, look.shape) == (name, shape)
    assert look.reason.startswith(progress)
    assert gateway_words(gateway) == bar
    assert list(status_facts(None, gateway, 0.0)) == [
        ("File", "/a/b.sonde", "text"),
        ("Rows", progress, "text"),
    ]


def test_the_last_captures_are_listed_for_this_run_and_never_written(tmp_path: Path) -> None:
    book = EndpointBook(tmp_path / "endpoints.toml")
    for number in range(MAX_CAPTURES + 2):
        book.remember(Endpoint(f"{number}.sonde", EndpointKind.CAPTURE, path=f"/{number}.sonde"))
    book.add(Endpoint("far", EndpointKind.REMOTE, "ws://127.0.0.1:9/v1/ws"))
    book.remember(Endpoint("far", EndpointKind.CAPTURE, path="/far"))
    names = [each.name for each in book.endpoints if each.kind is EndpointKind.CAPTURE]
    assert names == ["3.sonde", "4.sonde", "5.sonde", "6.sonde", "far"]
    book.add(Endpoint("near", EndpointKind.REMOTE, "ws://127.0.0.1:9/v1/ws"))
    assert 'sonde"' not in (tmp_path / "endpoints.toml").read_text()
    assert [each.name for each in EndpointBook(tmp_path / "endpoints.toml").endpoints][-2:] == ["far", "near"]
