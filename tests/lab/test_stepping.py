from __future__ import annotations

from sonde_lab.ring import Ring
from sonde_lab.stepping import line_at
from sonde_lab.timeline import Timeline
from support.scripted_workbench import Script


def seen(*rows: tuple[str, str]) -> tuple[Ring, Timeline]:
    """One delta a connection and channel, in this order."""
    ring = Ring()
    ring.extend([Script(conn=conn).frame("delta", seq=1, d={}, channel=channel) for conn, channel in rows])
    timeline = Timeline(ring)
    timeline.follow(1.0)
    return ring, timeline


def test_a_row_about_a_channel_with_state_means_that_channel() -> None:
    ring, timeline = seen(("you", "room:arena"), ("you", "user:you"), ("bob", "room:arena"))
    for row, means in enumerate((("you", "room:arena"), ("you", "user:you"), ("bob", "room:arena"))):
        line = line_at(timeline, ring, row, "you")
        assert line is not None
        assert (line.conn, line.channel) == means


def test_a_row_about_none_means_the_room_of_its_connection() -> None:
    ring, timeline = seen(("you", "room:arena"), ("bob", "user:bob"), ("bob", "room:arena"))
    ring.extend([Script(conn="bob").frame("pong", channel="")])
    line = line_at(timeline, ring, ring.next_id - 1, "you")
    assert line is not None
    assert (line.conn, line.channel) == ("bob", "room:arena")


def test_without_a_row_it_is_the_current_clients_room() -> None:
    ring, timeline = seen(("bob", "room:arena"), ("you", "user:you"), ("you", "room:arena"))
    line = line_at(timeline, ring, None, "you")
    assert line is not None
    assert (line.conn, line.channel) == ("you", "room:arena")


def test_where_no_row_tells_of_state_or_people_there_is_none() -> None:
    ring = Ring()
    ring.extend([Script().frame("pong", channel="")])
    assert line_at(Timeline(ring), ring, 0, "you") is None
