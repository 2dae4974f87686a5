"""Three gateways on a real Redis and a real NATS: resumes over nodes, parts that go away and come back, revocation,
and a short storm. The long ones are in `tests/bench/bench_fleet.py`.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from sonde_client import Channel, Client
from sonde_client.events import EntryArrived, PresenceChanged, SessionResumed, StatusChanged
from sonde_client.status import ResumeReport
from sonde_protocol.states import ChannelState, ConnectionState
from support.fleet import Fleet, free_port, running_fleet
from support.processes import SECRET
from support.storm import run_storm
from support.tokens import mint

pytestmark = [pytest.mark.asyncio, pytest.mark.slow, pytest.mark.timeout(180)]
ROOM = "room:arena"
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "match_service.py"
_GATEWAY = (sys.executable, "-m", "sonde_server", "gateway", "--port", "0", "--admin-port", "0")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Three nodes, with a balancer in front where there is one."""
    with running_fleet(tmp_path, 3, heartbeat_s="2", grace_s="6", node_lease_s="3") as running:
        yield running


@pytest.fixture(scope="module")
def calm_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Three nodes for tests that break nothing."""
    with running_fleet(
        tmp_path_factory.mktemp("calm"), 3, heartbeat_s="2", grace_s="6", node_lease_s="3"
    ) as running:
        yield running


async def until(condition: Callable[[], object], limit_s: float = 15.0) -> None:
    """Wait for something that real processes do in their own time."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)


class Seat:
    """A client in the arena through one node, and everything it was told."""

    def __init__(self, url: str, name: str, *roles: str) -> None:
        self.client = Client(url, mint(name, *roles))
        self.texts: list[Any] = []
        self.seqs: list[int] = []
        self.resumes: list[ResumeReport] = []
        self.rosters: list[dict[str, str]] = []
        self.client.on(EntryArrived, self._on_entry)
        self.client.on(SessionResumed, lambda event: self.resumes.append(event.report))
        self.client.on(PresenceChanged, lambda _: self.rosters.append(self.roster()))
        self.client.on(StatusChanged, self._on_status)
        self.room: Channel

    def _on_entry(self, event: EntryArrived) -> None:
        self.texts.append(event.data)
        self.seqs.append(event.seq or 0)

    def _on_status(self, event: StatusChanged) -> None:
        if event.status.state is ConnectionState.WAITING:
            asyncio.get_running_loop().call_later(0.05, self._retry)  # spare the waits

    def _retry(self) -> None:
        if self.client.status.state is ConnectionState.WAITING:
            self.client.retry_now()

    def roster(self) -> dict[str, str]:
        view = self.client.store.channel(ROOM)
        return {} if view is None else {member.user: member.status for member in view.members}

    async def __aenter__(self) -> Self:
        self.client.connect()
        await self.client.wait_live(10)
        self.room = await self.client.subscribe(ROOM, presence=True)
        await until(lambda: self.room.status is ChannelState.LIVE)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    @property
    def is_live(self) -> bool:
        return self.client.status.state is ConnectionState.LIVE


def readiness(fleet: Fleet, name: str) -> int:
    try:
        with urllib.request.urlopen(f"{fleet.nodes[name].admin}/readyz", timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


async def ready_is(fleet: Fleet, name: str, status: int) -> None:
    await until(lambda: readiness(fleet, name) == status)


# ------------------------------------------------------------ nodes


async def test_a_client_of_a_killed_node_goes_on_elsewhere_and_nobody_sees_it_leave(fleet: Fleet) -> None:
    if fleet.haproxy is None:
        pytest.skip("needs haproxy")
    async with Seat(fleet.url, "ada") as ada, Seat(fleet.url, "bob") as bob:
        for number in range(5):
            await bob.room.publish("n", number)
        await until(lambda: len(ada.texts) == 5)
        before = ada.client.status.node
        assert before is not None
        bob.rosters.clear()
        fleet.kill_node(before)
        await bob.room.publish("n", 5)
        await until(lambda: ada.is_live and ada.client.status.node != before)
        await bob.room.publish("n", 6)
        await until(lambda: len(ada.texts) == 7)
        assert ada.seqs == list(range(1, 8))
        assert (ada.resumes[-1].snapshots, ada.resumes[-1].gone) == (0, 0)
        await until(lambda: bob.is_live and bob.roster() == {"ada": "online", "bob": "online"})
        assert all("ada" in roster for roster in bob.rosters)


async def test_members_of_a_killed_node_who_do_not_come_back_leave_once(fleet: Fleet) -> None:
    async with Seat(fleet.url_of("n1"), "eve") as eve:
        bob = await Seat(fleet.url_of("n2"), "bob").__aenter__()
        await until(lambda: eve.roster().get("bob") == "online")
        fleet.kill_node("n2")
        await bob.client.close()  # so that it does not come back; the node is not there to hear it
        await until(lambda: eve.roster().get("bob") == "reconnecting", 8.0)
        await until(lambda: "bob" not in eve.roster(), 12.0)
        seen = [roster.get("bob", "gone") for roster in eve.rosters]
        told = [status for status, before in zip(seen, ["", *seen], strict=False) if status != before]
        assert told[told.index("online") :] == ["online", "reconnecting", "gone"]


async def test_what_a_paused_node_still_wants_to_say_is_void(fleet: Fleet) -> None:
    if fleet.haproxy is None:
        pytest.skip("needs haproxy")
    async with Seat(fleet.url, "ada") as ada, Seat(fleet.url, "eve") as eve:
        paused = ada.client.status.node
        if eve.client.status.node == paused:
            eve.client.drop()
            await until(lambda: eve.is_live and eve.client.status.node != paused)
        assert paused is not None
        fleet.pause_node(paused)
        waiting = [asyncio.ensure_future(ada.room.publish("n", number)) for number in range(3)]
        patching = asyncio.ensure_future(ada.room.patch({"players": {"ada": {"n": 1}}}))
        await asyncio.gather(*waiting, patching)  # answered by another node, after the heartbeat was missed
        assert ada.client.status.node != paused
        fleet.resume_node(paused)  # wakes with the same commands in its socket
        await eve.room.publish("n", "after")
        await until(lambda: "after" in ada.texts and "after" in eve.texts)
        await asyncio.sleep(1.0)  # long enough for the paused node to say what it has to say
        for seat in (ada, eve):
            assert sorted(text for text in seat.texts if isinstance(text, int)) == [0, 1, 2]
            assert sum(isinstance(text, dict) for text in seat.texts) == 1
            assert seat.seqs == list(range(seat.seqs[0], seat.seqs[0] + len(seat.seqs)))
        await until(lambda: eve.roster() == {"ada": "online", "eve": "online"})


# ------------------------------------------------------------ store and bus


async def test_nodes_are_not_ready_while_redis_is_away_and_go_on_by_themselves(fleet: Fleet) -> None:
    async with Seat(fleet.url_of("n1"), "ada") as ada, Seat(fleet.url_of("n2"), "bob") as bob:
        await ada.room.patch({"players": {"ada": {"x": 1}}})
        former = bob.room.cursor
        fleet.redis.end(signal.SIGKILL)
        await ready_is(fleet, "n1", 503)
        waiting = asyncio.ensure_future(ada.room.publish("n", "while away"))
        assert ada.is_live
        fleet.redis.start()
        await waiting
        for name in fleet.names:
            await ready_is(fleet, name, 200)
        await ada.room.publish("n", "after")
        await until(lambda: "after" in bob.texts)
        # The restart began another epoch: the entry came after the snapshot that says so, or the snapshot covers it.
        assert bob.room.cursor.epoch != former.epoch
        assert bob.seqs[-1] == 3
        assert bob.texts[-2:] in (
            ["while away", "after"],
            [{"players": {"ada": {"x": 1}}}, "after"],
            ["after"],
        )
        await until(lambda: bob.room.state == {"players": {"ada": {"x": 1}}} == ada.room.state)
        assert ada.resumes == bob.resumes == []
        await until(lambda: bob.roster() == {"ada": "online", "bob": "online"})


async def test_an_emptied_redis_is_declared_and_sessions_live_on(fleet: Fleet) -> None:
    async with Seat(fleet.url_of("n1"), "ada") as ada, Seat(fleet.url_of("n2"), "bob") as bob:
        await ada.room.patch({"players": {"ada": {"x": 1}}})
        await until(lambda: bob.room.state == {"players": {"ada": {"x": 1}}})
        former = ada.room.cursor
        _redis(fleet, "FLUSHALL")
        await ada.room.publish("n", "new life")
        for seat in (ada, bob):
            await until(lambda seat=seat: seat.room.cursor.epoch != former.epoch)
            await until(lambda seat=seat: seat.room.state == {})
        await until(lambda: bob.roster() == {"ada": "online", "bob": "online"})
        session = ada.client.status.session
        await until(lambda: _redis(fleet, "EXISTS", f"sonde:v1:{{s:{session}}}:record") == "1")
        ada.client.drop()
        await until(lambda: bool(ada.resumes) and ada.is_live)
        assert ada.client.status.session == session


def _redis(fleet: Fleet, *command: str) -> str:
    from redis import Redis

    with Redis(port=fleet.redis.port) as server:
        return str(int(server.execute_command(*command)))  # OK counts as true


async def test_entries_arrive_while_nats_is_away_and_changes_wait(fleet: Fleet) -> None:
    async with Seat(fleet.url_of("n1"), "ada") as ada, Seat(fleet.url_of("n2"), "bob") as bob:
        await ada.room.publish("n", 1)
        fleet.nats.end(signal.SIGKILL)
        await ready_is(fleet, "n1", 503)
        waiting = asyncio.ensure_future(ada.room.publish("n", 2))
        fleet.nats.start()
        await waiting
        await until(lambda: bob.texts == [1, 2])
        for name in fleet.names:
            await ready_is(fleet, name, 200)


@pytest.mark.parametrize("missing", ["redis", "nats"])
async def test_a_gateway_without_store_or_bus_says_so_and_ends_with_2(
    calm_fleet: Fleet, missing: str
) -> None:
    urls = {"redis": calm_fleet.redis_url, "nats": calm_fleet.nats_url}
    urls[missing] = f"{missing}://secret-user:secret-word@127.0.0.1:{free_port()}"
    begun = time.monotonic()
    done = await asyncio.to_thread(
        subprocess.run,
        [*_GATEWAY, "--redis", urls["redis"], "--nats", urls["nats"]],
        env={"SONDE_JWT_SECRET": SECRET, "PATH": "/usr/bin"} | _python_path(),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2
    assert time.monotonic() - begun < 8
    assert f"{missing.upper() if missing == 'nats' else 'Redis'} at 127.0.0.1" in done.stderr
    assert "secret-word" not in done.stderr
    assert done.stdout == ""


def _python_path() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(path for path in sys.path if path)}


async def test_a_gateway_waits_for_store_and_bus_when_told_to(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, 1)
    starting = asyncio.ensure_future(asyncio.to_thread(fleet.start_node, "n1"))
    await asyncio.sleep(0.5)
    assert not starting.done()
    fleet.redis.start()
    fleet.nats.start()
    try:
        await starting
        await ready_is(fleet, "n1", 200)
    finally:
        fleet.end()


# ------------------------------------------------------------ services


async def test_a_revocation_closes_every_connection_on_all_nodes_within_a_second(calm_fleet: Fleet) -> None:
    async with (
        Seat(calm_fleet.url_of("n1"), "eve"),
        Seat(calm_fleet.url_of("n1"), "rex") as one,
        Seat(calm_fleet.url_of("n3"), "rex") as two,
    ):
        await _tell_nats(calm_fleet, "sonde.v1.user.revoked", {"id": "rex", "cause": "banned"})
        await until(lambda: not one.is_live and not two.is_live, 1.0)
        for seat in (one, two):
            assert seat.client.status.state is ConnectionState.STOPPED


async def test_a_rename_shows_in_presence_within_a_second(calm_fleet: Fleet) -> None:
    async with Seat(calm_fleet.url_of("n1"), "eve") as eve, Seat(calm_fleet.url_of("n2"), "bob") as bob:
        await until(lambda: "bob" in eve.roster())
        await _tell_nats(calm_fleet, "sonde.v1.user.updated", {"id": "bob", "name": "Robert"})
        await until(lambda: {m.name for m in eve.room.members if m.user == "bob"} == {"Robert"}, 1.0)
        assert bob.is_live


async def test_a_backend_service_sees_goals_of_any_node_and_writes_the_score_for_all(fleet: Fleet) -> None:
    service = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLE), fleet.nats_url), stdout=asyncio.subprocess.PIPE
    )
    assert service.stdout is not None
    try:
        assert await asyncio.wait_for(service.stdout.readline(), 10) == b"ready\n"
        async with Seat(fleet.url_of("n1"), "ada") as ada, Seat(fleet.url_of("n3"), "bob") as bob:
            await asyncio.gather(
                *(seat.room.publish("goal", {"n": n}) for n in range(5) for seat in (ada, bob))
            )
            await bob.room.publish("goal", {"n": 5})
            for seat in (ada, bob):
                await until(lambda seat=seat: (seat.room.state or {}).get("score") == {"ada": 5, "bob": 6})
                await until(lambda seat=seat: {"leader": "bob", "goals": 6} in seat.texts)
            fleet.kill_node("n2")  # whoever answers the service's requests may go; another node does
            await ada.room.publish("goal", {"n": 6})
            await until(lambda: (bob.room.state or {}).get("score") == {"ada": 6, "bob": 6})
    finally:
        service.kill()
        await service.communicate()


async def _tell_nats(fleet: Fleet, subject: str, news: dict[str, Any]) -> None:
    import nats

    connection = await nats.connect(fleet.nats_url)
    await connection.publish(subject, json.dumps(news).encode())
    await connection.flush()
    await connection.close()


# ------------------------------------------------------------ all together


async def test_monitors_see_the_whole_fleet_and_a_killed_node_goes_from_it(fleet: Fleet) -> None:
    monitor = Client(fleet.url_of("n3"), mint("mon", "monitor"))
    async with Seat(fleet.url_of("n1"), "ada"), Seat(fleet.url_of("n2"), "bob"), monitor:
        sessions = await monitor.subscribe("$sessions")
        nodes = await monitor.subscribe("$nodes")
        await until(lambda: {row["node"] for row in (sessions.state or {}).values()} == {"n1", "n2", "n3"})
        await until(lambda: set(nodes.state or {}) == {"n1", "n2", "n3"})
        fleet.kill_node("n2")
        await until(lambda: set(nodes.state or {}) == {"n1", "n3"}, 12.0)
        await until(lambda: "n2" not in {row["node"] for row in sessions.state.values()}, 12.0)


@pytest.fixture
async def stormy(tmp_path: Path) -> AsyncIterator[Fleet]:
    with running_fleet(tmp_path, 3) as running:
        yield running


async def test_a_short_storm_leaves_every_history_right(stormy: Fleet) -> None:
    if stormy.haproxy is None:
        pytest.skip("needs haproxy")
    outcome = await run_storm(stormy, 7, clients=24, duration_s=12.0)
    assert outcome.wrong == []
    assert outcome.acknowledged > 200
    assert len(outcome.acts) >= 2
