"""Round trips as rows tell them."""

from __future__ import annotations

import pytest

from sonde_lab import row_trips
from sonde_lab.records import Direction, Flag
from sonde_lab.ring import Ring
from sonde_lab.row_trips import RowTrips
from support.records import row


def test_answers_that_were_matched_are_samples_in_order_of_time_each_once() -> None:
    ring = Ring()
    trips = RowTrips(ring)
    ring.extend(
        [
            row("publish", 1.0, direction=Direction.OUT, rtt_ms=40.0),
            row("reply", 1.04, rtt_ms=40.0),
            row("event", 1.05),
            row("reply", 1.03, rtt_ms=20.0),
            row("reply", 1.06, rtt_ms=9.0, flags=int(Flag.TAPPED)),
        ]
    )
    assert [tuple(each)[:2] for each in trips.take()] == [(1.03, 20.0), (1.04, 40.0)]
    assert trips.take() == []


def test_many_rows_are_looked_at_in_parts_and_none_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_trips, "CHUNK_ROWS", 10)
    ring = Ring()
    trips = RowTrips(ring)
    ring.extend([row("reply", float(at), rtt_ms=1.0) for at in range(35)])
    assert [len(trips.take()) for _ in range(5)] == [10, 10, 10, 5, 0]
