from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.landmarks import Landmark, Landmarks
from sonde_lab.records import Flag, Kind
from sonde_lab.ring import Ring
from support.scripted_workbench import Script, storm, story

FAULT, CLOSE = 27, 29  # rows of the story
LIVE = 34  # marked


def test_each_kind_is_found_in_both_directions() -> None:
    ring = Ring()
    ring.extend(story(2))
    marks = Landmarks(ring)
    rows = len(story())
    assert marks.next(Landmark.CLOSE, 0, 1) == CLOSE
    assert marks.next(Landmark.CLOSE, CLOSE, 1) == CLOSE + rows
    assert marks.next(Landmark.CLOSE, ring.next_id, -1) == CLOSE + rows
    assert marks.next(Landmark.FAULT, CLOSE, -1) == FAULT
    assert marks.next(Landmark.FAULT, FAULT, -1) is None
    assert marks.next(Landmark.MARK, 0, 1) == LIVE


def test_an_injected_frame_is_no_fault_of_its_own() -> None:
    ring = Ring()
    ring.extend([Script().frame("event", flags=Flag.INJECTED)])
    assert Landmarks(ring).next(Landmark.FAULT, -1, 1) is None


def test_rows_that_are_marked_commented_or_unmarked_later_are_known() -> None:
    ring = Ring()
    ring.extend(storm(10))
    marks = Landmarks(ring)
    assert marks.next(Landmark.MARK, 0, 1) is None
    ring.annotate(7, flags=Flag.MARKED)
    ring.comment(4, "here")
    assert [marks.next(Landmark.MARK, row, 1) for row in (0, 4, 7)] == [4, 7, None]
    ring.annotate(7, without=Flag.MARKED)
    assert marks.next(Landmark.MARK, 4, 1) is None


def test_what_has_left_memory_is_none_of_them() -> None:
    ring, script = Ring(capacity=100), Script()
    marks = Landmarks(ring)
    ring.extend([script.happening(Kind.CLOSE, "close", "gone", code=4002)])
    assert marks.next(Landmark.CLOSE, -1, 1) == 0
    ring.extend(storm(250, script))
    assert marks.next(Landmark.CLOSE, -1, 1) is None


def test_another_capture_has_others() -> None:
    ring, script = Ring(), Script()
    marks = Landmarks(ring)
    ring.extend([script.happening(Kind.CLOSE, "close", "gone", code=4002)])
    assert marks.next(Landmark.CLOSE, -1, 1) == 0
    ring.clear()
    ring.extend(storm(3, script))
    assert marks.next(Landmark.CLOSE, -1, 1) is None


@given(st.lists(st.lists(st.booleans(), max_size=12), max_size=8), st.integers(-2, 100))
def test_they_are_what_a_look_at_every_row_finds(batches: list[list[bool]], row_id: int) -> None:
    ring, script = Ring(capacity=40), Script()
    marks = Landmarks(ring)
    for batch in batches:
        ring.extend(
            [
                script.happening(Kind.CLOSE, "close", "gone", code=4002)
                if is_close
                else script.frame("event")
                for is_close in batch
            ]
        )
        closes = [row for row in ring.ids if ring.value("kind", row) == Kind.CLOSE]
        after, before = [row for row in closes if row > row_id], [row for row in closes if row < row_id]
        assert marks.next(Landmark.CLOSE, row_id, 1) == (after[0] if after else None)
        assert marks.next(Landmark.CLOSE, row_id, -1) == (before[-1] if before else None)
