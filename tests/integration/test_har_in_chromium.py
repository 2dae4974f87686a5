"""A HAR of ours, opened by Chromium's own DevTools: every message is there as it was. Skipped where Chromium is not."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from sonde_lab.export.console import convert
from support.captures import capture, session

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")

# Loopback only: no name is looked up, and nothing is fetched in the background.
_START = (
    "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0",
    "--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
_IMPORT = """
(async () => {
    const har = await import('./models/har/har.js');
    const log = new har.HARFormat.HARRoot(JSON.parse(%s)).log;
    return har.Importer.Importer.requestsFromHARLog(log).map(request => ({
        url: request.url(), type: request.resourceType().name(), status: request.statusCode,
        frames: request.frames().map(frame => [frame.type, frame.time, frame.opCode, frame.text]),
    }));
})()
"""


@pytest.fixture
def devtools(tmp_path: Path) -> Iterator[str]:
    """The address of a browser's debugger; the browser and its children end with the test."""
    process = subprocess.Popen(
        [*_START, f"--user-data-dir={tmp_path / 'profile'}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        found = (re.search(r"listening on (ws://\S+)", line) for line in process.stderr)
        yield next(address[1] for address in found if address)
    finally:
        process.terminate()  # it ends its children itself
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


async def told(browser: ClientConnection, wanted: str | int, **message: Any) -> dict[str, Any]:
    """Send a message, if any, and wait for the answer with that id, or for the event of that name."""
    if message:
        await browser.send(json.dumps({"id": wanted, **message}))
    async for text in browser:
        said: dict[str, Any] = json.loads(text)
        if wanted in (said.get("id"), said.get("method")):
            assert "error" not in said, said
            return dict(said.get("result", {}))
    raise AssertionError("the browser has gone")


async def in_devtools(address: str, script: str) -> Any:
    """What a script says inside the bundled front end."""
    async with connect(address, max_size=None, proxy=None) as browser:
        made = await told(browser, 1, method="Target.createTarget", params={"url": "about:blank"})
        target = {"targetId": made["targetId"], "flatten": True}
        session_id = (await told(browser, 2, method="Target.attachToTarget", params=target))["sessionId"]
        await told(browser, 3, method="Page.enable", sessionId=session_id)
        page = {"url": "devtools://devtools/bundled/devtools_app.html"}
        await told(browser, 4, method="Page.navigate", params=page, sessionId=session_id)
        await told(browser, "Page.loadEventFired")
        asked = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = await told(browser, 5, method="Runtime.evaluate", params=asked, sessionId=session_id)
    assert "exceptionDetails" not in answer, answer
    return answer["result"]["value"]


async def test_devtools_shows_every_message_of_our_har(devtools: str, tmp_path: Path) -> None:
    assert convert(capture(tmp_path / "s.sonde", session()), tmp_path / "s.har") == 0
    text = (tmp_path / "s.har").read_text(encoding="utf-8")
    (entry,) = json.loads(text)["log"]["entries"]
    (request,) = await asyncio.wait_for(in_devtools(devtools, _IMPORT % json.dumps(text)), 20)
    assert (request["url"], request["type"]) == ("ws://127.0.0.1:9/game?room=a", "websocket")
    assert request["status"] == 101
    assert len(request["frames"]) == 9
    assert request["frames"] == [
        [message[name] for name in ("type", "time", "opcode", "data")]
        for message in entry["_webSocketMessages"]
    ]
