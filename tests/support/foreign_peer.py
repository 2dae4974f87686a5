"""A client written by the contract alone, on aiohttp: none of Sonde's own code but the test's token maker."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import jwt

from support.processes import SECRET


def token(sub: str, *roles: str, ttl_s: int = 600, **more: Any) -> str:
    """A token for a gateway process that holds the suite's secret."""
    claims = {
        "sub": sub,
        "exp": int(time.time()) + ttl_s,
        **({"roles": list(roles)} if roles else {}),
        **more,
    }
    return jwt.encode(claims, SECRET, "HS256")


class ForeignPeer:
    """One WebSocket; keeps every frame that came."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self.number = 0  # of the last command

    async def send(self, op: str, **fields: Any) -> None:
        """One frame, as text."""
        await self.socket.send_str(json.dumps({"op": op, **fields}))

    async def command(self, op: str, **fields: Any) -> dict[str, Any]:
        """A numbered command; its reply or error."""
        self.number += 1
        number = self.number
        await self.send(op, id=number, **fields)
        return await self.until(lambda frame: frame.get("id") == number and frame["op"] in ("reply", "error"))

    async def receive(self, limit_s: float = 5.0) -> dict[str, Any]:
        """The next frame. Answers heartbeats."""
        message = await self.socket.receive(limit_s)
        assert message.type is aiohttp.WSMsgType.TEXT, f"{message} after {self.frames[-3:]}"
        frame = json.loads(message.data)
        self.frames.append(frame)
        if frame["op"] == "ping":
            await self.send("pong", n=frame["n"])
        return frame

    async def until(self, wanted: Any, limit_s: float = 5.0) -> dict[str, Any]:
        """The next frame that `wanted` (a predicate, or an op) accepts."""
        accepts = (lambda frame: frame["op"] == wanted) if isinstance(wanted, str) else wanted
        async with asyncio.timeout(limit_s):
            while True:
                frame = await self.receive(limit_s)
                if accepts(frame):
                    return frame

    async def identify(self, **fields: Any) -> dict[str, Any]:
        """`ready`."""
        await self.send("identify", client={"name": "foreign", "version": "1"}, **fields)
        return await self.until("ready")

    def entries(self, ch: str) -> list[tuple[int, bool]]:
        """(seq, replayed) of the channel's entries, in the order in which they came."""
        kinds = ("event", "delta")
        return [(f["seq"], f.get("replay", False)) for f in self.frames if f["op"] in kinds and f["ch"] == ch]

    def drop(self) -> None:
        """Cut the TCP connection, without a word."""
        response = self.socket._response
        assert response.connection is not None
        assert response.connection.transport is not None
        response.connection.transport.abort()


@asynccontextmanager
async def dialled(url: str, host: str | None = None, **options: Any) -> AsyncIterator[ForeignPeer]:
    """An open WebSocket for the length of a block; `host` is the address that it comes from."""
    connector = None if host is None else aiohttp.TCPConnector(local_addr=(host, 0))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.ws_connect(url, max_msg_size=0, **options) as socket,
    ):
        yield ForeignPeer(socket)


def bearer(sub: str, *roles: str, **more: Any) -> dict[str, dict[str, str]]:
    """Options of `dialled` that carry a token."""
    return {"headers": {"Authorization": f"Bearer {token(sub, *roles, **more)}"}}
