"""Cursors, the reorder buffer and the verdict on a resume."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_protocol.codes import Cause, Verdict
from sonde_protocol.cursor import Arrival, Cursor, CursorTracker, ReorderBuffer, resume_verdict

# ---------------------------------------------------------------- tracker


def at(seq: int) -> CursorTracker:
    return CursorTracker(Cursor("e1", seq))


def test_the_next_entry_moves_the_cursor() -> None:
    tracker = at(4)
    assert tracker.entry(5) is Arrival.NEXT
    assert tracker.cursor == Cursor("e1", 5)


@pytest.mark.parametrize("seq", [1, 4])
def test_an_entry_at_or_below_the_cursor_is_a_duplicate(seq: int) -> None:
    tracker = at(4)
    assert tracker.entry(seq) is Arrival.DUPLICATE
    assert tracker.cursor == Cursor("e1", 4)


@pytest.mark.parametrize("prev", [None, 5])
def test_an_unexplained_jump_is_a_hole_and_moves_nothing(prev: int | None) -> None:
    tracker = at(4)
    assert tracker.entry(7, prev) is Arrival.HOLE
    assert tracker.cursor == Cursor("e1", 4)


@pytest.mark.parametrize("prev", [0, 4])
def test_a_prev_at_or_below_the_cursor_explains_a_jump(prev: int) -> None:
    tracker = at(4)
    assert tracker.entry(7, prev) is Arrival.NEXT
    assert tracker.cursor == Cursor("e1", 7)


def test_without_a_base_every_entry_is_a_hole() -> None:
    tracker = CursorTracker()
    assert tracker.entry(1) is Arrival.HOLE
    assert tracker.cursor is None


def test_a_snapshot_sets_the_cursor_backwards_too() -> None:
    tracker = at(4)
    tracker.rebase("e2", 1)
    assert tracker.cursor == Cursor("e2", 1)


@pytest.mark.parametrize("tracker", [CursorTracker(), at(9)])
def test_a_live_of_an_epoch_without_base_is_the_base(tracker: CursorTracker) -> None:
    assert tracker.live("e2", 3) is Arrival.NEXT
    assert tracker.cursor == Cursor("e2", 3)


@pytest.mark.parametrize(
    ("seq", "arrival", "after"), [(4, Arrival.NEXT, 4), (3, Arrival.DUPLICATE, 4), (6, Arrival.HOLE, 6)]
)
def test_a_live_never_leaves_the_cursor_behind(seq: int, arrival: Arrival, after: int) -> None:
    tracker = at(4)
    assert tracker.live("e1", seq) is arrival
    assert tracker.cursor == Cursor("e1", after)


# ---------------------------------------------------------------- reorder buffer


def within_window(draw: st.DrawFn, count: int, window: int) -> list[int]:
    """A permutation of 1..count in which at most `window` entries wait for an earlier one."""
    left = list(range(1, count + 1))
    order = []
    while left:
        furthest = next((i for i, seq in enumerate(left) if seq > left[0] + window), len(left))
        order.append(left.pop(draw(st.integers(0, furthest - 1))))
    return order


@given(st.data(), st.integers(0, 30), st.integers(1, 8))
def test_any_permutation_within_the_window_comes_out_in_order(
    data: st.DataObject, count: int, limit: int
) -> None:
    buffer: ReorderBuffer[int] = ReorderBuffer(0, limit)
    released = []
    for seq in within_window(data.draw, count, limit):
        assert not buffer.overflowing or buffer.missing() is not None
        released += buffer.offer(seq, seq)
    assert released == list(range(1, count + 1))
    assert buffer.missing() is None


@given(st.lists(st.integers(-3, 40), max_size=80), st.integers(1, 6))
def test_whatever_is_offered_the_output_is_contiguous_and_the_buffer_bounded(
    seqs: list[int], limit: int
) -> None:
    buffer: ReorderBuffer[int] = ReorderBuffer(2, limit)
    released = []
    for seq in seqs:
        released += buffer.offer(seq, seq)
    gap = buffer.missing()
    while gap is not None:  # what a repair from the store does
        for seq in gap:
            released += buffer.offer(seq, seq)
        gap = buffer.missing()
    assert released == list(range(3, max([2, *seqs]) + 1))


def test_a_gap_is_named() -> None:
    buffer: ReorderBuffer[str] = ReorderBuffer(10)
    assert buffer.offer(14, "n") == []
    assert buffer.missing() == range(11, 14)


def test_repeats_are_dropped_and_the_first_copy_counts() -> None:
    buffer: ReorderBuffer[str] = ReorderBuffer(0)
    assert buffer.offer(2, "first") == []
    assert buffer.offer(2, "second") == []
    assert buffer.offer(1, "one") == ["one", "first"]
    assert buffer.offer(1, "again") == []


def test_a_full_buffer_says_so_and_names_later_what_it_dropped() -> None:
    buffer: ReorderBuffer[int] = ReorderBuffer(0, limit=2)
    for seq in (3, 4, 5):
        assert buffer.offer(seq, seq) == []
    assert buffer.overflowing
    assert buffer.skip_to(2) == [3, 4]
    assert not buffer.overflowing
    assert buffer.missing() == range(5, 6)


def test_a_snapshot_lets_go_what_waited_behind_it() -> None:
    buffer: ReorderBuffer[int] = ReorderBuffer(0)
    for seq in (3, 5, 6, 9):
        buffer.offer(seq, seq)
    assert buffer.skip_to(4) == [5, 6]
    assert buffer.skip_to(2) == []
    assert buffer.missing() == range(7, 9)


# ---------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("cursor", "top", "first", "verdict"),
    [
        (None, 10, 1, (Verdict.SNAPSHOT, Cause.NO_CURSOR)),
        (Cursor("old", 10), 10, 1, (Verdict.SNAPSHOT, Cause.EPOCH_CHANGED)),
        (Cursor("now", 11), 10, 1, (Verdict.SNAPSHOT, Cause.AHEAD)),
        (Cursor("now", 3), 10, 5, (Verdict.SNAPSHOT, Cause.TRIMMED)),
        (Cursor("now", 4), 10, 5, (Verdict.REPLAY, Cause.OK)),
        (Cursor("now", 5), 10, 1, (Verdict.REPLAY, Cause.OK)),
        (Cursor("now", 4), 10, 1, (Verdict.SNAPSHOT, Cause.TOO_FAR)),
        (Cursor("now", 10), 10, 11, (Verdict.REPLAY, Cause.OK)),
        (Cursor("now", 9), 10, 11, (Verdict.SNAPSHOT, Cause.TRIMMED)),
        (Cursor("now", 0), 0, 1, (Verdict.REPLAY, Cause.OK)),
    ],
)
def test_a_cursor_is_replayed_exactly_or_gets_a_snapshot_with_its_cause(
    cursor: Cursor | None, top: int, first: int, verdict: tuple[Verdict, Cause]
) -> None:
    cap = 6 if first == 5 else 5
    assert resume_verdict(cursor, "now", top, first, cap) == verdict


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 31), st.integers(0, 30))
def test_a_replay_is_promised_only_where_every_missed_entry_is_kept(
    seq: int, top: int, trimmed: int, cap: int
) -> None:
    first = min(trimmed, top) + 1
    verdict, _ = resume_verdict(Cursor("e", seq), "e", top, first, cap)
    kept = set(range(first, top + 1))
    missed = set(range(seq + 1, top + 1))
    assert (verdict is Verdict.REPLAY) == (seq <= top and missed <= kept and len(missed) <= cap)
