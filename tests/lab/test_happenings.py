"""Lanes of own connections, faults, marks and drops: from rows as they come, in any portions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_client import ConnectionStatus
from sonde_lab.happenings import MOST_AT_ONCE, SETTLE_S, Happenings
from sonde_lab.records import Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.swim_lanes import LaneKind, TickKind
from sonde_lab.watch import state_in_words
from sonde_protocol.states import ConnectionState
from support.records import row

INJECTED = int(Flag.INJECTED)


def state(at: float, words: str, conn: str = "you") -> Record:
    return row("state", at, words.encode(), kind=Kind.STATE, conn=conn)


def act(at: float, words: str, conn: str = "you") -> Record:
    return row("act", at, words.encode(), kind=Kind.ACT, conn=conn, flags=INJECTED)


def close(at: float, words: str, flags: int = int(Flag.ERROR)) -> Record:
    return row("close", at, words.encode(), kind=Kind.CLOSE, code=4002, flags=flags)


STORY = [
    state(1, "dialing ws://h/v1/ws"),
    state(2, "live as you (player)"),
    act(10, "cut the socket of you"),
    close(10.1, "1006 abnormal — by the network"),
    state(10.1, "waiting 1.0 s before the next try"),
    state(11.1, "dialing ws://h/v1/ws, try 2"),
    state(11.5, "live as you (player)"),
    row("mark", 12, b"mark 1", kind=Kind.ACT, flags=int(Flag.MARKED)),
    row("event", 13, b"{}"),
]


def told(happenings: Happenings) -> dict[str, list[tuple[float, float | None, str]]]:
    return {
        lane.key: [(each.began, each.ended, each.status) for each in lane.stretches]
        for lane in happenings.lanes()
    }


def filled(*records: Record) -> tuple[Ring, Happenings]:
    ring = Ring(1_000)
    ring.extend(records)
    happenings = Happenings(ring)
    assert happenings.follow()
    return ring, happenings


def test_a_drop_is_told_from_its_act_to_the_live_connection_after_it() -> None:
    _, happenings = filled(*STORY)
    assert told(happenings) == {
        "conn:you": [
            (1, 2, "dialing"), (2, 10.1, "live"), (10.1, 11.1, "waiting"), (11.1, 11.5, "dialing"),
            (11.5, None, "live"),
        ],
        "faults": [(10, 11.5, "fault")],
    }  # fmt: skip
    ticks = [[(tick.kind, tick.row_id) for tick in lane.ticks] for lane in happenings.lanes()]
    assert ticks == [[(TickKind.DROP, 3)], [(TickKind.FAULT, 2), (TickKind.MARK, 7)]]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=12))
def test_it_does_not_matter_in_which_portions_rows_come(portions: list[int]) -> None:
    ring, left = Ring(1_000), list(STORY)
    happenings = Happenings(ring)
    for portion in [*portions, len(STORY)]:
        ring.extend(left[:portion])
        del left[:portion]
        happenings.follow()
    assert told(happenings) == told(filled(*STORY)[1])


def test_many_rows_that_tell_something_are_taken_in_a_few_at_a_time() -> None:
    ring = Ring(1_000)
    ring.extend([state(at, "live as you ()" if at % 2 else "waiting") for at in range(3 * MOST_AT_ONCE)])
    happenings = Happenings(ring)
    assert [happenings.follow() for _ in range(3)] == [False, False, True]
    assert len(told(happenings)["conn:you"]) == 3 * MOST_AT_ONCE


def test_a_fault_lasts_as_long_as_its_row_says() -> None:
    _, happenings = filled(state(1, "live as you ()"), act(5, "refuse the dials of you for 10 s"))
    happenings.settle(8)
    assert told(happenings)["faults"] == [(5, 15, "fault")]
    happenings.settle(20)
    assert told(happenings)["faults"] == [(5, 15, "fault")]


def test_a_fault_that_cuts_nothing_of_ours_was_a_moment() -> None:
    _, happenings = filled(state(1, "live as you ()"), act(5, "kick session s7f3"))
    happenings.settle(5 + SETTLE_S + 0.1)
    lane = happenings.lanes()[-1]
    assert (lane.kind, lane.stretches) == (LaneKind.FAULTS, ())
    assert [tick.words for tick in lane.ticks] == ["kick session s7f3"]


def test_a_calm_close_is_no_drop_and_ends_what_was() -> None:
    _, happenings = filled(state(1, "a client has connected from 127.0.0.1", "p1"), close(4, "1000", 0))
    assert [tick for lane in happenings.lanes() for tick in lane.ticks] == []
    ring, happenings = filled(state(1, "a client has connected from 127.0.0.1"), close(4, "1000 normal", 0))
    assert told(happenings) == {"conn:you": [(1, 4, "live")]}
    assert happenings.lanes()[0].stretches[0].how == "1000 normal"
    assert ring.next_id == 2


def test_marks_put_on_rows_later_come_and_go() -> None:
    ring, happenings = filled(*STORY)
    before = happenings.version
    ring.annotate(8, flags=Flag.MARKED)
    happenings.follow()
    assert happenings.version > before
    assert [tick.words for tick in happenings.lanes()[-1].ticks][-1] == "marked: row 9"
    ring.annotate(8, without=int(Flag.MARKED))
    happenings.follow()
    assert [tick.row_id for tick in happenings.lanes()[-1].ticks] == [2, 7]


def test_a_ring_that_was_cleared_leaves_nothing_of_before() -> None:
    ring, happenings = filled(*STORY)
    ring.clear()
    ring.append(state(50, "live as you ()"))
    happenings.follow()
    assert told(happenings) == {"conn:you": [(50, None, "live")]}


def test_the_same_capture_opened_again_is_told_once() -> None:
    ring, happenings = filled(*STORY)
    before = told(happenings)
    ring.clear()
    ring.extend(STORY)
    happenings.follow()
    assert told(happenings) == before


def test_without_news_nothing_is_made_anew() -> None:
    ring, happenings = filled(*STORY)
    version, lanes = happenings.version, happenings.lanes()
    ring.append(row("delta", 14))
    happenings.follow()
    assert happenings.version == version
    assert happenings.lanes()[0] is lanes[0]


@pytest.mark.parametrize("connection", ConnectionState)
def test_every_sentence_of_a_state_is_understood(connection: ConnectionState) -> None:
    _, happenings = filled(
        state(1, state_in_words(ConnectionStatus(state=connection, url="ws://h", user="you")))
    )
    assert happenings.lanes()[0].status not in ("unknown", "left")
