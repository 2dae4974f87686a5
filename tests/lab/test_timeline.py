"""What a connection knew at any row: state, people, steps, differences and stretches."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from sonde_lab.capture.taken import Roster, Snapshot
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.timeline import MISSING, NEAR_ROWS, Changed, Line, Timeline, What
from support.records import row
from support.timeline_rows import delta, diff, frame, member, roster, snapshot

ARENA = Line("you", "room:arena")


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
    ticks = itertools.count()
    timeline._clock = lambda: float(next(ticks))
    slices = 1
    while not timeline.follow(1.5):
        slices += 1
    assert 10 < slices < 100
    assert timeline.is_ready
    assert documents(timeline, 900) == before
    assert [(line.conn, line.has_state, line.has_roster) for line in timeline.lines()] == [
        ("you", True, False)
    ]


def test_it_is_told_whether_an_answer_comes_at_once() -> None:
    deltas = [delta(seq, {"n": seq}) for seq in range(1, 4 * NEAR_ROWS)]
    timeline = timeline_of(snapshot(0, {"n": 0}), *deltas)
    assert not timeline.is_at_hand(ARENA, 2 * NEAR_ROWS)
    assert timeline.is_at_hand(ARENA, 5)  # a few rows make no difference
    timeline.state_at(ARENA, 2 * NEAR_ROWS)
    asked = (0, 2 * NEAR_ROWS, 2 * NEAR_ROWS + 5, 4 * NEAR_ROWS - 1)
    assert [timeline.is_at_hand(ARENA, row_id) for row_id in asked] == [True, True, True, False]
    timeline.follow(60.0)
    assert timeline.is_at_hand(ARENA, 4 * NEAR_ROWS - 1)


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


# ------------------------------------------------------------ what a capture kept beside its rows


def kept_timeline(*values: Any, rows: list[Record]) -> Timeline:
    timeline = Timeline(Ring(1_000))
    timeline.take_kept(values)
    timeline._ring.extend(rows)
    return timeline


def test_where_a_capture_begins_in_the_middle_its_kept_state_is_where_the_fold_begins() -> None:
    rows = [
        delta(6, {"a": 1}, at=10.0),
        delta(7, {"b": 2}, at=11.0),
        delta(8, {"c": 3}, at=12.0),
        snapshot(9, {"d": 4}, at=13.0),
    ]
    kept = kept_timeline(Snapshot(10.5, 0.0, "room:arena", 6, True, {"a": 1, "z": 0}), rows=rows)
    then = [kept.state_at(ARENA, row_id) for row_id in range(4)]
    assert [each.document for each in then[1:]] == [
        {"a": 1, "z": 0, "b": 2},
        {"a": 1, "z": 0, "b": 2, "c": 3},
        {"d": 4},
    ]
    assert ["As kept by the capture" in each.note for each in then] == [True, True, True, False]


def test_a_kept_state_counts_in_the_entries_since_that_change_nothing() -> None:
    rows = [frame("event", 7, at=1.0), frame("event", 8, at=2.0), delta(9, {"b": 2}, at=4.0)]
    kept = kept_timeline(Snapshot(3.0, 0.0, "room:arena", 6, True, {"a": 1}), rows=rows)
    assert documents(kept, 3) == [None, {"a": 1}, {"a": 1, "b": 2}]


def test_a_kept_state_that_is_older_than_a_change_above_it_is_not_used() -> None:
    rows = [delta(7, {"a": 2}, at=1.0), frame("event", 8, at=2.0)]
    kept = kept_timeline(Snapshot(1.5, 0.0, "room:arena", 6, True, {"a": 1}), rows=rows)
    assert documents(kept, 2) == [None, None]


def test_what_was_seen_is_believed_before_what_a_capture_says_of_it() -> None:
    rows = [snapshot(5, {"a": 1}, at=10.0), delta(6, {"a": 2}, at=12.0)]
    kept = kept_timeline(Snapshot(11.0, 0.0, "room:arena", 5, True, {"forged": 1}), rows=rows)
    assert documents(kept, 2) == [{"a": 1}, {"a": 2}]


def test_a_kept_roster_is_where_the_fold_of_presence_begins() -> None:
    rows = [
        row("ping", 9.0),
        diff(40, joins=[member("bo")], at=10.0),
        diff(42, joins=[member("cy")], at=11.0),
    ]
    kept = kept_timeline(Roster(8.0, 0.0, "room:arena", [member("ada")]), rows=rows)
    there = [[each.session for each in kept.roster_at(ARENA, row_id).members] for row_id in range(3)]
    assert there == [["ada"], ["ada", "bo"], []]
    assert [(s.session, s.began) for s in kept.spells(ARENA, 0.0, 20.0)] == [("ada", 9.0), ("bo", 10.0)]


@pytest.mark.parametrize("odd", [None, [1], "text", 7])
def test_an_odd_kept_value_is_left_out(odd: Any) -> None:
    rows = [delta(6, {"a": 1}, at=10.0), diff(1, at=10.0)]
    values = (Snapshot(1.0, 0.0, "room:arena", 5, None, odd), Roster(1.0, 0.0, "room:arena", odd))
    kept = kept_timeline(*values, rows=rows)
    assert kept.state_at(ARENA, 1).problem
    assert kept.roster_at(ARENA, 1).problem
