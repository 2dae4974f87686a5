"""The public door, over real loopback sockets, against a model gateway behind `websockets`' own server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sonde_client import Client, ConnectFailed, NotSent, OutcomeUnknown, Refused
from sonde_client.events import FrameIn, FrameOut, RttMeasured, SessionLost, SessionResumed, StatusChanged
from sonde_protocol.states import ChannelState, ConnectionState
from support.model_server import ModelServer, model_server

pytestmark = pytest.mark.asyncio


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with model_server() as running:
        yield running


async def until(condition, limit_s: float = 5.0) -> None:
    """Wait for something that real sockets do in their own time."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.005)


async def caught_up(channel) -> None:
    await until(lambda: channel.status is ChannelState.LIVE)


@pytest.mark.parametrize("codec", ["sonde.v1.json", "sonde.v1.msgpack"])
async def test_a_script_subscribes_patches_and_publishes(server: ModelServer, codec: str):
    async with Client(server.url, codec=codec) as client:
        room = await client.subscribe("room:arena")
        await caught_up(room)
        stream = client.events(type="chat", ch="room:arena")
        assert await room.patch({"players": {"ada": {"x": 1}}}) == 1
        assert await room.publish("chat", {"text": "hi"}) == 2
        entry = await anext(stream)
        assert (entry.data, entry.sender, entry.seq, entry.type) == ({"text": "hi"}, "ada", 2, "chat")
        assert room.state == {"players": {"ada": {"x": 1}}}
        assert room.cursor is not None
        assert room.cursor.seq == 2


async def test_the_token_travels_in_the_header_and_never_in_the_address(server: ModelServer):
    async with Client(server.url, token="secret.token.x"):
        assert server.headers[0]["Authorization"] == "Bearer secret.token.x"


async def test_a_drop_is_recovered_exactly_and_channel_objects_go_on(server: ModelServer):
    async with Client(server.url) as client:
        room = await client.subscribe("room:arena")
        await caught_up(room)
        stream = room.events()
        reports = []
        client.on(SessionResumed, lambda e: reports.append(e.report))
        for n in range(5):
            await room.publish("n", n)
        client.drop()
        assert client.status.state is ConnectionState.LIVE  # the loss is not noticed yet
        for n in range(5, 10):
            await room.publish("n", n)
        assert [(await anext(stream)).data for _ in range(10)] == list(range(10))
        assert len(reports) == 1
        assert client.status.generation == 2
        assert client.status.last_close.by == "client"
        assert client.metrics.counters.resumes_ok == 1


async def test_a_gateway_restart_ends_in_a_new_session_with_subscriptions_restored(server: ModelServer):
    async with Client(server.url) as client:
        room = await client.subscribe("room:arena")
        await room.patch({"old": 1})
        lost = []
        client.on(SessionLost, lost.append)
        before = client.status.session
        await server.restart()
        await until(lambda: lost)
        await caught_up(room)
        assert client.status.session != before
        assert room.state == {}
        assert await room.publish("chat", "again") == 1


async def test_a_publish_in_flight_over_a_restart_has_an_unknown_outcome(server: ModelServer):
    async with Client(server.url) as client:
        room = await client.subscribe("room:arena")
        await caught_up(room)
        for connection in server.connections:
            connection.transport.pause_reading()
        waiting = asyncio.create_task(room.publish("chat", "?"))
        await asyncio.sleep(0.05)
        await server.restart()
        with pytest.raises(OutcomeUnknown):
            await waiting


async def test_history_is_read_over_several_pages(server: ModelServer):
    async with Client(server.url) as client:
        room = await client.subscribe("room:arena")
        for n in range(25):
            await room.publish("n", n)
        assert [e.d for e in await room.history(limit=100)] == list(range(25))
        assert [e.d for e in await room.history(after=20, limit=3)] == [20, 21, 22]


async def test_unsubscribe_empties_the_channel_object(server: ModelServer):
    async with Client(server.url) as client:
        room = await client.subscribe("room:arena")
        await caught_up(room)
        await room.unsubscribe()
        assert room.status is ChannelState.ABSENT
        assert "room:arena" not in client.channels


async def test_round_trips_are_measured_and_told(server: ModelServer):
    async with Client(server.url, measure_every_s=0.02) as client:
        measured = client.events(RttMeasured)
        first = await anext(measured)
        await anext(measured)
        assert 0 < first.rtt_ms < 1000
        assert client.status.rtt_ms is not None
        assert client.metrics.rtt(client.now()).samples >= 2


async def test_on_wire_sees_the_very_bytes_of_both_directions(server: ModelServer):
    seen: list[tuple[str, bytes, int]] = []
    phases: list[str] = []
    client = Client(server.url, token="secret.token.x")
    client.on_wire = lambda direction, data, at, dial: seen.append((direction, data, dial))
    client.on_phase = lambda phase, at, dial: phases.append(phase)
    async with client:
        pass
    sent = b"".join(data for direction, data, _ in seen if direction == "out")
    received = b"".join(data for direction, data, _ in seen if direction == "in")
    assert sent.startswith(b"GET /v1/ws HTTP/1.1\r\n")
    assert b"\r\n\r\n" in sent
    assert received.startswith(b"HTTP/1.1 101 ")
    assert b'"op":"ready"' in received
    assert {dial for _, _, dial in seen} == {1}
    assert phases == ["dialing", "tcp", "upgraded", "identified", "lost"]


async def test_frames_are_told_in_both_directions(server: ModelServer):
    client = Client(server.url)
    ops: list[str] = []
    client.on(FrameIn, lambda e: ops.append(f"<{type(e.frame).__name__}"))
    client.on(FrameOut, lambda e: ops.append(f">{type(e.frame).__name__}"))
    async with client:
        await until(lambda: "<ServerPong" in ops)
    assert ops[:4] == [">Identify", "<Hello", "<Ready", ">ClientPing"]


async def test_a_failing_listener_disturbs_nobody(server: ModelServer, caplog: pytest.LogCaptureFixture):
    states = []

    def fail(_: StatusChanged) -> None:
        raise RuntimeError("a listener's bug")

    with caplog.at_level("CRITICAL", "sonde_client.events"):
        client = Client(server.url)
        client.on(StatusChanged, fail)
        client.on(StatusChanged, lambda e: states.append(e.status.state.value))
        async with client:
            pass
    assert states == ["dialing", "handshaking", "live", "closing", "idle"]


async def test_a_client_can_connect_again_after_it_was_closed(server: ModelServer):
    client = Client(server.url)
    client.connect()
    await client.wait_live(5)
    room = await client.subscribe("room:arena")
    await client.close()
    assert client.status.state is ConnectionState.IDLE
    client.connect()
    await client.wait_live(5)
    await caught_up(room)
    assert await room.publish("chat", "back") == 1
    await client.close()


async def test_a_closed_client_refuses_commands_at_once_instead_of_keeping_them(server: ModelServer):
    async with Client(server.url) as client:
        room = await client.subscribe("room:arena")
    async with asyncio.timeout(2):
        with pytest.raises(NotSent, match="the client was closed"):
            await room.publish("chat", "too late")
        with pytest.raises(NotSent, match="the client was closed"):
            await client.subscribe("room:other")
        with pytest.raises(NotSent, match="the client was closed"):
            await client.set_presence("away")


async def test_a_log_at_debug_holds_no_token(server: ModelServer, caplog: pytest.LogCaptureFixture):
    with caplog.at_level("DEBUG"):
        async with Client(server.url, token="secret.token.x") as client:
            await client.subscribe("room:arena")
    assert server.headers[0]["Authorization"] == "Bearer secret.token.x"
    said = [r.getMessage() for r in caplog.records if r.name.startswith("sonde_client")]
    assert "secret.token.x" not in "\n".join(said)


async def test_closing_twice_at_once_ends_both_times(server: ModelServer):
    client = Client(server.url)
    client.connect()
    await client.wait_live(5)
    async with asyncio.timeout(5):
        await asyncio.gather(client.close(), client.close())
    await client.close()
    assert client.status.state is ConnectionState.IDLE


async def test_a_cancelled_command_disturbs_nobody(server: ModelServer):
    async with Client(server.url) as client:
        room = await client.subscribe("room:arena")
        for connection in server.connections:
            connection.transport.pause_reading()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(room.publish("n", 1), 0.05)
        for connection in server.connections:
            connection.transport.resume_reading()
        assert await room.publish("n", 2) == 2


async def test_a_token_sources_failure_is_told_without_its_secrets(server: ModelServer):
    async def source() -> str:
        raise RuntimeError("login failed for Bearer abcdefghijklmnopqrstuvwxyz")

    with pytest.raises(ConnectFailed) as caught:
        async with Client(server.url, source, open_timeout_s=0.2):
            pass
    failed = caught.value.failure
    assert failed.cause == "token_source"
    assert "login failed" in failed.detail
    assert "efghijklm" not in failed.detail


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "x" * 20_000, 7])
async def test_what_is_no_token_is_not_put_into_a_header(server: ModelServer, token: object):
    async def source() -> str:
        return token  # type: ignore[return-value]  # a source may be wrong

    with pytest.raises(ConnectFailed) as caught:
        async with Client(server.url, source, open_timeout_s=0.1):
            pass
    assert caught.value.failure.cause == "token_source"
    assert server.headers == []


async def test_only_codes_that_a_client_may_send_are_taken(server: ModelServer):
    with pytest.raises(ValueError, match="1006"):
        await Client(server.url).close(1006)


async def test_closing_with_a_resumable_code_lets_the_same_session_go_on(server: ModelServer):
    client = Client(server.url)
    client.connect()
    await client.wait_live(5)
    session = client.status.session
    await client.close(4000)
    client.connect()
    await client.wait_live(5)
    assert client.status.session == session
    assert client.status.generation == 2
    await client.close()


async def test_commands_in_no_mans_land_are_told_when_the_client_is_closed(server: ModelServer):
    client = Client(server.url)
    client.connect()
    await client.wait_live(5)
    room = await client.subscribe("room:arena")
    await server.stop()
    await until(lambda: client.status.state is not ConnectionState.LIVE)
    waiting = asyncio.create_task(room.publish("chat", "?"))
    await asyncio.sleep(0)
    await client.close()
    with pytest.raises(NotSent):
        await waiting
    await server.start()


async def test_a_command_that_the_gateway_cannot_take_is_refused_before_it_is_sent(server: ModelServer):
    async with Client(server.url) as client:
        room = await client.subscribe("room:arena")
        with pytest.raises(Refused, match="bad_request"):
            await room.publish("n", float("nan"))
        with pytest.raises(Refused, match="too_large"):
            await room.publish("n", "x" * 70_000)
        with pytest.raises(Refused, match="bad_channel"):
            await client.subscribe("no channel")


async def test_dials_can_be_refused_on_purpose_and_end_by_themselves(server: ModelServer):
    async with Client(server.url) as client:
        client.refuse_dials_for(0.3)
        client.drop()
        await until(lambda: client.status.failure is not None)
        await until(lambda: client.status.failure and client.status.failure.cause == "dial_injected")
        assert client.status.next_try_at is not None
        await until(lambda: client.status.state is ConnectionState.LIVE)
        assert client.status.generation == 2


async def test_retry_now_does_not_wait(server: ModelServer):
    async with Client(server.url, uniform=lambda low, high: 20.0) as client:
        await server.stop()
        await until(lambda: client.status.attempts >= 2 and client.status.state is ConnectionState.WAITING)
        await server.start()
        client.retry_now()
        await client.wait_live(5)


async def test_an_unreachable_gateway_fails_with_words_and_advice():
    with pytest.raises(ConnectFailed) as caught:
        async with Client("ws://127.0.0.1:9/v1/ws", open_timeout_s=0.2):
            pass
    failed = caught.value.failure
    assert failed.cause == "dial_refused"
    assert failed.advice
    assert "127.0.0.1:9" in failed.detail


async def test_a_full_queue_refuses_locally(server: ModelServer):
    client = Client(server.url, queue_limit=2)
    first = asyncio.create_task(client.command(_publish("1")))
    second = asyncio.create_task(client.command(_publish("2")))
    await asyncio.sleep(0)
    with pytest.raises(Refused, match="limit_reached"):
        await client.command(_publish("3"))
    client.connect()
    assert [await first, await second] == [{"seq": 1}, {"seq": 2}]
    await client.close()


async def test_raw_nonsense_can_be_sent(server: ModelServer):
    async with Client(server.url) as client:
        client.send_raw('{"op":"ping","t":77}')
        frames = client.events(FrameIn, op="pong")
        await until(lambda: len(frames) > 0)
        client.send_ping(b"below")


def _publish(text: str):
    from sonde_protocol.frames import Publish

    return Publish(id=0, ch="room:arena", type="chat", d=text)
