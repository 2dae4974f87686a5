"""The `Client` against the gateway's real process: exactness under drops, and life after kill -9."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

import pytest

from sonde_client import Channel, Client, ConnectFailed, OutcomeUnknown, Refused
from sonde_client.events import FrameIn, PresenceChanged, SessionLost, StatusChanged
from sonde_protocol.frames import Sync, Tapped
from sonde_protocol.states import ChannelState, ConnectionState
from support.processes import GatewayProcess, running_gateway, start_gateway, stop
from support.tokens import mint

pytestmark = pytest.mark.asyncio
ROOM = "room:arena"


async def until(condition: Callable[[], object], limit_s: float = 10.0) -> None:
    """Wait for something that real processes do in their own time."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.005)


async def is_live(channel: Channel) -> None:
    await until(lambda: channel.status is ChannelState.LIVE)


def dial_at_once(client: Client) -> None:
    """Spare the waits: drops in a row make the backoff grow."""

    def retry(event: StatusChanged) -> None:
        if event.status.state is ConnectionState.WAITING:
            client.retry_now()

    client.on(StatusChanged, retry)


async def test_two_clients_share_state_presence_and_events(gateway: GatewayProcess):
    async with (
        Client(gateway.url, mint("ada", name="Ada"), device="laptop") as ada,
        Client(gateway.url, mint("bea"), codec="sonde.v1.msgpack") as bea,
    ):
        hers = await ada.subscribe(ROOM, presence=True)
        theirs = await bea.subscribe(ROOM, presence=True)
        chat = theirs.events("chat")
        await hers.patch({"players": {"ada": {"x": 1.5}}})
        await hers.publish("chat", {"text": "hallo"})
        entry = await anext(chat)
        assert (entry.sender, entry.data) == ("ada", {"text": "hallo"})
        await until(lambda: theirs.state == {"players": {"ada": {"x": 1.5}}})
        await until(lambda: {m.user for m in hers.members} == {"ada", "bea"})
        await bea.set_presence("busy", activity="testing")
        await until(lambda: any(m.status == "busy" for m in hers.members))
        with pytest.raises(Refused, match="forbidden"):
            await theirs.patch({"players": {"ada": {"x": 0}}})


async def test_monitor_sees_the_frames_of_a_tapped_user_until_it_untaps(gateway: GatewayProcess):
    async with (
        Client(gateway.url, mint("ada")) as ada,
        Client(gateway.url, mint("mon", "monitor")) as mon,
    ):
        seen: list[Tapped] = []
        mon.on(FrameIn, lambda event: seen.append(event.frame) if isinstance(event.frame, Tapped) else None)
        await mon.tap(user="ada", ch=ROOM)
        await ada.subscribe(ROOM)
        await until(lambda: "snapshot" in [frame.frame["op"] for frame in seen])
        assert (seen[0].user, seen[0].dir, seen[0].frame["op"]) == ("ada", "in", "subscribe")
        await mon.untap(user="ada", ch=ROOM)
        seen.clear()
        await ada.command(Sync, ch=ROOM)
        await mon.tap(user="ada")  # answered after whatever of the sync would have been shown
        assert "sync" not in [frame.frame["op"] for frame in seen]


async def test_a_drop_shows_as_reconnecting_to_others_and_then_as_online_again(gateway: GatewayProcess):
    async with (
        Client(gateway.url, mint("ada")) as ada,
        Client(gateway.url, mint("bea")) as bea,
    ):
        room = await ada.subscribe(ROOM, presence=True)
        await bea.subscribe(ROOM)
        await until(lambda: len(room.members) == 2)
        seen: list[str] = []
        ada.on(PresenceChanged, lambda e: seen.extend(m.status for m in e.change.updates if m.user == "bea"))
        bea.refuse_dials_for(0.5)
        bea.drop()
        await until(lambda: seen[-1:] == ["online"])
        assert seen == ["reconnecting", "online"]
        assert bea.status.generation == 2


@pytest.mark.slow
async def test_a_hundred_drops_under_publishing_lose_double_and_reorder_nothing(gateway: GatewayProcess):
    chance = random.Random(7)
    async with (
        Client(gateway.url, mint("ada")) as ada,
        Client(gateway.url, mint("bea")) as bea,
        Client(gateway.url, mint("witness")) as witness,
    ):
        rooms = [await client.subscribe(ROOM) for client in (ada, bea, witness)]
        for room in rooms:
            await is_live(room)
        streams = [room.events("n", limit=100_000) for room in rooms]
        for client in (ada, bea):
            dial_at_once(client)
        sent = 0
        acknowledged = []
        while min(ada.metrics.counters.resumes_ok, bea.metrics.counters.resumes_ok) < 50:
            batch = [rooms[n % 2].publish("n", sent + n) for n in range(chance.randint(1, 8))]
            sent += len(batch)
            tasks = [asyncio.create_task(publish) for publish in batch]
            await asyncio.sleep(chance.random() * 0.004)
            ada.drop()
            bea.drop()
            acknowledged += await asyncio.gather(*tasks)
        for stream in streams:
            await until(lambda stream=stream: len(stream) >= sent)
        seen = [[(await anext(stream)) for _ in range(sent)] for stream in streams]
        assert all(len(stream) == 0 for stream in streams)
        assert sorted(e.data for e in seen[2]) == list(range(sent))
        assert sorted(acknowledged) == [e.seq for e in seen[2]]
        assert [e.seq for e in seen[0]] == [e.seq for e in seen[1]] == [e.seq for e in seen[2]]
        assert [c.metrics.counters.holes for c in (ada, bea, witness)] == [0, 0, 0]
        assert ada.metrics.counters.dials >= 51


@pytest.mark.slow
async def test_a_killed_gateway_that_comes_back_is_found_and_everything_goes_on():
    first = start_gateway()
    async with Client(first.url, mint("ada")) as client:
        room = await client.subscribe(ROOM, presence=True)
        await room.patch({"players": {"ada": {"x": 1}}})
        lost: list[SessionLost] = []
        client.on(SessionLost, lost.append)
        first.kill()
        stop(first.process)
        await until(lambda: client.status.state is ConnectionState.WAITING)
        assert client.status.last_close.code is None
        assert room.status is ChannelState.STALE
        assert room.state == {"players": {"ada": {"x": 1}}}
        await until(lambda: client.status.failure.cause == "dial_refused")
        waiting = asyncio.create_task(room.publish("chat", "written while it was down"))
        with running_gateway("--port", str(first.port)):
            client.retry_now()
            await until(lambda: lost)
            assert await waiting == 1
            await is_live(room)
            assert room.state == {}
            assert await room.patch({"players": {"ada": {"x": 2}}}) == 2
            await until(lambda: [m.user for m in room.members] == ["ada"])
            await client.close()


@pytest.mark.slow
async def test_a_publish_in_flight_when_the_gateway_is_killed_has_an_unknown_outcome():
    first = start_gateway()
    async with Client(first.url, mint("ada")) as client:
        room = await client.subscribe(ROOM)
        first.process.send_signal(19)  # SIGSTOP: it takes the bytes and answers nothing
        waiting = asyncio.create_task(room.publish("chat", "?"))
        await asyncio.sleep(0.05)
        first.kill()
        stop(first.process)
        with running_gateway("--port", str(first.port)):
            client.retry_now()
            with pytest.raises(OutcomeUnknown):
                await waiting
            await client.close()


@pytest.mark.slow
async def test_a_draining_gateway_is_left_with_its_cause_and_found_again():
    first = start_gateway(env={"SONDE_DRAIN_WINDOW_S": "0.5"})
    async with Client(first.url, mint("ada")) as client:
        room = await client.subscribe(ROOM)
        await is_live(room)
        draining: list[bool] = []
        client.on(StatusChanged, lambda e: draining.append(e.status.draining))
        await asyncio.to_thread(stop, first.process)
        await until(lambda: client.status.state is ConnectionState.WAITING)
        assert True in draining
        assert client.status.last_close.code == 4001
        with running_gateway("--port", str(first.port)):
            client.retry_now()
            await is_live(room)
            assert await room.publish("chat", "found again") == 1
            await client.close()


async def test_a_wrong_token_stops_the_client_with_a_reason(gateway: GatewayProcess):
    with pytest.raises(ConnectFailed) as caught:
        async with Client(gateway.url, mint("ada") + "x"):
            pass
    assert caught.value.failure.cause == "http_unauthorized"
    assert caught.value.failure.code == 401


async def test_a_token_source_is_asked_again_when_its_token_was_refused(gateway: GatewayProcess):
    given = [mint("ada") + "x", mint("ada")]

    async def source() -> str:
        return given.pop(0)

    async with Client(gateway.url, source) as client:
        assert client.status.user == "ada"
    assert given == []


async def test_a_token_is_refreshed_in_band_before_it_ends(gateway: GatewayProcess):
    given = [mint("ada", ttl_s=8), mint("ada", ttl_s=3600)]

    async def source() -> str:
        return given.pop(0)

    async with Client(gateway.url, source) as client:
        await until(lambda: not given)
        await until(lambda: (client.status.expires or 0) > time.time() + 1000)
        assert client.status.generation == 1


async def test_without_a_token_the_person_is_told(gateway: GatewayProcess):
    with pytest.raises(ConnectFailed) as caught:
        async with Client(gateway.url, open_timeout_s=5):
            pass
    assert caught.value.failure.severity.name == "ERROR"


async def test_a_kicked_client_stops_and_says_by_whom(gateway: GatewayProcess):
    async with (
        Client(gateway.url, mint("ada")) as ada,
        Client(gateway.url, mint("root", "admin")) as root,
    ):
        from sonde_protocol.frames import Kick

        await root.command(Kick, session=ada.status.session, code=4410, cause="testing")
        await until(lambda: ada.status.state is ConnectionState.STOPPED)
        closed = ada.status.last_close
        assert (closed.code, closed.by, closed.cause, closed.resumable) == (4410, "server", "testing", False)
