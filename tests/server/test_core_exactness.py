"""Exact or declared, whatever happens: random lives of clients over several nodes and a bus that misbehaves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sonde_server.core.config import DEFAULT_NAMESPACES
from support.model_client import CH, ModelClient
from support.stormy_rig import StormyRig, check, step

TINY_ROOMS = {**DEFAULT_NAMESPACES, "room": replace(DEFAULT_NAMESPACES["room"], history_entries=8)}


@pytest.mark.parametrize("loss", [0.0, 0.3])
@pytest.mark.parametrize("nodes", [1, 2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_every_entry_arrives_once_and_in_order_through_random_drops(
    seed: int, nodes: int, loss: float
) -> None:
    rig = StormyRig(seed * 100 + nodes, loss)
    for number in range(1, nodes):
        rig.add_gateway(f"n{number + 1}")
    clients = [ModelClient(rig, name) for name in ("ada", "bob", "cia")]
    for client in clients:
        client.connect(rig.chance.choice(rig.gateways))
    for count in range(250):
        step(rig, rig.chance.choice(clients), count)
        if rig.chance.random() < 0.3:
            rig.bus.release()
        if rig.chance.random() < 0.5:
            rig.move(0.03, step=0.03)
    settle(rig, clients)
    check(rig, clients)
    assert sum(len(client.answered) for client in clients) > 20


def settle(rig: StormyRig, clients: list[ModelClient]) -> None:
    """Everybody comes back and everything arrives; what the bus lost last, the next entry shows."""
    rig.bus.loss = 0.0
    for _ in range(4):
        for client in clients:
            if client.peer is None:
                client.connect(rig.chance.choice(rig.gateways))
        rig.bus.release()
        rig.move(1.5)
        for client in clients:
            client.read()
    rig.player("last").publish("last-1")
    rig.bus.release()
    rig.move(1)
    for client in clients:
        client.read()


@pytest.mark.parametrize("seed", range(4))
def test_short_histories_lead_to_declared_snapshots_and_never_to_silent_holes(seed: int) -> None:
    rig = StormyRig(seed, 0.0, hash_every=4, checkpoint_every=8, namespaces=TINY_ROOMS)
    clients = [ModelClient(rig, name) for name in ("ada", "bob")]
    for client in clients:
        client.connect(rig.gateway)
    others = rig.player("others")
    for count in range(400):
        step(rig, rig.chance.choice(clients), count)
        for _ in range(3):
            others.publish(count)
        if rig.chance.random() < 0.5:
            rig.move(0.03, step=0.03)
    settle(rig, clients)
    for client in clients:
        assert client.breaches == []
        assert not client.unanswered
    assert clients[0].document == clients[1].document
    causes = {cause for client in clients for cause in client.jumps}
    assert {"trimmed"} <= causes <= {"asked", "trimmed", "too_far"}


def test_after_a_gap_in_the_bus_a_node_fetches_what_it_missed() -> None:
    rig = StormyRig(1, 1.0)
    other = rig.add_gateway("n2")
    ada, bob = ModelClient(rig, "ada"), ModelClient(rig, "bob")
    ada.connect(rig.gateway)
    bob.connect(other)
    for client in (ada, bob):
        client.read()
    for count in range(3):
        ada.publish(f"ada-{count}")
        ada.patch({"n": count})
        rig.move(0.1)
    bob.read()
    assert bob.entries == {}
    other._hub.hearing.on_gap()
    for client in (ada, bob):
        client.read()
    check(rig, [ada, bob])
    assert len(bob.entries) == 6


def test_the_check_itself_goes_red_when_an_entry_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = StormyRig(3, 0.0)
    client, other = ModelClient(rig, "ada"), ModelClient(rig, "bob")
    for model in (client, other):
        model.connect(rig.gateway)
        model.read()
    room = rig.gateway._hub.rooms[CH]
    other.publish("bob-1")
    room.subscriptions[str(client.session)].sent += 1  # the gateway believes that it sent what it did not
    other.publish("bob-2")
    other.publish("bob-3")
    settle(rig, [client, other])
    with pytest.raises(AssertionError):
        check(rig, [client, other])


def test_the_check_itself_goes_red_when_a_repeat_is_applied_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = StormyRig(4, 0.0)
    client = ModelClient(rig, "ada")
    client.connect(rig.gateway)
    client.read()
    client.publish("ada-1")
    client.drop(keep=0)
    log: Any = rig.backend.log
    monkeypatch.setattr(log._channels[CH], "answers", None)  # a store without memory of commands
    settle(rig, [client])
    with pytest.raises(AssertionError):
        check(rig, [client])
