"""A real Socket.IO server and its own client, watched through the proxy: every row says what the two really did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import socketio
from aiohttp import web

from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.summary import summarize
from support.proxied import Rows, proxy_to, until

IN, OUT = Direction.IN, Direction.OUT
PING_S = 0.05
ANNOUNCED_S = 10  # what clients are told to wait for a ping, in whole seconds


def game_server() -> socketio.AsyncServer:
    """Answers, asks back, takes files, and lets nobody into `/locked`."""
    server = socketio.AsyncServer(async_mode="aiohttp", ping_interval=(PING_S, ANNOUNCED_S))

    async def hello(sid: str, name: str) -> dict[str, bool]:
        await server.emit("greeting", {"to": name}, to=sid)
        return {"ok": True}

    async def upload(_sid: str, name: str, data: bytes, more: dict[str, bytes]) -> tuple[str, bytes]:
        assert more == {"thumbnail": b"tiny"}
        return f"{name} is here", data[::-1]

    async def play(sid: str) -> Any:
        return await server.call("your turn", {"n": 1}, to=sid, namespace="/game")

    def refuse(_sid: str, _environ: object, _auth: object = None) -> None:
        raise socketio.exceptions.ConnectionRefusedError("not you")

    async def resign(sid: str) -> None:
        await server.disconnect(sid, namespace="/game")

    async def leave(sid: str) -> None:
        await server.disconnect(sid)

    server.on("hello", hello)
    server.on("leave", leave)
    server.on("resign", resign, namespace="/game")
    server.on("upload", upload)
    server.on("play", play, namespace="/game")
    server.on("connect", refuse, namespace="/locked")
    return server


@asynccontextmanager
async def listening(server: socketio.AsyncServer) -> AsyncIterator[int]:
    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app, access_log=None)
    before = asyncio.all_tasks()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await server.shutdown()
        await runner.cleanup()
        await until(lambda: asyncio.all_tasks() <= before)  # its pings end with their next turn


async def talk(url: str, transports: list[str] | None, rows: Rows) -> None:
    """One client's whole life, by its library's own doing."""
    client = socketio.AsyncClient(reconnection=False)
    client.on("your turn", lambda _data: "e4", namespace="/game")
    await client.connect(url, namespaces=["/", "/game"], transports=transports)
    assert await client.call("hello", "ada") == {"ok": True}
    answer = await client.call("upload", ("map.bin", b"\x00\x01\x02", {"thumbnail": b"tiny"}))
    assert answer == ("map.bin is here", b"\x02\x01\x00")
    assert await client.call("play", namespace="/game") == "e4"
    await until(lambda: any(row.op == "pong" and row.payload == b"3" for row in rows.all("p1")))
    await client.emit("resign", namespace="/game")
    await client.emit("leave")
    await until(lambda: not client.connected)


async def watched(transports: list[str] | None) -> list[Record]:
    """The rows of a client's connection."""
    rows = Rows()
    async with listening(game_server()) as port, proxy_to(port, rows.recorder) as proxy:
        await talk(f"http://127.0.0.1:{proxy.port}", transports, rows)
        await until(lambda: not proxy.connections)
    return rows.all("p1")


def told(rows: list[Record], *, heartbeats: bool = False) -> list[tuple[Direction, str, str, int]]:
    """Direction, type, namespace and number of each message."""
    return [
        (row.direction, row.op, row.channel, row.command)
        for row in rows
        if row.kind == Kind.FRAME and row.opcode < 8 and bool(row.flags & Flag.HEARTBEAT) is heartbeats
    ]


GREETING = [
    (OUT, "connect", "", -1),
    (OUT, "connect", "/game", -1),
    (IN, "connect", "", -1),
    (IN, "connect", "/game", -1),
]
STORY = [
    (OUT, "hello", "", 1), (IN, "greeting", "", -1), (IN, "ack", "", 1),
    (OUT, "upload", "", 2), (OUT, "upload", "", 2), (OUT, "upload", "", 2), (IN, "binary_ack", "", 2), (IN, "binary_ack", "", 2),
    (OUT, "play", "/game", 1), (IN, "your turn", "/game", 1), (OUT, "ack", "/game", 1), (IN, "ack", "/game", 1),
    (OUT, "resign", "/game", -1), (OUT, "leave", "", -1), (IN, "disconnect", "/game", -1), (IN, "disconnect", "", -1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("transports", "before"),
    [
        (["websocket"], [(IN, "open", "", -1)]),
        (
            None,
            [(OUT, "upgrade", "", -1), (IN, "noop", "", -1)],
        ),  # polls first, as the library does by itself
    ],
    ids=["websocket", "polling, then upgraded"],
)
async def test_rows_are_what_client_and_server_really_said(
    transports: list[str] | None, before: list[tuple[Direction, str, str, int]]
) -> None:
    rows = await watched(transports)
    messages = told(rows)
    greeting, story = messages[: len(before) + len(GREETING)], messages[len(before) + len(GREETING) :]
    # What each side says is in order; which of two sides is seen first in a greeting, is not.
    assert sorted(greeting) == sorted(before + GREETING)
    assert story == STORY
    assert {row.protocol for row in rows if row.kind == Kind.FRAME and row.opcode < 8} == {"socket.io"}
    assert not [row for row in rows if row.flags & (Flag.ERROR | Flag.MALFORMED)]


async def test_questions_of_both_sides_have_their_round_trips_and_attachments_their_event() -> None:
    rows = await watched(["websocket"])
    by_type = {}
    for row in rows:
        by_type.setdefault((row.direction, row.op), []).append(row)
    for asked in ((OUT, "hello"), (OUT, "upload"), (IN, "your turn"), (OUT, "play"), (IN, "ping")):
        assert by_type[asked][0].rtt_ms >= 0, asked
    head, name_less, nested = by_type[OUT, "upload"]
    assert summarize(head).startswith("#2 +2 attachments")
    assert (summarize(name_less), name_less.payload) == ("attachment, 3 bytes", b"\x00\x01\x02")
    assert nested.payload == b"tiny"
    assert by_type[IN, "ping"][0].flags & Flag.HEARTBEAT


async def test_upgrade_probes_are_a_round_trip_and_the_polls_before_them_no_errors() -> None:
    rows = await watched(None)
    assert [row.op for row in rows if row.kind == Kind.HANDSHAKE] == [
        "http",
        "http",
        "body",
        "upgrade",
        "upgrade",
    ]
    probe, answer = (row for row in rows if row.payload.endswith(b"probe"))
    assert (probe.op, answer.op) == ("ping", "pong")
    assert probe.rtt_ms == answer.rtt_ms >= 0


async def test_a_namespace_that_refuses_is_an_error_with_its_words() -> None:
    rows = Rows()
    async with listening(game_server()) as port, proxy_to(port, rows.recorder) as proxy:
        client = socketio.AsyncClient(reconnection=False)
        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.connect(
                f"http://127.0.0.1:{proxy.port}", namespaces=["/locked"], transports=["websocket"]
            )
        await until(lambda: not proxy.connections)
    (refused,) = (row for row in rows.all("p1") if row.op == "connect_error")
    assert refused.flags & Flag.ERROR
    assert refused.channel == "/locked"
    assert "not you" in summarize(refused)
