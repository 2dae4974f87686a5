"""The incremental view against a naive one that is worked out from scratch each time."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_lab.folding import Toggles, View, ViewChange
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from support.records import delta, heartbeat, row


def key_of(record: Record) -> tuple[object, ...] | None:
    alone = record.flags & (Flag.ERROR | Flag.MALFORMED | Flag.INJECTED | Flag.MARKED)
    if record.kind != Kind.FRAME or alone:
        return None
    if record.flags & Flag.HEARTBEAT:
        return ("heartbeat", record.conn)
    if record.op == "delta":
        return ("delta", record.conn, record.channel, bool(record.flags & Flag.REPLAY))
    return None


@dataclass
class Naive:
    """What a person would do with pencil and paper."""

    words: list[str]
    received: bool = True
    sent: bool = True
    control: bool = True
    injected: bool = True
    errors_only: bool = False
    fold: bool = True

    def shows(self, record: Record) -> bool:
        if not self.received and record.direction == Direction.IN:
            return False
        if not self.sent and record.direction == Direction.OUT:
            return False
        if not self.control and record.flags & (Flag.CONTROL | Flag.HEARTBEAT):
            return False
        if not self.injected and record.flags & Flag.INJECTED:
            return False
        if self.errors_only and not record.flags & (Flag.ERROR | Flag.MALFORMED):
            return False
        names = f"{record.op}\n{record.channel}\n{record.conn}".lower()
        text = record.payload.decode(errors="replace").lower()
        return all(word in names or word in text for word in self.words)

    def rows(self, ring: Ring, begin: int) -> list[list[int]]:
        table: list[list[int]] = []
        open_runs: dict[tuple[object, ...], list[int]] = {}
        for row_id in range(begin, ring.next_id):
            record = ring.record(row_id)
            if not self.shows(record):
                continue
            key = key_of(record) if self.fold else None
            if key is None:
                open_runs.clear()
                table.append([row_id])
            elif key in open_runs:
                open_runs[key].append(row_id)
            else:
                open_runs[key] = [row_id]
                table.append(open_runs[key])
        return table


flags = st.sampled_from([0, 0, 0, Flag.REPLAY, Flag.ERROR, Flag.INJECTED]).map(int)
words = st.sampled_from(["", "hp", "HP", "é", "ada", "ada hp", "x", "room", "ping", "nobody"])
made = st.one_of(
    st.builds(
        delta,
        channel=st.sampled_from(["room:arena", "$stats"]),
        conn=st.sampled_from(["you", "ada"]),
        payload=st.sampled_from(
            [b"hp", "HÉ x".encode(), "é hp".encode(), b"", b"xx", b"h", b"p", b"\xff\xfeada"]
        ),
        flags=flags,
    ),
    st.builds(
        heartbeat,
        op=st.sampled_from(["ping", "pong"]),
        direction=st.sampled_from([Direction.IN, Direction.OUT]),
    ),
    st.builds(
        row, op=st.sampled_from(["event", "reply"]), payload=st.sampled_from([b"Ada hp", b"x"]), flags=flags
    ),
    st.just(row("close", kind=Kind.CLOSE, flags=int(Flag.ERROR))),
)
# Long runs that are still open when the ring loses their beginnings.
quiet = st.lists(st.sampled_from([delta(), delta("$stats"), heartbeat()]), min_size=6, max_size=24)
steps = st.one_of(
    st.lists(made, min_size=6, max_size=24),
    quiet,
    words.map(lambda text: ("filter", text)),
    st.sampled_from([("fold", True), ("fold", False)]),
    st.tuples(st.just("toggle"), st.tuples(*[st.booleans()] * 5)),
    st.tuples(st.just("annotate"), st.integers(0, 300), st.sampled_from([0, int(Flag.MARKED)])),
    st.tuples(st.just("look back"), st.integers(1, 20)),
)


def replayed(before: list[tuple[int, int]], view: View, change: ViewChange) -> list[tuple[int, int]]:
    """What a table shows that only follows the change, reading what it is told has changed."""
    if change.reset:
        return [view.row(i)[:2] for i in range(len(view))]
    came = change.prepended - change.evicted_front
    shown = before[max(0, -came) :]
    if change.prepended:
        shown = [view.row(i)[:2] for i in range(len(shown) + max(0, came))]
    if change.changed_from is not None:
        for index in range(change.changed_from, len(shown)):
            shown[index] = view.row(index)[:2]
    return shown + [view.row(len(shown) + i)[:2] for i in range(change.appended)]


@settings(max_examples=120, deadline=None)
@given(st.lists(steps, min_size=6, max_size=25), st.integers(16, 60))
def test_view_shows_what_pencil_and_paper_show_after_any_story(steps: list[object], capacity: int) -> None:
    check(steps, capacity)


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, min_size=6, max_size=25), st.integers(16, 60), st.integers(1, 12))
def test_view_that_looks_back_in_slices_shows_of_what_it_has_seen_the_same(
    steps: list[object], capacity: int, at_once: int
) -> None:
    view, ring = check(steps, capacity, at_once)
    while view.backlog:
        view.look_back(at_once)
    view.update()
    whole = View(ring)
    whole.set_filter(view.filter_text)
    whole.set_toggles(view.toggles)
    whole.fold = view.fold
    whole.update()
    assert list(map(view.row, range(len(view)))) == list(map(whole.row, range(len(whole))))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.one_of(quiet, quiet, st.just([row("event")])), min_size=6, max_size=16), st.integers(16, 24)
)
def test_view_stays_right_while_open_runs_lose_their_beginnings(steps: list[object], capacity: int) -> None:
    check(steps, capacity)


def check(steps: list[object], capacity: int, at_once: int | None = None) -> tuple[View, Ring]:
    """Follow a story step by step, with a view, with a table that only follows changes, and on paper."""
    ring = Ring(capacity=capacity)
    view, naive = View(ring, room=2, at_once=at_once), Naive([])
    shown: list[tuple[int, int]] = []
    for step in steps:
        match step:
            case list():
                ring.extend(step)
            case ("filter", text):
                assert view.set_filter(text) is None
                naive.words = text.lower().split()
            case ("fold", on):
                view.fold = naive.fold = on
            case ("toggle", switches):
                view.set_toggles(Toggles(*switches))
                naive.received, naive.sent, naive.control, naive.injected, naive.errors_only = switches
            case ("annotate", row_id, flag):
                ring.annotate(row_id, rtt_ms=1.0, flags=flag)
            case ("look back", rows):
                view.look_back(rows)
        shown = replayed(shown, view, view.update())
        expected = naive.rows(ring, ring.first_id + view.backlog)
        assert [(view.row(i).row_id, view.row(i).folded_count) for i in range(len(view))] == [
            (run[0], len(run)) for run in expected
        ]
        assert shown == [(run[0], len(run)) for run in expected]
        assert [view.row(i).last_id for i in range(len(view))] == [run[-1] for run in expected]
        assert view.records_shown == sum(map(len, expected))
        for index, run in enumerate(expected):
            assert all(view.index_of(member) == index for member in run)
    return view, ring


def test_quiet_stretch_is_one_row_for_each_channel_and_one_for_heartbeats() -> None:
    ring = Ring()
    view = View(ring)
    view.update()
    for beat in range(50):
        ring.extend(
            [delta(at=beat), delta("$stats", at=beat), heartbeat("ping", at=beat), heartbeat("pong", at=beat)]
        )
        change = view.update()
    assert change == ViewChange(reset=False, appended=0, changed_from=0, evicted_front=0)
    assert [view.row(i).folded_count for i in range(len(view))] == [50, 50, 100]
    assert view.row(0).last_at == 49


def test_what_was_injected_can_be_hidden_and_comes_back() -> None:
    ring = Ring()
    view = View(ring)
    ring.extend([row("event"), row("act", kind=Kind.ACT, direction=Direction.NONE, flags=int(Flag.INJECTED))])
    view.set_toggles(Toggles(injected=False))
    view.update()
    assert [view.row(i).row_id for i in range(len(view))] == [0]
    view.set_toggles(Toggles())
    assert view.update().reset
    assert len(view) == 2


def test_story_row_ends_every_run() -> None:
    ring = Ring()
    view = View(ring)
    ring.extend([delta(), delta(), row("event"), delta(), row("close", kind=Kind.CLOSE)])
    view.update()
    assert [view.row(i).folded_count for i in range(len(view))] == [2, 1, 1, 1]


def test_delta_t_is_the_time_since_the_row_above() -> None:
    ring = Ring()
    view = View(ring)
    ring.extend([row(at=1.0), delta(at=1.5), delta(at=1.6), row(at=2.0)])
    view.update()
    assert [view.row(i).delta_ms for i in (1, 2)] == [500.0, 500.0]
    assert view.row(0).delta_ms != view.row(0).delta_ms  # not a number: nothing is above


def test_index_of_a_hidden_or_evicted_row_is_none() -> None:
    ring = Ring(capacity=16)
    view = View(ring)
    ring.extend([row(payload=b"a") for _ in range(40)])
    ring.append(row("hidden"))
    view.set_filter("event")
    view.update()
    assert view.index_of(0) is None
    assert view.index_of(40) is None
    assert view.index_of(41) is None
    with pytest.raises(IndexError):
        view.row(len(view))


def test_words_copied_from_a_summary_find_their_row() -> None:
    ring = Ring()
    view = View(ring)
    ring.append(row("reply", payload=b'{"op":"reply","id":214,"d":{"seq":3102}}', command=214))
    ring.append(row("event", payload=b'{"from":"ada","type":"chat"}'))
    for text, index in (("#214", 0), ("3,102", 0), ("chat ada:", 1)):
        view.set_filter(text)
        view.update()
        assert [view.row(i).row_id for i in range(len(view))] == [index], text


def test_a_filter_by_round_trip_shows_a_row_once_its_answer_came() -> None:
    ring = Ring()
    view = View(ring)
    view.set_filter("rtt>200ms")
    ring.extend([row("publish"), row("publish"), heartbeat("ping")])
    view.update()
    assert len(view) == 0
    ring.annotate(1, rtt_ms=250.0)
    assert view.update() == ViewChange(reset=True)
    assert [view.row(at).row_id for at in range(len(view))] == [1]
    ring.annotate(2, rtt_ms=300.0)
    view.update()
    assert [view.row(at).row_id for at in range(len(view))] == [1, 2]
    ring.annotate(0, rtt_ms=3.0)
    assert view.update() == ViewChange()


def test_what_another_protocol_calls_a_delta_is_not_folded() -> None:
    ring = Ring()
    ring.extend([delta(protocol="json"), delta(protocol="json"), delta(), delta()])
    view = View(ring)
    view.update()
    assert [view.row(at).folded_count for at in range(len(view))] == [1, 1, 2]
