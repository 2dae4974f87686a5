from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from pytestqt.qtbot import QtBot

from sonde_lab.changes import Changes
from sonde_ui.desktop.bridge import Bridge
from support.scripted_workbench import story
from support.shell import ShellWorkbench


def test_a_batch_is_told_once_and_nothing_is_told_when_nothing_changed(
    bridge: Bridge, bench: ShellWorkbench
) -> None:
    told: list[Changes] = []
    bridge.changed.connect(told.append)
    bench.add(story(1))
    bridge.drain()
    bridge.drain()
    assert [changes.rows for changes in told] == [len(story(1))]


def test_batches_come_by_themselves_while_it_runs_and_not_after(
    qtbot: QtBot, bridge: Bridge, bench: ShellWorkbench
) -> None:
    bench.add(story(1))
    with qtbot.waitSignal(bridge.changed, timeout=1000):
        bridge.start()
    bridge.stop()
    bench.add(story(1))
    with qtbot.assertNotEmitted(bridge.changed, wait=120):
        pass


def test_time_ticks_ten_times_a_second_even_when_nothing_happens(qtbot: QtBot, bridge: Bridge) -> None:
    ticks: list[float] = []
    bridge.ticked.connect(ticks.append)
    bridge.start()
    qtbot.waitUntil(lambda: len(ticks) >= 4, timeout=2000)
    steps = [after - before for before, after in itertools.pairwise(ticks)]
    assert all(step >= 0.09 for step in steps)


def test_a_notice_of_the_window_itself_comes_with_the_next_batch(bridge: Bridge) -> None:
    told: list[Changes] = []
    bridge.changed.connect(told.append)
    bridge.tell("settings_broken", "Not read", "line 3", "Look at it.")
    bridge.tell("endpoints_broken", "Not read either", "line 4", "Look at it, too.")
    bridge.drain()
    first, second = told[0].notices
    assert (first.cause, first.detail, first.severity) == ("settings_broken", "line 3", "warning")
    assert first.number != second.number
    assert first.number < 0


def test_the_timeline_takes_in_what_came_while_it_runs(
    qtbot: QtBot, bridge: Bridge, bench: ShellWorkbench
) -> None:
    bench.add(story(20))
    bridge.start()
    qtbot.waitUntil(lambda: bench.timeline.is_ready, timeout=5000)
    assert bench.timeline.lines()


def test_a_window_that_is_behind_lets_the_timeline_wait(
    bridge: Bridge, bench: ShellWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("sonde_ui.desktop.bridge.time", SimpleNamespace(monotonic=lambda: clock.now))
    bridge.drain()
    bench.add(story(1))
    clock.now += 0.2
    bridge.drain()
    assert not bench.timeline.is_ready
    clock.now += 0.033
    bridge.drain()
    assert bench.timeline.lines()
