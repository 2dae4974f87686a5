"""Faults without a proxy: what a line comes to, and what a real gateway and a real socket make of it."""

from __future__ import annotations

import asyncio

import pytest

from sonde_lab.changes import Act, GatewayState
from sonde_lab.endpoints import EMBEDDED
from sonde_lab.faults.rules import RuleRefused
from sonde_lab.faults.without_proxy import command_of, lasts_s, rule_for_gateway, rule_for_socket
from sonde_lab.possible import Situation, why_not
from sonde_lab.records import Flag, Record
from sonde_lab.verdict import Cause, latest
from sonde_protocol.frames import Fault
from sonde_protocol.states import ConnectionState
from support.open_workbench import LIMIT_S, Seen, live, opened


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("kick", Fault(id=0, session="s", kind="kick")),
        ('kick "enough"', Fault(id=0, session="s", kind="kick", parameters={"reason": "enough"})),
        ("close 1000 at=2s", Fault(id=0, session="s", kind="close", parameters={"code": 1000.0}, after_ms=2_000)),
        ("server_restart 4001", Fault(id=0, session="s", kind="server_restart", parameters={"code": "4001"})),
        ("slow_consumer 3s direction=up", Fault(id=0, session="s", kind="slow_consumer", parameters={"hold": 3.0}, direction="up")),
        ("no_heartbeat", Fault(id=0, session="s", kind="no_heartbeat")),
        ("no_heartbeat for=30s", Fault(id=0, session="s", kind="no_heartbeat", for_ms=30_000)),
        ("flapping 1s count=2", Fault(id=0, session="s", kind="flapping", parameters={"up": 1.0}, count=2)),
        ("half_open for=5s", Fault(id=0, session="s", kind="half_open", for_ms=5_000)),
    ],
)  # fmt: skip
def test_a_line_is_a_command_with_what_differs_from_the_defaults(line: str, command: Fault) -> None:
    assert command_of(rule_for_gateway(line), "s") == command


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("kik", "there is no fault “kik”; the nearest is “kick”"),
        ("latency 200ms", "“latency” is not made by a gateway: it stands in a proxy"),
        ('kick target="number:3"', "a gateway takes no target: it stands in a proxy"),
        ("ghost probability=5%", "a gateway takes no probability: it stands in a proxy"),
        ("kick off=5s", "a gateway takes no off: it stands in a proxy"),
    ],
)
def test_what_a_gateway_cannot_be_told_is_refused(line: str, why: str) -> None:
    with pytest.raises(RuleRefused) as refused:
        rule_for_gateway(line)
    assert refused.value.message == why


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("kick", "“kick” is not made by a client's own socket: it stands in a proxy"),
        ("reset 5s", "a client's own socket is broken at once: it takes neither at nor delay"),
        ("half_open direction=up", "a client's own socket takes no direction"),
    ],
)
def test_what_an_own_socket_cannot_do_is_refused(line: str, why: str) -> None:
    with pytest.raises(RuleRefused) as refused:
        rule_for_socket(line)
    assert refused.value.message == why


@pytest.mark.parametrize(
    ("line", "seconds"),
    [("kick", 0), ("reset", 0), ("slow_consumer", 10), ("half_open", 60), ("ghost", 600), ("flapping", 600)],
)
def test_it_is_known_how_long_a_fault_may_go_on(line: str, seconds: float) -> None:
    assert lasts_s(rule_for_gateway(line)) == seconds


def test_a_fault_that_goes_on_can_be_turned_off_and_a_cluster_has_none() -> None:
    situation = Situation(EMBEDDED, GatewayState.LIVE, None)
    assert why_not(Act.FAULTS_OFF, situation) == "Nothing is injected."
    assert why_not(Act.FAULTS_OFF, Situation(EMBEDDED, GatewayState.LIVE, None, striking=1)) is None


def injected(seen: Seen) -> list[Record]:
    seen.take()
    return [record for record in seen.records() if record.flags & Flag.INJECTED]


async def test_the_embedded_gateway_kicks_the_own_session_and_says_that_it_was_injected() -> None:
    async with opened() as seen:
        await live(seen)
        bench = seen.workbench
        assert await bench.inject("kik") == "There is no fault “kik”; the nearest is “kick”."
        assert await bench.send('/fault kick "enough"') is None
        await seen.until(lambda: seen.state is ConnectionState.STOPPED)
        closed = bench.clients["you"].status.last_close
        assert closed is not None
        assert (closed.code, closed.reason) == (4410, "enough")
        assert bench.can(Act.INJECT) == "Not connected."
        rows = injected(seen)
        assert (rows[0].op, rows[0].payload.decode()) == (
            "act",
            "at the gateway: kick “enough” · to the client · once",
        )
        assert [row.channel for row in rows[1:]] == ["$faults"]  # what came before the end
        assert latest(bench.ring, "you").cause is Cause.INJECTED_FAULT


async def test_what_goes_on_at_the_gateway_is_ended_by_all_off() -> None:
    async with opened() as seen:
        await live(seen)
        bench = seen.workbench
        assert await bench.inject("sequence_gap count=50") is None
        assert bench.can(Act.FAULTS_OFF) is None
        for number in range(3):
            assert (
                await bench.send(f'{{"op":"publish","ch":"room:arena","type":"chat","d":{number}}}') is None
            )
        assert await bench.faults_off() is None
        assert bench.can(Act.FAULTS_OFF) == "Nothing is injected."
        assert await bench.send('{"op":"publish","ch":"room:arena","type":"chat","d":"heard"}') is None
        await seen.until(
            lambda: [row for row in seen.records() if row.op == "event" and b"heard" in row.payload]
        )
        told = [row.payload for row in seen.records() if row.op == "event" and row.channel == "room:arena"]
        assert not [payload for payload in told if b'"d":0' in payload and b"replay" not in payload]


async def test_an_own_socket_that_was_reset_comes_back_and_the_verdict_knows_who_did_it() -> None:
    async with opened() as seen:
        await live(seen)
        bench = seen.workbench
        refused = await bench.break_socket("kick")
        assert refused == "“kick” is not made by a client's own socket: it stands in a proxy."
        assert await bench.break_socket("reset") is None
        await seen.until(
            lambda: bench.clients["you"].status.last_resume and seen.state is ConnectionState.LIVE
        )
        assert [record.payload.decode() for record in injected(seen)] == ["reset client:you"]
        assert latest(bench.ring, "you").cause is Cause.CUT_HERE


async def test_a_socket_that_is_half_open_for_an_hour_keeps_nobody_from_leaving() -> None:
    async with opened() as seen:
        await live(seen)
        bench = seen.workbench
        assert await bench.break_socket("half_open for=1h") is None
        await asyncio.wait_for(bench.close(), LIMIT_S)
        assert bench.clients == {}


def going_on(seen: Seen) -> list[tuple[str, str, str]]:
    seen.take()
    return [(row.where.value, row.kind, row.whom) for row in seen.workbench.injected]


async def test_what_is_under_way_at_the_gateway_and_on_own_sockets_is_injected_until_all_off() -> None:
    async with opened() as seen:
        await live(seen)
        bench = seen.workbench
        assert await bench.inject("rate_limit for=60s") is None
        assert await bench.break_socket("no_heartbeat for=60s") is None
        bench.refuse(60.0)
        assert going_on(seen) == [
            ("gateway", "rate_limit", "you"),
            ("socket", "no_heartbeat", "you"),
            ("socket", "refuse", "you"),
        ]
        assert seen.all.injected == bench.injected
        assert await bench.faults_off() is None
        assert going_on(seen) == []
        assert seen.all.injected == ()


async def test_a_fault_that_another_admin_injects_is_injected_too_and_all_off_ends_it() -> None:
    async with opened() as seen:
        await live(seen)
        bench = seen.workbench
        you, other = bench.clients["you"], bench.add_client()
        await bench.clients[other].wait_live(LIMIT_S)
        assert await bench.inject("sequence_gap") is None  # from now on news of faults is heard
        assert await bench.faults_off() is None
        session = bench.clients[other].status.session
        await you.command(Fault(id=0, session=session or "", kind="ghost"))
        await seen.until(lambda: going_on(seen) == [("gateway", "ghost", f"{other}, by you")])
        assert await bench.faults_off() is None
        assert going_on(seen) == []


async def test_all_off_reaches_a_gateway_that_no_longer_hears_this_connection() -> None:
    async with opened() as seen:
        await live(seen)
        bench = seen.workbench
        assert await bench.inject("half_open for=60s") is None
        assert await bench.break_socket("half_open for=60s") is None
        assert [row[:2] for row in going_on(seen)] == [("gateway", "half_open"), ("socket", "half_open")]
        assert await asyncio.wait_for(bench.faults_off(), LIMIT_S) is None
        assert going_on(seen) == []
        await seen.until(lambda: seen.state is ConnectionState.LIVE)
        assert await bench.send('{"op":"publish","ch":"room:arena","type":"chat","d":"heard"}') is None
