"""Taps: frames of others as rows of their own connections, and taps that outlive a reconnect."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.changes import Act, TapRow
from sonde_lab.endpoints import remote
from sonde_lab.expert import Expert
from sonde_lab.folding import View
from sonde_lab.recorder import Recorder
from sonde_lab.records import Direction, Flag, Record
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.summary import summarize
from sonde_lab.tapping import MAX_NAMES, Tapping
from sonde_lab.wire_items import MessageSeen
from sonde_protocol.states import ConnectionState
from support.open_workbench import Seen, live, opened, token
from support.processes import GatewayProcess

CHAT = {"op": "publish", "id": 7, "ch": "room:arena", "type": "chat", "d": {"text": "hi"}}


class Shown:
    """What a gateway shows, and the rows that it becomes."""

    def __init__(self) -> None:
        self.log = RowLog(Ring(2_000), lambda: 0.0)
        self.tapping = Tapping(self.log)
        self.own = Recorder("you", self.log)
        self.own.on_tapped = self.tapping.on_tapped

    def raw(self, payload: bytes, opcode: int = 1) -> list[Record]:
        item = MessageSeen(opcode, payload, 1, False, False, len(payload), len(payload) + 4, False, "", 1.0)
        before = self.log.ring.next_id
        self.own.on_message(item, Direction.IN)
        self.log.flush()
        return [self.log.ring.record(row_id) for row_id in range(before, self.log.ring.next_id)]

    def frame(self, **fields: Any) -> list[Record]:
        told = {
            "op": "tapped",
            "session": "s1",
            "user": "ada",
            "dir": "in",
            "time": 1,
            "size": 90,
            "frame": CHAT,
        }
        return self.raw(json.dumps(told | fields).encode())


def test_tapped_frame_is_one_row_of_its_own_connection_as_that_client_sees_it() -> None:
    (row,) = Shown().frame()
    assert (row.conn, row.direction, row.op, row.channel, row.command) == (
        "~ada", Direction.OUT, "publish", "room:arena", 7,
    )  # fmt: skip
    assert (row.size, row.wire_bytes, row.dial, row.flags) == (90, 0, 1, Flag.TAPPED)
    assert json.loads(row.payload) == CHAT
    assert summarize(row) == "chat “hi”"


def test_messagepack_is_read_like_json() -> None:
    told = {"op": "tapped", "session": "s1", "user": "ada", "dir": "out", "time": 1, "size": 5, "frame": CHAT}
    (row,) = Shown().raw(msgspec.msgpack.encode(told), opcode=2)
    assert (row.conn, row.direction, row.op, row.opcode) == ("~ada", Direction.IN, "publish", 2)


def test_frame_that_the_client_garbled_is_a_malformed_row_of_that_client() -> None:
    (row,) = Shown().frame(frame=None)
    assert (row.conn, row.flags) == ("~ada", Flag.TAPPED | Flag.MALFORMED)


@pytest.mark.parametrize(
    "wrong", [{"session": 3}, {"user": None}, {"dir": "up"}, {"size": -1}, {"size": "big"}]
)
def test_message_that_is_no_tapped_frame_stays_a_row_of_the_own_connection(wrong: dict[str, Any]) -> None:
    (row,) = Shown().frame(**wrong)
    assert (row.conn, row.op) == ("you", "tapped")


@given(st.binary(max_size=80), st.sampled_from([1, 2]))
def test_whatever_a_gateway_shows_is_a_row_and_never_an_exception(inner: bytes, opcode: int) -> None:
    payload = b'{"op":"tapped","session":"s","user":"u","dir":"in","size":1,"frame":%s}' % inner
    assert len(Shown().raw(payload, opcode)) == 1


def test_two_sessions_of_one_user_have_two_names_and_names_are_bounded() -> None:
    shown = Shown()
    names = [shown.frame(session=session)[0].conn for session in ("s1", "s2", "s1")]
    assert names == ["~ada", "~ada-2", "~ada"]
    for number in range(MAX_NAMES + 5):
        shown.frame(session=f"other{number}", user=f"u{number}")
    assert len(shown.tapping._recorders) == MAX_NAMES
    assert shown.frame(session="s3", user="\u202eevil\n")[0].conn == "~·evil·"


def test_tapped_deltas_fold_beside_own_ones_and_not_with_them() -> None:
    shown = Shown()
    delta = {"op": "delta", "ch": "room:arena", "seq": 1, "prev": 0, "time": 1, "d": {}}
    for _ in range(3):
        shown.frame(dir="out", frame=delta)
        shown.raw(json.dumps(delta).encode())
    view = View(shown.log.ring)
    view.update()
    assert [view.row(index).folded_count for index in range(len(view))] == [3, 3]


def test_hole_in_what_a_tap_shows_is_no_finding() -> None:
    shown = Shown()
    expert = Expert(shown.log.ring)
    for seq in (1, 2, 5):
        shown.frame(
            dir="out", frame={"op": "event", "ch": "room:a", "seq": seq, "prev": seq - 1, "type": "x"}
        )
    expert.update_all()
    assert list(expert.findings) == []


# ------------------------------------------------------------ on a real gateway


def rows_of(seen: Seen, conn: str) -> list[Record]:
    return [record for record in seen.records() if record.conn == conn]


@pytest.mark.slow
async def test_tap_shows_another_players_frames_until_it_is_ended() -> None:
    async with opened(players=1) as seen:
        await live(seen)
        assert seen.workbench.can(Act.UNTAP) == "Nothing is tapped."
        await seen.workbench.tap(user="ada")
        await seen.until(lambda: len({r.direction for r in rows_of(seen, "~ada")}) == 2)
        assert seen.all.taps == (TapRow(user="ada", client="you"),)
        assert all(r.flags & Flag.TAPPED for r in rows_of(seen, "~ada"))
        assert "tapped" not in {r.op for r in seen.records()}
        await seen.workbench.untap(user="ada")
        before = len(rows_of(seen, "~ada"))
        await seen.workbench.send('{"op":"sync","id":900,"ch":"room:arena"}')
        assert len(rows_of(seen, "~ada")) == before
        assert seen.all.taps == ()


@pytest.mark.slow
async def test_tap_comes_back_after_a_drop_and_goes_with_the_client_that_watches() -> None:
    async with opened(players=1) as seen:
        await live(seen)
        await seen.workbench.tap(user="ada", sample=0.9)
        seen.workbench.drop()
        await seen.until(lambda: [r.op for r in seen.records()].count("tap") >= 2)
        before = len(rows_of(seen, "~ada"))
        await seen.until(lambda: len(rows_of(seen, "~ada")) > before)
        seen.workbench.add_client()
        await seen.workbench.remove_client("you")
        seen.take()
        assert seen.all.taps == ()
        assert seen.workbench.can(Act.TAP) is not None


@pytest.mark.slow
async def test_without_the_role_monitor_a_tap_is_a_notice_that_says_why(gateway: GatewayProcess) -> None:
    async with opened(remote(gateway.url, token("player"))) as seen:
        await seen.until(lambda: seen.state is ConnectionState.LIVE)
        await seen.workbench.tap(user="ada")
        seen.take()
        assert seen.all.notices[-1].detail == "Needs a connected client whose token has the role monitor."
        assert "tap" not in {r.op for r in seen.records()}
