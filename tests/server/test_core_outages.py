"""Exact or declared while the store goes away amid anything: random outages over several nodes and a bad bus.

An outage may strike a call before or after it took effect; nobody can tell. The same truth is asked for as in
`test_core_exactness.py`: whatever was acknowledged stands in the log once, and everybody was told all of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sonde_server.core.gateway import Gateway
from sonde_server.core.ports import Backend
from sonde_server.core.records import StoreUnavailable
from support.gateway_rig import Rig
from support.model_client import ModelClient
from support.stormy_rig import StormyRig, check, step
from support.waiting_rig import DisturbedBus


class Mains:
    """The current that all stores run on."""

    def __init__(self, rig: Rig) -> None:
        self.is_up = True
        self.strikes_after: bool | None = None  # the next call is the one that the outage strikes
        self._rig = rig

    def cut(self, *, after_effect: bool) -> None:
        self.strikes_after = after_effect

    def struck(self) -> None:
        self.is_up, self.strikes_after = False, None
        for gateway in self._rig.gateways:
            gateway.on_store(False)

    def restore(self) -> None:
        self.is_up, self.strikes_after = True, None
        for gateway in self._rig.gateways:
            gateway.on_store(True)


class Powered:
    """A store that works while there is current."""

    def __init__(self, inner: Any, mains: Mains) -> None:
        self._inner = inner
        self._mains = mains

    def __getattr__(self, name: str) -> Any:
        method, mains = getattr(self._inner, name), self._mains

        async def powered(*args: Any, **kwargs: Any) -> Any:
            if not mains.is_up:
                raise StoreUnavailable("no current")
            if mains.strikes_after is None:
                return await method(*args, **kwargs)
            if mains.strikes_after:
                await method(*args, **kwargs)
            mains.struck()
            raise StoreUnavailable("the current went")

        return powered


class OutageRig(StormyRig):
    """A stormy rig whose stores can lose their current."""

    def make_backend(self) -> Backend:
        made = Rig.make_backend(self)
        self.mains = Mains(self)
        self.bus = DisturbedBus(made.bus, self.chance, self._loss)
        names = ("sessions", "log", "presence")
        powered = {name: Powered(getattr(made, name), self.mains) for name in names}
        return replace(made, bus=self.bus, **powered)


class PatientClient(ModelClient):
    """Sends again what was refused for now, and dials again where a resume was not possible yet."""

    refused: set[int]

    def __init__(self, rig: Rig, user: str) -> None:
        super().__init__(rig, user)
        self.refused = set()

    def _on_error(self, frame: dict[str, Any]) -> None:
        if frame["temporary"]:
            self.refused.add(frame["id"])
        else:
            super()._on_error(frame)

    def _on_resumed(self, frame: dict[str, Any]) -> None:
        self.refused.clear()  # all that has no answer is sent again here
        super()._on_resumed(frame)

    def _on_resume_failed(self, frame: dict[str, Any]) -> None:
        if frame["cause"] != "not_ready":
            super()._on_resume_failed(frame)
        self.peer = None

    def _on_bye(self, frame: dict[str, Any]) -> None:
        super()._on_bye(frame)
        if self.number == 0:
            self.session = None

    def connect(self, gateway: Gateway) -> None:
        if self.session is not None or self.number == 0:
            super().connect(gateway)

    def send_again(self) -> None:
        """What was refused for now, in order and under the old numbers."""
        self.read()
        if self.peer is not None and self.is_live:
            refused, self.refused = sorted(self.refused), set()
            for number in refused:
                self._put(id=number, **self.unanswered[number])
            self.read()


def settle(rig: OutageRig, clients: list[PatientClient]) -> None:
    rig.bus.loss = 0.0
    rig.mains.restore()
    for _ in range(6):
        for client in clients:
            if client.peer is None:
                client.connect(rig.chance.choice(rig.gateways))
        rig.bus.release()
        rig.move(1.5)
        for client in clients:
            client.read()
            client.send_again()
    rig.bus.release()
    rig.move(1)
    for client in clients:
        client.read()


@pytest.mark.parametrize("loss", [0.0, 0.3])
@pytest.mark.parametrize("nodes", [1, 2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_nothing_acknowledged_is_lost_or_doubled_by_outages(seed: int, nodes: int, loss: float) -> None:
    rig = OutageRig(seed * 100 + nodes, loss)
    for number in range(1, nodes):
        rig.add_gateway(f"n{number + 1}")
    clients = [PatientClient(rig, name) for name in ("ada", "bob", "cia")]
    for client in clients:
        client.connect(rig.chance.choice(rig.gateways))
    outages = 0
    for count in range(300):
        roll = rig.chance.random()
        if rig.mains.is_up and roll < 0.04:
            rig.mains.cut(after_effect=rig.chance.random() < 0.5)
            outages += 1
        elif not rig.mains.is_up and roll < 0.3:
            rig.mains.restore()
            for client in clients:
                client.send_again()
        step(rig, rig.chance.choice(clients), count)
        if rig.chance.random() < 0.3:
            rig.bus.release()
        if rig.chance.random() < 0.5:
            rig.move(0.03, step=0.03)
    settle(rig, clients)
    assert outages > 2
    check(rig, clients)
    assert sum(len(client.answered) for client in clients) > 20
