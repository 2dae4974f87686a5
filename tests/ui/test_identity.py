from __future__ import annotations

import time

import pytest
from PySide6.QtWidgets import QPushButton

from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.widgets.identity import claim_facts, leading_role
from sonde_ui.desktop.windows.desk import Desk
from support.scripted_workbench import WORST_NAMES, live_status
from support.shell import ShellWorkbench


def button(desk: Desk) -> QPushButton:
    return next(
        each for each in desk.top_bar.findChildren(QPushButton) if "Identity" in each.accessibleName()
    )


def test_before_identifying_nobody_is_named(desk: Desk) -> None:
    assert button(desk).accessibleName() == "Identity: not identified"


def test_name_and_leading_role_are_shown_and_claims_behind_them(
    desk: Desk, bench: ShellWorkbench, bridge: Bridge
) -> None:
    ends = int(time.time()) + 3492
    bench.pending.statuses["you"] = live_status(
        user="you", name="you", roles=frozenset({"player", "monitor"}), expires=ends
    )
    bridge.drain()
    assert button(desk).accessibleName() == "Identity: you · monitor"
    button(desk).click()
    facts = desk.identity_card.facts()
    assert facts["Roles"] == "monitor, player"
    assert "in 58:" in facts["Token ends"]


@pytest.mark.parametrize(
    ("roles", "leading"),
    [({"admin", "player"}, "admin"), ({"player"}, "player"), ({"referee"}, "referee"), (set(), "no role")],
)
def test_the_role_that_allows_most_leads(roles: set[str], leading: str) -> None:
    assert leading_role(frozenset(roles)) == leading


@pytest.mark.parametrize("name", WORST_NAMES)
def test_no_name_breaks_the_bar(desk: Desk, bench: ShellWorkbench, bridge: Bridge, name: str) -> None:
    bench.pending.statuses["you"] = live_status(user="u", name=name, roles=frozenset({"player"}))
    bridge.drain()
    assert button(desk).width() <= 300
    assert desk.top_bar.width() == desk.window.width()


def test_a_token_without_an_end_says_never() -> None:
    facts = {name: value for name, value, _ in claim_facts(live_status(user="u", expires=None), 0.0)}
    assert facts["Token ends"] == "never"
