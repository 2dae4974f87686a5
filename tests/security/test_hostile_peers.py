"""Peers that mean harm, against a real gateway process: each is ended for the right reason within its time, memory
stays flat, and an honest neighbour on the same process keeps its answers all along.
"""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import psutil
import pytest

from support.echo_house import REQUEST, RawPeer, frame
from support.foreign_peer import ForeignPeer, bearer, dialled, token
from support.processes import GatewayProcess, running_gateway

TEXT, CONT, PING = 1, 0, 9
MIB = 1 << 20
WITH_TOKEN = REQUEST.format(path="/v1/ws", more="Authorization: Bearer {token}\r\n")


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """One process for all attacks: what one of them breaks, the others see."""
    limits = {
        "SONDE_INBOUND_BYTES_PER_S": "1e8",
        "SONDE_HANDSHAKE_TIMEOUT_S": "2",
        "SONDE_HEARTBEAT_S": "2",  # a neighbour in this busy process must not look dead
        "SONDE_IDENTIFY_TIMEOUT_S": "1",
    }
    with running_gateway(env=limits) as running:
        yield running


def rss(gateway: GatewayProcess) -> int:
    return psutil.Process(gateway.pid).memory_info().rss


async def raw(gateway: GatewayProcess, *, identified: bool = True, user: str = "mallory") -> RawPeer:
    """A raw peer with an open (and identified) WebSocket."""
    peer = await RawPeer.dial(gateway.port)
    await peer.send(WITH_TOKEN.format(token=token(user)).encode())
    assert (await peer.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    if identified:
        await peer.send(frame(TEXT, b'{"op":"identify","client":{"name":"raw","version":"1"}}'))
        while json.loads((await peer.read_frame())[1])["op"] != "ready":
            pass
    return peer


class Neighbour:
    """Asks for a pong every few milliseconds; keeps the round trips."""

    def __init__(self, peer: ForeignPeer) -> None:
        self.peer = peer
        self.times_ms: list[float] = []

    async def run(self) -> None:
        while True:
            began = time.perf_counter()
            await self.peer.send("ping", t=began)
            await self.peer.until("pong")
            self.times_ms.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.005)


@asynccontextmanager
async def honest_neighbour(gateway: GatewayProcess, worst_ms: float = 5_000.0) -> AsyncIterator[Neighbour]:
    """Somebody who must not notice what goes on in the block: every ping answered, half of them quick.

    Attacker and neighbour share this process, so the slowest answer is mostly the attacker's own work.
    """
    async with dialled(gateway.url, **bearer("honest")) as peer:
        await peer.identify()
        neighbour = Neighbour(peer)
        task = asyncio.ensure_future(neighbour.run())
        try:
            yield neighbour
            async with asyncio.timeout(5):
                while len(neighbour.times_ms) < 10 and not task.done():
                    await asyncio.sleep(0.005)
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.wait({task})
    assert statistics.median(neighbour.times_ms) < 100
    assert max(neighbour.times_ms) < worst_ms


async def oversize(peer: RawPeer) -> None:
    await peer.send(frame(TEXT, b"x" * 70_000))


async def huge_length(peer: RawPeer) -> None:
    await peer.send(frame(TEXT, b"x" * 100, length=1 << 62))


async def unmasked(peer: RawPeer) -> None:
    await peer.send(frame(TEXT, b"{}", masked=False))


async def reserved_bits(peer: RawPeer) -> None:
    await peer.send(frame(TEXT, b"{}", rsv=0x40))


async def bad_utf8(peer: RawPeer) -> None:
    await peer.send(frame(TEXT, b'{"op":"\xff"}'))


async def long_ping(peer: RawPeer) -> None:
    await peer.send(frame(PING, b"x" * 126))


async def endless_message(peer: RawPeer) -> None:
    await peer.send(frame(TEXT, b"x" * 1_000, fin=False))
    for _ in range(100):
        await peer.send(frame(CONT, b"x" * 1_000, fin=False))


async def empty_fragments(peer: RawPeer) -> None:
    await peer.send(frame(TEXT, b"", fin=False) + frame(CONT, b"", fin=False) * 150_000)


async def ping_flood(peer: RawPeer) -> None:
    await peer.send(frame(PING, b"") * 50_000)


@pytest.mark.parametrize(
    ("attack", "code"),
    [
        (oversize, 1009), (huge_length, 1009), (unmasked, 1002), (reserved_bits, 1002), (bad_utf8, 1007),
        (long_ping, 1002), (endless_message, 1009), (empty_fragments, 1008), (ping_flood, 1008),
    ],
)  # fmt: skip
async def test_attack_on_the_framing_ends_its_own_connection_only(
    gateway: GatewayProcess, attack: Callable[[RawPeer], Awaitable[None]], code: int
) -> None:
    before = rss(gateway)
    async with honest_neighbour(gateway):
        peer = await raw(gateway)
        with suppress(ConnectionError):  # cut in the middle of it
            await attack(peer)
        assert await peer.until_close() == code
        await peer.close()
    assert rss(gateway) - before < 4 * MIB


async def test_forty_attackers_at_once_leave_memory_flat(gateway: GatewayProcess) -> None:
    attack = frame(TEXT, b"x" * 60_000, fin=False) + frame(CONT, b"", length=1 << 40)

    async def one(number: int) -> None:
        peer = await raw(gateway, user=f"mallory{number}")
        await peer.send(attack)
        assert await peer.until_close() == 1009
        await peer.close()

    async def wave() -> None:
        await asyncio.gather(*(one(number) for number in range(40)))

    async with honest_neighbour(gateway):
        await wave()
        before = rss(gateway)
        for _ in range(5):
            await wave()
    assert rss(gateway) - before < 6 * MIB, "200 attackers brought 12 MB"


async def test_message_that_never_ends_is_cut_by_the_heartbeat(gateway: GatewayProcess) -> None:
    """One byte at a time, each in its time: fragments are no frames received, so the heartbeat ends it."""
    async with honest_neighbour(gateway):
        peer = await raw(gateway)
        closed = asyncio.ensure_future(peer.until_close(10))
        await peer.send(frame(TEXT, b"{", fin=False))
        while not closed.done():
            peer.writer.write(frame(CONT, b" ", fin=False))
            await asyncio.wait({closed}, timeout=0.2)
        assert await closed == 4002
        await peer.close()


async def test_half_a_frame_is_cut_by_the_heartbeat(gateway: GatewayProcess) -> None:
    async with honest_neighbour(gateway):
        peer = await raw(gateway)
        await peer.send(frame(TEXT, b"x" * 500)[:-1])
        assert await peer.until_close(10) in (4002, None)
        await peer.close()


async def test_dripping_and_silent_handshakes_are_cut_in_time(gateway: GatewayProcess) -> None:
    async with honest_neighbour(gateway):
        peers = [await RawPeer.dial(gateway.port) for _ in range(300)]
        began = time.monotonic()
        dripping = peers[:150]
        ends = [asyncio.ensure_future(peer.until_close(8)) for peer in peers]
        text = REQUEST.format(path="/v1/ws", more="").encode()
        for position in range(len(text) - 4):
            for peer in dripping:
                peer.writer.write(text[position : position + 1])
            done, _ = await asyncio.wait(ends, timeout=0.1)
            if len(done) == len(ends):
                break
        assert await asyncio.gather(*ends) == [None] * 300
        assert time.monotonic() - began < 5
        for peer in peers:
            await peer.close()


async def test_endless_headers_are_answered_with_431(gateway: GatewayProcess) -> None:
    async with honest_neighbour(gateway):
        peer = await RawPeer.dial(gateway.port)
        answer = asyncio.ensure_future(peer.http(8))
        peer.writer.write(b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\n")
        try:
            for number in range(10_000):
                await peer.send(f"X-{number}: {'y' * 1_000}\r\n".encode())
                if answer.done():
                    break
        except ConnectionError:
            pass
        assert (await answer)[0] == 431
        await peer.close()


async def test_flood_of_commands_is_limited_and_a_neighbour_hardly_notices(gateway: GatewayProcess) -> None:
    before = rss(gateway)
    async with honest_neighbour(gateway):
        peer = await raw(gateway)
        flood = b"".join(
            frame(TEXT, b'{"op":"publish","id":%d,"ch":"room:flood","type":"x","d":1}' % number)
            for number in range(1, 4_001)
        )
        with suppress(ConnectionError):
            await peer.send(flood)
        assert await peer.until_close(10) == 4201
        await peer.close()
    assert rss(gateway) - before < 16 * MIB


async def test_reader_that_never_reads_is_ended_and_holds_no_memory(gateway: GatewayProcess) -> None:
    """A subscriber with a tiny window that never reads: 4003, while the publisher goes on."""
    async with dialled(gateway.url, **bearer("talker")) as talker:
        await talker.identify()
        await talker.command("subscribe", ch="room:slow")
        peer = await _with_tiny_window(gateway)
        await peer.send(frame(TEXT, b'{"op":"subscribe","id":1,"ch":"room:slow"}'))
        await asyncio.sleep(0.1)
        before = rss(gateway)
        text = "x" * 30_000
        for _ in range(400):
            await talker.command("publish", ch="room:slow", type="t", d=text)
            peer.writer.write(frame(TEXT, b'{"op":"pong","n":0}'))  # alive, but it never reads
            if await _closes(gateway, "4003"):
                break
        assert await _closes(gateway, "4003")
        assert rss(gateway) - before < 48 * MIB, "the log itself keeps up to 400 entries of 30 kB"
        await peer.close()


async def _with_tiny_window(gateway: GatewayProcess) -> RawPeer:
    loop = asyncio.get_running_loop()
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    small.setblocking(False)
    await loop.sock_connect(small, ("127.0.0.1", gateway.port))
    reader, writer = await asyncio.open_connection(sock=small, limit=1_024)
    peer = RawPeer(reader, writer)
    await peer.send(WITH_TOKEN.format(token=token("sleeper")).encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    await peer.send(frame(TEXT, b'{"op":"identify","client":{"name":"raw","version":"1"}}'))
    while json.loads((await peer.read_frame())[1])["op"] != "ready":
        pass
    return peer


async def _closes(gateway: GatewayProcess, code: str) -> bool:
    async with aiohttp.ClientSession() as session, session.get(gateway.admin + "/metrics") as answer:
        return f'sonde_closes_total{{code="{code}"}}' in await answer.text()


async def test_silent_websocket_is_ended_by_the_identify_limit(gateway: GatewayProcess) -> None:
    peer = await raw(gateway, identified=False)
    assert await peer.until_close(8) in (4408, 4002)
    await peer.close()


async def test_process_is_alive_after_all_of_it(gateway: GatewayProcess) -> None:
    async with dialled(gateway.url, **bearer("p1")) as peer:
        await peer.identify()
        assert (await peer.command("publish", ch="room:after", type="x", d=1))["d"]["seq"] == 1
    assert gateway.process.poll() is None
