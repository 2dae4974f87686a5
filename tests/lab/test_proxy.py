"""The idle proxy between real sockets: every byte as it came, every end as it was, and nothing else."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import socket
import struct
import tracemalloc
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from sonde_client import Channel, Client
from sonde_client.events import StatusChanged
from sonde_lab.proxy import upstream_tls
from sonde_lab.proxy_head import Address, Upstream, foreign_host, parse_listen, parse_upstream, with_host
from sonde_lab.proxy_phases import TRANSITIONS, Phase
from sonde_lab.proxy_side import HIGH_WATER_BYTES
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_protocol.states import ChannelState, ConnectionState
from support.echo_house import RawPeer
from support.processes import GatewayProcess
from support.proxied import REQUEST, Rows, Seen, free_port, proxy_to, send_randomly, sha, tcp_server, until
from support.tokens import mint

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
ROOM = "room:arena"


async def echo(reader: Reader, writer: Writer) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def dial(port: int) -> tuple[Reader, Writer]:
    return await asyncio.open_connection("127.0.0.1", port)


# ------------------------------------------------------------ bytes


async def random_bytes_both_ways(seed: int) -> None:
    dice = random.Random(seed)
    up, down = REQUEST + dice.randbytes(3_000_000), dice.randbytes(3_000_000)
    arrived: list[bytes] = []

    async def server(reader: Reader, writer: Writer) -> None:
        _, got = await asyncio.gather(send_randomly(writer, down, seed + 1), reader.readexactly(len(up)))
        arrived.append(got)
        writer.write_eof()
        await reader.read()

    seen = Seen()
    async with tcp_server(server) as port, proxy_to(port, seen) as proxy:
        reader, writer = await dial(proxy.port)
        _, got = await asyncio.gather(send_randomly(writer, up, seed), reader.readexactly(len(down)))
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await until(lambda: seen.ended)
    assert sha(arrived[0]) == sha(up) == sha(seen.bytes[1, Direction.OUT])
    assert sha(got) == sha(down) == sha(seen.bytes[1, Direction.IN])
    assert proxy.figures.bytes_passed == {Direction.OUT: len(up), Direction.IN: len(down)}


@pytest.mark.parametrize("seed", range(3))
async def test_random_bytes_in_random_chunks_arrive_equal_both_ways(seed: int) -> None:
    await random_bytes_both_ways(seed)


def test_bytes_arrive_equal_on_the_other_loop_too() -> None:
    uvloop.run(random_bytes_both_ways(7))


async def test_two_hundred_connections_at_once_get_their_own_bytes() -> None:
    async def one(port: int, number: int) -> bool:
        reader, writer = await dial(port)
        data = REQUEST + number.to_bytes(2) * 3_000
        writer.write(data)
        got = await reader.readexactly(len(data))
        writer.close()
        return got == data

    seen = Seen()
    async with tcp_server(echo) as port, proxy_to(port, seen) as proxy:
        assert all(await asyncio.gather(*(one(proxy.port, number) for number in range(200))))
        await until(lambda: not proxy.connections)
    assert len(seen.opened) == len(seen.ended) == 200
    assert not seen.troubles


async def test_a_server_that_speaks_before_the_request_is_whole_is_not_dialed_yet() -> None:
    dialed = []

    async def server(reader: Reader, writer: Writer) -> None:
        dialed.append(await reader.read(4))
        writer.write(b"x")

    async with tcp_server(server) as port, proxy_to(port) as proxy:
        reader, writer = await dial(proxy.port)
        writer.write(REQUEST[:40])
        await writer.drain()
        await until(lambda: proxy.connections)
        assert not dialed
        writer.write(REQUEST[40:])
        assert await reader.read() == b"x"
        writer.close()


async def test_slow_reader_holds_the_sender_and_memory_stays_bounded() -> None:
    sent = 0

    async def flood(reader: Reader, writer: Writer) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(2_000):
            writer.write(b"x" * 65_536)
            sent += 65_536
            await writer.drain()

    async with tcp_server(flood) as port, proxy_to(port) as proxy:
        reader, writer = await dial(proxy.port)
        writer.transport.pause_reading()
        writer.write(REQUEST)
        await until(lambda: sent > 1_000_000)
        gc.collect()
        tracemalloc.start()
        last = -1
        while last != sent:  # until the kernel's buffers are full and nothing moves
            last = sent
            await asyncio.sleep(0.1)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert sent < 64 << 20
        assert peak < 4 << 20
        (connection,) = proxy._connections
        assert connection.client.transport is not None
        assert connection.client.transport.get_write_buffer_size() < HIGH_WATER_BYTES + 300_000
        writer.transport.resume_reading()
        total = 0
        while data := await reader.read(1 << 20):
            total += len(data)
        assert total == 2_000 * 65_536
        writer.close()


# ------------------------------------------------------------ ends


async def test_half_close_is_passed_on_and_the_answer_still_comes() -> None:
    async def server(reader: Reader, writer: Writer) -> None:
        everything = await reader.read()  # to the FIN
        writer.write(b"%d bytes and the end" % len(everything))
        await writer.drain()

    seen = Seen()
    async with tcp_server(server) as port, proxy_to(port, seen) as proxy:
        reader, writer = await dial(proxy.port)
        writer.write(REQUEST + b"abc")
        writer.write_eof()
        assert await reader.read() == b"%d bytes and the end" % (len(REQUEST) + 3)
        writer.close()
        await until(lambda: seen.ended)
    assert seen.ended[1] == "ended by the client"


async def test_half_close_of_the_server_lets_the_client_go_on() -> None:
    rest: list[bytes] = []

    async def server(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write_eof()
        rest.append(await reader.read())

    async with tcp_server(server) as port, proxy_to(port) as proxy:
        reader, writer = await dial(proxy.port)
        writer.write(REQUEST)
        assert await reader.read() == b""
        writer.write(b"still talking")
        writer.close()
        await until(lambda: rest)
    assert rest == [b"still talking"]


async def test_request_cut_off_in_the_middle_reaches_the_server_as_it_is() -> None:
    got: list[bytes] = []

    async def server(reader: Reader, writer: Writer) -> None:
        got.append(await reader.read())

    async with tcp_server(server) as port, proxy_to(port) as proxy:
        reader, writer = await dial(proxy.port)
        writer.write(REQUEST[:50])
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
    assert got == [REQUEST[:50]]


def reset(writer: Writer) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_reset_of_the_server_is_a_reset_for_the_client_after_the_bytes_before_it() -> None:
    async def server(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"last words")
        await writer.drain()
        await reader.readexactly(2)
        reset(writer)

    seen = Seen()
    async with tcp_server(server) as port, proxy_to(port, seen) as proxy:
        reader, writer = await dial(proxy.port)
        writer.write(REQUEST)
        assert await reader.readexactly(10) == b"last words"
        writer.write(b"ok")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        await until(lambda: seen.ended)
    assert seen.ended[1] == "reset by the upstream"


async def test_reset_of_the_client_is_a_reset_for_the_server() -> None:
    ends: list[str] = []

    async def server(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"hello")
        try:
            ends.append(f"in order: {await reader.read()!r}")
        except ConnectionResetError:
            ends.append("reset")

    async with tcp_server(server) as port, proxy_to(port) as proxy:
        reader, writer = await dial(proxy.port)
        writer.write(REQUEST)
        await reader.readexactly(5)
        reset(writer)
        await until(lambda: ends)
        await until(lambda: not proxy.connections)
    assert ends == ["reset"]


async def test_bytes_that_wait_for_a_slow_reader_leave_before_the_reset_does() -> None:
    size = 6_000_000
    is_reset = asyncio.Event()

    async def server(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"y" * size)
        await writer.drain()
        while writer.transport.get_write_buffer_size():
            await asyncio.sleep(0.005)
        await reader.readexactly(1)
        reset(writer)
        is_reset.set()

    async with tcp_server(server) as port, proxy_to(port) as proxy:
        reader, writer = await dial(proxy.port)
        writer.write(REQUEST)
        got = await reader.readexactly(size)
        writer.write(b"!")
        await is_reset.wait()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
    assert len(got) == size


# ------------------------------------------------------------ refusals


async def refusal(port: int, request: bytes = REQUEST) -> tuple[int, str]:
    peer = await RawPeer.dial(port)
    await peer.send(request)
    status, headers, body = await peer.http()
    await peer.close()
    assert headers["connection"] == "close"
    assert int(headers["content-length"]) == len(body)
    return status, body.decode()


async def test_upstream_that_refuses_is_told_to_client_and_observer() -> None:
    seen, port = Seen(), free_port()
    async with proxy_to(port, seen) as proxy:
        status, body = await refusal(proxy.port)
        await until(lambda: seen.ended)
    assert (status, body) == (
        502,
        f"Sonde proxy: the upstream cannot be reached. Nothing listens at 127.0.0.1:{port}.\n",
    )
    assert seen.troubles[0][:2] == (1, "dial_refused")
    assert seen.ended[1] == "refused with 502"


async def test_upstream_that_no_name_server_knows_is_a_502() -> None:
    async with proxy_to(1) as proxy:
        proxy.rules = type(proxy.rules)(Upstream("no-such-host.invalid", 80, False, "/"))
        status, body = await refusal(proxy.port)
    assert status == 502
    assert "no-such-host.invalid:80" in body


async def test_upstream_without_tls_is_a_502_when_tls_was_asked_for() -> None:
    async def plain(reader: Reader, writer: Writer) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with tcp_server(plain) as port, proxy_to(port, tls=upstream_tls()) as proxy:
        status, body = await refusal(proxy.port)
    assert status == 502
    assert "upstream cannot be reached" in body


async def test_upstream_that_is_no_websocket_server_is_passed_on_and_shown_as_such() -> None:
    async def smtp(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ESMTP\r\n500 what?\r\n\r\n")
        await writer.drain()

    rows = Rows()
    async with tcp_server(smtp) as port, proxy_to(port, rows.recorder) as proxy:
        reader, writer = await dial(proxy.port)
        writer.write(REQUEST)
        assert await reader.read() == b"220 mail.example ESMTP\r\n500 what?\r\n\r\n"
        writer.close()
        await until(lambda: not proxy.connections)
    assert any(row.op == "garbage" and row.flags & Flag.MALFORMED for row in rows.all("p1"))


async def test_upstream_that_closes_during_the_handshake_closes_the_client() -> None:
    async def shy(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switch")
        await writer.drain()

    rows = Rows()
    async with tcp_server(shy) as port, proxy_to(port, rows.recorder) as proxy:
        reader, writer = await dial(proxy.port)
        writer.write(REQUEST)
        assert await reader.read() == b"HTTP/1.1 101 Switch"
        writer.close()
        await until(lambda: not proxy.connections)
    assert "ended inside the handshake" in " ".join(row.payload.decode() for row in rows.all())
    assert rows.all()[-1].payload == b"ended by the upstream"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9000", "127.0.0.1.evil.example", "[::2]"])
async def test_foreign_host_is_refused_and_reaches_nobody(host: str) -> None:
    reached: list[bytes] = []

    async def server(reader: Reader, writer: Writer) -> None:
        reached.append(await reader.read(10))

    seen = Seen()
    request = REQUEST.replace(b"Host: 127.0.0.1:9", b"Host: " + host.encode())
    async with tcp_server(server) as port, proxy_to(port, seen) as proxy:
        status, body = await refusal(proxy.port, request)
    assert status == 421
    assert host in body
    assert not reached
    assert seen.troubles[0][1] == "foreign_host"


@pytest.mark.parametrize(
    "host", [b"localhost", b"LOCALHOST:1", b"127.0.0.1", b"[::1]:80", b"game.example:8765"]
)
def test_hosts_of_this_machine_and_of_the_upstream_are_none_of_foreigners(host: bytes) -> None:
    upstream = Upstream("game.example", 8765, False, "/")
    assert foreign_host(b"GET / HTTP/1.1\r\nHost: " + host, upstream) is None


def test_second_host_header_cannot_hide_behind_a_good_one() -> None:
    upstream = Upstream("127.0.0.1", 1, False, "/")
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\n host : evil.example\r\nX: 1"
    assert foreign_host(head, upstream) == "evil.example"


async def test_host_is_replaced_only_when_that_is_asked_for() -> None:
    got: list[bytes] = []

    async def server(reader: Reader, writer: Writer) -> None:
        got.append(await reader.read())

    for rewrites in (False, True):
        async with tcp_server(server) as port, proxy_to(port, rewrites_host=rewrites) as proxy:
            reader, writer = await dial(proxy.port)
            writer.write(REQUEST)
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
        sent = REQUEST.replace(b"127.0.0.1:9", f"127.0.0.1:{port}".encode()) if rewrites else REQUEST
        assert got.pop() == sent
    assert with_host(b"GET / HTTP/1.0\r\n\r\nHost: body", "x") == b"GET / HTTP/1.0\r\n\r\nHost: body"


async def test_idle_handshake_is_cut() -> None:
    seen = Seen()
    async with proxy_to(1, seen, handshake_s=0.05) as proxy:
        assert (await refusal(proxy.port, REQUEST[:30]))[0] == 408
        await until(lambda: seen.ended)
    assert seen.ended[1] == "refused with 408"


async def test_endless_head_is_refused() -> None:
    async with proxy_to(1) as proxy:
        assert (await refusal(proxy.port, b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000))[0] == 431


async def test_one_connection_too_many_is_told_so_and_the_others_stay() -> None:
    async with tcp_server(echo) as port, proxy_to(port, max_connections=2) as proxy:
        peers = [await dial(proxy.port) for _ in range(2)]
        for reader, writer in peers:
            writer.write(REQUEST)
            await reader.readexactly(len(REQUEST))
        status, body = await refusal(proxy.port, b"")
        assert status == 503
        assert "too many connections" in body
        for reader, writer in peers:
            writer.write(b"still here")
            assert await reader.readexactly(10) == b"still here"
            writer.close()
        await until(lambda: not proxy.connections)
        assert (await dial(proxy.port))[1].close() is None


@pytest.mark.expects_log("sonde_lab.proxy")
async def test_observer_that_raises_disturbs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def __getattr__(self, name: str) -> Callable[..., None]:
            def fail(*_: Any) -> None:
                raise RuntimeError("observer")

            return fail

    async with tcp_server(echo) as port, proxy_to(port, Broken()) as proxy:
        reader, writer = await dial(proxy.port)
        writer.write(REQUEST)
        assert await reader.readexactly(len(REQUEST)) == REQUEST
        writer.close()
        await until(lambda: not proxy.connections)
    assert "the traffic goes on" in caplog.text


async def test_parser_that_fails_makes_one_row_and_disturbs_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rows = Rows()
    caplog.set_level(logging.CRITICAL, "sonde_lab.proxy_recorder")

    def fail(*_: Any) -> None:
        raise ValueError("a fault of our own")

    monkeypatch.setattr("sonde_lab.recorder.Recorder.on_wire", fail)
    async with tcp_server(echo) as port, proxy_to(port, rows.recorder) as proxy:
        reader, writer = await dial(proxy.port)
        writer.write(REQUEST)
        assert await reader.readexactly(len(REQUEST)) == REQUEST
        writer.close()
        await until(lambda: not proxy.connections)
    assert [row.op for row in rows.all()] == ["state", "gap", "close"]


@pytest.mark.parametrize(
    "check",
    [
        test_two_hundred_connections_at_once_get_their_own_bytes,
        test_slow_reader_holds_the_sender_and_memory_stays_bounded,
        test_half_close_is_passed_on_and_the_answer_still_comes,
        test_half_close_of_the_server_lets_the_client_go_on,
        test_request_cut_off_in_the_middle_reaches_the_server_as_it_is,
        test_reset_of_the_server_is_a_reset_for_the_client_after_the_bytes_before_it,
        test_reset_of_the_client_is_a_reset_for_the_server,
        test_bytes_that_wait_for_a_slow_reader_leave_before_the_reset_does,
        test_upstream_that_refuses_is_told_to_client_and_observer,
        test_upstream_that_no_name_server_knows_is_a_502,
        test_idle_handshake_is_cut,
        test_one_connection_too_many_is_told_so_and_the_others_stay,
    ],
)
def test_the_same_holds_on_the_other_loop(check: Callable[[], Coroutine[Any, Any, None]]) -> None:
    uvloop.run(check())  # `sonde proxy` runs on it where there is one


def test_every_phase_leads_to_its_end() -> None:
    for phase in Phase:
        reached, fresh = {phase}, {phase}
        while fresh:
            fresh = {to for (at, _), to in TRANSITIONS.items() if at in fresh} - reached
            reached |= fresh
        assert Phase.GONE in reached


# ------------------------------------------------------------ addresses


@pytest.mark.parametrize("text", ["", "host", "host:", "host:x", "1:70000", "127.0.0.1:-1", "::1:٣"])
def test_wrong_address_to_listen_at_is_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"write 127\.0\.0\.1:9100"):
        parse_listen(text)


@pytest.mark.parametrize(
    "url", ["", "localhost:1", "http://x", "ws://", "ws://x:99999", "ws://u:p@x", "ws://x/#f", "ws://[::1"]
)
def test_wrong_upstream_is_a_sentence(url: str) -> None:
    with pytest.raises(ValueError, match=r"no address of a WebSocket server|password"):
        parse_upstream(url)


def test_right_addresses_are_understood() -> None:
    assert parse_listen("9100") == parse_listen("127.0.0.1:9100") == Address("127.0.0.1", 9100)
    assert parse_listen("[::1]:0").is_loopback
    assert not parse_listen("0.0.0.0:80").is_loopback
    assert parse_upstream("wss://a.example/x") == Upstream("a.example", 443, True, "/x")
    assert parse_upstream("ws://[::1]:7").host_header == "[::1]:7"


# ------------------------------------------------------------ rows

HEADS = (REQUEST, b"HTTP/1.1 101 Switching Protocols\r\n\r\n")


def fields(row: Record) -> tuple[Any, ...]:
    return (
        row.kind,
        row.op,
        row.direction,
        row.opcode,
        row.size,
        bytes(row.payload),
        row.flags,
        row.code,
        row.channel,
    )


def told(streams: tuple[bytes, bytes], cuts: list[int]) -> list[list[tuple[Any, ...]]]:
    """Rows of each direction when both streams are cut like that."""
    rows = Rows()
    rows.recorder.on_opened(1, "peer", 0.0)
    for side, data in zip((Direction.OUT, Direction.IN), streams, strict=True):
        edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
        for a, b in pairwise(edges):
            rows.recorder.on_bytes(1, side, data[a:b], 1.0)
    rows.recorder.on_ended(1, "ended", 2.0)
    return [[fields(row) for row in rows.all("p1") if row.direction == side] for side in Direction]


frames = st.lists(
    st.builds(
        lambda opcode, data, fin: (opcode, data if opcode < 8 else data[:125], fin or opcode >= 8),
        st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.CONT, Opcode.PING, Opcode.PONG, Opcode.CLOSE]),
        st.binary(max_size=300),
        st.booleans(),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(frames, st.binary(max_size=40), st.lists(st.integers(0, 5_000), max_size=30))
def test_any_chunking_gives_the_same_rows(
    sent: list[tuple[Opcode, bytes, bool]], rest: bytes, cuts: list[int]
) -> None:
    out, in_ = (
        head + b"".join(Frame(code, data, fin=fin).serialize(mask=masked) for code, data, fin in sent) + rest
        for head, masked in zip(HEADS, (True, False), strict=True)
    )
    whole = told((out, in_), [])
    assert told((out, in_), cuts) == whole
    assert whole[Direction.OUT][0][1] == "upgrade"


# ------------------------------------------------------------ real peers


async def echo_messages(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def test_deflated_and_fragmented_messages_are_passed_on_and_read() -> None:
    rows, big = Rows(), "ä" * 20_000
    async with serve(echo_messages, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with (
            proxy_to(port, rows.recorder) as proxy,
            connect(f"ws://127.0.0.1:{proxy.port}/", proxy=None) as client,
        ):
            for message in ("short", big, os.urandom(3_000)):
                await client.send(message)
                assert await client.recv() == message
            await client.send(["in ", "three ", "parts"])
            assert await client.recv() == "in three parts"
            await (await client.ping(b"here"))
        await until(lambda: rows.all()[-1].kind is Kind.CLOSE)
    read = [row for row in rows.all("p1") if row.kind is Kind.FRAME and row.opcode in (1, 2)]
    assert [row.payload for row in read if row.direction is Direction.OUT][1] == big.encode()
    assert [row.payload for row in read if row.direction is Direction.IN][3] == b"in three parts"
    assert all(row.flags & Flag.COMPRESSED for row in read if row.direction is Direction.IN)
    assert any(row.flags & Flag.FRAGMENT for row in read)
    assert any(row.op == "pong" and row.rtt_ms > 0 for row in rows.all())


async def is_live(channel: Channel) -> None:
    await until(lambda: channel.status is ChannelState.LIVE)


async def test_sondes_own_client_resumes_through_the_proxy_when_it_is_cut(gateway: GatewayProcess) -> None:
    rows = Rows()
    async with proxy_to(gateway.port, rows.recorder) as proxy, Client(proxy.url, mint("ada")) as client:
        resumed: list[bool] = []

        def on_status(event: StatusChanged) -> None:
            if event.status.state is ConnectionState.WAITING:
                client.retry_now()
            elif event.status.state is ConnectionState.LIVE:
                resumed.append(event.status.generation > 1)

        client.on(StatusChanged, on_status)
        channel = await client.subscribe(ROOM)
        await is_live(channel)
        await client_patch(channel, 1)
        (connection,) = proxy._connections
        connection.abort()
        await until(lambda: any(resumed))
        await is_live(channel)
        await client_patch(channel, 2)
        await until(lambda: channel.state == {"players": {"ada": {"x": 2}}})
    ops = [row.op for row in rows.all("p2")]
    assert "resume" in ops
    assert "resumed" in ops
    assert {row.conn for row in rows.all()} == {"p1", "p2"}
    assert not any(row.flags & Flag.MALFORMED for row in rows.all())


async def client_patch(channel: Channel, value: int) -> None:
    await channel.patch({"players": {"ada": {"x": value}}})
