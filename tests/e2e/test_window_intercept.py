"""A message is held, read, changed and sent by mouse and keys, in the real window before a real proxy process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from PySide6.QtCore import Qt
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from sonde_lab import endpoints
from sonde_lab.changes import GatewayState
from support.window import Person

pytestmark = pytest.mark.slow
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def test_a_person_holds_a_message_changes_it_and_sends_it_with_the_keyboard_alone(
    tell: Callable[..., None],
) -> None:
    got: list[str | bytes] = []

    async def answer(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for message in connection:
                got.append(message)
                await connection.send(message)

    async def story(person: Person) -> None:
        bench, panel = person.workbench, person.views.intercept
        async with serve(answer, "127.0.0.1", 0) as server:
            await bench.open(endpoints.proxy(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
            await person.until(lambda: bench._proxying.state is GatewayState.LIVE, "the proxy listens")
            await person.press(Qt.Key.Key_H, CTRL | SHIFT)
            await person.until(lambda: panel.stops.line.hasFocus(), "the line has the keyboard")
            await person.type("op:shot")
            panel.stops.ways.setCurrentIndex(panel.stops.ways.findData("up"))
            await person.press(Qt.Key.Key_Return)
            await person.until(lambda: panel.stops.lines, "the stop is listed")
            async with connect(bench._proxying.url, proxy=None) as client:
                await client.send('{"type":"shot","hp":1}')
                await client.send('{"type":"move"}')
                assert await client.recv() == '{"type":"move"}'
                await person.until(lambda: panel.editor.text.content(), "the message is in the editor")
                assert person.desk.edge.isVisible()
                await person.click(panel.editor.text)
                await person.press(Qt.Key.Key_End)
                await person.press(Qt.Key.Key_Backspace)
                await person.type(',"by":"hand"}')
                await person.press(Qt.Key.Key_Return, CTRL)
                assert await client.recv() == '{"type":"shot","hp":1,"by":"hand"}'
            await person.until(lambda: panel.empty.isVisible(), "nothing waits any more")
        assert got == ['{"type":"move"}', '{"type":"shot","hp":1,"by":"hand"}']

    tell(story, endpoint=endpoints.proxy("ws://127.0.0.1:9"), players=False, perspective="break")
