"""One socket at a time, against real peers over loopback: what passes, how it ends, and what is let go of."""

from __future__ import annotations

import asyncio
import gc
import weakref

import aiohttp
import pytest
import websockets

from sonde_protocol.errors import IllegalTransition
from sonde_protocol.states import advance
from sonde_server.core.admission import AdmissionRules
from sonde_server.framing import Library
from sonde_server.listener import SocketLimits
from sonde_server.socket_phases import PHASES, Phase, Trigger
from sonde_server.transport import Socket
from support.echo_house import REQUEST, RawPeer, echo_server, frame

TEXT, BINARY, CLOSE, PING, PONG, CONT = 1, 2, 8, 9, 10, 0


async def soon(condition: object, limit_s: float = 3.0) -> None:
    """Let the loop run until `condition()` holds."""
    async with asyncio.timeout(limit_s):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 1_000, 65_535, 65_536])
@pytest.mark.parametrize("binary", [False, True])
async def test_messages_of_every_size_come_back_to_an_independent_peer(size: int, binary: bool) -> None:
    subprotocol = "sonde.v1.msgpack" if binary else "sonde.v1.json"
    async with (
        echo_server() as server,
        aiohttp.ClientSession() as session,
        session.ws_connect(server.url, protocols=[subprotocol], max_msg_size=0) as socket,
    ):
        assert socket.protocol == subprotocol
        for _ in range(2):
            await (socket.send_bytes(b"x" * size) if binary else socket.send_str("x" * size))
            answer = await socket.receive(5)
            assert answer.data == (b"x" * size if binary else "x" * size)


async def test_library_object_is_dropped_while_open_and_idle() -> None:
    async with echo_server() as server, websockets.connect(server.url) as peer:
        (socket,) = server.listener._sockets
        assert socket._library is None
        await peer.send("plain")
        await peer.recv()
        assert socket._library is None
        await peer.send(["in ", "three ", "parts"])
        assert await peer.recv() == "in three parts"
        await (await peer.ping())
        assert socket._library is None


async def test_frames_cut_anywhere_arrive_whole() -> None:
    stream = b"".join(
        [
            frame(TEXT, "grüße".encode()),
            frame(PING, b"p"),
            frame(TEXT, b"a", fin=False),
            frame(CONT, b"b", fin=False),
            frame(PONG, b""),
            frame(CONT, b"c"),
            frame(TEXT, b"y" * 300),
        ]
    )
    async with echo_server() as server:
        for cut in range(1, 40):
            peer = await RawPeer.upgraded(server.port)
            for start in range(0, len(stream), cut):
                peer.writer.write(stream[start : start + cut])
                if cut < 6:
                    await asyncio.sleep(0)
            got = [await peer.read_frame() for _ in range(4)]
            assert sorted(got) == sorted(
                [(0x81, "grüße".encode()), (0x8A, b"p"), (0x81, b"abc"), (0x81, b"y" * 300)]
            )
            await peer.close()


async def test_many_frames_of_one_read_are_all_delivered_in_order() -> None:
    async with echo_server() as server:
        peer = await RawPeer.upgraded(server.port)
        await peer.send(b"".join(frame(TEXT, str(i).encode()) for i in range(5_000)))
        got = [(await peer.read_frame())[1] for _ in range(5_000)]
        assert got == [str(i).encode() for i in range(5_000)]
        await peer.close()


async def test_bytes_of_a_fan_out_are_framed_once() -> None:
    data = b'{"op":"event"}'
    async with (
        echo_server() as server,
        websockets.connect(server.url) as one,
        websockets.connect(server.url) as two,
    ):
        for echo in server.house.echoes:
            echo.wire.send(data)
        assert [await one.recv(), await two.recv()] == [data.decode()] * 2
        assert server.listener.text.frame(data) is server.listener.text.frame(data)


async def test_hello_follows_the_101_at_once() -> None:
    async with echo_server() as server:
        server.house.greet = b"hello"
        async with websockets.connect(server.url) as peer:
            assert await peer.recv() == "hello"


async def test_peers_close_is_answered_and_told_with_its_code() -> None:
    async with echo_server() as server:
        peer = await websockets.connect(server.url)
        await peer.close(1001, "moving on")
        assert (peer.close_code, peer.close_reason) == (1001, "moving on")
        assert server.house.echoes[0].lost == [(1001, "moving on")]
        await soon(lambda: not server.listener._sockets)


async def test_peers_abrupt_end_is_told_without_a_code() -> None:
    async with echo_server() as server:
        peer = await RawPeer.upgraded(server.port)
        peer.writer.transport.abort()
        await soon(lambda: server.house.echoes[0].lost)
        assert server.house.echoes[0].lost == [(None, "")]


async def test_our_close_reaches_the_peer_and_its_answer_reaches_the_core() -> None:
    async with echo_server() as server, websockets.connect(server.url) as peer:
        echo = server.house.echoes[0]
        echo.wire.send(b"last words")
        echo.wire.close(4001, "draining")
        echo.wire.send(b"too late")
        echo.wire.close(4002, "again")
        assert await peer.recv() == "last words"
        with pytest.raises(websockets.ConnectionClosed):
            await peer.recv()
        assert (peer.close_code, peer.close_reason) == (4001, "draining")
        await soon(lambda: echo.lost)
        assert echo.lost == [(4001, "draining")]
        assert echo.wire.buffered() == 0


async def test_peer_that_ignores_our_close_is_cut_after_the_closing_time() -> None:
    async with echo_server() as server:
        peer = await RawPeer.upgraded(server.port)
        echo = server.house.echoes[0]
        echo.wire.close(4000, "")
        await server.later(1.9)
        assert not echo.lost
        await server.later(2.5)
        await soon(lambda: echo.lost)
        assert echo.lost == [(None, "")]
        assert await peer.until_close() == 4000
        await peer.close()


async def test_messages_after_our_close_are_not_delivered() -> None:
    async with echo_server() as server:
        server.house.on_each = lambda echo, _: echo.wire.close(4400, "one was enough")
        peer = await RawPeer.upgraded(server.port)
        await peer.send(frame(TEXT, b"1") + frame(TEXT, b"2") + frame(PING, b"") + frame(TEXT, b"3"))
        assert (await peer.read_frame())[0] == 0x88
        await peer.send(frame(CLOSE, b"\x11\x30"))
        await soon(lambda: server.house.echoes[0].lost)
        assert server.house.echoes[0].messages == [(b"1", False)]
        await peer.close()


async def test_core_may_close_while_the_peers_own_close_is_already_read() -> None:
    async with echo_server() as server:
        server.house.on_each = lambda echo, _: echo.wire.close(4400, "")
        peer = await RawPeer.upgraded(server.port)
        await peer.send(frame(TEXT, b"a", fin=False) + frame(CONT, b"b" * 130) + frame(CLOSE, b"\x03\xe8"))
        await soon(lambda: server.house.echoes[0].lost)
        assert server.house.echoes[0].lost == [(1000, "")]
        await peer.close()


async def test_abort_ends_without_a_close_frame_and_is_told_once() -> None:
    async with echo_server() as server:
        peer = await RawPeer.upgraded(server.port)
        echo = server.house.echoes[0]
        echo.wire.abort()
        echo.wire.abort()
        echo.wire.close(4000, "")
        echo.wire.send(b"x")
        assert await peer.until_close() is None
        await soon(lambda: echo.lost)
        assert echo.lost == [(None, "")]
        await peer.close()


async def test_code_that_may_not_stand_in_a_close_frame_aborts() -> None:
    async with echo_server() as server:
        peer = await RawPeer.upgraded(server.port)
        server.house.echoes[0].wire.close(1006, "")
        assert await peer.until_close() is None
        await peer.close()


async def test_slow_reader_shows_as_buffered_and_tells_when_it_caught_up() -> None:
    async with echo_server() as server:
        peer = await RawPeer.upgraded(server.port)
        echo = server.house.echoes[0]
        data, sent = b"z" * 60_000, 0
        while echo.wire.buffered() < 300_000:
            echo.wire.send(data)
            sent += 1
        assert echo.writable == 0
        for _ in range(sent):
            await peer.read_frame()
        await soon(lambda: echo.writable)
        assert echo.wire.buffered() < 64 * 1024
        await peer.close()


async def test_closed_sockets_leave_nothing_for_the_collector() -> None:
    async with echo_server() as server:
        gc.collect()
        gc.disable()
        try:
            for last in (
                frame(CLOSE, b"\x03\xe8"),
                frame(TEXT, b"\xff"),
                frame(3),
                frame(TEXT, b"cut")[:-1],
                b"",
            ):
                peer = await RawPeer.upgraded(server.port)
                parts = frame(TEXT, b"a", fin=False) + frame(PING) + frame(CONT, b"b")
                await peer.send(parts + frame(TEXT, b"plain") + last)
                assert {await peer.read_frame() for _ in range(3)} == {
                    (0x8A, b""),
                    (0x81, b"ab"),
                    (0x81, b"plain"),
                }
                await peer.close()
            (await refused(server.port, "hello\r\n\r\n"))
            gone = [weakref.ref(echo) for echo in server.house.echoes]
            await soon(lambda: not server.listener._sockets)
            server.house.echoes.clear()
            await asyncio.sleep(0.01)
            assert [ref() for ref in gone if ref() is not None] == []
            assert [each for each in gc.get_objects() if isinstance(each, Library | Socket)] == []
        finally:
            gc.enable()


async def test_idle_connection_holds_no_deadline_task_or_library() -> None:
    async with echo_server() as server:
        tasks = len(asyncio.all_tasks())
        peers = [await RawPeer.upgraded(server.port) for _ in range(20)]
        assert server.listener.next_deadline() is None
        assert len(asyncio.all_tasks()) == tasks
        assert all(socket._library is None for socket in server.listener._sockets)
        for peer in peers:
            await peer.close()


# ---------------------------------------------------------------- the handshake


async def refused(port: int, request: str) -> tuple[int, bytes]:
    peer = await RawPeer.dial(port)
    await peer.send(request.encode("latin-1"))
    status, headers, body = await peer.http()
    assert "server" not in headers
    await peer.close()
    return status, body


GOOD = REQUEST.format(path="/v1/ws", more="")


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (REQUEST.format(path="/", more=""), 404),
        (REQUEST.format(path="/metrics", more=""), 404),
        (REQUEST.format(path="/v1/ws?token=x", more=""), 400),
        (REQUEST.format(path="/v1/ws", more="Origin: https://evil.example\r\n"), 403),
        (REQUEST.format(path="/v1/ws", more="Authorization: Bearer x\r\n"), 401),
        (REQUEST.format(path="/v1/ws", more="Sec-WebSocket-Protocol: graphql-ws\r\n"), 400),
        (GOOD.replace("Host: 127.0.0.1", "Host: evil.example"), 421),
        (GOOD.replace("Host: 127.0.0.1\r\n", ""), 400),
        (GOOD.replace("Upgrade: websocket\r\n", ""), 426),
        (GOOD.replace("Version: 13", "Version: 8"), 400),
        (GOOD.replace("dGhlIHNhbXBsZSBub25jZQ==", "short"), 400),
        (GOOD.replace("GET", "POST"), 405),
        (GOOD.replace("HTTP/1.1", "HTTP/1.0"), 505),
        ("GET / HTTP/2.0\r\n\r\n", 400),
        ("hello\r\n\r\n", 400),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (GOOD.replace("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nhello"), 400),
        (GOOD.replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n"), 400),
        (f"GET /{'a' * 9_000} HTTP/1.1\r\n\r\n", 414),
        (GOOD.replace("\r\n\r\n", f"\r\nX: {'a' * 9_000}\r\n\r\n"), 431),
        (GOOD.replace("\r\n\r\n", "\r\n" + "".join(f"X{i}: y\r\n" for i in range(200)) + "\r\n"), 431),
        (GOOD.replace("\r\n\r\n", "\r\n" + "".join(f"X{i}: {'y' * 6_000}\r\n" for i in range(9)) + "\r\n"), 431),
    ],
)  # fmt: skip
async def test_wrong_requests_get_an_http_answer_and_no_connection(request_text: str, status: int) -> None:
    async with echo_server() as server:
        assert (await refused(server.port, request_text))[0] == status
        assert server.house.echoes == []
        assert sum(server.listener.counters.refusals.values()) == 1


async def test_frames_sent_before_the_101_are_refused() -> None:
    async with echo_server() as server:
        floods = [
            frame(PING, b"x") + frame(TEXT, b"too early"),
            b"\x81",
            b"\x81\x85",
            frame(TEXT, b"abc")[:-1],
        ]
        for early in [*floods, frame(CLOSE, b""), frame(TEXT, b"x", masked=False)]:
            peer = await RawPeer.dial(server.port)
            await peer.send(GOOD.encode() + early)
            assert (await peer.reader.readline()) == b"HTTP/1.1 400 Bad Request\r\n"
            assert await peer.reader.read(-1)
            await peer.close()
        assert server.house.echoes == []


async def test_request_may_come_byte_by_byte() -> None:
    async with echo_server() as server:
        peer = await RawPeer.dial(server.port)
        for byte in GOOD.encode():
            peer.writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await peer.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        await peer.close()


async def test_silent_peer_is_cut_when_the_handshake_time_is_over() -> None:
    async with echo_server() as server:
        silent, dripping = await RawPeer.dial(server.port), await RawPeer.dial(server.port)
        await dripping.send(b"GET /v1/ws HT")
        await soon(lambda: len(server.listener._sockets) == 2)
        await server.later(9.5)
        assert len(server.listener._sockets) == 2
        await server.later(10.5)
        assert await silent.until_close() is None
        await soon(lambda: not server.listener._sockets)
        assert server.listener.counters.handshake_timeouts == 2
        await silent.close()
        await dripping.close()


async def test_connection_limit_answers_503_and_frees_its_place() -> None:
    async with echo_server(rules=AdmissionRules(max_connections=1)) as server:
        first = await RawPeer.upgraded(server.port)
        second = await RawPeer.dial(server.port)
        await second.send(GOOD.encode())
        status, headers, _ = await second.http()
        assert (status, headers["retry-after"]) == (503, "2")
        await second.close()
        await first.close()
        await soon(lambda: server.house.connections == 0)
        await (await RawPeer.upgraded(server.port)).close()


async def test_limit_per_address_counts_only_that_address() -> None:
    async with echo_server(rules=AdmissionRules(max_per_address=1), count_addresses=True) as server:
        first = await RawPeer.upgraded(server.port)
        assert (await refused(server.port, GOOD))[0] == 503
        await first.close()
        await soon(lambda: not server.listener._sockets)
        await (await RawPeer.upgraded(server.port)).close()


async def test_draining_house_answers_503() -> None:
    async with echo_server() as server:
        server.house.ready = False
        assert (await refused(server.port, GOOD))[0] == 503


async def test_sockets_beyond_the_last_place_are_cut_without_an_answer() -> None:
    async with echo_server(SocketLimits(max_sockets=1)) as server:
        first = await RawPeer.upgraded(server.port)
        second = await RawPeer.dial(server.port)
        assert await second.until_close() is None
        assert server.listener.counters.sockets_cut_total == 1
        await first.close()
        await second.close()


# ---------------------------------------------------------------- the table and the small parts


def test_every_phase_is_reachable_and_only_gone_has_no_way_out() -> None:
    reached = {Phase.NEW} | set(PHASES.values())
    assert reached == set(Phase)
    leaving = {phase for (phase, _), after in PHASES.items() if after is not phase}
    assert leaving == set(Phase) - {Phase.GONE}


def test_every_missing_pair_of_the_table_is_illegal() -> None:
    for phase in Phase:
        for trigger in Trigger:
            if (phase, trigger) not in PHASES:
                with pytest.raises(IllegalTransition):
                    advance(PHASES, phase, trigger)
