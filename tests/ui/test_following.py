"""Who is followed, and what the one filter says of them."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from sonde_lab.filter import Filter
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.following import Followed, Following
from support.scripted_workbench import WORST_NAMES, ScriptedWorkbench


def test_a_change_is_told_once_and_ends_with_the_endpoint(
    qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge
) -> None:
    following = Following(bridge)
    told: list[Followed | None] = []
    following.changed.connect(lambda: told.append(following.who))
    following.follow("p-ada", "s1", "ada")
    following.follow("p-ada", "s1", "ada")
    bench.pending.endpoint_changed = True
    bridge.drain()
    assert told == [Followed("p-ada", "s1", "ada"), None]


def test_a_user_who_comes_back_with_another_session_is_still_the_one() -> None:
    ada = Followed("p-ada", "s1", "ada")
    assert ada.is_one("p-ada", "s2")
    assert not ada.is_one("p-bertil", "s1")
    assert ada.is_one("", "s1")


@pytest.mark.parametrize("name", [*WORST_NAMES, "ada"])
def test_the_filter_of_any_name_is_understood(name: str) -> None:
    text = Followed("p-1", "s1", name).filter
    Filter(text)
    assert "p-1" in text
