"""A document that is not the gateway's: a real gateway, and a hop that alters one delta."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sonde_client.events import StateDiverged, StateDoubted
from sonde_lab.divergence import DOUBTED, REPAIRED, Divergences, paths_in_words
from sonde_lab.endpoints import remote
from sonde_lab.expert import kinds
from sonde_lab.expert.judging import Expert
from sonde_lab.notices import NoticeBoard
from sonde_lab.recorder import Recorder
from sonde_lab.records import Flag, Kind
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.wording import one_line
from support.open_workbench import Seen, opened, token
from support.processes import GatewayProcess, running_gateway
from support.tampering import tampering

# ------------------------------------------------------------------ end to end


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    with running_gateway(env={"SONDE_HASH_EVERY": "2"}) as running:
        yield running


def alter_x(payload: bytes) -> bytes | None:
    """Another x, of another length, in the first delta that has one."""
    frame = json.loads(payload)
    if frame["op"] != "delta" or "players" not in frame["d"]:
        return None
    frame["d"]["players"]["tester"]["x"] = 999.25
    return json.dumps(frame).encode()


async def step(seen: Seen, x: float) -> None:
    await (
        seen.workbench.clients["you"].channels["room:arena"].patch({"players": {"tester": {"x": x, "y": 2}}})
    )
    seen.take()


@pytest.mark.slow
async def test_an_altered_delta_is_found_named_and_mended(gateway: GatewayProcess) -> None:
    async with tampering(gateway.port) as hop, opened(remote(hop.url, token("player"))) as seen:
        await seen.until(lambda: "room:arena" in seen.workbench.clients["you"].channels)
        await seen.until(lambda: "room:arena" in seen.all.documents, "a document")
        await step(seen, 1.0)
        await step(seen, 2.0)
        assert seen.all.divergences == []
        hop.alter = alter_x
        await step(seen, 3.0)
        await seen.workbench.clients["you"].channels["room:arena"].patch({"players": {"tester": {"y": 3}}})
        await seen.until(lambda: any(alarm.is_over for alarm in seen.all.divergences), "an alarm that ends")
        assert hop.altered == 1
        began, ended = seen.all.divergences[0], seen.all.divergences[-1]
        assert (began.channel, began.seq, ended.seq) == ("room:arena", ended.seq, began.seq)
        assert ended.paths == (("players", "tester", "x"),)
        await seen.until(lambda: seen.all.documents["room:arena"].hash_ok, "the gateway's document")
        assert seen.all.documents["room:arena"].state["players"]["tester"] == {"x": 3.0, "y": 3}
        rows = {record.op: record for record in seen.records() if record.kind == Kind.NOTE}
        assert all(rows[op].flags & Flag.ERROR for op in (DOUBTED, REPAIRED))
        assert rows[REPAIRED].payload.endswith(b"1 path differed: players.tester.x")
        assert rows[REPAIRED].channel == "room:arena"
        assert seen.causes() == ["state_diverged", "state_repaired"]
        expert = Expert(seen.workbench.ring)
        expert.update_all()
        assert "state_diverged" in [finding.kind.name for finding in expert.findings]


# ------------------------------------------------------------------ the alarms themselves


class FakeStore:
    def __init__(self) -> None:
        self.views: dict[str, object] = {}

    def channel(self, ch: str) -> object | None:
        return self.views.get(ch)


class View:
    cursor = None

    def __init__(self, hash_ok: bool | None) -> None:
        self.hash_ok = hash_ok


class FakeClient:
    def __init__(self) -> None:
        self.store = FakeStore()
        self.store.views["room:a"] = View(False)

    def now(self) -> float:
        return 5.0


@pytest.fixture
def rig() -> tuple[FakeClient, Divergences, Ring]:
    client, ring = FakeClient(), Ring()
    log = RowLog(ring, client.now)
    return client, Divergences(client, Recorder("you", log), NoticeBoard(log.wall)), ring  # type: ignore[arg-type]


def test_a_second_wrong_hash_is_the_same_alarm(rig: tuple[FakeClient, Divergences, Ring]) -> None:
    _, alarms, _ = rig
    alarms.on_doubted(StateDoubted("room:a", 96, "hash a instead of b"))
    alarms.on_doubted(StateDoubted("room:a", 98, "hash c instead of d"))
    assert [alarm.seq for alarm in alarms.take()] == [96]


def test_an_alarm_that_no_path_explains_ends_when_a_hash_is_right(
    rig: tuple[FakeClient, Divergences, Ring],
) -> None:
    client, alarms, _ = rig
    alarms.on_doubted(StateDoubted("room:a", 96, "hash a instead of b"))
    assert [alarm.is_over for alarm in alarms.take()] == [False]
    client.store.views["room:a"] = View(True)
    assert [(alarm.is_over, alarm.paths) for alarm in alarms.take()] == [(True, ())]


def test_a_repair_without_an_alarm_says_nothing(rig: tuple[FakeClient, Divergences, Ring]) -> None:
    _, alarms, _ = rig
    alarms.on_diverged(StateDiverged("room:a", 5, [("x",)]))
    assert alarms.take() == []


def test_alarms_and_their_paths_are_bounded(rig: tuple[FakeClient, Divergences, Ring]) -> None:
    _, alarms, _ = rig
    for seq in range(500):
        alarms.on_doubted(StateDoubted("room:a", seq, "x"))
        alarms.on_diverged(StateDiverged("room:a", seq, [(str(at),) for at in range(1_000)]))
    taken = alarms.take()
    assert len(taken) == len(alarms.past) == 64
    assert (len(taken[-1].paths), taken[-1].count) == (200, 1_000)


def test_paths_are_told_in_words_and_hostile_ones_on_one_line() -> None:
    assert paths_in_words((("players", "ada", "x"),), 1) == "1 path differed: players.ada.x"
    assert paths_in_words(((),), 1) == "1 path differed: the whole document"
    assert paths_in_words((), 0) == "no path differed any more"
    many = tuple((str(at),) for at in range(9))
    assert paths_in_words(many, 9).endswith("5 and 3 more")
    assert one_line(paths_in_words((("a\nb\u202e",),), 1)) == paths_in_words((("a\nb\u202e",),), 1)


def test_the_finding_is_an_error() -> None:
    assert kinds.KINDS["state_diverged"].severity is kinds.Severity.ERROR
