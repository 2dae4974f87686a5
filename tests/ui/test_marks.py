"""What is annotated in the latency plot."""

from __future__ import annotations

from sonde_client.status import Closed, ResumeReport
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_ui.desktop.plots.marks import LIMIT, MISSED_S, Marks
from support.records import heartbeat, row
from support.scripted_workbench import Script, live_status, storm, waiting_status


def closed(at: float, code: int | None = 4002) -> Closed:
    return Closed(code, "", "heartbeat lost", "server", True, None, at)


def test_a_drop_and_the_way_back_are_two_marks() -> None:
    marks = Marks()
    marks.status_changed(live_status(connected_at=1.0))
    marks.status_changed(waiting_status())
    report = ResumeReport(2, 15, 310.0)
    back = live_status(connected_at=9.0, last_close=closed(5.0), last_resume=report)
    marks.status_changed(back)
    assert [(mark.label, mark.tone) for mark in marks.all[-2:]] == [
        ("4002 heartbeat lost", "bad"),
        ("resumed, 15 replayed", "ok"),
    ]
    assert not marks.status_changed(back), "the same status says nothing new"


def test_an_injected_act_lasts_until_the_connection_is_back() -> None:
    marks, ring, script = Marks(), Ring(), Script(at=100.0)
    marks.status_changed(live_status(connected_at=50.0))
    ring.extend([*storm(3), script.happening(Kind.ACT, "drop", "drop the connection", flags=Flag.INJECTED)])
    assert marks.rows_added(ring, "you")
    assert not marks.rows_added(ring, "you"), "a row is looked at once"
    marks.status_changed(waiting_status())
    marks.settle(103.0)
    assert marks.all[0].until is None
    marks.status_changed(live_status(connected_at=104.0))
    marks.settle(105.0)
    assert marks.all[0].until == 104.0


def test_an_act_that_touched_nothing_is_a_moment() -> None:
    marks, ring, script = Marks(), Ring(), Script(at=100.0)
    marks.status_changed(live_status(connected_at=50.0))
    ring.extend([script.happening(Kind.ACT, "kick", "kick ada", flags=Flag.INJECTED)])
    marks.rows_added(ring, "you")
    marks.settle(marks.all[0].at + 1.0)
    assert marks.all[0].until is None
    marks.settle(marks.all[0].at + 2.0)
    assert marks.all[0].until == marks.all[0].at


def test_rows_that_are_no_injected_acts_are_not_marked() -> None:
    marks, ring, script = Marks(), Ring(), Script()
    ring.extend(
        [script.happening(Kind.ACT, "connect", "connect"), script.frame("event", flags=Flag.INJECTED)]
    )
    assert not marks.rows_added(ring, "you")


def test_marks_are_bounded() -> None:
    marks = Marks()
    for at in range(LIMIT * 2):
        marks.status_changed(live_status(last_close=closed(float(at))))
    assert len(marks.all) == LIMIT


def test_plot_of_another_client_shows_what_was_done_to_that_one_and_to_no_other() -> None:
    marks, ring = Marks(), Ring()
    for at, conn in ((100.0, "you"), (101.0, "you2")):
        act = Script(at=at, conn=conn).happening(Kind.ACT, "act", f"cut {conn}", flags=Flag.INJECTED)
        ring.extend([act])
    marks.rows_added(ring, "you")
    assert [mark.label for mark in marks.all] == ["cut you"]
    marks.clear(ring)
    marks.look_back(ring, "you2")
    assert [mark.label for mark in marks.all] == ["cut you2"]


def test_a_stretch_down_lasts_from_the_close_to_the_next_live_connection() -> None:
    marks = Marks()
    marks.status_changed(live_status(connected_at=1.0, last_close=None))
    marks.all.clear()
    marks.status_changed(waiting_status())
    marks.all[:] = [mark for mark in marks.all if mark.tone == "bad"][-1:]
    down = marks.all[0]
    marks.settle(down.at + 60)
    assert down.until is None
    marks.status_changed(live_status(connected_at=down.at + 61, last_close=None))
    marks.settle(down.at + 62)
    assert down.until == down.at + 61


def ping(at: float, **fields: object) -> Record:
    return heartbeat("ping", at=at, direction=Direction.OUT, **fields)


def test_a_ping_without_an_answer_is_a_tick_until_the_answer_comes() -> None:
    marks, ring = Marks(), Ring()
    ring.extend([ping(10.0), ping(11.0, rtt_ms=4.0)])
    marks.rows_added(ring, "you")
    marks.settle(12.0, ring)
    assert marks.missed == []
    marks.settle(10.0 + MISSED_S + 0.1, ring)
    assert marks.missed == [10.0]
    ring.annotate(0, rtt_ms=7_000.0)
    marks.settle(20.0, ring)
    assert marks.missed == []


def test_a_ping_whose_socket_ended_first_is_a_tick_at_once() -> None:
    marks, ring = Marks(), Ring()
    ring.extend([ping(10.0), row("close", 11.0, kind=Kind.CLOSE, code=1006)])
    marks.rows_added(ring, "you")
    marks.settle(11.1, ring)
    assert marks.missed == [10.0]


def test_pings_of_the_gateway_of_others_and_of_the_socket_itself_are_no_ticks() -> None:
    marks, ring = Marks(), Ring()
    ring.extend(
        [
            heartbeat("ping", at=10.0),
            ping(10.1, conn="you2"),
            ping(10.2, flags=int(Flag.HEARTBEAT | Flag.CONTROL)),
        ]
    )
    marks.rows_added(ring, "you")
    marks.settle(99.0, ring)
    assert marks.missed == []


def test_rows_alone_tell_a_capture_s_stretches_down() -> None:
    marks, ring = Marks(), Ring()
    ring.extend(
        [
            row("close", 10.0, b"4002 heartbeat lost \xe2\x80\x94 by the server", kind=Kind.CLOSE, code=4002),
            row("resumed", 14.0),
        ]
    )
    marks.look_back(ring, "you", only_rows=True)
    assert [(mark.label, mark.at, mark.until) for mark in marks.all] == [
        ("4002 heartbeat lost", 10.0, 14.0),
        ("resumed", 14.0, 14.0),
    ]


def test_in_a_capture_an_act_lasts_as_long_as_what_it_has_ended_and_else_is_a_moment() -> None:
    def act(at: float, words: bytes) -> Record:
        return row("drop", at, words, kind=Kind.ACT, flags=int(Flag.INJECTED))

    marks, ring = Marks(), Ring()
    ring.extend(
        [
            act(5.0, b"latency"),
            act(10.0, b"cut"),
            row("close", 10.1, b"1006 lost", kind=Kind.CLOSE),
            row("ready", 12.0),
            act(20.0, b"slice"),
        ]
    )
    marks.look_back(ring, "you", only_rows=True)
    marks.settle(30.0, ring)
    assert [(mark.label, mark.at, mark.until) for mark in marks.all] == [
        ("latency", 5.0, 5.0),
        ("cut", 10.0, 12.0),
        ("1006 lost", 10.1, 12.0),
        ("slice", 20.0, 20.0),
    ]


def test_of_a_long_capture_the_last_closes_and_returns_are_marked() -> None:
    ring = Ring(10_000)
    for at in range(0, 6 * LIMIT, 2):
        ring.append(row("close", at, "1006 lost — by the network".encode(), kind=Kind.CLOSE))
        ring.append(row("ready", at + 1.0))
        ring.append(row("ready", at + 1.5))
    all_at_once, one_by_one = Marks(), Marks()
    all_at_once.look_back(ring, "you", only_rows=True)
    growing = Ring(10_000)
    for row_id in ring.ids:
        growing.append(ring.record(row_id))
        one_by_one.rows_added(growing, "you", only_rows=True)
    assert all_at_once.all == one_by_one.all
    assert len(all_at_once.all) == LIMIT
    assert all(mark.until == mark.at + 1.0 for mark in all_at_once.all)
