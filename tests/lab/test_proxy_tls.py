"""TLS at either end of the proxy: verified towards the upstream, offered to clients on demand."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
import uvloop
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from sonde_lab.proxy import upstream_tls
from sonde_lab.proxy_options import ProxyOptions, started
from sonde_lab.records import Direction
from support.certificates import certificate
from support.echo_house import RawPeer
from support.proxied import REQUEST, Seen, proxy_to, sha, tcp_server, until

BIG = os.urandom(700_000)


async def echo_messages(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def both_ends_by_tls(folder: Path) -> None:
    server_tls, client_tls = certificate(folder)
    seen = Seen()
    async with serve(echo_messages, "127.0.0.1", 0, ssl=server_tls, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        async with proxy_to(port, seen, tls=client_tls, cert=server_tls) as proxy:
            assert proxy.url.startswith("wss://")
            async with connect(proxy.url, ssl=client_tls, proxy=None) as client:
                await client.send(BIG)
                assert sha(await client.recv()) == sha(BIG)
            await until(lambda: seen.ended)
    assert BIG in seen.bytes[1, Direction.IN]


async def test_both_ends_by_tls(tmp_path: Path) -> None:
    await both_ends_by_tls(tmp_path)


def test_both_ends_by_tls_on_the_other_loop(tmp_path: Path) -> None:
    uvloop.run(both_ends_by_tls(tmp_path))


async def asked(port: int) -> tuple[int, str]:
    peer = await RawPeer.dial(port)
    await peer.send(REQUEST)
    status, _, body = await peer.http()
    await peer.close()
    return status, body.decode()


async def test_upstream_that_nobody_vouches_for_is_a_502_unless_that_is_wanted(tmp_path: Path) -> None:
    server_tls, _ = certificate(tmp_path)
    async with serve(echo_messages, "127.0.0.1", 0, ssl=server_tls) as server:
        url = f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        strict = ProxyOptions("127.0.0.1:0", url).proxy()
        await started(strict)
        status, body = await asked(strict.port)
        assert (status, "self-signed" in body or "certificate" in body) == (502, True)
        await strict.stop()
        loose = ProxyOptions("127.0.0.1:0", url, insecure=True).proxy()
        await started(loose)
        async with connect(loose.url, proxy=None) as client:
            await client.send("hello")
            assert await client.recv() == "hello"
        await loose.stop()


async def test_end_of_a_tls_upstream_is_the_end_for_a_plain_client(tmp_path: Path) -> None:
    server_tls, client_tls = certificate(tmp_path)

    async def says_bye(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"bye" * 100_000)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(says_bye, "127.0.0.1", 0, ssl=server_tls)
    async with server, proxy_to(server.sockets[0].getsockname()[1], tls=client_tls) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(REQUEST)
        assert len(await reader.read()) == 300_000
        writer.close()
        await until(lambda: not proxy.connections)


async def test_client_that_ends_ends_the_tls_upstream(tmp_path: Path) -> None:
    server_tls, client_tls = certificate(tmp_path)
    got: list[bytes] = []

    async def listens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(listens, "127.0.0.1", 0, ssl=server_tls)
    async with server, proxy_to(server.sockets[0].getsockname()[1], tls=client_tls) as proxy:
        _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(REQUEST + b"last")
        writer.close()
        await until(lambda: got and not proxy.connections)
    assert got == [REQUEST + b"last"]


async def test_client_that_does_not_speak_tls_leaves_nothing_behind(tmp_path: Path) -> None:
    server_tls, _ = certificate(tmp_path)
    async with proxy_to(1, cert=server_tls) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(REQUEST)
        await reader.read()
        writer.close()
        assert proxy.connections == 0
        assert proxy.figures.accepted == 0


async def test_stop_in_the_middle_of_a_dial_leaves_nothing_behind() -> None:
    is_reached = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_reached.set()
        await reader.read()

    seen = Seen()
    async with tcp_server(silent) as port:
        async with proxy_to(port, seen, tls=upstream_tls()) as proxy:
            _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(REQUEST)
            await is_reached.wait()  # it waits for a TLS greeting that never comes
            assert proxy.connections == 1
        writer.close()
    assert seen.ended == {1: "ended with the proxy"}


async def test_client_that_floods_during_a_slow_dial_is_not_read() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        await reader.read()

    async with tcp_server(silent) as port, proxy_to(port, tls=upstream_tls()) as proxy:
        _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(REQUEST + b"x" * 40_000_000)
        last = -1
        while last != (last := writer.transport.get_write_buffer_size()):
            await asyncio.sleep(0.1)  # until the kernel's buffers are full and nothing moves
        (connection,) = proxy._connections
        assert last > 20_000_000
        assert len(connection._head) < 600_000
        writer.transport.abort()


async def test_upstream_that_never_answers_the_dial_is_a_504() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_server(silent) as port, proxy_to(port, tls=upstream_tls(), handshake_s=0.1) as proxy:
        assert await asked(proxy.port) == (
            504,
            f"Sonde proxy: the upstream cannot be reached. 127.0.0.1:{port} did not answer.\n",
        )


@pytest.mark.parametrize("insecure", [False, True])
def test_certificates_are_verified_unless_somebody_says_no(insecure: bool) -> None:
    tls = ProxyOptions("127.0.0.1:0", "wss://127.0.0.1:1", insecure=insecure).proxy().rules.tls
    assert tls is not None
    assert tls.check_hostname is not insecure
