"""What is annotated in the latency plot."""

from __future__ import annotations

from sonde_client.status import Closed, ResumeReport
from sonde_lab.records import Flag, Kind
from sonde_lab.ring import Ring
from sonde_ui.desktop.plots.marks import LIMIT, Marks
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
