"""A drop whose cause nobody sees, from the capture to the setting that mends it.

    python hidden_cause.py [--for-real] [FOLDER]

A middlebox that knows nothing of WebSocket cuts connections on which nothing passes for two seconds; the gateway's
heartbeat is 15 s. A client is dropped whenever it is silent. Its capture is all that there is: the verdict says what can
be told, a scenario is derived that brings the drop about again, a bundle of it fails, and holds with a shorter heartbeat.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from sonde_client import Client
from sonde_client.events import SessionResumed
from sonde_lab import tokens
from sonde_lab.capture.whole import read_ring
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.deriving import derive
from sonde_lab.embedded import EmbeddedGateway
from sonde_lab.notices import NoticeBoard
from sonde_lab.promises import Tally
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.watch import ClientWatch
from sonde_ui.cli import app

IDLE_S = 2.0


class Middlebox:
    """Passes bytes on, and forgets a connection on which none came for `idle_s`. It has nothing of Sonde in it."""

    def __init__(self, port: int, idle_s: float) -> None:
        self._port, self._idle_s = port, idle_s

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        passed = asyncio.Event()
        pumps = [
            asyncio.ensure_future(self._pump(reader, up_writer, passed)),
            asyncio.ensure_future(self._pump(up_reader, writer, passed)),
        ]
        try:
            while not any(pump.done() for pump in pumps):
                passed.clear()
                await asyncio.wait_for(passed.wait(), self._idle_s)
        except TimeoutError:
            pass
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for end in (writer, up_writer):
            end.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passed: asyncio.Event
    ) -> None:
        while data := await reader.read(65_536):
            passed.set()
            writer.write(data)
        passed.set()


async def capture_a_drop(path: Path, idle_s: float) -> None:
    """A client behind the middlebox says one thing, is silent, is dropped, and comes back; all of it into a capture."""
    gateway = EmbeddedGateway(lambda: None, {})
    url = await gateway.start()
    middlebox = Middlebox(int(url.split(":")[2].split("/")[0]), idle_s)
    port = await middlebox.start()
    loop = asyncio.get_running_loop()
    log = RowLog(Ring(), loop.time)
    log.sink = writer = CaptureWriter(path)
    client = Client(
        f"ws://127.0.0.1:{port}/v1/ws", tokens.minted(gateway.secret, "ada", ["player"]), measure_every_s=0
    )
    watch = ClientWatch("ada", client, log, NoticeBoard(log.wall), Tally())
    back = asyncio.Event()
    client.on(SessionResumed, lambda _event: back.set())
    try:
        async with client:
            room = await client.subscribe("room:arena", presence=True)
            await room.publish("said", {"text": "is anybody there?"})
            await asyncio.wait_for(back.wait(), 30.0)
            watch.stop()  # what comes now is the end of this program
    finally:
        log.flush()
        writer.close()
        await middlebox.stop()
        await gateway.stop()


def sonde(*arguments: str) -> int:
    """A command as a person types it; its exit code."""
    print(f"\n$ sonde {' '.join(arguments)}", flush=True)
    code = int(app(list(arguments), standalone_mode=False) or 0)
    print(f"(exit code {code})", flush=True)
    return code


def tell(folder: Path, idle_s: float = IDLE_S, stage: str = "--virtual") -> tuple[str, list[int]]:
    """The whole story; the verdict on the capture, and the exit code of each command."""
    capture, bundle, scenario = (
        str(folder / name) for name in ("drop.sonde", "drop.sonde-repro", "drop.toml")
    )
    asyncio.run(capture_a_drop(Path(capture), idle_s))
    derived = derive(read_ring(Path(capture)))
    print(f"Captured. Why it was dropped: {derived.verdict.sentence}", flush=True)
    codes = [
        sonde("show", capture, "--filter", "kind:close"),
        sonde("scenario", capture, "-o", scenario),
        sonde("bundle", capture, "-o", bundle),
        sonde("run", bundle, stage, "--no-keep", "--quiet"),
        sonde("run", bundle, stage, "--no-keep", "--quiet", "--set", "heartbeat=1s"),
    ]
    return str(derived.verdict.cause), codes


if __name__ == "__main__":
    named = [word for word in sys.argv[1:] if not word.startswith("-")]
    with tempfile.TemporaryDirectory() as temporary:
        tell(
            Path(named[0] if named else temporary),
            stage="--real" if "--for-real" in sys.argv else "--virtual",
        )
