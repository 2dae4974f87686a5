"""Rules armed through a workbench: over a real proxy process, with a server and clients that know nothing of Sonde."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from sonde_lab.arming import Arming
from sonde_lab.changes import Act, GatewayState, RuleRow
from sonde_lab.endpoints import EMBEDDED, proxy
from sonde_lab.faults.lab import FaultLab
from sonde_lab.faults.rules import RuleRefused
from sonde_lab.possible import READ_ONLY, Situation, why_not
from sonde_lab.proxy_options import ProxyFailed
from sonde_lab.proxy_orders import Orders
from sonde_lab.proxy_tap import Tap, TapReader
from sonde_lab.records import Flag
from sonde_lab.workbench import Workbench
from sonde_protocol.states import ConnectionState
from support.proxied import until


async def echo(connection: ServerConnection) -> None:
    with suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


@asynccontextmanager
async def armable() -> AsyncIterator[tuple[Workbench, str]]:
    """A workbench on a proxy before an echo server, and where clients find it."""
    workbench = Workbench()
    async with serve(echo, "127.0.0.1", 0) as server:
        await workbench.open(proxy(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/chat"))
        try:
            yield workbench, workbench.take_changes().gateway.url
        finally:
            await workbench.close()


async def there_and_back(client: ClientConnection, text: str = "hello") -> float:
    began = time.perf_counter()
    await client.send(text)
    assert await client.recv() == text
    return time.perf_counter() - began


def rows(workbench: Workbench, op: str) -> list[str]:
    workbench.take_changes()  # rows come into the ring with a batch
    ring = workbench.ring
    return [
        (ring.payload(row) or b"").decode()
        for row in ring.ids
        if ring.text("op", row) == op and ring.value("flags", row) & Flag.INJECTED
    ]


async def test_a_latency_rule_is_felt_by_a_peer_counted_told_and_gone_once_it_is_disarmed() -> None:
    async with armable() as (workbench, url), connect(url, proxy=None) as client:
        await there_and_back(client)
        assert await workbench.arm('latency 250ms direction=down label="far away"') is None
        (rule,) = workbench.take_changes().rules or ()
        assert (rule.kind, rule.label, rule.phase, rule.hits) == ("latency", "far away", "armed", 0)
        assert rule.says == "latency 250 ms · to the client"
        assert 590 < rule.off_at - time.monotonic() <= 600
        assert await there_and_back(client) >= 0.25
        told: list[RuleRow] = []
        await until(lambda: (told.extend(workbench.take_changes().rules or ()), told and told[-1].hits)[1])
        assert (told[-1].phase, told[-1].is_on) == ("firing", True)
        assert await workbench.disarm(rule.number) is None
        assert workbench.take_changes().rules == ()
        assert await there_and_back(client) < 0.25
        assert 'arm latency 250ms direction=down label="far away"' in rows(workbench, "act")
        await until(lambda: rows(workbench, "fault"))


async def test_a_reset_rule_ends_the_connection_of_a_peer_and_is_over() -> None:
    async with armable() as (workbench, url), connect(url, proxy=None) as client:
        await there_and_back(client)
        assert await workbench.arm("reset") is None
        with pytest.raises(ConnectionClosed):
            await client.recv()
        await until(lambda: workbench.rules and workbench.rules[0].phase == "spent")
        assert (workbench.rules[0].hits, workbench.rules[0].is_on) == (1, False)
        await until(lambda: [said for said in rows(workbench, "fault") if said.startswith("reset (rule 1)")])


async def test_all_off_takes_every_rule_of_a_preset_away_and_the_peer_is_as_fast_as_before() -> None:
    async with armable() as (workbench, url), connect(url, proxy=None) as client:
        assert await workbench.arm_preset("chrome 3g") is None
        assert [rule.label for rule in workbench.rules] == ["Chrome 3G"] * 3
        assert await there_and_back(client) >= 0.4
        assert await workbench.faults_off() is None
        assert workbench.rules == ()
        assert workbench.can(Act.FAULTS_OFF) == "Nothing is injected."
        assert await there_and_back(client) < 0.4


async def test_a_rule_that_is_over_after_its_time_is_taken_away_by_itself() -> None:
    async with armable() as (workbench, _url):
        assert await workbench.arm("latency 1ms off=0.3s") is None
        assert len(workbench.rules) == 1
        await until(lambda: workbench.rules == ())
        assert workbench.take_changes().rules == ()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("latncy 200ms", "There is no fault “latncy”; the nearest is “latency”."),
        ("latency 200", "“delay” takes us, µs, ms, s, m, min or h, not “200”."),
        ("tls_failure", "“tls_failure” needs a proxy whose clients come by TLS (--cert)."),
    ],
)
async def test_a_rule_that_cannot_be_is_refused_in_words_and_leaves_nothing_armed(
    line: str, why: str
) -> None:
    async with armable() as (workbench, _url):
        assert await workbench.arm(line) == why
        assert workbench.rules == ()


async def test_a_proxy_that_ended_has_no_rules_and_one_that_is_started_again_has_none_armed() -> None:
    async with armable() as (workbench, _url):
        assert await workbench.arm("latency 10ms") is None
        workbench._proxying.kill()
        await until(lambda: workbench.take_changes().gateway.state is GatewayState.DEAD)
        assert workbench.rules == ()
        assert await workbench.arm("latency 10ms") == "The proxy has ended."
        workbench.connect()
        await until(lambda: workbench.take_changes().gateway.state is GatewayState.LIVE)
        assert workbench.rules == ()


async def test_a_proxy_that_does_not_answer_is_ended_by_all_off() -> None:
    async with armable() as (workbench, url), connect(url, proxy=None) as client:
        assert await workbench.arm("drop") is None

        async def lose(_line: bytes) -> None:
            pass

        workbench._proxying.arming._send, workbench._proxying.arming._patience_s = lose, 0.05
        said = await workbench.faults_off()
        assert said is not None
        assert said.endswith("It was ended, so it injects nothing any more.")
        with pytest.raises(ConnectionClosed):
            await client.recv()
        await until(lambda: workbench.rules == ())


async def test_own_clients_of_the_embedded_gateway_go_through_a_proxy_that_is_put_in_front_of_it() -> None:
    workbench = Workbench()
    try:
        await workbench.open(EMBEDDED, players=0)
        you = lambda: workbench.clients["you"].status  # noqa: E731
        await until(lambda: you().state is ConnectionState.LIVE)
        direct = you().url
        assert workbench.can(Act.ARM) == "Network faults stand in a proxy: put one in front of this gateway."
        await workbench.put_proxy()
        await until(lambda: you().state is ConnectionState.LIVE)
        assert you().url == workbench._proxying.url != direct
        assert await workbench.arm("kick") is None
        await until(lambda: you().last_close is not None and you().last_close.code == 4410)
        await workbench.take_proxy()
        await until(lambda: you().state is ConnectionState.LIVE)
        assert you().url == direct
        assert workbench.rules == ()
    finally:
        await workbench.close()


# ------------------------------------------------------------ on a clock that is turned


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_expiry_and_phases_are_told_as_the_clock_turns() -> None:
    clock, pipe, told = Clock(), bytearray(), Told()
    lab, orders = FaultLab(7, now=clock), Orders()
    orders.attach(lab, Tap(pipe.extend, lambda: 0))
    orders.feed(b'{"order": 1, "arm": "latency 1ms at=5s ')
    orders.feed(b'for=10s off=60s"}\n')
    for turned in (0.0, 5.0, 10.0, 45.0):
        clock.now += turned
        lab.tick()
        orders.look()
    orders.detach()
    TapReader(told).feed(bytes(pipe))
    assert told.answers == [{"order": 1, "numbers": [1]}]
    assert [[rule["phase"] for rule in rules] for rules in told.rules] == [
        ["waiting"],
        ["armed"],
        ["spent"],
        [],
    ]


async def test_a_parent_that_is_behind_is_told_of_rules_once_it_is_not() -> None:
    clock, pipe, told, waiting = Clock(), bytearray(), Told(), [0]
    lab, orders = FaultLab(7, now=clock), Orders()
    orders.attach(lab, Tap(pipe.extend, lambda: waiting[0], max_unsent_bytes=10))
    waiting[0] = 11
    orders.feed(b'{"order": 1, "arm": "drop"}\n')
    TapReader(told).feed(bytes(pipe))
    assert (told.rules, len(told.answers)) == ([], 1)
    waiting[0] = 0
    orders.look()
    orders.detach()
    TapReader(told).feed(bytes(pipe))
    assert [rules[0]["kind"] for rules in told.rules] == ["drop"]


@pytest.mark.parametrize(
    "line",
    [b"nonsense\n", b"[]\n", b"1\n", b'{"order": 1}\n', b'{"order": 1, "disarm": "x"}\n', b"x" * 200_000],
)
async def test_a_line_that_is_no_order_arms_nothing(line: bytes) -> None:
    lab, orders = FaultLab(7), Orders()
    orders.attach(lab, Tap(lambda _data: None, lambda: 0))
    orders.feed(line)
    orders.detach()
    assert lab.rules == []


class Told:
    """A listener that keeps what the lab said."""

    def __init__(self) -> None:
        self.rules: list[list[dict[str, object]]] = []
        self.answers: list[dict[str, object]] = []

    def on_told(self, text: str, _at: float) -> None:
        told = json.loads(text)
        self.rules.append(told["rules"]) if "rules" in told else self.answers.append(told)


# ------------------------------------------------------------ the parent's end


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"rules": 1}', '{"rules": [{}]}', '{"order": []}'])
def test_what_no_lab_says_is_let_go(text: str) -> None:
    arming = Arming(_nowhere)
    arming.take(text, 0.0)
    assert arming.take_rules() is None


async def _nowhere(_line: bytes) -> None:
    pass


async def test_an_order_waits_for_its_own_answer_and_a_refusal_keeps_its_place() -> None:
    arming = Arming(_nowhere)
    first = asyncio.ensure_future(arming.arm("drop"))
    second = asyncio.ensure_future(arming.arm("dorp"))
    await asyncio.sleep(0)
    arming.take('{"order": 2, "error": "no such fault", "position": 0}', 0.0)
    arming.take('{"order": 1, "numbers": [4]}', 0.0)
    with pytest.raises(RuleRefused) as refused:
        await second
    assert (refused.value.message, refused.value.position) == ("no such fault", 0)
    assert await first == [4]


async def test_orders_that_wait_fail_when_the_process_ends() -> None:
    arming = Arming(_nowhere)
    waiting = asyncio.ensure_future(arming.reset())
    await asyncio.sleep(0)
    arming.forget()
    with pytest.raises(ProxyFailed, match="the proxy has ended"):
        await waiting


# ------------------------------------------------------------ what is possible

PROXY = proxy("ws://127.0.0.1:1")
LIVE = Situation(PROXY, GatewayState.LIVE, None, proxy=GatewayState.LIVE, rules=1)


def test_arming_is_locked_on_production_and_in_read_only_and_ending_is_never() -> None:
    production = proxy("ws://127.0.0.1:1", production=True)
    assert why_not(Act.ARM, LIVE) is None
    for locked, why in (
        (Situation(production, GatewayState.LIVE, None, proxy=GatewayState.LIVE, rules=1), "production"),
        (
            Situation(PROXY, GatewayState.LIVE, None, proxy=GatewayState.LIVE, rules=1, read_only=True),
            READ_ONLY,
        ),
    ):
        assert why in (why_not(Act.ARM, locked) or "")
        assert why_not(Act.DISARM, locked) is None
        assert why_not(Act.FAULTS_OFF, locked) is None


async def test_a_locked_workbench_arms_nothing_that_a_script_asks_for() -> None:
    async with armable() as (workbench, _url):
        workbench.read_only = True
        assert await workbench.arm("drop") == READ_ONLY
        assert await workbench.arm_preset("Chrome 3G") == READ_ONLY
        assert workbench.rules == ()
