"""Messages held through a workbench: over a real proxy process, with a server and clients that know nothing of Sonde."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from sonde_lab.changes import Act, GatewayState, HeldContent, HeldRows
from sonde_lab.endpoints import proxy
from sonde_lab.faults.grammar import parse_rule
from sonde_lab.intercepting import hold_line
from sonde_lab.possible import READ_ONLY, Situation, why_not
from sonde_lab.records import Flag
from sonde_lab.waiting import Waiting
from sonde_lab.workbench import Workbench
from support.proxied import until


class House:
    """A workbench on a proxy before a server that answers each message, and remembers what it got."""

    def __init__(self, workbench: Workbench, url: str, got: list[str | bytes]) -> None:
        self.workbench, self.url, self.got = workbench, url, got

    def injected(self) -> list[str]:
        """What the rows say that are marked as injected."""
        self.workbench.take_changes()
        ring = self.workbench.ring
        return [
            (ring.payload(row) or b"").decode()
            for row in ring.ids
            if ring.value("flags", row) & Flag.INJECTED
        ]


@asynccontextmanager
async def house() -> AsyncIterator[House]:
    got: list[str | bytes] = []

    async def answer(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for message in connection:
                got.append(message)
                await connection.send(message)

    workbench = Workbench()
    async with serve(answer, "127.0.0.1", 0) as server:
        await workbench.open(proxy(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/chat"))
        try:
            yield House(workbench, workbench.take_changes().gateway.url, got)
        finally:
            await workbench.close()


async def test_a_person_holds_reads_edits_drops_and_lets_all_go() -> None:
    async with house() as here, connect(here.url, proxy=None) as client:
        bench = here.workbench
        assert await bench.hold("shot", "up") is None
        assert [rule.says for rule in bench.holds] == ["hold 10 min · to the server · of shot"]
        for text in ("shot 1", "passes", "shot 2", '{"shot": 3}', "shot 4"):
            await client.send(text)
        assert await client.recv() == "passes"
        await until(lambda: len(bench.held.rows) == 4)
        assert bench.take_changes().held == bench.held
        assert bench.take_changes().held is None
        first = bench.held.rows[0]
        assert (first.conn, first.is_up, first.op, first.size, first.is_binary) == (
            "p1",
            True,
            "text",
            6,
            False,
        )
        assert first.goes_at - first.since == pytest.approx(600)
        assert await bench.content_of_held(1) == HeldContent(1, "shot 1")
        assert await bench.let_go(2) is None
        assert await client.recv() == "shot 2"
        assert await bench.drop_held(1) is None
        assert await bench.let_go(3, text='{"shot": 33}', copies=2) is None
        assert [await client.recv(), await client.recv()] == ['{"shot": 33}'] * 2
        stale = "Message 3 is not held any more: it was let go or dropped, or its connection has ended."
        assert await bench.let_go(3) == await bench.content_of_held(3) == stale
        assert await bench.let_all_go() is None
        assert await client.recv() == "shot 4"
        await until(lambda: not bench.held.rows)
        assert here.got == ["passes", "shot 2", '{"shot": 33}', '{"shot": 33}', "shot 4"]
        await until(lambda: any("then sent edited: shot 3 → 33" in said for said in here.injected()))
        assert {"shot 1", "shot 2", '{"shot": 3}', "shot 4"} <= set(here.injected())
        assert any(said.endswith("s, then dropped") for said in here.injected())


async def test_to_hold_nothing_lets_go_what_is_held_and_so_does_all_off() -> None:
    async with house() as here, connect(here.url, proxy=None) as client:
        bench = here.workbench
        for end in (bench.hold_nothing, bench.faults_off):
            assert await bench.hold() is None
            await client.send("waits")
            await until(lambda: bench.held.rows)
            assert await end() is None
            assert await client.recv() == "waits"
            assert bench.rules == ()
            await until(lambda: not bench.held.rows)


async def test_binary_messages_are_read_and_edited_as_bytes() -> None:
    async with house() as here, connect(here.url, proxy=None) as client:
        bench = here.workbench
        await bench.hold(direction="up")
        await client.send(b"\x00\x01")
        await until(lambda: bench.held.rows)
        assert await bench.content_of_held(1) == HeldContent(1, None, b"\x00\x01")
        assert await bench.let_go(1, data=b"\xff\x00") is None
        assert await client.recv() == b"\xff\x00"


async def test_a_filter_that_is_none_is_refused_in_words_and_nothing_is_held() -> None:
    async with house() as here:
        said = await here.workbench.hold("siz>3")
        assert said is not None
        assert said.startswith("Target: ")
        assert here.workbench.rules == ()


async def test_what_is_held_goes_to_the_server_when_the_endpoint_is_left() -> None:
    async with house() as here, connect(here.url, proxy=None) as client:
        await here.workbench.hold()
        await client.send("last words")
        await until(lambda: here.workbench.held.rows)
        await here.workbench.close()
        assert here.workbench.held == HeldRows()
        await until(lambda: here.got)
        assert here.got == ["last words"]


async def test_what_is_held_goes_to_the_server_when_the_proxy_loses_its_parent() -> None:
    got: list[str | bytes] = []

    async def keep(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for message in connection:
                got.append(message)  # noqa: PERF401

    async with serve(keep, "127.0.0.1", 0) as server:
        upstream = f"--upstream=ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sonde_lab.proxy_process", "--listen=127.0.0.1:0", upstream),
            *("--fault=hold", "--parent-pipe"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdin is not None
        ready = json.loads(await process.stdout.readline())
        async with connect(ready["url"], proxy=None) as client:
            await client.send("last words")
            shown = b""
            while b"a message is held" not in shown:
                shown += await process.stdout.read(4_096)
            assert got == []
            process.stdin.close()  # all that a killed parent leaves behind
            await until(lambda: got)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    assert got == ["last words"]


async def test_a_read_only_workbench_holds_and_changes_nothing_but_lets_go() -> None:
    async with house() as here, connect(here.url, proxy=None) as client:
        bench = here.workbench
        await bench.hold()
        await client.send("waits")
        await until(lambda: bench.held.rows)
        bench.read_only = True
        assert await bench.hold() == await bench.drop_held(1) == await bench.let_go(1, text="x") == READ_ONLY
        assert await bench.let_go(1) is None
        await until(lambda: here.got)
        bench.read_only = False


# ------------------------------------------------------------ without a process


@pytest.mark.parametrize(
    ("target", "direction", "line"),
    [
        ("", "both", "hold"),
        ("op:move", "up", "hold direction=up target=op:move"),
        ('ch:room:arena "two words"', "both", 'hold target="ch:room:arena \\"two words\\""'),
    ],
)
def test_a_filter_and_a_direction_are_a_rule(target: str, direction: str, line: str) -> None:
    assert hold_line(target, direction) == line
    assert (parse_rule(line).target.text, parse_rule(line).direction) == (target, direction)


def test_holding_and_changing_are_locked_on_production_and_letting_go_never_is() -> None:
    there: dict[str, Any] = {
        "gateway": GatewayState.LIVE,
        "status": None,
        "proxy": GatewayState.LIVE,
        "held": 1,
    }
    production = Situation(proxy("ws://127.0.0.1:1", production=True), **there)
    for act in (Act.HOLD, Act.CHANGE_HELD):
        assert "production" in (why_not(act, production) or "")
    assert why_not(Act.LET_GO, production) is None
    nowhere = Situation(proxy("ws://127.0.0.1:1"), **{**there, "proxy": GatewayState.NONE})
    assert (why_not(Act.HOLD, nowhere) or "").startswith("Messages are held in a proxy: ")
    assert (
        why_not(Act.LET_GO, Situation(proxy("ws://127.0.0.1:1"), **{**there, "held": 0}))
        == "No message is held."
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"rules": []}',
        '{"waiting": 1, "passed": 0}',
        '{"waiting": [{}], "passed": 0}',
    ],
)
def test_what_is_nothing_about_held_messages_is_let_go(text: str) -> None:
    async def nowhere(_what: object) -> dict[str, Any]:
        return {}

    waiting = Waiting(nowhere)
    assert not waiting.take(text, 0.0, 0)
    assert waiting.take_rows() is None
