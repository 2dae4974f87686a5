"""The newest message of each kind: what is one kind, what is counted, and that batches make no difference."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_lab.filter import Filter
from sonde_lab.latest import Latest
from sonde_lab.records import Direction, Kind, Record
from sonde_lab.ring import Ring
from support.records import delta, heartbeat, row


def event(name: str, at: float = 0.0, **columns: Any) -> Record:
    return row("event", at, json.dumps({"op": "event", "type": name}).encode(), **columns)


def ring_of(*rows: Record) -> Ring:
    ring = Ring()
    ring.extend(rows)
    return ring


def taken(ring: Ring, text: str = "", batch: int = 4_096) -> Latest:
    latest = Latest(ring, Filter(text))
    while latest.update(batch):
        pass
    return latest


def kinds(latest: Latest) -> dict[tuple[str, str, str, str], tuple[int, int]]:
    return {
        (each.conn, each.channel, each.op, each.type): (each.count, each.row_id)
        for each in sorted(latest, key=lambda each: each.number)
    }


def test_a_kind_is_a_connection_a_channel_and_a_type() -> None:
    ring = ring_of(
        event("chat", channel="room:a"),
        event("chat", channel="room:a"),
        event("hit", channel="room:a"),
        event("chat", channel="room:b"),
        event("chat", channel="room:a", conn="p1"),
        delta(),
        heartbeat(),
        row("close", kind=Kind.CLOSE, direction=Direction.NONE),
    )
    assert kinds(taken(ring)) == {
        ("you", "room:a", "event", "chat"): (2, 1),
        ("you", "room:a", "event", "hit"): (1, 2),
        ("you", "room:b", "event", "chat"): (1, 3),
        ("p1", "room:a", "event", "chat"): (1, 4),
        ("you", "room:arena", "delta", ""): (1, 5),
        ("you", "", "ping", ""): (1, 6),
    }


def test_what_was_sent_and_what_was_received_are_two_kinds() -> None:
    latest = taken(ring_of(heartbeat(), heartbeat(direction=Direction.OUT)))
    assert [each.direction for each in latest] == [Direction.IN, Direction.OUT]


def test_a_published_key_parts_kinds() -> None:
    rows = [row("publish", payload=json.dumps({"type": "pos", "key": who}).encode()) for who in "aba"]
    assert {(each.type, each.key): each.count for each in taken(ring_of(*rows))} == {
        ("pos", "a"): 2,
        ("pos", "b"): 1,
    }


def test_only_rows_of_the_filter_are_counted() -> None:
    ring = ring_of(event("chat", size=10), event("chat", size=900), event("hit", size=900))
    latest = taken(ring, "size>500 type:chat")
    assert kinds(latest) == {("you", "", "event", "chat"): (1, 1)}
    latest.set_filter(Filter("type:hit"))
    latest.update()
    assert kinds(latest) == {("you", "", "event", "hit"): (1, 2)}


def test_a_row_that_matches_by_its_answer_is_taken_when_that_has_come() -> None:
    ring = ring_of(row("publish", direction=Direction.OUT), row("publish", direction=Direction.OUT))
    latest = taken(ring, "rtt>1s")
    assert len(latest) == 0
    ring.annotate(0, rtt_ms=2_000.0)
    latest.update()
    ring.annotate(0, flags=8)  # the same row again
    latest.update()
    assert [(each.count, each.row_id) for each in latest] == [(1, 0)]


def test_the_rate_is_of_the_last_seconds() -> None:
    rows = [event("move", at / 10) for at in range(100)]  # ten a second until 9.9
    [entry] = taken(ring_of(*rows))
    assert 9.0 <= entry.rate(10.0) <= 11.0
    assert entry.rate(20.0) == 0.0


def test_of_too_many_kinds_the_one_that_changed_longest_ago_leaves() -> None:
    ring = ring_of(*[event(f"t{at}", channel=f"room:{at}") for at in (0, 1, 2, 0, 3)])
    latest = Latest(ring, max_keys=3)
    while latest.update(1):
        pass
    assert [each.type for each in latest] == ["t2", "t0", "t3"]
    assert latest.forgotten == 1


def test_the_filter_of_a_kind_shows_its_messages() -> None:
    ring = ring_of(event("chat", channel="room:a"), event("hit", channel="room:a"), event("chat"))
    first = next(each for each in taken(ring) if each.channel and each.type == "chat")
    assert first.filter_text == "conn:you dir:in ch:room:a op:event type:chat"
    assert Filter(first.filter_text).matching(ring).tolist() == [True, False, False]


def test_a_cleared_ring_begins_anew() -> None:
    ring = ring_of(event("chat", 50.0))
    latest = taken(ring)
    ring.clear()
    ring.append(event("hit", 1.0))
    latest.update()
    assert [(each.type, each.count) for each in latest] == [("hit", 1)]
    assert latest.now == 1.0


def test_broken_messages_are_a_kind_without_a_type() -> None:
    latest = taken(ring_of(row("event", payload=b"{"), row("event", payload=b'{"type":5}')))
    assert [(each.type, each.count) for each in latest] == [("", 2)]


rows = st.builds(
    event,
    st.sampled_from(["chat", "hit"]),
    st.just(0.0),
    channel=st.sampled_from(["room:a", "room:b"]),
    conn=st.sampled_from(["you", "p1"]),
    size=st.sampled_from([5, 900]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(rows, max_size=30), st.integers(1, 7), st.sampled_from(["", "size>500"]))
def test_any_batches_give_the_same(rows: list[Record], batch: int, text: str) -> None:
    ring = ring_of(*[Record(**{**_fields(each), "at": at * 0.4}) for at, each in enumerate(rows)])
    at_once, in_steps = taken(ring, text), taken(ring, text, batch)
    view = [sorted((*key, *value) for key, value in kinds(each).items()) for each in (at_once, in_steps)]
    assert view[0] == view[1]
    rates = [sorted(each.rate(12.0) for each in latest) for latest in (at_once, in_steps)]
    assert rates[0] == rates[1]


def _fields(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in Record.__slots__}
