"""Live and held, in the real window over a live gateway: by mouse and keys, and what goes on meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt

from sonde_lab.records import Flag
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.models.traffic_cells import Column
from support.window import Person

pytestmark = pytest.mark.slow
Tell = Callable[..., None]
CTRL = Qt.KeyboardModifier.ControlModifier


async def in_traffic(person: Person) -> None:
    """Live, with players about and enough rows to look back through."""
    bench, traffic = person.workbench, person.views.traffic
    await person.until(
        lambda: "you" in bench.clients and bench.clients["you"].status.state is ConnectionState.LIVE, "live"
    )
    await person.until(lambda: traffic.table.verticalScrollBar().maximum() > 200, "a table full of rows")


def test_a_click_on_a_row_holds_the_window_and_escape_lets_it_go_on(tell: Tell) -> None:
    async def story(person: Person) -> None:
        await in_traffic(person)
        traffic, cursor, band = person.views.traffic, person.desk.cursor, person.desk.held_band
        row = traffic.table.top_row() + 2
        index = traffic.model.index(row, Column.SUMMARY)
        await person.click(traffic.table.viewport(), traffic.table.visualRect(index).center())
        assert band.isVisible()
        held, top = cursor.row_id, traffic.table.top_row()
        before = person.workbench.ring.next_id
        await person.until(lambda: person.workbench.ring.next_id > before + 20, "capture goes on")
        assert (cursor.row_id, traffic.table.top_row()) == (held, top)
        await person.until(lambda: " new rows" in band.about.text(), "the band counts them")
        await person.press(Qt.Key.Key_Escape)
        assert cursor.is_live
        assert not band.isVisible()
        bar = traffic.table.verticalScrollBar()
        await person.until(lambda: bar.value() == bar.maximum(), "the newest row is in sight")

    tell(story, size=(1280, 800))


def test_changes_are_stepped_through_by_the_bands_buttons_and_marked_by_key(tell: Tell) -> None:
    async def story(person: Person) -> None:
        await in_traffic(person)
        ring, cursor, band = person.workbench.ring, person.desk.cursor, person.desk.held_band
        await person.press(Qt.Key.Key_Space)
        assert band.isVisible()
        newest = cursor.row_id
        await person.click(band.previous)
        first = cursor.row_id
        await person.click(band.previous)
        second = cursor.row_id
        assert newest is not None
        assert first is not None
        assert second is not None
        assert second < first < newest
        assert {ring.text("op", row) for row in (first, second)} <= {"delta", "snapshot", "presence"}
        await person.press(Qt.Key.Key_M, CTRL)
        assert ring.value("flags", second) & Flag.MARKED
        await person.click(band.next)
        assert cursor.row_id == first
        await person.click(band.back)
        assert cursor.is_live

    tell(story, size=(1280, 800))
