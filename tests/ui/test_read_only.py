"""Read-only: one action locks what changes something, a lock in the top bar says so, and it is remembered."""

from __future__ import annotations

from pathlib import Path

from sonde_lab.endpoints import EMBEDDED
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.app import WindowOptions, settings_for
from sonde_ui.desktop.settings import Settings
from sonde_ui.desktop.windows.desk import Desk
from support.shell import ShellWorkbench


def test_the_action_tells_the_workbench_and_the_settings_and_shows_a_lock(
    desk: Desk, bench: ShellWorkbench, settings: Settings
) -> None:
    assert not desk.top_bar.lock.isVisible()
    desk.actions_table["view.read_only"].trigger()
    assert (bench.read_only, settings.read_only) == (True, True)
    assert desk.top_bar.lock.isVisible()
    assert desk.top_bar.lock.accessibleName() == "Read-only"
    desk.top_bar.lock.click()
    assert (bench.read_only, settings.read_only) == (False, False)
    assert not desk.top_bar.lock.isVisible()


def test_the_command_line_locks_for_one_run_and_leaves_what_is_remembered(tmp_path: Path) -> None:
    files = settings_for(WindowOptions(read_only=True, data_dir=tmp_path))
    assert files.settings.read_only
    assert files.save() is None
    assert not settings_for(WindowOptions(data_dir=tmp_path)).settings.read_only


def test_a_locked_workbench_refuses_acts_that_a_script_asks_for() -> None:
    workbench_locked = Workbench()
    workbench_locked.read_only = True
    workbench_locked.endpoint = EMBEDDED
    before = workbench_locked.ring.next_id
    workbench_locked.drop()
    workbench_locked.set_players(True)
    assert workbench_locked.ring.next_id == before
    notices = workbench_locked.take_changes().notices
    assert all("read-only" in notice.detail for notice in notices)
    assert notices
