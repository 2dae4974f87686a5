"""The gateway dies under the window: state and cause are named, the countdown falls, the rows go on without a gap."""

from __future__ import annotations

import re
from collections.abc import Callable

import psutil
import pytest
from PySide6.QtCore import Qt

from sonde_lab.changes import Act
from sonde_protocol.states import ConnectionState
from support.processes import command_of
from support.window import Person

pytestmark = pytest.mark.slow
Tell = Callable[..., None]


def state(person: Person) -> ConnectionState | None:
    client = person.workbench.clients.get("you")
    return client.status.state if client is not None else None


def gateway_process(person: Person) -> psutil.Process:
    children = psutil.Process().children(recursive=True)
    return next(child for child in children if "sonde_server" in " ".join(command_of(child)))


def countdown(person: Person) -> float | None:
    """Seconds until the next try, as the widget says it in words."""
    found = re.search(r"retry in ([\d.]+) (ms|s)", person.desk.status.reason.text())
    return float(found[1]) / (1000 if found[2] == "ms" else 1) if found else None


def test_a_killed_gateway_is_named_counted_down_and_come_back_from(tell: Tell) -> None:
    async def story(person: Person) -> None:
        await person.until(lambda: state(person) is ConnectionState.LIVE, "the window is live")
        await person.until(lambda: person.workbench.ring.next_id > 40, "traffic flows")
        gateway_process(person).kill()
        await person.until(lambda: person.desk.status.pill.text() == "Reconnecting", "the state is named")
        await person.until(lambda: "gateway has ended" in person.desk.status.reason.text(), "so is the cause")
        await person.until(lambda: (countdown(person) or 0) > 0.3, "a countdown is shown")
        first = countdown(person)
        await person.until(lambda: (countdown(person) or 99) < (first or 0), "the countdown falls")
        await person.until(person.desk.status.retry.isVisible, "Retry now is offered")
        dials = person.workbench.clients["you"].metrics.counters.dials
        await person.click(person.desk.status.retry)
        await person.until(
            lambda: person.workbench.clients["you"].metrics.counters.dials > dials, "it dialled at once"
        )
        rows_before = person.workbench.ring.next_id
        await person.press(Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
        await person.click(person.views.faults.cards[Act.RESTART_GATEWAY].button)
        await person.until(lambda: state(person) is ConnectionState.LIVE, "live again", limit_s=40)
        await person.until(lambda: person.workbench.ring.next_id > rows_before + 20, "rows go on")
        ring = person.workbench.ring
        times = [ring.record(row_id).at for row_id in range(ring.first_id, ring.next_id)]
        assert ring.next_id - ring.first_id == len(times)
        assert ring.first_id <= 1
        await person.until(lambda: person.desk.status.pill.text() == "Live", "the widget says so")

    tell(story)


def test_a_planted_standing_countdown_is_seen(tell: Tell) -> None:
    """The same check goes red when the window's clock stands still."""

    async def story(person: Person) -> None:
        await person.until(lambda: state(person) is ConnectionState.LIVE, "the window is live")
        gateway_process(person).kill()
        await person.until(lambda: (countdown(person) or 0) > 0.3, "a countdown is shown")
        person.session.bridge.stop()
        first = countdown(person)
        with pytest.raises(AssertionError, match="not within"):
            await person.until(
                lambda: (countdown(person) or 99) < (first or 0), "the countdown falls", limit_s=1.5
            )
        person.session.bridge.start()

    tell(story)
