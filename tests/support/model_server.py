"""The model gateway behind real loopback sockets, by `websockets`' own server: foreign code on the other side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from sonde_protocol.codec import CODECS
from sonde_protocol.frames import Frame
from support.model_gateway import ModelGateway


class ModelServer:
    """One port; the gateway behind it can be replaced by a new life, and every socket be cut."""

    def __init__(self) -> None:
        self.gateway = ModelGateway()
        self.port = 0
        self.connections: set[ServerConnection] = set()
        self.headers: list[dict[str, str]] = []
        self.life = 1
        self._server: Any = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/ws"

    async def start(self) -> None:
        self._server = await serve(
            self._serve, "127.0.0.1", self.port, subprotocols=list(CODECS), compression=None
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As a crash: every socket is cut, the port is closed."""
        for connection in list(self.connections):
            connection.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    async def restart(self) -> None:
        """A new life on the same port: sessions and channels are forgotten."""
        await self.stop()
        self.life += 1
        self.gateway = ModelGateway(str(self.life))
        await self.start()

    def cut(self) -> None:
        for connection in list(self.connections):
            connection.transport.abort()

    async def _serve(self, ws: ServerConnection) -> None:
        codec = CODECS[str(ws.subprotocol)]
        outbox: asyncio.Queue[Frame] = asyncio.Queue()
        self.connections.add(ws)
        self.headers.append(dict(ws.request.headers.raw_items()))
        peer = self.gateway.connect(outbox.put_nowait)
        writer = asyncio.create_task(self._write(ws, outbox, codec))
        decode = codec.client_decoder()
        try:
            async for message in ws:
                peer.on_frame(decode(message.encode() if isinstance(message, str) else message))
        except ConnectionClosed:
            pass
        finally:
            peer.lost()
            self.connections.discard(ws)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _write(self, ws: ServerConnection, outbox: asyncio.Queue[Frame], codec: Any) -> None:
        while True:
            data = codec.encode(await outbox.get())
            await ws.send(data if codec.binary else data.decode())


@asynccontextmanager
async def model_server() -> AsyncIterator[ModelServer]:
    """A running model server."""
    server = ModelServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
