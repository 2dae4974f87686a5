"""At every row the timeline knows what the client's own engine knew then, whatever came, in whatever order it is asked."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_client.metrics import Counters
from sonde_client.subscription import Subscription
from sonde_lab import lanes
from sonde_lab.keyframes import Budget
from sonde_lab.records import Direction, Kind
from sonde_lab.ring import Ring
from sonde_lab.timeline import Line, Timeline, What
from sonde_protocol import merge
from sonde_protocol.codec import JSON
from sonde_protocol.frames import ChannelVerdict, Delta, Event, Live, Presence, Snapshot
from sonde_protocol.states import ChannelState
from support.records import row

CH = "room:arena"
ARENA = Line("you", CH)
DECODE = JSON.server_decoder()

KEYS = st.sampled_from("abc")
VALUES = st.one_of(st.integers(0, 3), st.text("xyz", max_size=2))
PATCHES = st.dictionaries(
    KEYS, st.one_of(VALUES, st.none(), st.dictionaries(KEYS, VALUES, max_size=2)), max_size=3
)
WHO = st.sampled_from(["ada", "bo", "cy"])
ACTS = st.one_of(
    st.tuples(st.just("patch"), PATCHES),
    st.tuples(st.just("join"), WHO),
    st.tuples(st.just("leave"), WHO),
    st.tuples(
        st.sampled_from(
            [
                "event",
                "volatile",
                "again",
                "lose",
                "lose_presence",
                "conflate",
                "sync",
                "sync_in_parts",
                "half_a_sync",
            ]
        ),
        st.none(),
    ),
    st.tuples(
        st.sampled_from(["resume", "sync_presence", "begin_anew", "noise", "garbage", "leave_channel"]),
        st.none(),
    ),
)


class Gateway:
    """One channel of one session, with everything that may go wrong on its way to a client and to a ring."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.told: list[tuple[Any, int, bool, Any, bool]] = []  # after each row, as the client knew it
        self.client = Subscription(CH, lambda event: None, Counters(), presence=True)
        self.document: Any = {}
        self.members: dict[str, Any] = {}
        self.log: list[Any] = []
        self.epoch, self.number, self.dial, self.sent = 1, 0, 1, 0
        self.is_sure_of_people = False
        self.client.asked()
        self.client.answered("snapshot")
        self.snapshot()
        self.presence()
        self.live()

    # ------------------------------------------------------------ what goes out

    def frame(self, is_lost: bool = False, **wire: Any) -> None:
        if is_lost:
            return
        payload = json.dumps({"ch": CH, **wire}).encode()
        row_id = self.ring.append(
            row(
                wire["op"],
                float(self.ring.next_id),
                payload,
                channel=CH,
                seq=wire.get("seq", -1),
                dial=self.dial,
            )
        )
        assert row_id == len(self.told)
        self.hear(DECODE(payload))
        self.remember()

    def hear(self, frame: Any) -> None:
        client = self.client
        if isinstance(frame, Snapshot):
            client.on_snapshot(frame, 0.0)
        elif isinstance(frame, Live):
            client.on_live(frame, 0.0)
        elif isinstance(frame, Event | Delta):
            client.on_entry(frame, 0.0)
        elif isinstance(frame, Presence):
            is_whole = frame.kind == "snapshot" or frame.number <= (client.roster.number or 0) + 1
            self.is_sure_of_people = is_whole and (self.is_sure_of_people or frame.kind == "snapshot")
            client.on_presence(frame)

    def other_row(self, **fields: Any) -> None:
        self.ring.append(row("note", float(self.ring.next_id), **fields))
        self.remember()

    def remember(self) -> None:
        client = self.client
        seq = client.cursor.seq if client.cursor else -1
        people = dict(client.roster.members)
        self.told.append(
            (client.document, seq, client.status is ChannelState.LIVE, people, self.is_sure_of_people)
        )

    def snapshot(self, parts: int = 1, sent_parts: int = 1) -> None:
        whole = {"op": "snapshot", "epoch": str(self.epoch), "seq": len(self.log), "hash": None}
        self.sent = len(self.log)
        if parts == 1:
            self.frame(**whole, d=self.document)
            return
        text = json.dumps(self.document)
        cut = len(text) // 2
        for part, piece in enumerate((text[:cut], text[cut:])[:sent_parts]):
            self.frame(**whole, d=piece, part=part, parts=2)

    def presence(self) -> None:
        self.frame(
            op="presence",
            kind="snapshot",
            number=self.number,
            count=len(self.members),
            members=list(self.members.values()),
        )

    def diff(self, is_lost: bool = False, **change: Any) -> None:
        self.number += 1
        told = {"joins": [], "updates": [], "leaves": [], **change}
        self.frame(is_lost, op="presence", kind="diff", number=self.number, count=len(self.members), **told)

    def live(self) -> None:
        self.frame(op="live", epoch=str(self.epoch), seq=len(self.log))

    def entry(self, d: Any, is_lost: bool = False, prev: int | None = None, **more: Any) -> None:
        wire = {"op": "delta", "d": d, "from": None, "ts": 1, **more, "seq": len(self.log) + 1}
        self.log.append(wire)
        if wire["op"] == "delta":
            self.document = merge.apply(self.document, d)
        self.frame(is_lost, **wire, **({} if prev is None else {"prev": prev}))
        self.sent = self.sent if is_lost else len(self.log)

    # ------------------------------------------------------------ acts

    def act(self, name: str, value: Any) -> None:
        getattr(self, f"do_{name}")(value)

    def do_patch(self, d: Any) -> None:
        self.entry(d)

    def do_event(self, _: None) -> None:
        self.entry(1, op="event", type="chat")

    def do_volatile(self, _: None) -> None:
        self.frame(op="event", type="move", d=1, **{"from": None}, ts=1)

    def do_again(self, _: None) -> None:
        if self.log:
            self.frame(**self.log[-1], replay=True)

    def do_lose(self, _: None) -> None:
        self.entry({"lost": len(self.log)}, is_lost=True)

    def do_conflate(self, _: None) -> None:
        prev = len(self.log)
        self.log.append({"op": "event", "type": "pos", "d": 1, "from": None, "ts": 1, "seq": prev + 1})
        self.entry({"a": prev}, prev=prev)

    def do_sync(self, _: None) -> None:
        self.snapshot()

    def do_sync_in_parts(self, _: None) -> None:
        self.snapshot(2, 2)

    def do_half_a_sync(self, _: None) -> None:
        self.snapshot(2, 1)

    def do_resume(self, _: None) -> None:
        self.other_row(kind=Kind.CLOSE, direction=Direction.NONE, payload=b"gone")
        self.client.dropped()
        self.dial += 1
        self.entry({"meanwhile": self.dial}, is_lost=True)
        cursor = self.client.cursor
        after = cursor.seq if cursor and cursor.epoch == str(self.epoch) else None
        verdict = "snapshot" if after is None else "replay"
        self.client.resumed(
            ChannelVerdict(
                ch=CH, verdict=verdict, cause="ok", epoch=str(self.epoch), from_=after, to=len(self.log)
            )
        )
        if after is None:
            self.snapshot()
        self.presence()
        for wire in self.log[after or 0 :] if after is not None else ():
            self.frame(**wire, replay=True)
        self.sent = len(self.log)
        self.live()

    def do_begin_anew(self, _: None) -> None:
        self.epoch += 1
        self.log, self.document = [], {"epoch": self.epoch}
        self.snapshot()
        self.live()

    def do_join(self, who: str) -> None:
        is_there = who in self.members
        self.members[who] = {
            "session": who, "user": who, "name": who, "device": None, "status": "away" if is_there else "online",
            "activity": None, "meta": None, "since": 1, "rtt_ms": None, "node": "n",
        }  # fmt: skip
        self.diff(**{"updates" if is_there else "joins": [self.members[who]]})

    def do_leave(self, who: str) -> None:
        if self.members.pop(who, None):
            self.diff(leaves=[{"session": who, "user": who, "reason": "left"}])

    def do_lose_presence(self, _: None) -> None:
        self.diff(is_lost=True)

    def do_sync_presence(self, _: None) -> None:
        self.presence()

    def do_noise(self, _: None) -> None:
        self.other_row()

    def do_garbage(self, _: None) -> None:
        self.ring.append(row("text", float(self.ring.next_id), b"\xff{", flags=32))
        self.remember()

    def do_leave_channel(self, _: None) -> None:
        self.ring.append(row("unsubscribe", 0.0, channel="room:other", direction=Direction.OUT))
        self.remember()


def follow_a_little(timeline: Timeline) -> None:
    ticks = itertools.count()
    timeline._clock = lambda: float(next(ticks))
    timeline.follow(2.0)


def check(timeline: Timeline, gateway: Gateway, row_id: int) -> None:
    document, seq, is_live, people, is_sure = gateway.told[row_id]
    state, roster = timeline.state_at(ARENA, row_id), timeline.roster_at(ARENA, row_id)
    if state.problem:
        assert not is_live, f"row {row_id}: {state.problem}"
    else:
        assert (state.document, state.seq) == (document, seq)
    if roster.problem:
        assert not is_sure, f"row {row_id}: {roster.problem}"
    else:
        assert {each.session: each for each in roster.members} == people


@pytest.mark.parametrize("capacity", [10_000, 48], ids=["everything is kept", "the oldest rows leave"])
@given(
    acts=st.lists(ACTS, max_size=120),
    order=st.randoms(use_true_random=False),
    every=st.sampled_from([2, 5, 128]),
)
def test_any_row_is_known_as_the_client_knew_it(
    capacity: int, acts: list[tuple[str, Any]], order: Any, every: int
) -> None:
    with patch.object(lanes, "EVERY_ENTRIES", every):
        ring = Ring(capacity)
        timeline = Timeline(ring, Budget(keyframes=6))
        gateway = Gateway(ring)
        for name, value in acts:
            gateway.act(name, value)
            if order.random() < 0.2:
                follow_a_little(timeline)
            if order.random() < 0.1:
                check(timeline, gateway, order.choice(ring.ids))
        rows = list(ring.ids)
        order.shuffle(rows)
        for row_id in rows:
            check(timeline, gateway, row_id)


def changes(timeline: Timeline, told: Callable[[int], Any], rows: range) -> list[int]:
    """Rows after which something else is told than before."""
    return [row_id for row_id in rows if told(row_id) != told(row_id - 1)]


@given(acts=st.lists(ACTS, max_size=60), is_followed=st.booleans())
def test_steps_meet_every_change_in_both_directions(acts: list[tuple[str, Any]], is_followed: bool) -> None:
    ring = Ring(10_000)
    timeline, gateway = Timeline(ring), Gateway(ring)
    for name, value in acts:
        gateway.act(name, value)
    if is_followed:
        assert timeline.follow(60.0)
    forth, row_id = [], 0
    while (step := timeline.step(ARENA, row_id, +1, What.EITHER)) is not None:
        forth.append(step)
        row_id = step
    back, row_id = [], ring.next_id - 1
    if row_id in forth:
        back.append(row_id)
    while (step := timeline.step(ARENA, row_id, -1, What.EITHER)) is not None and step > 0:
        back.append(step)
        row_id = step
    assert back[::-1] == forth

    def told(row_id: int) -> Any:
        state, roster = timeline.state_at(ARENA, row_id), timeline.roster_at(ARENA, row_id)
        return state.document, state.problem, roster.members, roster.problem

    assert set(changes(timeline, told, range(1, ring.next_id))) <= set(forth)
