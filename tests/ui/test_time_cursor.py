from __future__ import annotations

from sonde_lab.changes import Changes
from sonde_lab.moments import Moment
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.time_cursor import TimeCursor
from support.shell import ShellWorkbench


def test_it_is_live_until_somebody_holds_a_moment(cursor: TimeCursor, bench: ShellWorkbench) -> None:
    assert cursor.is_live
    cursor.hold(12.5, 7)
    assert (cursor.moment, bench.moment, cursor.is_live) == (Moment(12.5, 7), Moment(12.5, 7), False)
    cursor.release()
    assert cursor.is_live


def test_it_tells_of_another_moment_once_and_not_of_the_same(cursor: TimeCursor) -> None:
    told: list[Moment | None] = []
    cursor.moved.connect(lambda: told.append(cursor.moment))
    cursor.hold(1.0)
    cursor.hold(1.0)
    cursor.hold(2.0)
    cursor.release()
    cursor.release()
    assert told == [Moment(1.0), Moment(2.0), None]


def test_another_endpoint_has_other_moments(cursor: TimeCursor, bridge: Bridge) -> None:
    cursor.hold(1.0)
    bridge.changed.emit(Changes(endpoint_changed=True))
    assert cursor.is_live
