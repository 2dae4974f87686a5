"""Gateways over a bus that misbehaves, random acts of model clients, and the check of what they were told.

The truth is the log. Every client must have been handed exactly its entries between its snapshots, every command
must stand in the log once and be answered with its place, and all documents must be the fold of the deltas.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from sonde_protocol.merge import apply
from sonde_server.core.ports import Backend
from sonde_server.core.records import LogLimits
from support.gateway_rig import Rig, run_now
from support.model_client import CH, ModelClient
from support.waiting_rig import DisturbedBus

LIMITS = LogLimits(4_000, 600.0)


class StormyRig(Rig):
    """Gateways over a bus that delays, repeats, reorders and loses."""

    def __init__(self, seed: int, loss: float, **limits: Any) -> None:
        self.chance = random.Random(seed)
        self._loss = loss
        super().__init__(seed, heartbeat_s=3_600.0, **limits)

    def make_backend(self) -> Backend:
        made = super().make_backend()
        self.bus = DisturbedBus(made.bus, self.chance, self._loss)
        return replace(made, bus=self.bus)


def step(rig: StormyRig, client: ModelClient, count: int) -> None:
    """One random thing that happens to a client."""
    roll = rig.chance.random()
    if client.peer is None:
        if roll < 0.5:
            client.connect(rig.chance.choice(rig.gateways))
    elif roll < 0.12:
        client.drop(keep=rig.chance.randint(0, 6), silent=rig.chance.random() < 0.4)
    elif roll < 0.2:
        client.drop()
    elif roll < 0.5 and client.may_send:
        client.publish(f"{client.user}-{count}")
    elif roll < 0.75 and client.may_send:
        client.patch({"n": count, f"k{count % 3}": None if count % 2 else {"deep": count}})
    else:
        client.read()


def log_of(rig: Rig) -> dict[int, Any]:
    top = run_now(rig.backend.log.top(CH, LIMITS))
    return {entry.seq: entry for entry in run_now(rig.backend.log.read(CH, top.epoch, 0, top.seq))}


def check(rig: StormyRig, clients: list[ModelClient]) -> None:
    log = log_of(rig)
    assert sorted(log) == list(range(1, len(log) + 1))
    document: Any = {}
    for entry in log.values():
        document = apply(document, entry.d) if entry.is_delta else document
    published = [entry.d for entry in log.values() if not entry.is_delta]
    assert len(published) == len(set(published))
    for client in clients:
        assert client.breaches == []
        assert {seq: d for (_, seq), d in client.entries.items()} == {
            seq: log[seq].d for _, seq in client.entries
        }
        assert client.document == document
        assert not client.unanswered
        sent = [d for d in published if d.startswith(f"{client.user}-")]
        assert sent == sorted(sent, key=lambda d: int(d.split("-")[1]))
