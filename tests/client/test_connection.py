"""The socket shell against peers that are unreachable, are no gateway, or are hostile."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from websockets.utils import accept_key

from sonde_client import Client, ConnectFailed
from sonde_client.events import DialEnded, Failed
from sonde_client.reaching import Address
from sonde_client.status import SocketEnd
from sonde_protocol.codec import JSON
from sonde_protocol.frames import ClientPong, ServerPing
from sonde_protocol.states import ConnectionState
from support.certificates import certificate
from support.session_rig import hello, ready

pytestmark = pytest.mark.asyncio
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def short_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers here do not answer a close frame; nobody waits two seconds for that."""
    monkeypatch.setattr("sonde_client.connection.CLOSE_LIMIT_S", 0.1)


@asynccontextmanager
async def peer(handle: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on loopback that does what a test says, once for each connection."""
    running: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await handle(reader, writer)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(run(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)
        task.add_done_callback(lambda _: writer.transport.abort())  # even if it was cancelled before it began

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()
        for _ in range(5):  # what was being accepted, and aborted transports, end in the loop's next rounds
            await asyncio.sleep(0.001)


async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, extra: str = "") -> None:
    request = (await reader.readuntil(b"\r\n\r\n")).decode()
    headers = dict(line.split(": ", 1) for line in request.split("\r\n")[1:] if line)
    writer.write(
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(headers['Sec-WebSocket-Key'])}\r\n"
            f"Sec-WebSocket-Protocol: {headers['Sec-WebSocket-Protocol']}\r\n{extra}\r\n"
        ).encode()
    )


def message(data: bytes, opcode: int = 1, *, fin: bool = True) -> bytes:
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(data) < 126:
        return head + bytes([len(data)]) + data
    if len(data) < 65_536:
        return head + struct.pack("!BH", 126, len(data)) + data
    return head + struct.pack("!BQ", 127, len(data)) + data


GREETING = message(JSON.encode(hello())) + message(JSON.encode(ready()))


def dial_once(client: Client) -> None:
    """Connect, and let later dials fail: one that arrives while a peer closes would leak in the peer."""
    client.connect()
    client.refuse_dials_for(60)


async def first_failure(url: str, limit_s: float = 5.0, **fields: object) -> Failed:
    """What the first dial to `url` ends in."""
    client = Client(url, **fields)
    failures = client.events(Failed)
    dial_once(client)
    try:
        return await asyncio.wait_for(anext(failures), limit_s)
    finally:
        await client.close()


async def answer_with(data: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(data)
    await writer.drain()
    await reader.read(-1)


def answering(data: bytes) -> Handler:
    return lambda reader, writer: answer_with(data, reader, writer)


# ---------------------------------------------------------------- no gateway there


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "ws://",
        "ws://user:pw@127.0.0.1:1/v1/ws",
        "nonsense",
        "ws://127.0.0.1:99999999/",
    ],
)
async def test_an_address_that_is_none_is_said(url: str):
    failed = (await first_failure(url)).failure
    assert failed.cause == "bad_url"
    assert "hunter2" not in str(failed)


async def test_an_unknown_host_is_named():
    failed = (await first_failure("ws://no-such-host.invalid:9/v1/ws", 20.0)).failure
    assert failed.cause == "dial_dns"
    assert "no-such-host.invalid" in failed.detail


async def test_a_closed_port_is_refused():
    failed = (await first_failure("ws://localhost:9/v1/ws")).failure
    assert failed.cause == "dial_refused"


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"SSH-2.0-OpenSSH_9.2p1\r\n" + b"x" * 200, "not_websocket"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "not_websocket"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + b"x" * 300_000, "not_websocket"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "not_websocket"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "not_websocket"),
        (
            b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: bogus\r\n\r\n",
            "not_websocket",
        ),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "http_error"),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", "http_unavailable"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n", "not_websocket"),
        (b"HTTP/1.1 101 Switching Protocols\r\n" + b"A: b\r\n" * 100_000, "not_websocket"),
        (b"HTTP/1.1 101 Switching Protocols\r\nA: " + b"b" * 1_000_000, "not_websocket"),
        (b"x" * 1_000_000, "not_websocket"),
    ],
)
async def test_what_answers_but_is_no_gateway_is_called_that(data: bytes, cause: str):
    async with peer(answering(data)) as port:
        assert (await first_failure(f"ws://127.0.0.1:{port}/v1/ws")).failure.cause == cause


async def test_a_refusals_own_words_are_shown_escaped():
    body = b'{"error":"forbidden","message":"this \\u001b[31morigin is not allowed"}'
    head = f"HTTP/1.1 403 Forbidden\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with peer(answering(head + body)) as port:
        failed = (await first_failure(f"ws://127.0.0.1:{port}/v1/ws")).failure
    assert failed.cause == "http_refused"
    assert "origin is not allowed (forbidden)" in failed.detail
    assert "\x1b" not in failed.detail


async def test_a_peer_that_hangs_up_before_it_answers_is_tried_again():
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with peer(hang_up) as port:
        failed = (await first_failure(f"ws://127.0.0.1:{port}/v1/ws")).failure
    assert failed.cause == "dial_reset"


async def test_a_websocket_server_of_another_protocol_is_told_apart():
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = request.split("Sec-WebSocket-Key: ")[1].split("\r\n")[0]
        writer.write(
            b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + accept_key(key).encode()
            + b"\r\n\r\n"
        )
        await reader.read(-1)

    async with peer(other) as port:
        assert (await first_failure(f"ws://127.0.0.1:{port}/")).failure.cause == "wrong_subprotocol"


async def test_a_peer_that_never_answers_is_given_up_in_time():
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with peer(silent) as port:
        client = Client(f"ws://127.0.0.1:{port}/v1/ws")
        client._session.settings.dial_limit_s = 0.1
        failures = client.events(Failed)
        dial_once(client)
        failed = (await asyncio.wait_for(anext(failures), 5)).failure
        await client.close()
    assert failed.cause == "dial_timeout"
    assert "tcp" in failed.detail


async def test_a_drop_while_dialling_ends_that_dial_at_once():
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with peer(silent) as port:
        client = Client(f"ws://127.0.0.1:{port}/v1/ws")
        failures = client.events(Failed)
        dial_once(client)
        client.drop()
        failed = (await asyncio.wait_for(anext(failures), 1)).failure
        assert failed.cause == "dial_reset"
        await client.close()


# ---------------------------------------------------------------- TLS


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await upgrade(reader, writer)
    writer.write(GREETING)
    await reader.read(-1)


async def test_a_secure_connection_is_made_and_its_plain_bytes_are_seen(tmp_path: Path):
    server, trusting = certificate(tmp_path)
    phases: list[str] = []
    seen: list[bytes] = []
    async with peer(greet, server) as port:
        client = Client(f"wss://127.0.0.1:{port}/v1/ws", tls=trusting)
        client.on_phase = lambda phase, at, dial: phases.append(phase)
        client.on_wire = lambda direction, data, at, dial: seen.append(data)
        dial_once(client)
        await client.wait_live(5)
        client.drop()
        await client.close()
    assert phases[:4] == ["dialing", "tcp", "tls", "upgraded"]  # written in numbers: no name is looked up
    assert seen[0].startswith(b"GET ")


async def test_a_certificate_that_nobody_vouches_for_stops(tmp_path: Path):
    server, _ = certificate(tmp_path)
    async with peer(greet, server) as port:
        failed = (await first_failure(f"wss://127.0.0.1:{port}/v1/ws")).failure
    assert failed.cause == "tls_certificate"


async def test_a_plain_server_behind_a_secure_address_fails_as_tls():
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await reader.read(-1)

    async with peer(plain) as port:
        failed = (await first_failure(f"wss://127.0.0.1:{port}/v1/ws")).failure
    assert failed.cause == "tls_failed"


# ---------------------------------------------------------------- the steps of a dial


Resolver = Callable[..., Awaitable[list[Address]]]


async def dialled(client: Client) -> DialEnded:
    """How the next dial ends."""
    ends = client.events(DialEnded)
    dial_once(client)
    ended = await asyncio.wait_for(anext(ends), 5)
    await client.close()
    return cast("DialEnded", ended)


def resolving(monkeypatch: pytest.MonkeyPatch, resolver: Resolver) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolver)


def address(port: int, host: str = "127.0.0.1") -> Address:
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


async def test_every_step_of_a_dial_is_told_in_order_with_its_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    server, trusting = certificate(tmp_path)
    trusting.check_hostname = False  # the certificate is one for numbers
    async with peer(greet, server) as port:

        async def known(*_: object, **__: object) -> list[Address]:
            return [address(port)]

        resolving(monkeypatch, known)
        ended = await dialled(Client(f"wss://play.example:{port}/v1/ws", tls=trusting))
    assert [phase for phase, _ in ended.reached] == ["name", "tcp", "tls", "upgraded"]
    times = [ended.began, *(at for _, at in ended.reached)]
    assert times == sorted(times)
    assert ended.ended == times[-1]
    assert (ended.failed_at, ended.cause) == ("", "")


async def test_reading_the_systems_authorities_is_a_step_of_its_own(tmp_path: Path):
    server, _ = certificate(tmp_path)
    async with peer(greet, server) as port:
        ended = await dialled(Client(f"wss://127.0.0.1:{port}/v1/ws"))
    assert [phase for phase, _ in ended.reached] == ["authorities", "tcp"]
    assert (ended.failed_at, ended.cause) == ("tls", "tls_certificate")


async def test_addresses_of_a_name_are_tried_one_after_the_other(monkeypatch: pytest.MonkeyPatch):
    async with peer(greet) as port:

        async def two(*_: object, **__: object) -> list[Address]:
            return [address(9, "127.0.0.2"), address(port)]

        resolving(monkeypatch, two)
        ended = await dialled(Client(f"ws://play.example:{port}/v1/ws"))
    assert [phase for phase, _ in ended.reached] == ["name", "tcp", "upgraded"]


async def test_of_several_reasons_a_refusal_is_told(monkeypatch: pytest.MonkeyPatch):
    no_way: Address = (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("2001:db8::1", 9, 0, 0))

    async def two(*_: object, **__: object) -> list[Address]:
        return [no_way, address(9)]

    resolving(monkeypatch, two)
    ended = await dialled(Client("ws://play.example:9/v1/ws"))
    assert (ended.failed_at, ended.cause) == ("tcp", "dial_refused")


async def test_a_name_without_an_address_fails_at_the_name(monkeypatch: pytest.MonkeyPatch):
    async def nobody(*_: object, **__: object) -> list[Address]:
        return []

    resolving(monkeypatch, nobody)
    ended = await dialled(Client("ws://play.example:9/v1/ws"))
    assert (ended.failed_at, ended.cause, ended.reached) == ("name", "dial_dns", ())


async def test_a_resolver_that_never_answers_obeys_the_limit_of_a_dial(monkeypatch: pytest.MonkeyPatch):
    cancelled = asyncio.Event()

    async def silent(*_: object, **__: object) -> list[Address]:
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            cancelled.set()

    resolving(monkeypatch, silent)
    client = Client("ws://play.example:9/v1/ws")
    client._session.settings.dial_limit_s = 0.05
    failures = client.events(Failed)
    ended = await dialled(client)
    assert (ended.failed_at, ended.cause) == ("name", "dial_timeout")
    assert "the last step was “dialing”" in (await anext(failures)).failure.detail
    await asyncio.wait_for(cancelled.wait(), 1)


async def test_closing_while_a_name_is_looked_up_ends_the_dial_at_once(monkeypatch: pytest.MonkeyPatch):
    async def silent(*_: object, **__: object) -> list[Address]:
        return await asyncio.get_running_loop().create_future()

    resolving(monkeypatch, silent)
    client = Client("ws://play.example:9/v1/ws")
    ends: list[DialEnded] = []
    client.on(DialEnded, ends.append)
    client.connect()
    await asyncio.sleep(0)
    await client.close()
    assert [ended.failed_at for ended in ends] == ["name"]


@pytest.mark.parametrize(
    ("answer", "failed_at", "reached"),
    [(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "upgraded", ["tcp"]), (None, "tcp", [])],
)
async def test_a_failed_dial_tells_how_far_it_came(answer: bytes | None, failed_at: str, reached: list[str]):
    if answer is None:
        ended = await dialled(Client("ws://127.0.0.1:9/v1/ws"))
    else:
        async with peer(answering(answer)) as port:
            ended = await dialled(Client(f"ws://127.0.0.1:{port}/v1/ws"))
    assert (ended.failed_at, [phase for phase, _ in ended.reached]) == (failed_at, reached)


async def test_dials_that_are_refused_on_purpose_fail_before_they_begin():
    client = Client("ws://127.0.0.1:9/v1/ws")
    client.refuse_dials_for(60)
    ended = await dialled(client)
    assert (ended.failed_at, ended.cause, ended.reached) == ("", "dial_injected", ())


# ---------------------------------------------------------------- hostile once open


async def torture(data: bytes) -> tuple[Client, list[Failed]]:
    """Greets properly and then sends `data`; the client after it got rid of that connection."""

    async def attack(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(GREETING + data)
        await reader.read(-1)

    async with peer(attack) as port:
        client = Client(f"ws://127.0.0.1:{port}/v1/ws", uniform=lambda low, high: high)
        failures: list[Failed] = []
        client.on(Failed, failures.append)
        dial_once(client)
        async with asyncio.timeout(5):
            while client.metrics.counters.drops == 0:
                await asyncio.sleep(0.005)
        await client.close()
    return client, failures


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\x7f" + struct.pack("!Q", 2**62) + b"x" * 100,  # a length of 2^62
        b"\x81\x7f" + struct.pack("!Q", 2**64 - 1),
        message(b"x" * 10, fin=False) + message(b"", 0, fin=False) * 20_000,  # endless fragments
        message(b"x" * 1_000_000, fin=False) + message(b"y" * 1_000_000, 0, fin=False) * 6,
        b"\xf1\x00",  # reserved bits
        b"\x83\x00",  # an opcode that is none
        message(b"x", 0),  # a continuation of nothing
        b"\x89\x7e\x00\xff" + b"p" * 255,  # a ping that is too long
        b"\x81\x81abcdx",  # masked, which only clients do
        message(b'{"op":"\xff"}'),  # a text that is no UTF-8
    ],
)
async def test_broken_websocket_bytes_end_the_connection_and_nothing_else(data: bytes):
    client, failures = await torture(data)
    assert failures
    assert client.status.state is ConnectionState.IDLE
    assert client.status.last_close is not None
    assert client.status.last_close.by == "client"


@pytest.mark.parametrize(
    "text",
    [message(b"\xed\xa0\x80"), message(b"caf\xc3", fin=False) + message(b"\x28", 0)],
    ids=["a surrogate", "a letter cut in two fragments"],
)
async def test_a_text_that_is_no_utf8_is_failed_with_1007_and_nothing_behind_it_is_taken(text: bytes):
    client, _failures = await torture(text + message(b"{nonsense"))
    assert client.status.last_close is not None
    assert client.status.last_close.code == 1007
    assert client.metrics.counters.malformed == 0


async def test_a_letter_that_is_cut_by_fragments_is_whole_again():
    letter = "é".encode()
    client, failures = await torture(message(letter[:1], fin=False) + message(letter[1:], 0) + b"\x83\x00")
    assert client.metrics.counters.malformed == 1  # a text, if not a frame of ours
    assert {each.failure.cause for each in failures} >= {"malformed_frame"}


async def test_a_flood_of_nonsense_ends_the_connection():
    client, failures = await torture(message(b"{nonsense") * 50)
    assert client.metrics.counters.malformed == 10 * client.metrics.counters.dials_ok
    assert {f.failure.cause for f in failures} >= {"malformed_frame"}


async def test_protocol_pings_are_answered_and_count_as_life():
    answered = asyncio.get_running_loop().create_future()

    async def ping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(GREETING + message(b"are you there", 9))
        while True:
            head = await reader.readexactly(2)
            mask = await reader.readexactly(4)
            masked = await reader.readexactly(head[1] & 0x7F) if head[1] & 0x7F < 126 else b""
            if head[0] == 0x8A:
                answered.set_result(bytes(b ^ mask[n % 4] for n, b in enumerate(masked)))
                return

    async with peer(ping) as port:
        client = Client(f"ws://127.0.0.1:{port}/v1/ws", measure_every_s=0)
        dial_once(client)
        assert await asyncio.wait_for(answered, 5) == b"are you there"
        await client.close()


async def test_fragmented_messages_are_put_together():
    text = JSON.encode(ready())

    async def in_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        whole = message(JSON.encode(hello())) + message(text[:20], fin=False)
        whole += message(text[20:50], 0, fin=False) + message(b"between", 9) + message(text[50:], 0)
        for n in range(len(whole)):  # and split over reads at every byte
            writer.write(whole[n : n + 1])
            await writer.drain()
        await reader.read(-1)

    async with peer(in_pieces) as port:
        client = Client(f"ws://127.0.0.1:{port}/v1/ws")
        dial_once(client)
        await client.wait_live(5)
        client.drop()
        await client.close()


async def test_a_peer_that_ignores_the_goodbye_is_cut_off():
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(GREETING)
        await asyncio.sleep(60)

    async with peer(deaf) as port:
        client = Client(f"ws://127.0.0.1:{port}/v1/ws")
        dial_once(client)
        await client.wait_live(5)
        async with asyncio.timeout(2):
            await client.close()
        assert client.status.state is ConnectionState.IDLE


async def test_a_close_frames_code_and_reason_reach_the_status():
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(GREETING + message(struct.pack("!H", 4410) + b"bye \xe2\x80\xaereversed", 8))
        await reader.read(-1)

    async with peer(close) as port:
        client = Client(f"ws://127.0.0.1:{port}/v1/ws")
        dial_once(client)
        async with asyncio.timeout(5):
            while client.status.state is not ConnectionState.STOPPED:
                await asyncio.sleep(0.005)
        closed = client.status.last_close
        assert (closed.code, closed.by) == (4410, "server")
        assert "\u202e" not in closed.reason
        await client.close()


async def test_a_gateway_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sonde_client.connection.MAX_UNSENT_BYTES", 1_000_000)

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(GREETING)
        writer.transport.pause_reading()
        await asyncio.sleep(60)

    async with peer(deaf) as port:
        client = Client(f"ws://127.0.0.1:{port}/v1/ws", uniform=lambda low, high: high)
        dial_once(client)
        await client.wait_live(5)
        async with asyncio.timeout(10):
            while client.metrics.counters.drops == 0:
                client.send_raw(b"x" * 500_000)
                await asyncio.sleep(0)
        assert "does not read" in client.status.last_close.reason
        await client.close()


# ---------------------------------------------------------------- how an open socket ends


def reset(writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


@pytest.mark.parametrize(
    ("end", "how", "by"),
    [
        (reset, SocketEnd.RESET, "network"),
        (asyncio.StreamWriter.close, SocketEnd.FIN, "network"),
        (lambda writer: writer.write(message(b"\x0f\xa1", 8)), SocketEnd.GOODBYE, "server"),
    ],
)
async def test_a_close_says_what_the_socket_showed_and_which_socket_it_was(
    end: Callable[[asyncio.StreamWriter], None], how: SocketEnd, by: str
) -> None:
    async def greet_and_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(GREETING)
        await reader.read(1)
        end(writer)

    async with peer(greet_and_end) as port:
        client = Client(f"ws://127.0.0.1:{port}/v1/ws")
        failures = client.events(Failed)
        dial_once(client)
        await asyncio.wait_for(anext(failures), 5.0)
        closed = client.status.last_close
        await client.close()
    assert closed is not None
    assert (closed.how, closed.by, closed.dial) == (how, by, 1)


async def test_a_socket_that_this_side_cut_says_so() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(GREETING)
        await reader.read(-1)

    async with peer(greet) as port:
        client = Client(f"ws://127.0.0.1:{port}/v1/ws")
        dial_once(client)
        await client.wait_live(5.0)
        failures = client.events(Failed)
        client.drop()
        await asyncio.wait_for(anext(failures), 5.0)
        closed = client.status.last_close
        await client.close()
    assert closed is not None
    assert (closed.how, closed.by) == (SocketEnd.ABORTED, "client")


# ---------------------------------------------------------------- broken on purpose


class Gate:
    """A server that greets, and puts down what then comes and how it ends. `more` is sent on demand."""

    def __init__(self) -> None:
        self.heard = b""
        self.end = asyncio.get_running_loop().create_future()
        self.was_greeted = asyncio.Event()
        self.writer: asyncio.StreamWriter

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        self.writer = writer
        writer.write(GREETING)
        try:
            while data := await reader.read(65_536):
                self.heard += data
                self.was_greeted.set()
            self.end.set_result("FIN")
        except ConnectionResetError:
            self.end.set_result("RST")

    async def hears_nothing(self, seconds: float = 0.2) -> bool:
        """Neither a byte nor an end comes for a while."""
        before = self.heard
        await asyncio.sleep(seconds)  # that nothing comes has no event
        return self.heard == before and not self.end.done()


@asynccontextmanager
async def breakable(measure_every_s: float = 0.0) -> AsyncIterator[tuple[Gate, Client]]:
    gate = Gate()
    async with peer(gate.serve) as port:
        client = Client(f"ws://127.0.0.1:{port}/v1/ws", measure_every_s=measure_every_s)
        dial_once(client)
        await client.wait_live(5.0)
        await asyncio.wait_for(gate.was_greeted.wait(), 5)
        try:
            yield gate, client
        finally:
            client.breaking.off()
            await client.close()


CLOSE = 0x8


def opcodes(masked: bytes) -> list[int]:
    """Of whole frames of at most 64 KiB, as a client sends them."""
    found, at = [], 0
    while at < len(masked):
        found.append(masked[at] & 0x0F)
        length = masked[at + 1] & 0x7F
        head = 2
        if length == 126:
            length, head = int.from_bytes(masked[at + 2 : at + 4]), 4
        at += head + 4 + length
    return found


async def test_a_client_resets_its_socket_with_rst() -> None:
    async with breakable() as (gate, client):
        client.breaking.reset()
        assert await asyncio.wait_for(gate.end, 5) == "RST"


async def test_a_client_cuts_its_socket_with_fin_and_no_close_frame() -> None:
    async with breakable() as (gate, client):
        client.breaking.cut()
        assert await asyncio.wait_for(gate.end, 5) == "FIN"
        assert CLOSE not in opcodes(gate.heard)
        closed = client.status.last_close
        assert closed is not None
        assert (closed.how, closed.by, closed.code) == (SocketEnd.ABORTED, "client", None)


async def test_a_half_open_client_says_and_hears_nothing_and_resets_in_the_end() -> None:
    async with breakable() as (gate, client):
        client.breaking.half_open(0.6)
        client.send_ping(b"anybody")
        gate.writer.write(message(JSON.encode(ServerPing(n=1, time=1))))
        assert await gate.hears_nothing()
        assert client.status.state is ConnectionState.LIVE
        assert await asyncio.wait_for(gate.end, 5) == "RST"


async def test_a_half_open_socket_stays_after_its_client_has_given_it_up() -> None:
    async with breakable() as (gate, client):
        client.breaking.half_open(60.0)
        closing = asyncio.create_task(client.close())
        assert await gate.hears_nothing(0.3)
        client.breaking.off()
        assert await asyncio.wait_for(gate.end, 5) == "RST"
        await closing


async def test_a_client_knows_what_is_still_broken_on_purpose() -> None:
    async with breakable() as (gate, client):
        assert client.breaking.under_way == ()
        client.breaking.lose_heartbeats(times=2)
        client.breaking.half_open(60.0)
        client.breaking.stop_reading(5.0)  # of a half-open socket nobody reads in any case
        assert [(what.kind, what.times) for what in client.breaking.under_way] == [
            ("half_open", 0),
            ("no_heartbeat", 2),
        ]
        closing = asyncio.create_task(client.close())
        client.breaking.off()
        assert client.breaking.under_way == ()
        assert await asyncio.wait_for(gate.end, 5) == "RST"
        await closing


async def test_a_socket_that_is_gone_is_no_longer_broken() -> None:
    async with breakable() as (gate, client):
        client.breaking.stop_reading(60.0)
        client.breaking.reset()
        assert await asyncio.wait_for(gate.end, 5) == "RST"
        assert client.breaking.under_way == ()


async def test_a_client_that_does_not_read_answers_once_it_goes_on() -> None:
    async with breakable() as (gate, client):
        client.breaking.stop_reading(60.0)
        gate.writer.write(message(b"anybody", 9))
        assert await gate.hears_nothing()
        client.breaking.off()
        async with asyncio.timeout(5):
            while b"\x8a\x87" not in gate.heard:  # a masked pong of seven bytes
                await asyncio.sleep(0.01)


async def test_a_client_loses_as_many_heartbeats_as_it_is_told_to() -> None:
    async with breakable() as (gate, client):
        client.breaking.lose_heartbeats(times=2)
        before = len(gate.heard)
        for number in range(3):
            gate.writer.write(message(JSON.encode(ServerPing(n=number, time=1))))
        async with asyncio.timeout(5):
            while len(gate.heard) == before:
                await asyncio.sleep(0.01)
        assert (
            len(gate.heard) - before == len(message(JSON.encode(ClientPong(n=2)))) + 4
        )  # one, with its mask


async def test_what_is_not_open_cannot_be_broken() -> None:
    client = Client("ws://127.0.0.1:1/v1/ws")
    for act in (client.breaking.reset, client.breaking.cut, client.breaking.lose_heartbeats):
        with pytest.raises(ConnectFailed, match="no open socket"):
            act()
