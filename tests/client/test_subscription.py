"""A channel's frames: order, holes, documents, hashes, parts and rosters."""

from __future__ import annotations

import pytest

from sonde_client.events import (
    ChannelChanged,
    EntryArrived,
    Failed,
    PresenceChanged,
    StateChanged,
    StateDiverged,
)
from sonde_protocol.cursor import Cursor
from sonde_protocol.frames import (
    Delta,
    Error,
    Event,
    Leave,
    Live,
    Position,
    Presence,
    Snapshot,
    Subscribe,
    Sync,
    Unsubscribed,
)
from sonde_protocol.merge import state_hash
from sonde_protocol.parts import SLICE_CHARACTERS, split
from support.session_rig import Rig, hello, member, ready, reply, resumed, snapshot, verdict

ROOM = "room:arena"


def joined(**fields: object) -> Rig:
    rig = Rig()
    rig.go_live()
    rig.join(**fields)
    rig.events.clear()
    rig.take_sent()
    return rig


def event(seq: int | None, **fields: object) -> Event:
    return Event(**{"ch": ROOM, "type": "t", "d": seq, "from_": "bea", "ts": 0, "seq": seq} | fields)


def delta(seq: int, d: dict, **fields: object) -> Delta:
    return Delta(**{"ch": ROOM, "seq": seq, "d": d, "from_": None, "ts": 0} | fields)


def subscription(rig: Rig):
    return rig.session.membership.by_name[ROOM]


def test_a_snapshot_that_is_older_than_what_is_known_changes_nothing():
    rig = joined(seq=4, d={"a": 4})
    rig.command(Sync(id=0, ch=ROOM))
    rig.receive(delta(5, {"a": 5}), snapshot(ROOM, "e1", 4, {"a": 4}), Live(ch=ROOM, epoch="e1", seq=4))
    rig.receive(delta(5, {"a": 5}))  # again, since that snapshot was from before it
    assert (subscription(rig).cursor, subscription(rig).document) == (Cursor("e1", 5), {"a": 5})
    assert [e.frame.seq for e in rig.seen(EntryArrived)] == [5]
    assert rig.metrics.counters.holes == 0


def test_a_document_in_doubt_is_asked_for_until_it_is_not_older_than_what_is_known():
    rig = joined(seq=4, d={"a": 4})
    rig.receive(delta(5, {"a": 5}, hash="0" * 16))
    assert [f.presence for f in rig.take_sent() if isinstance(f, Sync)] == [False]
    rig.receive(snapshot(ROOM, "e1", 4, {"a": 4}), Live(ch=ROOM, epoch="e1", seq=4))
    assert subscription(rig).cursor == Cursor("e1", 5)
    rig.advance(1)
    assert [f.presence for f in rig.take_sent() if isinstance(f, Sync)] == [False]
    rig.receive(snapshot(ROOM, "e1", 5, {"a": 6}), Live(ch=ROOM, epoch="e1", seq=5))
    assert subscription(rig).document == {"a": 6}
    assert subscription(rig).status.value == "live"


def test_a_log_that_went_back_says_so_and_is_followed():
    rig = joined(seq=4, d={"a": 4})
    rig.receive(snapshot(ROOM, "e1", 2, {"a": 2}, cause="ahead"), Live(ch=ROOM, epoch="e1", seq=2))
    assert (subscription(rig).cursor, subscription(rig).document) == (Cursor("e1", 2), {"a": 2})


def states(rig: Rig) -> list[str]:
    return [e.state.value for e in rig.seen(ChannelChanged)]


# ---------------------------------------------------------------- order and holes


def test_a_subscription_goes_from_asked_to_live():
    rig = Rig()
    rig.go_live()
    rig.join(seq=7, d={"a": 1})
    assert states(rig) == ["subscribing", "catching_up", "live"]
    assert subscription(rig).cursor == ("e1", 7)


def test_a_reply_never_moves_the_cursor():
    rig = Rig()
    rig.go_live()
    rig.subscribe()
    number = rig.take_sent()[0].id
    rig.receive(reply(number, {"epoch": "e1", "seq": 9, "verdict": "snapshot", "cause": "ok"}))
    assert subscription(rig).cursor is None


def test_entries_at_or_below_the_cursor_are_ignored():
    rig = joined(seq=5)
    rig.receive(event(5), event(4), event(6), event(6))
    assert [e.seq for e in rig.seen(EntryArrived)] == [6]
    assert rig.metrics.counters.duplicates == 3


def test_volatile_events_pass_without_a_seq():
    rig = joined(seq=5)
    rig.receive(event(None), event(None))
    assert len(rig.seen(EntryArrived)) == 2
    assert subscription(rig).cursor == ("e1", 5)


def test_a_jump_that_prev_explains_is_no_hole():
    rig = joined(seq=5)
    rig.receive(event(9, prev=5))
    assert [e.seq for e in rig.seen(EntryArrived)] == [9]
    assert rig.metrics.counters.holes == 0


def test_a_hole_is_counted_shown_and_mended_by_one_sync():
    rig = joined(seq=5, d={"a": 1})
    rig.receive(event(8), event(9))
    (sync,) = rig.take_sent()
    assert isinstance(sync, Sync)
    assert states(rig) == ["diverged"]
    assert rig.seen(Failed)[-1].failure.cause == "entries_lost"
    assert rig.metrics.counters.holes == 1
    rig.receive(reply(sync.id), snapshot(ROOM, "e1", 9, {"a": 2}))
    assert states(rig)[-1] == "live"
    assert subscription(rig).document == {"a": 2}
    assert rig.metrics.counters.lost == 4
    rig.receive(event(10))
    assert [e.seq for e in rig.seen(EntryArrived)] == [10]


def test_a_drop_before_the_sync_is_answered_still_fills_the_hole_by_replay():
    rig = joined(seq=5)
    rig.receive(event(8), Live(ch=ROOM, epoch="e1", seq=8))
    rig.lose()
    rig.redial()
    rig.opened()
    assert rig.take_sent()[-1].channels[0].cursor == ("e1", 5)
    rig.receive(hello(), resumed(verdict(from_=5, to=8)))
    rig.receive(*[event(n, replay=True) for n in (6, 7, 8)], Live(ch=ROOM, epoch="e1", seq=8))
    assert [e.seq for e in rig.seen(EntryArrived)] == [6, 7, 8]
    assert states(rig)[-1] == "live"


def test_live_beyond_the_last_entry_is_a_hole():
    rig = joined(seq=5)
    rig.receive(Live(ch=ROOM, epoch="e1", seq=7))
    assert isinstance(rig.take_sent()[0], Sync)
    assert subscription(rig).cursor == ("e1", 5)


def test_a_channel_subscribed_without_state_jumps_over_deltas_without_alarm():
    rig = Rig()
    rig.go_live()
    rig.subscribe(state=False)
    number = rig.take_sent()[0].id
    rig.receive(
        reply(number, {"verdict": "snapshot"}),
        Live(ch=ROOM, epoch="e1", seq=3),
        event(9, prev=3),
        Live(ch=ROOM, epoch="e1", seq=12),
    )
    assert rig.metrics.counters.holes == 0
    assert subscription(rig).cursor == ("e1", 12)


def test_a_gateway_full_of_holes_is_not_asked_more_than_once_a_second():
    rig = joined(seq=0)
    asked = 0
    for n in range(1, 50):
        rig.receive(event(n * 10))
        for sync in [f for f in rig.take_sent() if isinstance(f, Sync)]:
            asked += 1
            rig.receive(reply(sync.id), snapshot(ROOM, "e1", n * 10 - 5, {}))
        rig.advance(0.1)
    assert asked <= 6


def test_a_refused_sync_may_be_asked_again():
    rig = joined(seq=0)
    rig.receive(event(5))
    sync = rig.take_sent()[0]
    rig.receive(Error(id=sync.id, code="overloaded", message="later", temporary=False))
    rig.advance(2)
    rig.receive(event(6))
    assert isinstance(rig.take_sent()[-1], Sync)


def test_a_channel_taken_away_is_gone_and_its_frames_are_ignored():
    rig = joined(seq=5)
    rig.receive(Unsubscribed(ch=ROOM, code="forbidden"), event(6))
    assert states(rig) == ["gone"]
    assert rig.seen(EntryArrived) == []


def test_frames_of_a_channel_that_was_left_are_ignored():
    rig = joined(seq=5)
    rig.session.unsubscribe(ROOM, rig.now, None)
    rig.receive(event(6), Live(ch=ROOM, epoch="e1", seq=6), delta(7, {"a": 1}))
    assert rig.seen(EntryArrived) == []


def test_a_refused_subscribe_is_gone_and_raises():
    rig = Rig()
    rig.go_live()
    outcome = rig.subscribe()
    number = rig.take_sent()[0].id
    rig.receive(Error(id=number, code="forbidden", message="no", temporary=False))
    assert outcome.error.code == "forbidden"
    assert states(rig) == ["subscribing", "gone"]
    rig.lose()
    rig.redial()
    rig.opened()
    assert rig.take_sent()[-1].channels == []


def test_a_channel_that_the_gateway_subscribed_itself_is_live_at_once_and_resumed():
    rig = Rig()
    rig.go_live(channels=[Position(ch="user:ada", epoch="u1", seq=4)])
    assert rig.session.membership.by_name["user:ada"].status.value == "live"
    rig.receive(event(5, ch="user:ada"))
    assert [e.seq for e in rig.seen(EntryArrived)] == [5]
    rig.lose()
    rig.redial()
    rig.opened()
    assert [(w.ch, w.cursor) for w in rig.take_sent()[-1].channels] == [("user:ada", ("u1", 5))]


def test_a_callers_own_cursor_asks_for_what_was_missed_and_then_for_the_document():
    rig = Rig()
    rig.go_live()
    rig.subscribe(cursor=Cursor("e1", 3))
    command = rig.take_sent()[0]
    assert isinstance(command, Subscribe)
    assert command.cursor == ("e1", 3)
    rig.receive(
        reply(command.id, {"verdict": "replay"}),
        delta(4, {"a": 1}, replay=True),
        Live(ch=ROOM, epoch="e1", seq=4),
    )
    assert rig.seen(StateChanged) == []
    sync = rig.take_sent()[0]
    rig.receive(reply(sync.id), snapshot(ROOM, "e1", 4, {"a": 1, "b": 2}))
    assert subscription(rig).document == {"a": 1, "b": 2}
    assert [e.seq for e in rig.seen(EntryArrived)] == [4]


# ---------------------------------------------------------------- documents


def test_deltas_change_the_document_and_name_the_paths():
    rig = joined(seq=1, d={"players": {"ada": {"x": 1}}})
    rig.receive(
        delta(2, {"players": {"ada": {"x": 2}, "bea": {"x": 0}}}), delta(3, {"players": {"ada": None}})
    )
    assert subscription(rig).document == {"players": {"bea": {"x": 0}}}
    assert [e.paths for e in rig.seen(StateChanged)] == [
        [("players", "ada", "x"), ("players", "bea", "x")],
        [("players", "ada")],
    ]


def test_a_delta_that_changes_nothing_is_told_as_an_entry_only():
    rig = joined(seq=1)
    rig.receive(delta(2, {}))
    assert rig.seen(StateChanged) == []
    assert len(rig.seen(EntryArrived)) == 1


def test_a_right_hash_is_noted():
    rig = joined(seq=1)
    assert subscription(rig).hash_ok is True
    rig.receive(delta(2, {"a": 1}, hash=state_hash({"a": 1})))
    assert subscription(rig).hash_ok is True


def test_a_diverged_document_is_told_and_replaced_with_the_differing_paths_named():
    rig = joined(seq=1, d={"a": 1, "b": {"c": 2}})
    truth = {"a": 9, "b": {"c": 3}}
    rig.receive(delta(2, {"a": 9}, hash=state_hash(truth)))
    assert subscription(rig).hash_ok is False
    assert states(rig) == ["diverged"]
    assert rig.seen(Failed)[-1].failure.cause == "state_diverged"
    sync = rig.take_sent()[0]
    rig.receive(reply(sync.id), snapshot(ROOM, "e1", 2, truth))
    assert [e.paths for e in rig.seen(StateDiverged)] == [[("b", "c")]]
    assert subscription(rig).hash_ok is True
    assert states(rig)[-1] == "live"
    assert rig.metrics.counters.divergences == 1
    assert rig.metrics.counters.lost == 0


def test_a_document_that_diverged_before_a_drop_is_asked_for_after_the_resume():
    rig = joined(seq=1)
    rig.receive(delta(2, {"a": 1}, hash="0" * 16))
    rig.lose()
    rig.redial()
    rig.opened()
    rig.take_sent()
    rig.receive(hello(), resumed(verdict()), Live(ch=ROOM, epoch="e1", seq=2))
    assert [type(f) for f in rig.take_sent()][-1] is Sync


def test_a_snapshot_that_is_not_its_own_hash_is_told_but_not_asked_for_again():
    rig = Rig()
    rig.go_live()
    rig.subscribe()
    number = rig.take_sent()[0].id
    rig.receive(reply(number), snapshot(ROOM, "e1", 1, {"a": 1}, hash="f" * 16))
    assert subscription(rig).hash_ok is False
    assert rig.take_sent() == []


def test_a_change_of_epoch_while_live_replaces_the_document():
    rig = joined(seq=5, d={"a": 1})
    rig.receive(snapshot(ROOM, "e2", 0, {"b": 2}, cause="epoch_changed"))
    assert states(rig) == ["catching_up"]
    rig.receive(Live(ch=ROOM, epoch="e2", seq=0), event(1))
    assert subscription(rig).cursor == ("e2", 1)
    assert rig.seen(StateChanged)[0].paths == [("a",), ("b",)]


def test_a_snapshot_asked_for_by_the_caller_leaves_the_channel_live():
    rig = joined(seq=5, d={"a": 1})
    outcome = rig.command(Sync(id=0, ch=ROOM))
    number = rig.take_sent()[0].id
    rig.receive(reply(number), snapshot(ROOM, "e1", 5, {"a": 1}))
    assert outcome.done
    assert subscription(rig).status.value == "live"


def test_a_channel_without_state_has_an_empty_document():
    rig = Rig()
    rig.go_live()
    rig.subscribe()
    number = rig.take_sent()[0].id
    rig.receive(reply(number), Live(ch=ROOM, epoch="e1", seq=3), event(4))
    assert subscription(rig).document == {}
    assert rig.take_sent() == []


# ---------------------------------------------------------------- snapshots in parts


def big_parts(seq: int = 3) -> tuple[dict, list[Snapshot]]:
    document = {f"k{n}": "ä" * 1000 for n in range(3 * SLICE_CHARACTERS // 1000)}
    whole = Snapshot(ch=ROOM, epoch="e1", seq=seq, d=document, hash=state_hash(document))
    parts = split(whole, max_bytes=64 * 1024)
    assert len(parts) > 2
    return document, parts


def test_a_snapshot_in_parts_is_joined():
    rig = Rig()
    rig.go_live()
    rig.subscribe()
    number = rig.take_sent()[0].id
    document, parts = big_parts()
    rig.receive(reply(number), *parts[:-1])
    assert subscription(rig).cursor is None
    rig.receive(parts[-1], Live(ch=ROOM, epoch="e1", seq=3))
    assert subscription(rig).document == document
    assert subscription(rig).hash_ok is True
    assert subscription(rig).status.value == "live"


@pytest.mark.parametrize("order", [[1], [0, 2], [0, 0, 2]])
def test_parts_out_of_order_are_refused_and_asked_for_again(order: list[int]):
    rig = joined(seq=1)
    _, parts = big_parts()
    rig.receive(*[parts[n] for n in order])
    assert rig.seen(Failed)[-1].failure.cause == "malformed_frame"
    assert isinstance(rig.take_sent()[-1], Sync)


def test_half_a_snapshot_is_forgotten_when_the_link_drops():
    rig = joined(seq=1)
    document, parts = big_parts()
    rig.receive(*parts[:-1])
    rig.lose()
    rig.redial()
    rig.resume(verdict(what="snapshot", cause="trimmed"))
    rig.receive(*parts, Live(ch=ROOM, epoch="e1", seq=3))
    assert subscription(rig).document == document


def test_parts_larger_in_sum_than_this_client_takes_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sonde_client.subscription.MAX_SNAPSHOT_CHARACTERS", SLICE_CHARACTERS)
    rig = joined(seq=1)
    _, parts = big_parts()
    rig.receive(*parts[:2])
    assert "larger than this client takes" in rig.seen(Failed)[-1].failure.detail


# ---------------------------------------------------------------- presence


def test_rosters_are_folded_and_changes_told():
    rig = joined(seq=0)
    rig.receive(
        Presence(ch=ROOM, kind="snapshot", number=4, count=1, members=[member("s1")]),
        Presence(ch=ROOM, kind="diff", number=5, count=2, joins=[member("s2")]),
        Presence(
            ch=ROOM,
            kind="diff",
            number=6,
            count=1,
            leaves=[Leave(session="s1", user="s1", reason="timeout")],
        ),
    )
    assert list(subscription(rig).roster.members) == ["s2"]
    changes = [e.change for e in rig.seen(PresenceChanged)]
    assert [len(c.joins) for c in changes] == [1, 1, 0]
    assert changes[2].leaves[0].reason == "timeout"


def test_a_missing_roster_number_asks_for_a_fresh_roster_once():
    rig = joined(seq=0)
    rig.receive(
        Presence(ch=ROOM, kind="snapshot", number=4, count=0, members=[]),
        Presence(ch=ROOM, kind="diff", number=6, count=1, joins=[member("s2")]),
        Presence(ch=ROOM, kind="diff", number=7, count=1, joins=[member("s3")]),
    )
    (sync,) = rig.take_sent()
    assert isinstance(sync, Sync)
    assert sync.presence is True
    rig.receive(
        reply(sync.id),
        Presence(ch=ROOM, kind="snapshot", number=7, count=2, members=[member("s2"), member("s3")]),
    )
    assert list(subscription(rig).roster.members) == ["s2", "s3"]


def test_the_roster_is_kept_while_the_link_is_down():
    rig = joined(seq=0)
    rig.receive(Presence(ch=ROOM, kind="snapshot", number=1, count=1, members=[member("s1")]))
    rig.lose()
    assert list(subscription(rig).roster.members) == ["s1"]
    assert subscription(rig).status.value == "stale"


def test_a_fresh_session_resubscribes_with_the_same_wishes():
    rig = Rig()
    rig.go_live()
    rig.subscribe(presence=True, state=False)
    number = rig.take_sent()[0].id
    rig.receive(reply(number), Live(ch=ROOM, epoch="e1", seq=2))
    rig.lose(4100, "", "server")
    rig.redial()
    rig.opened()
    rig.receive(hello(), ready("s2"))
    again = next(f for f in rig.take_sent() if isinstance(f, Subscribe))
    assert (again.presence, again.state, again.cursor) == (True, False, ("e1", 2))
