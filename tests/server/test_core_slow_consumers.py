"""What a slow consumer gets, what it does not get and is told of, and when it is cut."""

from __future__ import annotations

from typing import Any

import pytest

from sonde_protocol.codec import JSON
from support.gateway_rig import Peer, Rig, all_of, only, ops

FAST: dict[str, Any] = {
    "commands_per_s": 1e9,
    "commands_burst": 1e9,
    "user_commands_per_s": 1e9,
    "user_commands_burst": 1e9,
    "inbound_bytes_per_s": 1e12,
}
KIB = 1024


def pair(rig: Rig, **flags: Any) -> tuple[Peer, Peer]:
    """A publisher, and a subscriber whose socket takes nothing any more."""
    fast, slow = rig.player("ada"), rig.player("bob")
    slow.subscribe(**flags)
    slow.wire.stalled = True
    return fast, slow


def fill(fast: Peer, slow: Peer) -> None:
    """Make the slow one slow: just over 64 KiB in its buffer."""
    while slow.wire.buffered() <= 64 * KIB:
        fast.publish("x" * 8_000)
    slow.frames()


def recover(rig: Rig, slow: Peer) -> list[dict[str, Any]]:
    """The socket takes everything again; what arrives then."""
    slow.wire.stalled = False
    slow.wire.drain()
    slow.connection.on_writable()
    return slow.frames()


def test_up_to_64_kib_nothing_is_left_out() -> None:
    rig = Rig(**FAST)
    fast, slow = pair(rig)
    for number in range(50):
        fast.publish(number, **{"class": "volatile"})
        fast.publish(number, **{"class": "latest"}, key="k")
    assert len(all_of(slow.frames(), "event")) == 100


def test_volatile_events_are_dropped_and_told() -> None:
    rig = Rig(**FAST)
    fast, slow = pair(rig)
    fill(fast, slow)
    for number in range(5):
        fast.publish(number, **{"class": "volatile"})
    fast.publish("reliable")
    frames = recover(rig, slow)
    assert [f["d"] for f in all_of(frames, "event")] == ["reliable"]
    assert only(frames, "flow") == {"op": "flow", "ch": "room:arena", "dropped": 5, "conflated": 0}
    assert rig.gateway.metrics.dropped_total == 5


def test_latest_events_are_conflated_by_key_at_the_place_of_the_newest() -> None:
    rig = Rig(**FAST)
    fast, slow = pair(rig)
    fill(fast, slow)
    before = only(fast.command("history", ch="room:arena", after=0, limit=1), "reply")["d"]["top"]
    for number in range(6):
        fast.publish(number, type="pos", key="ab"[number % 2], **{"class": "latest"})
    fast.publish("between")
    fast.publish(9, type="pos", key="a", **{"class": "latest"})
    frames = recover(rig, slow)
    events = all_of(frames, "event")
    assert [event["d"] for event in events] == [5, "between", 9]
    assert [event["seq"] - before for event in events] == [6, 7, 8]
    assert [event.get("prev") for event in events] == [before, None, None]
    assert only(frames, "flow")["conflated"] == 5


def test_a_key_belongs_to_its_type() -> None:
    rig = Rig(**FAST)
    fast, slow = pair(rig)
    fill(fast, slow)
    for kind in ("pos", "hp"):
        fast.publish(kind, type=kind, key="ada", **{"class": "latest"})
    assert [event["d"] for event in all_of(recover(rig, slow), "event")] == ["pos", "hp"]


def test_reliable_events_and_deltas_are_all_kept_in_order() -> None:
    rig = Rig(**FAST)
    fast, slow = pair(rig)
    fill(fast, slow)
    for number in range(20):
        fast.publish(number)
        fast.patch({"players": {"ada": {"x": number}}})
        rig.move(0.06, step=0.03)
    slow.wire.stalled = False
    slow.wire.drain()
    slow.connection.on_writable()
    seqs = [frame["seq"] for frame in slow.frames() if frame["op"] in ("event", "delta")]
    assert seqs == list(range(seqs[0], seqs[0] + 40))


def test_frames_of_its_own_keep_their_place_behind_what_waits() -> None:
    rig = Rig(**FAST)
    fast, slow = pair(rig)
    fill(fast, slow)
    fast.publish("first")
    slow.wire.drain(0)
    slow.send(op="ping", t=1)
    assert ops(recover(rig, slow)) == ["event", "pong"]


def test_over_one_mebibyte_the_connection_is_closed_and_resumes_exactly() -> None:
    rig = Rig(**FAST)
    fast, slow = pair(rig)
    sent = 0
    while slow.wire.closed is None:
        fast.publish("x" * 20_000)
        sent += 1
        assert sent < 100
    assert slow.wire.closed == (4003, "slow_consumer")
    bye = JSON.untyped(slow.wire.sent[-1])
    assert (bye["op"], bye["code"], bye["resume"]) == ("bye", 4003, True)
    assert 1024 * KIB < sent * 20_100 < 1200 * KIB
    got = [frame["seq"] for frame in all_of(slow.frames(), "event")]
    epoch = JSON.untyped(slow.wire.sent[1])["channels"][0]["epoch"]
    again = rig.peer()
    frames = again.resume(slow, [{"ch": "room:arena", "cursor": [epoch, got[-1]]}], token="bob")
    assert frames[0]["channels"][0]["verdict"] == "replay"
    assert got + [frame["seq"] for frame in all_of(frames, "event")] == list(range(1, sent + 1))


def test_ten_seconds_without_progress_close_the_connection() -> None:
    rig = Rig(**FAST)
    fast, slow = pair(rig)
    fill(fast, slow)
    fast.publish("one more")
    rig.move(9.5)
    slow.pong()
    assert slow.wire.closed is None
    rig.move(1)
    assert slow.wire.closed == (4003, "no_progress")


def test_a_stuck_socket_is_found_even_when_there_is_nothing_more_to_send() -> None:
    rig = Rig(**FAST)
    fast, slow = pair(rig)
    fill(fast, slow)
    for _ in range(3):
        rig.move(9)
        slow.pong()
    assert slow.wire.closed == (4003, "no_progress")


def test_slow_progress_is_progress() -> None:
    rig = Rig(**FAST)
    fast, slow = pair(rig)
    fill(fast, slow)
    for _ in range(4):
        rig.move(8)
        slow.wire.drain(100)
        slow.pong()
    assert slow.wire.closed is None


def test_a_silent_transport_is_looked_at_all_the_same() -> None:
    rig = Rig(**FAST)
    fast, slow = pair(rig)
    fill(fast, slow)
    fast.publish("waiting")
    slow.wire.stalled = False
    slow.wire.drain()
    rig.move(0.5)
    assert [event["d"] for event in all_of(slow.frames(), "event")] == ["waiting"]


def test_a_slow_consumer_slows_nobody_else() -> None:
    rig = Rig(**FAST)
    fast, slow = pair(rig)
    other = rig.player("cia")
    other.subscribe()
    fill(fast, slow)
    other.frames()
    fast.publish("quick", **{"class": "volatile"})
    assert [event["d"] for event in all_of(other.frames(), "event")] == ["quick"]


# ------------------------------------------------------------ pacing


def long_log(rig: Rig, entries: int = 300) -> tuple[Peer, str]:
    """A publisher, and the epoch of a room with ~2.4 MB of entries."""
    fast = rig.player("ada")
    epoch = fast.subscribe()[0]["d"]["epoch"]
    for number in range(entries):
        fast.publish({"n": number, "pad": "x" * 8_000})
    fast.frames()
    return fast, epoch


def test_a_replay_is_paced_and_does_not_count_as_slowness() -> None:
    rig = Rig(**FAST)
    fast, epoch = long_log(rig)
    reader = rig.player("bob")
    reader.wire.stalled = True
    first = reader.subscribe(cursor=[epoch, 0])
    worst = reader.wire.buffered()
    seqs = [f["seq"] for f in first if f["op"] == "event"]
    live = None
    for _ in range(100):
        fast.publish({"n": "meanwhile"})
        worst = max(worst, reader.wire.buffered())
        reader.wire.drain()
        reader.connection.on_writable()
        frames = reader.frames()
        seqs += [f["seq"] for f in frames if f["op"] == "event"]
        live = next((f["seq"] for f in frames if f["op"] == "live"), live)
        if live is not None:
            break
    assert reader.wire.closed is None
    assert worst < 64 * KIB + 10_000
    assert seqs == list(range(1, len(seqs) + 1))
    assert live == len(seqs) > 300
    fast.publish("live")
    assert only(reader.frames(), "event")["seq"] == live + 1


def test_other_channels_flow_while_one_is_replayed() -> None:
    rig = Rig(**FAST)
    fast, epoch = long_log(rig)
    reader = rig.player("bob")
    reader.subscribe("room:side")
    reader.wire.stalled = True
    reader.subscribe(cursor=[epoch, 0])
    reader.frames()
    fast.publish("psst", ch="room:side", **{"class": "volatile"})
    fast.publish("hello", ch="room:side")
    assert [e["d"] for e in all_of(reader.frames(), "event")] == ["psst", "hello"]


def test_a_large_snapshot_does_not_make_its_reader_slow() -> None:
    rig = Rig(**FAST)
    service = rig.player("world;service")
    for number in range(16):
        service.patch({f"k{number}": "x" * 60_000})
        rig.move(0.06, step=0.03)
    reader = rig.player("bob")
    reader.wire.stalled = True
    reader.subscribe()
    assert reader.wire.buffered() > 900_000
    rig.player("ada").publish("y" * 60_000)
    assert reader.wire.closed is None
    assert [event["d"][0] for event in all_of(recover(rig, reader), "event")] == ["y"]


def test_a_reader_that_stops_amid_a_replay_is_cut() -> None:
    rig = Rig(**FAST)
    _, epoch = long_log(rig)
    reader = rig.player("bob")
    reader.wire.stalled = True
    reader.subscribe(cursor=[epoch, 0])
    rig.move(9)
    reader.pong()
    rig.move(1.5)
    assert reader.wire.closed == (4003, "no_progress")


def test_a_reader_that_falls_behind_the_log_itself_is_cut() -> None:
    rig = Rig(**FAST)
    fast, epoch = long_log(rig)
    reader = rig.player("bob")
    reader.wire.stalled = True
    reader.subscribe(cursor=[epoch, 0])
    for number in range(4_001):
        fast.publish(number)
    assert reader.wire.closed == (4003, "slow_consumer")


@pytest.mark.parametrize("way", ["unsubscribe", "drop", "sync"])
def test_a_replay_that_is_cut_short_leaves_nothing_behind(way: str) -> None:
    rig = Rig(**FAST)
    fast, epoch = long_log(rig)
    reader = rig.player("bob")
    reader.wire.stalled = True
    reader.subscribe(cursor=[epoch, 0])
    if way == "drop":
        reader.drop()
        assert rig.gateway.metrics.connections == 1
        return
    frames = reader.command(way, ch="room:arena") + recover(rig, reader)
    rig.move(1)
    frames += reader.frames()
    if way == "sync":
        assert ops(frames) == ["reply", "snapshot", "live"]
        fast.publish("after")
        assert only(reader.frames(), "event")["seq"] == 301
    else:
        assert ops(frames) == ["reply"]
