"""What a connection knew at any row: state, people, steps, differences and stretches."""

from __future__ import annotations

import json
from typing import Any

from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.timeline import MISSING, Changed, Line, Timeline, What
from support.records import row

ARENA = Line("you", "room:arena")


def frame(
    op: str, seq: int = -1, /, at: float = 0.0, row_of: dict[str, Any] | None = None, **wire: Any
) -> Record:
    """A frame of the room as it is received; `row_of` are fields of the row."""
    told = {"op": op, "ch": "room:arena", **({"seq": seq} if seq >= 0 else {}), **wire}
    fields = {"payload": json.dumps(told).encode(), "channel": "room:arena", "seq": seq, **(row_of or {})}
    return row(op, at, **fields)


def snapshot(seq: int, d: Any, **more: Any) -> Record:
    return frame("snapshot", seq, **{"epoch": "e", "d": d, "hash": None, **more})


def delta(seq: int, d: Any, **more: Any) -> Record:
    return frame("delta", seq, d=d, **more)


def member(session: str, status: str = "online", **more: Any) -> dict[str, Any]:
    told = {"session": session, "user": session, "name": session.title(), "device": None, "status": status}
    return {**told, "activity": None, "meta": None, "since": 1, "rtt_ms": None, "node": "n", **more}


def roster(number: int, *members: dict[str, Any], **more: Any) -> Record:
    return frame("presence", kind="snapshot", number=number, count=len(members), members=members, **more)


def diff(number: int, **more: Any) -> Record:
    told = {"joins": [], "updates": [], "leaves": [], **more}
    return frame("presence", kind="diff", number=number, count=1, **told)


def close(at: float = 0.0, dial: int = 1) -> Record:
    return row("close", at, b"gone", kind=Kind.CLOSE, direction=Direction.NONE, opcode=0, dial=dial)


def timeline_of(*records: Record, capacity: int = 1_000) -> Timeline:
    ring = Ring(capacity)
    ring.extend(records)
    return Timeline(ring)


def documents(timeline: Timeline, count: int) -> list[Any]:
    return [timeline.state_at(ARENA, row_id).document for row_id in range(count)]


def test_the_state_at_any_row_is_the_snapshot_and_the_deltas_since() -> None:
    timeline = timeline_of(
        row("ping"), snapshot(5, {"a": 1}), delta(6, {"b": 2}), row("ping"), delta(7, {"a": None})
    )
    assert documents(timeline, 5) == [None, {"a": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2}, {"b": 2}]
    then = timeline.state_at(ARENA, 3)
    assert (then.seq, then.row_id, then.problem, then.note) == (6, 2, "", "")


def test_before_the_first_snapshot_nothing_is_known() -> None:
    timeline = timeline_of(delta(6, {"b": 2}), snapshot(7, {}))
    assert "begins with a snapshot" in timeline.state_at(ARENA, 0).problem
    assert timeline.state_at(ARENA, 1).document == {}


def test_a_gap_leaves_the_state_unknown_until_it_is_filled_or_replaced() -> None:
    timeline = timeline_of(
        snapshot(5, {"a": 1}), delta(7, {"a": 2}), delta(6, {"b": 1}), delta(9, {}), snapshot(9, {"c": 1})
    )
    assert "entry 6 of this channel was not seen" in timeline.state_at(ARENA, 1).problem
    assert timeline.state_at(ARENA, 2).document == {"a": 1, "b": 1}
    assert timeline.state_at(ARENA, 3).document is None
    assert timeline.state_at(ARENA, 4).document == {"c": 1}


def test_after_the_connection_has_ended_the_state_is_as_it_was_last_seen() -> None:
    timeline = timeline_of(
        snapshot(5, {"a": 1}), close(), row("ping"), delta(6, {"a": 2}, row_of={"dial": 2})
    )
    then = timeline.state_at(ARENA, 2)
    assert then.document == {"a": 1}
    assert then.note == "As last seen at row 1: the connection ended at row 2."
    assert timeline.state_at(ARENA, 3).note == ""


def test_who_was_there_is_the_roster_and_the_diffs_since() -> None:
    timeline = timeline_of(
        roster(1, member("ada")),
        diff(2, joins=[member("bo")]),
        diff(3, leaves=[{"session": "ada", "user": "ada", "reason": "left"}]),
        diff(9, joins=[member("cy")]),
    )
    there = [[each.session for each in timeline.roster_at(ARENA, row_id).members] for row_id in range(4)]
    assert there == [["ada"], ["ada", "bo"], ["bo"], []]
    assert "came after" in timeline.roster_at(ARENA, 3).problem


def test_a_step_goes_to_the_next_and_to_the_previous_change() -> None:
    timeline = timeline_of(
        snapshot(1, {}),
        row("ping"),
        delta(2, {"a": 1}),
        delta(2, {"a": 1}),
        roster(1, member("ada")),
        row("ping"),
    )
    assert [timeline.step(ARENA, 0, +1, what) for what in What] == [2, 4, 2]
    assert [timeline.step(ARENA, 5, -1, what) for what in What] == [2, 4, 4]
    assert timeline.step(ARENA, 4, +1) is None
    assert timeline.step(ARENA, 0, -1) is None


def test_between_two_moments_are_the_values_and_the_people_that_differ() -> None:
    timeline = timeline_of(
        snapshot(1, {"a": 1, "b": {"x": 1}}),
        roster(1, member("ada"), member("bo")),
        delta(2, {"a": None, "b": {"x": 2}, "c": 3}),
        roster(2, member("bo", "away"), member("cy")),
    )
    found = timeline.between(ARENA, 1, 3)
    assert set(found.values) == {
        Changed(("a",), 1, MISSING),
        Changed(("b", "x"), 1, 2),
        Changed(("c",), MISSING, 3),
    }
    assert [each.session for each in (*found.came, *found.went)] == ["cy", "ada"]
    assert [(old.status, new.status) for old, new in found.changed] == [("online", "away")]


def test_stretches_tell_how_long_who_was_what_and_how_it_ended() -> None:
    timeline = timeline_of(
        roster(1, member("ada"), member("bo"), at=1.0),
        diff(2, updates=[member("ada", "away")], at=2.0),
        diff(3, leaves=[{"session": "ada", "user": "ada", "reason": "timeout"}], at=3.0),
        close(4.0),
        roster(7, member("cy"), at=6.0, row_of={"dial": 2}),
    )
    told = [(s.session, s.status, s.began, s.ended, s.how) for s in timeline.spells(ARENA, 0.0, 9.0)]
    assert told == [
        ("ada", "online", 1.0, 2.0, "changed"),
        ("bo", "online", 1.0, 6.0, "gone while away"),
        ("ada", "away", 2.0, 3.0, "timeout"),
        ("cy", "online", 6.0, None, ""),
    ]
    assert [s.session for s in timeline.spells(ARENA, 3.5, 5.0)] == ["bo"]


def test_rows_that_have_left_memory_leave_what_stood_there() -> None:
    timeline = timeline_of(snapshot(0, {"n": 0}), capacity=64)
    ring = timeline._ring
    for seq in range(1, 400):
        ring.append(delta(seq, {"n": seq}))
    assert ring.evicted
    for row_id in ring.ids:
        assert timeline.state_at(ARENA, row_id).document == {"n": row_id}
    assert "left memory" in timeline.state_at(ARENA, ring.first_id - 1).problem


def test_following_in_slices_ends_and_answers_the_same() -> None:
    timeline = timeline_of(snapshot(0, {"n": 0}), *[delta(seq, {"n": seq}) for seq in range(1, 900)])
    before = documents(timeline_of(*[timeline._ring.record(each) for each in range(900)]), 900)
    for _ in range(1_000):
        if timeline.follow(0.0):
            break
    else:
        timeline.follow(10.0)
    assert timeline.is_ready
    assert documents(timeline, 900) == before
    assert [(line.conn, line.has_state, line.has_roster) for line in timeline.lines()] == [
        ("you", True, False)
    ]


def test_a_cleared_ring_is_forgotten() -> None:
    timeline = timeline_of(snapshot(0, {"n": 0}))
    timeline.follow(1.0)
    timeline._ring.clear()
    timeline._ring.append(row("ping"))
    assert timeline.lines() == ()
    assert timeline.state_at(ARENA, timeline._ring.first_id).problem


def test_a_cut_payload_leaves_the_state_unknown_even_over_a_resume() -> None:
    cut = delta(6, {"a": 2}, row_of={"flags": int(Flag.TRUNCATED)})
    timeline = timeline_of(snapshot(5, {"a": 1}), cut, delta(7, {"b": 1}))
    assert ["Only a part" in timeline.state_at(ARENA, each).problem for each in (1, 2)] == [True, True]
