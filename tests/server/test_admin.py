"""The admin listener: three pages, and nothing else for nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from sonde_server.admin import MAX_SOCKETS, REQUEST_S, AdminListener, AdminPages
from support.echo_house import RawPeer


class Admin:
    def __init__(self, listener: AdminListener, port: int) -> None:
        self.listener = listener
        self.port = port
        self.url = f"http://127.0.0.1:{port}"


@asynccontextmanager
async def admin(is_loopback: bool = True, is_ready: bool = True) -> AsyncIterator[Admin]:
    loop = asyncio.get_running_loop()
    listener = AdminListener(AdminPages(lambda: is_ready, lambda: b"# figures\n", is_loopback), loop.time)
    server = await loop.create_server(listener.new_socket, "127.0.0.1", 0)
    try:
        yield Admin(listener, server.sockets[0].getsockname()[1])
    finally:
        server.close()
        listener.abort_all()
        await asyncio.sleep(0.01)


async def ask(port: int, request: str) -> tuple[int, dict[str, str], bytes]:
    peer = await RawPeer.dial(port)
    await peer.send(request.encode("latin-1"))
    answer = await peer.http()
    await peer.close()
    return answer


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/healthz", 200, "ok\n"),
        ("/readyz", 200, "ready\n"),
        ("/metrics", 200, "# figures\n"),
        ("/metrics?x=1", 200, "# figures\n"),
    ],
)
async def test_pages(path: str, status: int, body: str) -> None:
    async with admin() as here, aiohttp.ClientSession() as session, session.get(here.url + path) as answer:
        assert (answer.status, await answer.text()) == (status, body)
        assert "Server" not in answer.headers


async def test_gateway_that_is_not_ready_is_alive() -> None:
    async with admin(is_ready=False) as here, aiohttp.ClientSession() as session:
        async with session.get(here.url + "/readyz") as answer:
            assert answer.status == 503
        async with session.get(here.url + "/healthz") as answer:
            assert answer.status == 200


GET = "GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n"


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (GET.format(path="/", host="localhost", more=""), 404),
        (GET.format(path="/v1/ws", host="localhost", more=""), 404),
        (GET.format(path="/metrics/../healthz", host="localhost", more=""), 404),
        (GET.format(path="/healthz", host="evil.example", more=""), 421),
        (GET.format(path="/healthz", host="localhost.evil.example", more=""), 421),
        ("GET /healthz HTTP/1.1\r\n\r\n", 421),
        (GET.format(path="/healthz", host="localhost", more="Host: evil.example\r\n"), 421),
        (GET.format(path="/healthz", host="localhost", more="").replace("GET", "POST"), 405),
        (GET.format(path="/healthz", host="localhost", more="").replace("GET", "DELETE"), 405),
        ("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        ("hello\r\n\r\n", 400),
        (GET.format(path="/healthz", host="localhost", more="Content-Length: 5\r\n") + "hello", 400),
        (GET.format(path="/" + "a" * 9_000, host="localhost", more=""), 414),
        (GET.format(path="/", host="localhost", more=f"X: {'a' * 9_000}\r\n"), 431),
        (GET.format(path="/", host="localhost", more="".join(f"X{i}: {'a' * 4_000}\r\n" for i in range(5))), 431),
    ],
)  # fmt: skip
async def test_everything_else_is_refused(request_text: str, status: int) -> None:
    async with admin() as here:
        assert (await ask(here.port, request_text))[0] == status


async def test_head_has_headers_and_no_body() -> None:
    async with admin() as here:
        _, headers, body = await ask(here.port, "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert headers["content-length"] == "10"
        assert body == b""


async def test_admin_listener_for_others_minds_no_host() -> None:
    async with admin(is_loopback=False) as here:
        assert (await ask(here.port, GET.format(path="/healthz", host="gateway-7:9000", more="")))[0] == 200


async def test_silent_and_dripping_requests_are_cut() -> None:
    async with admin() as here:
        silent, dripping = await RawPeer.dial(here.port), await RawPeer.dial(here.port)
        await dripping.send(b"GET /hea")
        async with asyncio.timeout(3):
            while len(here.listener.sockets) < 2:
                await asyncio.sleep(0.005)
        here.listener.tick(asyncio.get_running_loop().time() + REQUEST_S + 0.3)
        for peer in (silent, dripping):
            assert await peer.until_close() is None
            await peer.close()
        assert here.listener.next_deadline() is None


async def test_upgrade_is_never_answered_with_101() -> None:
    more = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    async with admin() as here:
        assert (await ask(here.port, GET.format(path="/healthz", host="localhost", more=more)))[0] == 200


async def test_second_request_on_a_connection_is_not_answered() -> None:
    async with admin() as here:
        twice = GET.format(path="/healthz", host="localhost", more="") * 2
        peer = await RawPeer.dial(here.port)
        await peer.send(twice.encode())
        text = await peer.reader.read(-1)
        assert text.startswith(b"HTTP/1.1 200")
        assert text.endswith(b"ok\n")
        await peer.close()


async def test_number_of_connections_is_bounded() -> None:
    async with admin() as here:
        peers = [await RawPeer.dial(here.port) for _ in range(MAX_SOCKETS + 1)]
        assert await peers[-1].until_close() is None
        for peer in peers:
            await peer.close()
