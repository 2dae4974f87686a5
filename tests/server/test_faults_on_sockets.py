"""What injected faults look like to a peer that knows nothing of them: the bytes and ends of a plain TCP socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from support.echo_house import RawPeer
from support.echo_house import frame as client_frame
from support.foreign_peer import ForeignPeer, bearer, dialled, token
from support.processes import GatewayProcess, running_gateway

TEXT, PING, PONG = 1, 9, 10


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """One process for the whole file."""
    with running_gateway("--faults") as running:
        yield running


class Victim:
    """A session on a raw socket."""

    def __init__(self, peer: RawPeer) -> None:
        self.peer = peer
        self.session = ""

    async def say(self, **frame: Any) -> None:
        await self.peer.send(client_frame(TEXT, json.dumps(frame).encode()))

    async def until(self, op: str) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while True:
                _first, payload = await self.peer.read_frame()
                frame: dict[str, Any] = json.loads(payload)
                if frame["op"] == op:
                    return frame

    async def hears_nothing(self, seconds: float = 0.3) -> bool:
        """Neither a byte nor an end comes for a while."""
        try:
            await asyncio.wait_for(self.peer.reader.read(1), seconds)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def scene(gateway: GatewayProcess) -> AsyncIterator[tuple[Victim, ForeignPeer]]:
    """A session on a raw socket, and an admin on another library's."""
    async with dialled(gateway.url, **bearer("root", "admin", "monitor", "player")) as root:
        await root.identify()
        victim = Victim(await RawPeer.upgraded(gateway.port))
        await victim.say(op="identify", client={"name": "raw", "version": "1"}, token=token("ada"))
        victim.session = (await victim.until("ready"))["session"]
        try:
            yield victim, root
        finally:
            await victim.peer.close()


async def break_(root: ForeignPeer, victim: Victim, kind: str, **fields: Any) -> None:
    answer = await root.command("fault", session=victim.session, kind=kind, **fields)
    assert answer["op"] == "reply", answer


async def test_a_reset_is_an_rst(gateway: GatewayProcess) -> None:
    async with scene(gateway) as (victim, root):
        await break_(root, victim, "reset")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(victim.peer.reader.read(), 5)


async def test_a_cut_is_a_fin_without_a_close_frame(gateway: GatewayProcess) -> None:
    async with scene(gateway) as (victim, root):
        await break_(root, victim, "cut")
        assert await asyncio.wait_for(victim.peer.reader.read(), 5) == b""


@pytest.mark.parametrize(
    ("code", "payload"), [(1011, b"\x03\xf3enough"), (1006, b"\x03\xeeenough"), (0, b"")]
)
async def test_a_close_frame_has_the_code_that_was_asked_for_and_then_the_socket_ends(
    gateway: GatewayProcess, code: int, payload: bytes
) -> None:
    async with scene(gateway) as (victim, root):
        await break_(root, victim, "close", parameters={"code": code, "reason": "enough"})
        sent = await asyncio.wait_for(victim.peer.reader.read(), 5)
        assert sent == bytes((0x88, len(payload))) + payload


@pytest.mark.parametrize(("kind", "code"), [("kick", 4410), ("server_restart", 1012)])
async def test_an_end_by_code_is_a_bye_and_a_close_frame(
    gateway: GatewayProcess, kind: str, code: int
) -> None:
    async with scene(gateway) as (victim, root):
        await break_(root, victim, kind)
        assert (await victim.until("bye"))["code"] == code
        first, payload = await victim.peer.read_frame()
        assert (first, payload[:2]) == (0x88, code.to_bytes(2, "big"))


async def test_a_half_open_link_swallows_everything_and_is_reset_afterwards(gateway: GatewayProcess) -> None:
    async with scene(gateway) as (victim, root):
        await break_(root, victim, "half_open", for_ms=700)
        await victim.say(op="ping", t=1)
        await victim.peer.send(client_frame(PING, b"anybody"))
        assert await victim.hears_nothing()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(victim.peer.reader.read(), 5)


async def test_a_gateway_that_does_not_read_answers_not_even_pings_until_it_goes_on(
    gateway: GatewayProcess,
) -> None:
    async with scene(gateway) as (victim, root):
        await break_(root, victim, "slow_consumer", direction="up", parameters={"hold": 0.6})
        await victim.peer.send(client_frame(PING, b"anybody"))
        assert await victim.hears_nothing()
        first, payload = await asyncio.wait_for(victim.peer.read_frame(), 5)
        assert (first & 0x0F, payload) == (PONG, b"anybody")


async def test_what_waits_for_a_slow_consumer_comes_whole_and_in_order(gateway: GatewayProcess) -> None:
    async with scene(gateway) as (victim, root):
        await victim.say(op="subscribe", id=1, ch="room:slow")
        await victim.until("live")
        await break_(root, victim, "slow_consumer", parameters={"hold": 0.6})
        for number in range(3):
            await root.command("publish", ch="room:slow", type="chat", d=number)
        assert await victim.hears_nothing()
        assert [(await victim.until("event"))["d"] for _ in range(3)] == [0, 1, 2]


async def test_the_figures_count_injected_faults_by_kind(gateway: GatewayProcess) -> None:
    async with scene(gateway) as (victim, root):
        await break_(root, victim, "ghost")
        await break_(root, victim, "overload")
        async with aiohttp.ClientSession() as session, session.get(f"{gateway.admin}/metrics") as answer:
            figures = await answer.text()
    assert 'sonde_faults_total{kind="overload"}' in figures
    assert "\nsonde_faults 1.0\n" in figures
