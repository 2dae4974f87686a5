"""The workbench on a real embedded gateway: real processes, real sockets, real players."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import fields

import psutil
import pytest

from sonde_lab.changes import Act, Changes, GatewayState
from sonde_lab.endpoints import EndpointKind, TokenKind, TokenSource, remote
from sonde_lab.folding import View
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.summary import Summaries
from sonde_lab.verdict import why
from sonde_lab.workbench import Workbench, WorkbenchConfig
from sonde_protocol.states import ConnectionState
from support.open_workbench import Seen, live, opened, token
from support.processes import GatewayProcess, command_of

pytestmark = pytest.mark.slow


async def test_first_minute_is_alive_on_real_traffic() -> None:
    async with opened(players=3) as seen:
        await live(seen)
        await seen.until(lambda: len(seen.all.presence.get("room:arena", ())) == 4, "four members")
        await seen.until(lambda: seen.all.throughput and seen.all.throughput.in_msgs > 3, "deltas")
        await seen.until(lambda: len(seen.all.sessions or ()) == 4, "four sessions")
        await seen.until(
            lambda: len(seen.all.documents["room:arena"].state.get("players", {})) == 3, "players"
        )
        await seen.until(lambda: seen.all.gateway.sessions == 4, "stats")
        await seen.until(lambda: seen.all.promises.connections.now == 4, "figures of the next second")
        assert {member.name for member in seen.all.presence["room:arena"]} == {
            "you",
            "ada",
            "bertil",
            "chidi",
        }
        assert [row.own for row in seen.all.sessions or ()].count(True) == 1
        assert seen.all.rtt
        assert all(sample.rtt_ms > 0 for sample in seen.all.rtt)
        promises = seen.all.promises
        assert promises.connection_success.met
        assert promises.delivery.now == 100.0
        assert promises.latency.met
        assert promises.reconnection_success.now is None
        assert promises.reconnection_success.explanation == "nothing has dropped yet"
        assert seen.all.gateway.node == "embedded"
        assert seen.causes() == []
        assert seen.rows == len(seen.workbench.ring)


async def test_rows_tell_the_whole_conversation_in_order_of_time() -> None:
    async with opened() as seen:
        await live(seen)
        records = seen.records()
        assert [r.at for r in records] == sorted(r.at for r in records)
        ops = [r.op for r in records]
        for earlier, later in (
            ("act", "upgrade"),
            ("upgrade", "identify"),
            ("identify", "ready"),
            ("ready", "subscribe"),
        ):
            assert ops.index(earlier) < ops.index(later)
        identify = records[ops.index("identify")]
        ready = records[ops.index("ready")]
        assert identify.rtt_ms == ready.rtt_ms > 0
        handshakes = [r for r in records if r.kind == Kind.HANDSHAKE]
        assert [r.direction for r in handshakes] == [Direction.OUT, Direction.IN]
        assert b"eyJhbG" not in handshakes[0].payload
        texts = Summaries(seen.workbench.ring)
        assert all(texts.text(row_id) for row_id in seen.workbench.ring.ids)


def reasons_of_the_close(seen: Seen) -> str:
    """Everything that the rows tell about the first close, as one text."""
    ring = seen.workbench.ring
    close = next(row_id for row_id in ring.ids if ring.value("kind", row_id) == Kind.CLOSE)
    verdict = why(ring, close)
    return " ".join([verdict.sentence, *(row.text for row in verdict.evidence)])


async def test_drop_is_an_injected_act_then_a_close_then_a_resume() -> None:
    async with opened() as seen:
        await live(seen)
        seen.workbench.drop()
        await seen.until(lambda: "resumed" in [r.op for r in seen.records()])
        records = seen.records()
        act = next(r for r in records if r.kind == Kind.ACT and r.flags & Flag.INJECTED)
        close = next(r for r in records if r.kind == Kind.CLOSE)
        assert act.payload == b"cut the socket of you"
        text = close.payload.decode()
        assert text.startswith("closed without a close frame — by the client")
        assert text.endswith("s after the last frame received")
        reasons = reasons_of_the_close(seen)
        assert reasons.startswith("You cut its socket on purpose. You did it ")
        assert "ms before the end: cut the socket of you." in reasons
        assert reasons.endswith("later and resumed its session.")
        await seen.until(lambda: seen.all.promises.reconnection_success.session == 100.0)
        assert seen.all.promises.reconnection_success.session_text == "1 / 1"
        assert [n.cause for n in seen.all.notices] == ["closed"]
        assert {r.dial for r in records if r.kind == Kind.HANDSHAKE} == {1, 2}


async def test_kick_names_code_cause_and_who_and_stops() -> None:
    async with opened() as seen:
        await live(seen)
        await seen.workbench.kick()
        await seen.until(lambda: seen.state is ConnectionState.STOPPED)
        close = next(r for r in seen.records() if r.kind == Kind.CLOSE)
        assert close.code == 4410
        assert close.payload.decode().startswith("4410 kicked — by the server (kicked from Sonde), ")
        reasons = reasons_of_the_close(seen)
        assert reasons.startswith(
            "Somebody with the right to do so ended this session (“kick”). You asked for it "
        )
        assert "The client you sent the kick " in reasons
        assert "The gateway said: 4410 kicked" in reasons
        assert "The gateway sent the first close frame: 4410 kicked" in reasons
        assert seen.workbench.can(Act.DROP) == "There is no open socket."
        assert seen.workbench.can(Act.CONNECT) is None
        seen.workbench.connect()
        await live(seen)


async def test_killed_gateway_is_noticed_and_restarts_on_its_port() -> None:
    async with opened() as seen:
        await live(seen)
        url, pid = seen.all.gateway.url, seen.all.gateway.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await seen.until(lambda: seen.all.gateway.state is GatewayState.DEAD)
        await seen.until(lambda: seen.state is ConnectionState.WAITING)
        died = next(n for n in seen.all.notices if n.cause == "gateway_died")
        assert died.detail == "Its process was killed by signal 9."
        assert "event=ready" in died.advice
        await seen.until(lambda: seen.all.promises.connections.now == 0)
        assert seen.workbench.can(Act.RETRY_NOW) is None
        await seen.workbench.restart_gateway()
        seen.workbench.retry_now() if seen.state is ConnectionState.WAITING else None
        await live(seen)
        assert seen.all.gateway.url == url
        assert seen.all.gateway.pid != pid
        await seen.until(lambda: seen.all.promises.reconnection_success.session == 100.0)
        assert "1 back with a new session" in seen.all.promises.reconnection_success.explanation
        assert "session_lost" in seen.causes()


async def test_refused_dials_wait_with_a_countdown_and_break_no_promise() -> None:
    async with opened() as seen:
        await live(seen)
        seen.workbench.refuse(0.4)
        seen.workbench.drop()
        await seen.until(lambda: seen.state is ConnectionState.WAITING and "dial_injected" in seen.causes())
        assert seen.workbench.clients["you"].status.next_try_at is not None

        def hasten() -> bool:
            seen.workbench.retry_now() if seen.workbench.can(Act.RETRY_NOW) is None else None
            return seen.state is ConnectionState.LIVE

        await seen.until(hasten)
        await seen.until(lambda: "on purpose" in seen.all.promises.connection_success.explanation)
        assert seen.all.promises.connection_success.session == 100.0
        repeated = [n for n in seen.all.notices if n.cause == "dial_injected"]
        assert {n.number for n in repeated} == {repeated[0].number}


async def test_composer_sends_commands_nonsense_and_control_frames() -> None:
    async with opened() as seen:
        await live(seen)
        send = seen.workbench.send
        assert await send('{"op":"publish","ch":"room:arena","type":"chat","d":{"text":"hi"}}') is None
        refusal = await send('{"op":"subscribe","ch":"room:*"}')
        assert refusal is not None
        assert "bad_channel" in refusal
        assert "line 1, column" in (await send('{"op":}') or "")
        assert await send("/ping abc") is None
        assert await send("!nonsense") is None
        assert await send('{"op":"teapot"}') is None
        await seen.until(lambda: len([r for r in seen.records() if r.op == "error"]) >= 3)
        await seen.until(lambda: "chat" in (seen.all.sent_types or ()))
        records = seen.records()
        ping = next(r for r in records if r.opcode == 9)
        pong = next(r for r in records if r.opcode == 10)
        assert ping.rtt_ms == pong.rtt_ms > 0
        assert next(r for r in records if r.payload == b"nonsense").flags & Flag.MALFORMED
        assert await send("/close 1013 later") is not None
        assert await send("/close 4000 later") is None
        await seen.until(lambda: seen.state is ConnectionState.IDLE)
        assert await send("/ping") == "Not connected."


async def test_presence_mark_and_players_are_acts() -> None:
    async with opened() as seen:
        await live(seen)
        await seen.workbench.set_presence("away", "idle")
        await seen.until(lambda: [m.status for m in seen.all.presence["room:arena"]] == ["away"])
        row_id = seen.workbench.mark("here")
        seen.take()
        marked = seen.workbench.ring.record(row_id)
        assert (marked.op, marked.payload, marked.flags) == ("mark", b"here", Flag.MARKED)
        assert seen.workbench.mark(row_id=0) == 0
        assert seen.workbench.ring.record(0).flags & Flag.MARKED
        seen.workbench.unmark(0)
        assert not seen.workbench.ring.record(0).flags & Flag.MARKED
        seen.workbench.comment(seen.workbench.mark(), "it begins")
        assert [text for _, text in seen.workbench.ring.comments] == ["it begins"]
        seen.workbench.set_players(True)
        await seen.until(lambda: len(seen.all.presence["room:arena"]) == 7)
        assert seen.all.gateway.players == 6
        seen.workbench.set_players(False)
        await seen.until(lambda: len(seen.all.presence["room:arena"]) == 1)


async def test_players_turned_off_and_on_at_once_are_there() -> None:
    async with opened(players=2) as seen:
        await seen.until(lambda: len(seen.all.presence.get("room:arena", ())) == 3)
        before = seen.workbench._hosting._process.pid
        seen.workbench.set_players(False)
        seen.workbench.set_players(True)
        await seen.until(lambda: seen.workbench._hosting._process.pid not in (before, None))
        await seen.until(lambda: len(seen.all.presence["room:arena"]) == 3)
        assert seen.workbench.players == 2


async def test_players_that_die_are_a_notice() -> None:
    async with opened(players=2) as seen:
        await seen.until(lambda: len(seen.all.presence.get("room:arena", ())) == 3)
        (process,) = [p for p in psutil.Process().children() if "sonde_lab.players" in command_of(p)]
        process.kill()
        await seen.until(lambda: "players_died" in seen.causes())
        assert not seen.workbench.players_on
        assert seen.all.gateway.players == 0


async def test_disconnect_and_connect_again_subscribe_again() -> None:
    async with opened() as seen:
        await live(seen)
        assert seen.workbench.can(Act.CONNECT) == "Already connected."
        seen.workbench.disconnect()
        await seen.until(lambda: seen.state is ConnectionState.IDLE)
        assert [r.flags for r in seen.records() if r.kind == Kind.CLOSE] == [0]
        seen.workbench.connect()
        await live(seen)
        await seen.until(lambda: seen.all.documents["room:arena"].status == "live")
        seen.workbench.drop()
        seen.workbench.drop()
        await seen.until(lambda: "closed" in seen.causes())


async def test_remote_without_the_role_monitor_says_what_is_missing_and_makes_no_noise(
    gateway: GatewayProcess,
) -> None:
    async with opened(remote(gateway.url, token("player"))) as seen:
        await seen.until(lambda: "room:arena" in seen.workbench.clients["you"].channels)
        await seen.until(
            lambda: seen.all.promises.connections.explanation == "needs a token with the role monitor"
        )
        assert seen.causes() == []
        assert seen.all.gateway.state is GatewayState.REMOTE
        assert "error" not in [r.op for r in seen.records()]
        assert seen.workbench.can(Act.KICK) == "Needs a token with the role admin."
        assert (
            seen.workbench.can(Act.RESTART_GATEWAY) == "Only the embedded gateway can be restarted from here."
        )
        assert seen.workbench.can(Act.SET_PLAYERS) == "Simulated players live on our own gateways only."


async def test_production_locks_what_others_would_feel(gateway: GatewayProcess) -> None:
    async with opened(remote(gateway.url, token("player", "admin"), production=True)) as seen:
        await seen.until(lambda: seen.state is ConnectionState.LIVE)
        for act in (Act.KICK, Act.SEND, Act.SET_PRESENCE):
            assert "production" in (seen.workbench.can(act) or "")
        assert seen.workbench.can(Act.DROP) is None
        await seen.workbench.kick()
        seen.take()
        assert seen.causes()[-1] == "not_possible"


async def test_wrong_token_stops_with_words(gateway: GatewayProcess) -> None:
    async with opened(remote(gateway.url, TokenSource(TokenKind.PASTE, "not.a.token"))) as seen:
        await seen.until(lambda: seen.state is ConnectionState.STOPPED)
        assert "http_unauthorized" in seen.causes()
        assert any(r.op == "body" and b"unauthorized" in r.payload for r in seen.records())
        await seen.until(lambda: seen.all.promises.connection_success.session == 0.0)
        assert seen.all.promises.connection_success.met is False


async def test_missing_token_and_unreachable_endpoint_are_notices() -> None:
    async with opened(remote("ws://127.0.0.1:1/v1/ws", TokenSource(TokenKind.PASTE, "abc"))) as seen:
        await seen.until(lambda: "dial_refused" in seen.causes())
        await seen.workbench.open(remote("ws://127.0.0.1:1/v1/ws", TokenSource(TokenKind.PASTE)))
        await seen.until(lambda: "token_source" in seen.causes())
        failed = next(n for n in seen.all.notices if n.cause == "token_source")
        assert "paste one" in failed.detail


async def test_endpoint_that_is_no_websocket_is_named() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with opened(remote(f"ws://127.0.0.1:{port}/v1/ws", TokenSource(TokenKind.PASTE, "abc"))) as seen:
        await seen.until(lambda: seen.state is ConnectionState.STOPPED)
        assert "not_websocket" in seen.causes()
    server.close()
    await server.wait_closed()


async def test_another_endpoint_begins_its_sums_anew_and_keeps_the_rows(gateway: GatewayProcess) -> None:
    async with opened() as seen:
        await live(seen)
        seen.workbench.drop()
        await live(seen)
        rows = len(seen.workbench.ring)
        await seen.workbench.open(remote(gateway.url, token("player")))
        changes = seen.workbench.take_changes()
        assert changes.endpoint_changed
        assert changes.promises.reconnection_success.session is None
        assert len(seen.workbench.ring) >= rows
        assert seen.workbench.endpoint is not None
        assert seen.workbench.endpoint.kind is EndpointKind.REMOTE


async def test_messagepack_rows_are_read_like_json_rows() -> None:
    async with opened(codec="sonde.v1.msgpack") as seen:
        await live(seen)
        assert await seen.workbench.send('{"op":"sync","id":900,"ch":"room:arena"}') is None
        await seen.until(lambda: any(r.command == 900 and r.op == "reply" for r in seen.records()))
        records = seen.records()
        assert not [r for r in records if r.flags & Flag.MALFORMED]
        subscribe = next(r for r in records if r.op == "subscribe")
        assert (subscribe.opcode, subscribe.channel) == (2, "room:arena")


async def test_folded_view_over_live_traffic_equals_one_made_afresh() -> None:
    async with opened(players=2) as seen:
        followed = View(seen.workbench.ring)
        await seen.until(lambda: followed.update() and len(seen.workbench.ring) > 60)
        fresh = View(seen.workbench.ring)
        followed.update()
        fresh.update()
        assert [followed.row(i)[:2] for i in range(len(followed))] == [
            fresh.row(i)[:2] for i in range(len(fresh))
        ]
        assert len(followed) < len(seen.workbench.ring)


async def test_what_is_not_possible_is_a_notice_and_no_exception() -> None:
    workbench = Workbench()
    workbench.drop()
    workbench.connect()
    await workbench.kick()
    await workbench.restart_gateway()
    changes = workbench.take_changes()
    assert [(n.cause, n.count) for n in changes.notices] == [("not_possible", 4)]
    assert changes.gateway.state is GatewayState.NONE
    assert workbench.take_changes().is_empty
    assert await workbench.send("x") == "No endpoint is open."
    await workbench.close()


def test_changes_with_anything_in_them_are_not_empty() -> None:
    assert Changes().is_empty
    samples = {
        "rows": 1,
        "promises_changed": True,
        "gateway_changed": True,
        "endpoint_changed": True,
        "sessions": (),
        "clients": (),
        "current_changed": True,
    }
    for name, value in samples.items():
        assert not Changes(**{name: value}).is_empty, name
    assert {field.name for field in fields(Changes)} >= set(samples)


def test_frames_of_the_ring_are_the_bytes_of_the_wire() -> None:
    """What the detail view shows is exactly what was sent: JSON as it came."""
    payload = json.dumps({"op": "event", "d": 1}, indent=1).encode()
    workbench = Workbench(WorkbenchConfig(ring_rows=10))
    workbench.ring.append(
        Record(0.0, 0.0, "you", 1, Direction.IN, Kind.FRAME, 1, "event", "", len(payload), payload)
    )
    assert workbench.ring.payload(0) == payload
