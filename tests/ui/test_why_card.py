"""The card of a verdict, where it is offered, and the sentence in the connection's popover."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QMenu

from sonde_client.status import Closed, SocketEnd
from sonde_lab.rowlog import RowLog
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.widgets.traffic_view import TrafficView
from sonde_ui.desktop.windows.desk import Desk
from support.drop_story import Story
from support.scripted_workbench import live_status, story
from support.shell import ShellWorkbench


class Window:
    """A desk whose ring a story is written into."""

    def __init__(self, desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> None:
        self.desk, self.bench, self.bridge = desk, bench, bridge
        bench.add(story())
        self.story = Story.live(log=RowLog(bench.ring, lambda: 0.0, lambda: 1_000.0))

    @property
    def view(self) -> TrafficView:
        return self.desk.views.traffic

    def show(self, row: int) -> None:
        """Select a row of the story."""
        self.story.log.flush()
        self.bench.pending.rows = len(self.bench.ring)
        self.bridge.drain()
        self.view.refresh()
        self.view.select_row_id(row)

    def menu(self, row: int) -> QMenu:
        self.show(row)
        place = QPoint(40, self.view.table.rowViewportPosition(self.view.model.row_of(row)) + 4)
        menu = self.view.menus.open_row_menu(place)
        assert menu is not None
        menu.hide()
        return menu

    def card(self, row: int) -> list[str]:
        """What the card says about a row."""
        self.show(row)
        self.view.acts.explain()
        card = self.view.acts._why_card
        assert card is not None
        assert card.isVisible()
        return card.said()


@pytest.fixture
def shown(desk: Desk, bench: ShellWorkbench, bridge: Bridge) -> Window:
    return Window(desk, bench, bridge)


def test_a_known_cause_says_by_whom_and_what_to_do_and_what_it_rests_on(shown: Window) -> None:
    said = shown.card(shown.story.goodbye(4410, "bored"))
    assert said[0] == "Somebody with the right to do so ended this session (“kick”)."
    assert {"By whom", "An administrator.", "What to do", "The other side says so."} <= set(said)
    assert "Missing" not in said


def test_an_unknown_one_says_what_it_may_be_and_what_is_missing(shown: Window) -> None:
    shown.story.receive(op="flow", ch="room:a", dropped=4, conflated=2)
    said = shown.card(shown.story.end(how=SocketEnd.RESET))
    assert said[0] == "Why it ended cannot be told: more than one cause fits."
    assert said.count("It may be") == 2
    assert {"Missing", "What was seen:"} <= set(said)
    assert "By whom" not in said


def test_a_failed_dial_and_the_state_after_it_can_be_asked(shown: Window) -> None:
    note = shown.story.fails("dial_refused", "Nothing listens there.")
    state = shown.story.state("waiting 0.5 s before the next try: The connection was refused")
    assert shown.card(note)[0] == shown.card(state)[0] == "It never came about: the connection was refused."


@pytest.mark.parametrize(("of_end", "words"), [(True, "Why did it close?\tW"), (False, "Why?\tW")])
def test_the_menu_of_an_end_or_of_a_failed_dial_offers_why(shown: Window, of_end: bool, words: str) -> None:
    row = shown.story.goodbye(4001, "draining") if of_end else shown.story.fails("dial_dns")
    assert words in [action.text() for action in shown.menu(row).actions()]


def test_the_menu_of_any_other_row_does_not(shown: Window) -> None:
    row = shown.story.event()
    assert not any(action.text().startswith("Why") for action in shown.menu(row).actions())


def test_a_card_that_is_filled_again_shows_nothing_of_before(shown: Window) -> None:
    shown.card(shown.story.goodbye(4410, "bored"))
    old = shown.view.acts._why_card._body
    shown.view.acts._why_card.dismiss()
    shown.card(shown.story.goodbye(4001, "draining"))
    assert old is not shown.view.acts._why_card._body
    assert old.isHidden()


def test_the_popover_of_the_status_tells_why_the_last_connection_dropped(shown: Window) -> None:
    shown.story.goodbye(4003, "slow_consumer")
    shown.story.log.flush()
    widget = shown.desk.status
    closed = Closed(4003, "", "slow consumer", "server", True, None, 1.0)
    shown.bench.pending.statuses = {"you": live_status(last_close=closed)}
    shown.bridge.drain()
    widget.pill.click()
    assert shown.desk.status_popover.facts()["Why"].startswith("The client took its messages more slowly")
    widget.pill.click()
