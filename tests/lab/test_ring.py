"""The ring against a plain list of records."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_lab.names import Names
from sonde_lab.records import Flag, Record
from sonde_lab.ring import Ring
from support.records import row

payloads = st.binary(max_size=40)
records = st.builds(
    row,
    op=st.sampled_from(["event", "delta", "ping"]),
    at=st.floats(0, 1e6),
    payload=payloads,
    conn=st.sampled_from(["you", "ada"]),
    channel=st.sampled_from(["", "room:arena"]),
    seq=st.integers(-1, 2**53),
    command=st.integers(-1, 2**53),
    code=st.integers(0, 4999),
    flags=st.integers(0, 2047).map(lambda flags: flags & ~int(Flag.TRUNCATED)),
)


def same(a: Record, b: Record) -> bool:
    fields = [name for name in Record.__slots__ if name != "rtt_ms"]
    return all(getattr(a, name) == getattr(b, name) for name in fields) and (
        a.rtt_ms == b.rtt_ms or (math.isnan(a.rtt_ms) and math.isnan(b.rtt_ms))
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(records, max_size=30), max_size=25),
    st.integers(1, 70),
    st.integers(200, 2_000),
)
def test_ring_is_the_tail_of_a_list_whatever_is_put_in(
    batches: list[list[Record]], capacity: int, max_bytes: int
) -> None:
    ring, model = Ring(capacity, max_bytes), []
    for batch in batches:
        ids = ring.extend(batch)
        assert ids == range(len(model), len(model) + len(batch))
        model.extend(batch)
        assert ring.next_id == len(model)
        assert len(ring) <= capacity
        assert ring.stored_bytes <= max_bytes
        assert ring.first_id == ring.evicted
        assert sum(len(ring.payload(i)) for i in ring.ids) == ring.stored_bytes
        for row_id in ring.ids:
            assert same(ring.record(row_id), model[row_id])
        assert ring.column("at").tolist() == [r.at for r in model[ring.first_id :]]
        assert [ring.names.text(n) for n in ring.column("conn")] == [r.conn for r in model[ring.first_id :]]


def test_ring_keeps_the_newest_rows_and_evicts_in_blocks() -> None:
    ring = Ring(capacity=160)
    for number in range(1_000):
        ring.append(row(at=float(number)))
    assert 150 <= len(ring) <= 160
    assert ring.column("at")[-1] == 999.0
    with pytest.raises(KeyError):
        ring.record(ring.first_id - 1)
    with pytest.raises(KeyError):
        ring.payload(ring.next_id)


def test_columns_that_are_moved_at_different_times_stay_rows() -> None:
    ring = Ring(capacity=400)
    model = [
        row(
            f"op{n % 7}",
            float(n),
            b"%d" % n,
            conn=f"c{n % 3}",
            seq=n,
            command=2 * n,
            code=n,
            wire_bytes=n + 6,
        )
        for n in range(3_000)
    ]
    for first in range(0, 3_000, 15):
        ring.extend(model[first : first + 15])
        assert same(ring.record(ring.first_id), model[ring.first_id])
        assert ring.column("seq").tolist() == list(ring.ids)
    assert all(same(ring.record(row_id), model[row_id]) for row_id in ring.ids)
    assert len(set(ring._fronts.values())) > 2


def test_payload_over_a_quarter_of_the_ring_is_cut_and_says_so() -> None:
    ring = Ring(max_bytes=400)
    kept = ring.record(ring.append(row(payload=b"x" * 101)))
    assert kept.payload == b"x" * 100
    assert kept.size == 101
    assert kept.flags & Flag.TRUNCATED


def test_annotation_reaches_a_row_that_is_there_and_spares_one_that_has_gone() -> None:
    ring = Ring(capacity=2)
    ring.extend([row(), row(), row(), row()])
    before = ring.touches
    ring.annotate(0, rtt_ms=5.0)
    ring.annotate(3, rtt_ms=8.4, flags=Flag.MARKED)
    assert ring.touched_since(before) == [3]
    assert ring.record(3).rtt_ms == 8.4
    assert ring.record(3).flags & Flag.MARKED


def test_touches_beyond_memory_name_the_oldest_row() -> None:
    ring = Ring()
    ring.extend([row() for _ in range(10)])
    for _ in range(5_000):
        ring.annotate(9, rtt_ms=1.0)
    assert ring.touched_since(0)[0] == ring.first_id
    assert ring.touched_since(ring.touches) == []


def test_columns_cannot_be_written_from_outside() -> None:
    ring = Ring()
    ring.append(row())
    with pytest.raises(ValueError, match="read-only"):
        ring.column("at")[0] = 1.0
    ring.append(row(at=2.0))
    assert np.array_equal(ring.column("at"), [0.0, 2.0])


def test_ring_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="room"):
        Ring(capacity=0)


def test_names_end_at_their_limit_and_cut_long_texts() -> None:
    names = Names(limit=4)
    assert [names.intern(text) for text in ("a", "b", "c", "a")] == [2, 3, 1, 2]
    assert names.text(1) == "(other)"
    long = Names()
    assert long.text(long.intern("x" * 500)) == "x" * 128
    assert long.intern("x" * 400) == long.intern("x" * 500)
    assert long.number("nobody") is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=6), min_size=1, max_size=12), st.integers(4, 40)
)
def test_rows_bear_the_numbers_that_they_came_with(batches: list[list[int]], capacity: int) -> None:
    ring = Ring(capacity)
    numbers: list[int] = []
    for steps in batches:
        begin = numbers[-1] if numbers else 100
        some = [begin + sum(steps[: place + 1]) for place in range(len(steps))]
        ring.extend([row() for _ in some], some)
        numbers += some
    kept = numbers[-len(ring) :]
    assert ring.numbers(ring.ids).tolist() == kept
    assert [(ring.number(row_id), ring.label(row_id)) for row_id in ring.ids] == [(n, n + 1) for n in kept]
    assert [ring.id_of(number) for number in kept] == list(ring.ids)
    assert ring.id_of(kept[-1] + 1) is None
    assert len(ring._numbered) <= len(ring) + 6  # those of rows that went go with the next batch
