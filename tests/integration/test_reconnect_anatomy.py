"""The anatomy of real reconnects: a real gateway, a relay that breaks the socket, and a stopwatch of its own in it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from sonde_client import Client
from sonde_lab.anatomy import Ending, Outcome, Reconnect, reconnects
from sonde_lab.notices import NoticeBoard
from sonde_lab.promises import Tally
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.watch import ClientWatch
from sonde_protocol.states import ChannelState, ConnectionState
from support.processes import GatewayProcess
from support.tokens import mint

pytestmark = pytest.mark.asyncio
ROOM = "room:arena"


@dataclass(slots=True)
class Passed:
    """When a relayed connection came, when its request had come, and when its answer went back."""

    accepted: float
    asked: float = 0.0
    answered: float = 0.0


@dataclass(slots=True)
class BreakingRelay:
    """Passes bytes on, and cuts every socket when it is told to."""

    upstream: int
    passed: list[Passed] = field(default_factory=list)
    port: int = 0
    refuses: bool = False  # it hangs up instead
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _pumps: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[BreakingRelay]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await asyncio.gather(*self._pumps, return_exceptions=True)
            await server.wait_closed()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen = Passed(time.monotonic())
        self.passed.append(seen)
        if self.refuses:
            writer.transport.abort()
            return
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        self._writers += [writer, up_writer]
        for source, sink, stamp in ((reader, up_writer, "asked"), (up_reader, writer, "answered")):
            task = asyncio.ensure_future(self._pump(source, sink, seen, stamp))
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, seen: Passed, stamp: str
    ) -> None:
        try:
            while data := await source.read(65536):
                if not getattr(seen, stamp):
                    setattr(seen, stamp, time.monotonic())
                sink.write(data)
        except ConnectionError:
            pass
        sink.transport.abort()


async def until(condition: Callable[[], object], limit_s: float = 10.0) -> None:
    """Wait for something that real processes do in their own time."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def watched(relay: BreakingRelay) -> AsyncIterator[tuple[Client, RowLog]]:
    """A client of the room, live through the relay, and its rows."""
    log = RowLog(Ring(), time.monotonic)
    client = Client(
        f"ws://127.0.0.1:{relay.port}/v1/ws", mint("ada"), uniform=lambda low, high: low + (high - low) / 20
    )
    watch = ClientWatch("you", client, log, NoticeBoard(log.wall), Tally())
    async with client:
        channel = await client.subscribe(ROOM)
        await channel.patch({"players": {"ada": {"x": 1}}})
        await until(lambda: channel.status is ChannelState.LIVE)
        yield client, log
    watch.stop()


def told(log: RowLog) -> list[Reconnect]:
    log.flush()
    return reconnects(log.ring, "you")


def assert_whole(found: Reconnect) -> None:
    edges = [found.began, *(phase.ended for phase in found.phases)]
    assert [phase.began for phase in found.phases] == edges[:-1]
    assert math.fsum(phase.ms for phase in found.phases) == pytest.approx(found.total_ms, abs=0.01)


async def test_the_phases_of_a_real_reconnect_add_up_and_agree_with_a_stopwatch(gateway: GatewayProcess):
    async with BreakingRelay(gateway.port).running() as relay, watched(relay) as (_, log):
        cut_at = time.monotonic()
        relay.cut()
        await until(lambda: told(log) and told(log)[0].fresh_row is not None)
        (found,) = told(log)
    phases = {phase.name: phase for phase in found.phases}
    # A busy machine may take long enough over the token for that to be a phase of its own.
    assert [name for name in phases if name != "token"][:5] == ["detect", "wait", "TCP", "upgrade", "resume"]
    assert (found.ending, found.tries, found.lost) == (Ending.RESUMED, 1, 0)
    assert_whole(found)
    seen = relay.passed[1]  # the relay's own clock readings lie in the order that the phases claim
    assert cut_at <= phases["detect"].ended <= phases["TCP"].began <= seen.asked
    assert phases["TCP"].began <= seen.accepted
    assert phases["upgrade"].began <= seen.asked <= seen.answered <= phases["upgrade"].ended
    assert phases["upgrade"].ended <= phases["resume"].ended


async def test_tries_that_came_to_nothing_are_all_there(gateway: GatewayProcess):
    async with BreakingRelay(gateway.port).running() as relay, watched(relay) as (client, log):
        relay.refuses = True
        relay.cut()
        await until(lambda: len(relay.passed) >= 3)
        relay.refuses = False
        await until(lambda: client.status.state is ConnectionState.LIVE)
        await until(lambda: told(log) and told(log)[0].fresh_row is not None)
        (found,) = told(log)
    failed = [phase for phase in found.phases if phase.outcome is Outcome.FAILED]
    assert found.tries == len(relay.passed) - 1  # the first connection was live
    assert {(phase.name, phase.detail) for phase in failed} == {("upgrade", "dial_reset")}
    assert found.ending is Ending.RESUMED
    assert_whole(found)


async def test_what_was_said_meanwhile_is_counted_as_replayed(gateway: GatewayProcess):
    async with BreakingRelay(gateway.port).running() as relay, watched(relay) as (_, log):
        async with Client(gateway.url, mint("ada")) as other:
            channel = await other.subscribe(ROOM)
            relay.refuses = True
            relay.cut()
            await until(lambda: len(relay.passed) >= 2)
            for step in range(3):
                await channel.patch({"players": {"ada": {"x": step}}})
            relay.refuses = False
            await until(lambda: told(log) and told(log)[0].replayed >= 3)
        (found,) = told(log)
    assert (found.replayed, found.lost) == (3, 0)
    assert "replay" in [phase.name for phase in found.phases]
