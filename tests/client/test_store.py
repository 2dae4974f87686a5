"""Batches of changes for those who show them."""

from __future__ import annotations

from sonde_client.errors import failure
from sonde_client.events import Failed, StateChanged
from sonde_client.store import MAX_FAILURES, MAX_PATHS, Store
from sonde_protocol.frames import Delta, Event, Live, Presence
from support.session_rig import Rig, member, snapshot


def fed(rig: Rig, store: Store) -> None:
    for event in rig.events:
        store.apply(event)
    rig.events.clear()


def test_a_batch_holds_what_changed_and_the_next_one_nothing():
    rig = Rig()
    store = Store(rig.session.membership)
    rig.go_live()
    rig.join(d={"a": 1})
    fed(rig, store)
    first = store.take_batch()
    assert first.status.state.value == "live"
    assert first.channels == {"room:arena"}
    assert first.documents["room:arena"].everything
    assert not store.take_batch()


def test_paths_of_several_deltas_are_gathered():
    rig = Rig()
    store = Store(rig.session.membership)
    rig.go_live()
    rig.join(d={"a": 1})
    fed(rig, store)
    store.take_batch()
    for seq, d in ((1, {"a": 2}), (2, {"b": {"c": 1}})):
        rig.receive(Delta(ch="room:arena", seq=seq, d=d, from_=None, ts=0))
    rig.receive(Event(ch="room:arena", type="t", d=0, from_=None, ts=0, seq=3))
    fed(rig, store)
    batch = store.take_batch()
    change = batch.documents["room:arena"]
    assert (change.seq, change.paths, change.everything) == (2, {("a",), ("b", "c")}, False)
    assert batch.entries == {"room:arena": 3}


def test_a_channel_is_seen_as_it_is_now():
    rig = Rig()
    store = Store(rig.session.membership)
    rig.go_live()
    rig.join(seq=3, d={"a": 1})
    rig.receive(Presence(ch="room:arena", kind="snapshot", number=1, count=1, members=[member("s1")]))
    fed(rig, store)
    view = store.channel("room:arena")
    assert view is not None
    assert (view.document, view.cursor, view.hash_ok) == ({"a": 1}, ("e1", 3), True)
    assert [m.session for m in view.members] == ["s1"]
    assert store.channels() == ("room:arena",)
    assert store.channel("room:other") is None
    assert store.take_batch().presence == {"room:arena"}


def test_too_many_paths_become_everything():
    store = Store(Rig().session.membership)
    for n in range(MAX_PATHS + 1):
        store.apply(StateChanged("room:a", n, [(str(n),)]))
    change = store.take_batch().documents["room:a"]
    assert change.everything
    assert change.paths == set()


def test_failures_are_bounded_and_the_rest_counted():
    store = Store(Rig().session.membership)
    for _ in range(MAX_FAILURES + 5):
        store.apply(Failed(failure("closed", "", 0.0)))
    batch = store.take_batch()
    assert (len(batch.failures), batch.failures_dropped) == (MAX_FAILURES, 5)


def test_numbers_of_a_channel_can_be_drawn_smoothly():
    rig = Rig()
    store = Store(rig.session.membership)
    smooth = store.smooth("room:arena", delay_s=0.0)
    assert store.smooth("room:arena") is smooth
    rig.go_live()
    rig.join()
    for seq, ts, x in ((1, 1_000, 0.0), (2, 1_100, 10.0)):
        d = {"p": {"x": x, "name": "ada", "alive": True}}
        rig.receive(Delta(ch="room:arena", seq=seq, d=d, from_=None, ts=ts))
    fed(rig, store)
    assert smooth.at(("p", "x"), 1.05).value == 5.0
    assert smooth.at(("p", "alive"), 1.05) is None
    rig.receive(Delta(ch="room:arena", seq=3, d={"p": None}, from_=None, ts=1_200))
    fed(rig, store)
    assert smooth.at(("p", "x"), 1.3) is None


def test_a_rebased_document_is_changed_as_a_whole():
    rig = Rig()
    store = Store(rig.session.membership)
    rig.go_live()
    rig.join(d={"a": 1})
    fed(rig, store)
    store.take_batch()
    rig.receive(snapshot("room:arena", "e2", 0, {"a": 2}), Live(ch="room:arena", epoch="e2", seq=0))
    fed(rig, store)
    assert store.take_batch().documents["room:arena"].paths == {("a",)}
