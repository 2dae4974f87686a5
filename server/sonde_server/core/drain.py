"""Emptying a node without losing anybody: clients are told to go in batches, each at its own random time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from sonde_protocol.codes import CloseCode
from sonde_protocol.frames import Reconnect

if TYPE_CHECKING:
    from sonde_server.core.connection import Connection
    from sonde_server.core.hub import Hub

BATCH: Final = 500  # connections told at once


class Drain:
    """One drain; a second start changes nothing."""

    __slots__ = ("_deadline", "_hub", "_untold")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._deadline = 0.0
        self._untold: deque[Connection] = deque()

    def start(self, window_s: float) -> None:
        """Begin: not ready any more; `reconnect` goes out; 4001 for whoever is left after `window_s`."""
        hub = self._hub
        if hub.is_draining:
            return
        hub.is_draining = True
        self._deadline = hub.clock.now() + window_s
        self._untold.extend(hub.connections)
        hub.agenda.at(self._deadline, self._close_rest)
        hub.run(hub.system.announce(), "news of the drain")
        self._tell_batch()

    def _tell_batch(self) -> None:
        hub = self._hub
        now = hub.clock.now()
        left_s = max(0.0, self._deadline - now)
        for _ in range(min(BATCH, len(self._untold))):
            self._tell(self._untold.popleft(), left_s)
        if self._untold:
            hub.agenda.at(now + hub.config.drain_batch_s, self._tell_batch)

    def tell_late(self, connection: Connection) -> None:
        """A socket that was open before the drain has a session now."""
        if self._hub.is_draining:
            self._tell(connection, max(0.0, self._deadline - self._hub.clock.now()))

    def _tell(self, connection: Connection, left_s: float) -> None:
        if connection.session is not None:
            in_ms = round(self._hub.entropy.uniform(0.0, left_s / 2) * 1000)
            connection.send(Reconnect(in_ms=in_ms, deadline_ms=round(left_s * 1000)))

    def _close_rest(self) -> None:
        for connection in list(self._hub.connections):
            connection.close(CloseCode.DRAINING, "draining")
