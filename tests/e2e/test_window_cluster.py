"""A cluster in the window: the node that carries the client is killed, and the client is live on the other."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt

from sonde_lab.changes import Act
from sonde_lab.endpoints import CLUSTER
from sonde_lab.records import Flag, Kind
from sonde_protocol.states import ConnectionState
from support.window import Person

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def state(person: Person) -> ConnectionState | None:
    client = person.workbench.clients.get("you")
    return None if client is None else client.status.state


def rows(person: Person) -> dict[str, str]:
    model = person.views.nodes.model
    return {row.name: row.state for row in model.rows}


def test_killing_the_node_that_carries_us_is_survived_with_nothing_missed(tell: Callable[..., None]) -> None:
    async def story(person: Person) -> None:
        await person.until(lambda: state(person) is ConnectionState.LIVE, "the cluster is live", 40)
        await person.until(lambda: person.views.presence.model.rowCount() >= 5, "players are in the room")
        await person.until(
            lambda: rows(person).get("n1") == rows(person).get("n2") == "ready", "both nodes tell"
        )
        assert {"Redis", "NATS"} <= set(rows(person))
        assert person.views.nodes.isVisible()
        client = person.workbench.clients["you"]
        before = client.status.node
        await person.press(Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
        await person.until(lambda: person.desk.host.perspective == "break", "the perspective changed")
        await person.click(person.views.faults.cards[Act.KILL_NODE].button)
        await person.until(lambda: rows(person).get(str(before)) == "dead", "the panel shows the dead node")
        await person.until(
            lambda: state(person) is ConnectionState.LIVE and client.status.node != before,
            "live on the other node",
            30,
        )
        assert client.metrics.counters.resumes_ok >= 1
        assert client.metrics.counters.holes == 0
        await person.until(lambda: "resumed" in person.desk.status.reason.text(), "the widget says so")
        ring = person.workbench.ring
        acts = [ring.record(row) for row in range(ring.first_id, ring.next_id)]
        assert any(
            record.kind is Kind.ACT
            and record.flags & Flag.INJECTED
            and bytes(record.payload) == f"kill node {before}".encode()
            for record in acts
        )
        card = person.views.faults.cards[Act.START_NODE]
        await person.until(card.button.isEnabled, "the node may be started again")
        await person.do(lambda: person.views.faults.do(Act.START_NODE))
        await person.until(lambda: rows(person).get(str(before)) == "ready", "it is back", 40)

    tell(story, endpoint=CLUSTER)
