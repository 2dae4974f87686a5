"""A workbench on a proxy: a real process, a real server and real clients on loopback."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from sonde_lab.changes import Act, Changes, GatewayState, ProxiedRow
from sonde_lab.endpoints import Endpoint, proxy
from sonde_lab.possible import Situation, why_not
from sonde_lab.proxying import MAX_ROWS, Proxying
from sonde_lab.records import Direction
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.workbench import Workbench
from support.proxied import until

NOWHERE = proxy("ws://127.0.0.1:1")


class Seen:
    """What a workbench told, the newest of each."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self.last = Changes()
        self.causes: list[str] = []
        self.details: list[str] = []
        self.rows: tuple[ProxiedRow, ...] = ()

    def take(self) -> Changes:
        self.last = self.workbench.take_changes()
        self.causes += [notice.cause for notice in self.last.notices]
        self.details += [notice.detail for notice in self.last.notices]
        self.rows = self.rows if self.last.proxied is None else self.last.proxied
        return self.last


@asynccontextmanager
async def opened(endpoint: Endpoint) -> AsyncIterator[tuple[Workbench, Seen]]:
    workbench = Workbench()
    try:
        await workbench.open(endpoint)
        yield workbench, Seen(workbench)
    finally:
        await workbench.close()


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def test_clients_of_a_proxy_are_rows_named_in_their_order() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        upstream = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/chat"
        async with opened(proxy(upstream)) as (workbench, seen):
            gateway = seen.take().gateway
            assert (gateway.kind, gateway.state, gateway.upstream) == ("proxy", GatewayState.LIVE, upstream)
            assert not workbench.clients
            async with connect(gateway.url, proxy=None) as one, connect(gateway.url, proxy=None) as two:
                for client in (one, two):
                    await client.send("hello")
                    assert await client.recv() == "hello"
                await until(lambda: seen.take().gateway.proxied == 2)
            await until(lambda: seen.take().gateway.proxied == 0)
            assert [(row.name, row.is_open) for row in seen.rows] == [("p2", False), ("p1", False)]
            assert all(row.in_bytes > 100 and row.out_bytes > 100 for row in seen.rows)
            ring = workbench.ring
            told = {(ring.text("conn", row), ring.text("op", row)) for row in ring.ids}
            assert {("p1", "text"), ("p2", "text"), ("p1", "close"), ("p2", "close")} <= told


async def test_port_in_use_is_a_notice_and_connect_tries_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with opened(proxy("ws://127.0.0.1:1", f"127.0.0.1:{port}")) as (workbench, seen):
            assert seen.take().gateway.state is GatewayState.DEAD
            assert seen.causes == ["proxy_failed"]
            assert f"127.0.0.1:{port}" in seen.details[0]
            taken.close()
            workbench.connect()
            await until(lambda: seen.take().gateway.state is GatewayState.LIVE)


async def test_leaving_ends_the_process() -> None:
    async with opened(NOWHERE) as (workbench, seen):
        pid = seen.take().gateway.pid
        assert pid is not None
        assert psutil.pid_exists(pid)
        await workbench.close()
        assert not psutil.pid_exists(pid)
        assert seen.take().gateway.state is GatewayState.NONE


async def test_death_is_a_notice_and_connect_starts_it_again_on_the_same_port() -> None:
    async with opened(NOWHERE) as (workbench, seen):
        before = seen.take().gateway
        assert before.pid is not None
        assert workbench.can(Act.CONNECT) == "The proxy is running."
        os.kill(before.pid, signal.SIGKILL)
        await until(lambda: seen.take().gateway.state is GatewayState.DEAD)
        assert seen.causes == ["proxy_died"]
        assert workbench.can(Act.CONNECT) is None
        workbench.connect()
        await until(lambda: seen.take().gateway.state is GatewayState.LIVE)
        assert seen.last.gateway.url == before.url
        assert seen.last.gateway.pid != before.pid


@pytest.mark.parametrize("act", [Act.DISCONNECT, Act.DROP, Act.SEND, Act.KICK, Act.SET_PRESENCE])
def test_acts_of_a_client_say_why_a_proxy_has_none(act: Act) -> None:
    reason = why_not(act, Situation(NOWHERE, GatewayState.LIVE, None, url="ws://127.0.0.1:9100/"))
    assert reason == "A proxy has no client of its own: point any client at ws://127.0.0.1:9100/."


def test_connections_kept_are_bounded_and_the_newest_come_first() -> None:
    at, changes = 5.0, list[None]()
    told = Proxying(
        RowLog(Ring(), lambda: at), lambda: at, lambda: changes.append(None), lambda *_words: None
    )
    for number in range(1, MAX_ROWS + 11):
        told.on_opened(number, "127.0.0.1:5", at)
        told.on_bytes(number, Direction.OUT, b"GET", at)
        told.on_ended(number, "the client ended it", at)
    rows = told.take_rows(at)
    assert rows is not None
    assert len(rows) == MAX_ROWS
    assert (rows[0].name, rows[0].out_bytes, rows[0].is_open) == (f"p{MAX_ROWS + 10}", 3, False)
    assert told.take_rows(at) is None


def test_sizes_alone_are_told_once_a_second() -> None:
    told = Proxying(RowLog(Ring(), lambda: 0.0), lambda: 0.0, lambda: None, lambda *_words: None)
    told.on_opened(1, "127.0.0.1:5", 0.0)
    assert told.take_rows(0.0) is not None
    told.on_bytes(1, Direction.IN, b"abc", 0.1)
    assert told.take_rows(0.5) is None
    later = told.take_rows(1.0)
    assert later is not None
    assert later[0].in_bytes == 3
