"""Scenarios in the real window: what was just done is saved, played and looked at, all by mouse."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sonde_lab.changes import Act
from sonde_lab.endpoints import EndpointKind
from sonde_lab.scenario.reading import load
from sonde_ui.desktop.models.scenarios_model import SCENARIO
from support.window import Person

pytestmark = pytest.mark.slow
Tell = Callable[..., None]


def test_what_was_just_done_is_saved_played_and_its_rows_are_opened(tell: Tell) -> None:
    async def story(person: Person) -> None:
        bench, view = person.workbench, person.views.scenarios
        drop = person.views.faults.cards[Act.DROP].button
        await person.until(drop.isEnabled, "the client is live")
        await person.click(drop)
        await person.until(lambda: len(bench.acts) == 1, "the drop is remembered")
        await person.do(lambda: person.desk.host.show_view("scenarios"))
        await person.until(lambda: view.model.rowCount() > 40, "the scenarios are read")
        await person.click(view.save)
        await person.until(lambda: view.chosen is not None and view.chosen.is_own, "it is chosen")
        assert view.chosen is not None
        assert [step.fault for step in load(view.chosen.path).steps] == ["reset"]
        await person.do(person.desk.scenario_editor.close)
        await person.click(view.controls.virtually)
        await person.until(lambda: view.result.words().startswith("All is met"), "it was played and is met")
        assert view.model.index(0).data(SCENARIO).state == "met"
        await person.click(view.result.cards[0].rows)
        await person.until(
            lambda: bench.endpoint and bench.endpoint.kind is EndpointKind.CAPTURE, "a capture"
        )
        number = view.result.cards[0].check.rows[0]
        await person.until(lambda: bench.ring.id_of(number - 1) == person.views.cursor.row_id, "that row")

    tell(story, perspective="break")
