from __future__ import annotations

from sonde_lab.moments import Moment, newest_row, row_of, wall_of
from sonde_lab.ring import Ring
from support.records import row


def ring_of(*times: float) -> Ring:
    ring = Ring(capacity=100)
    ring.extend([row(at=at) for at in times])
    return ring


def test_the_newest_row_of_a_time_is_the_last_that_came_until_then() -> None:
    ring = ring_of(1.0, 2.0, 2.0, 3.0)
    assert [newest_row(ring, at) for at in (1.0, 1.5, 2.0, 9.0)] == [0, 0, 2, 3]


def test_before_everything_there_is_no_row() -> None:
    assert newest_row(ring_of(1.0), 0.5) is None
    assert newest_row(Ring(), 0.5) is None


def test_a_row_that_was_pointed_at_belongs_to_its_moment_until_it_leaves_the_ring() -> None:
    ring = ring_of(1.0, 2.0, 2.0)
    assert row_of(ring, Moment(2.0, 1)) == 1
    assert row_of(ring, Moment(2.0, 77)) == 2


def test_the_time_of_day_goes_with_the_row_of_a_moment_and_before_all_with_the_oldest() -> None:
    ring = Ring(capacity=100)
    ring.extend([row(at=10.0, wall=1_000.0), row(at=20.0, wall=1_010.5)])
    assert [wall_of(ring, Moment(at)) for at in (5.0, 12.0, 21.0)] == [995.0, 1_002.0, 1_011.5]
    assert wall_of(ring, Moment(21.0, 0)) == 1_011.0
    assert wall_of(Ring(capacity=100), Moment(1.0)) is None
