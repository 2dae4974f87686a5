"""What a row is compared with: the one before of its kind, and the state before it where that is certain."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from sonde_lab.looking_back import States, gathered, previous_like, worked_out
from sonde_lab.records import Direction, Flag, Record
from sonde_lab.ring import Ring
from support.records import row

ARENA = "room:arena"


def entry(op: str, seq: int, d: Any, **fields: Any) -> Record:
    wire = {"op": op, "ch": ARENA, "seq": seq, "d": d, **fields}
    return row(op, payload=json.dumps(wire).encode(), channel=ARENA, seq=seq)


def ring_of(*records: Record, capacity: int = 1_000) -> Ring:
    ring = Ring(capacity)
    ring.extend(records)
    return ring


def states_around(ring: Ring, row_id: int) -> States:
    trail = gathered(ring, row_id)
    return States(problem=trail) if isinstance(trail, str) else worked_out(trail)


def test_the_row_before_is_of_the_same_connection_direction_type_and_channel() -> None:
    mine = row("delta", channel=ARENA)
    ring = ring_of(
        mine,
        row("delta", channel="room:other"),
        row("delta", channel=ARENA, conn="p2"),
        row("delta", channel=ARENA, direction=Direction.OUT),
        row("event", channel=ARENA),
        mine,
    )
    assert previous_like(ring, 5) == 0
    assert previous_like(ring, 0) is None


def test_of_events_the_nearest_of_the_same_own_type_is_taken() -> None:
    ring = ring_of(
        entry("event", 1, 0, type="chat"),
        entry("event", 2, 0, type="move"),
        entry("event", 3, 0, type="chat"),
    )
    assert previous_like(ring, 2) == 0
    assert previous_like(ring, 1) == 0  # the nearest event, since no other moves


def test_a_row_far_above_is_found() -> None:
    ring = ring_of(entry("delta", 1, {}), *[row("ping")] * 45_000, entry("delta", 2, {}), capacity=50_000)
    assert previous_like(ring, 45_001) == 0


def test_the_state_before_is_the_snapshot_and_the_deltas_since() -> None:
    ring = ring_of(
        entry("snapshot", 5, {"a": {"x": 1}, "b": 2}),
        entry("delta", 6, {"a": {"x": 2}}),
        entry("event", 7, "hi", type="chat"),
        entry("delta", 6, {"a": {"x": 2}}, replay=True),
        entry("delta", 12, {"b": None}, prev=7),
        entry("delta", 13, {"a": {"y": 1}}),
    )
    states = states_around(ring, 5)
    assert (states.before, states.after, states.problem) == ({"a": {"x": 2}}, {"a": {"x": 2, "y": 1}}, "")
    assert states.seq == 13


def test_a_snapshot_is_compared_with_what_was_known_before_it() -> None:
    ring = ring_of(
        entry("snapshot", 5, {"a": 1}), entry("delta", 6, {"a": 2}), entry("snapshot", 9, {"a": 3})
    )
    states = states_around(ring, 2)
    assert (states.before, states.after) == ({"a": 2}, {"a": 3})


def test_message_pack_is_read_as_well() -> None:
    def packed(op: str, seq: int, d: Any) -> Record:
        wire = msgspec.msgpack.encode({"op": op, "ch": ARENA, "seq": seq, "d": d})
        return row(op, payload=wire, channel=ARENA, seq=seq, opcode=2)

    states = states_around(ring_of(packed("snapshot", 1, {"a": 1}), packed("delta", 2, {"a": 2})), 1)
    assert (states.before, states.after) == ({"a": 1}, {"a": 2})


def test_a_snapshot_in_parts_is_put_together() -> None:
    states = states_around(
        ring_of(
            entry("snapshot", 5, '{"a":', part=0, parts=2),
            entry("snapshot", 5, "1}", part=1, parts=2),
            entry("delta", 6, {"a": 2}),
        ),
        2,
    )
    assert (states.before, states.after, states.problem) == ({"a": 1}, {"a": 2}, "")


def test_what_is_not_certain_is_said_instead() -> None:
    snapshot, delta = entry("snapshot", 5, {"a": 1}), entry("delta", 6, {"a": 2})
    cut = entry("delta", 6, {})
    cut.flags = int(Flag.TRUNCATED)
    said = {
        "none was recorded": ring_of(delta),
        "entries 6 to 8 of this channel were not seen": ring_of(snapshot, entry("delta", 9, {})),
        "entry 6 of this channel was not seen": ring_of(
            snapshot, entry("delta", 7, {}), entry("delta", 8, {})
        ),
        "only deltas and snapshots do": ring_of(snapshot, entry("event", 6, 0)),
        "repeats what was known": ring_of(snapshot, delta, delta),
        "Only a part of a message": ring_of(snapshot, cut, entry("delta", 7, {})),
        "not all of them are here": ring_of(entry("snapshot", 5, "{", part=0, parts=2), delta),
        "cannot be read": ring_of(snapshot, row("delta", payload=b"[1]", channel=ARENA, seq=6)),
        "it has left memory": ring_of(snapshot, *[row("ping")] * 100, delta, capacity=32),
    }
    for words, ring in said.items():
        assert words in states_around(ring, ring.next_id - 1).problem
