"""What is known of each socket: what its gateway announced, when it last spoke, how it was closed.

Owns the table that several rules share. A socket is a connection's dial; the longest known goes when there are
too many.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from sonde_lab.envelope import integer
from sonde_lab.expert.batch import Batch

MAX_SOCKETS: Final = 4_096
_HOUR_MS: Final = 3_600_000


@dataclass(slots=True)
class Socket:
    """One dial of a connection. `heartbeat_s` and `max_frame_bytes` are 0 until they were announced."""

    heartbeat_s: float = 0.0
    max_frame_bytes: int = 0
    heard_at: float = math.nan  # the last frame received
    heard_row: int = -1
    silence_told: bool = False  # of the silence since then
    is_open: bool = False
    close_code: int = -1  # of the last close frame; 0: it bore none; -1: there was no close frame


class Sockets:
    """All sockets that frames were seen on."""

    def __init__(self) -> None:
        self._table: dict[int, Socket] = {}

    def forget(self) -> None:
        """Rows were missed: nothing of this is sure any more."""
        self._table.clear()

    def known(self, key: int) -> Socket | None:
        """The socket, when frames were seen on it."""
        return self._table.get(key)

    def at(self, key: int) -> Socket:
        """The socket, made when it is new."""
        socket = self._table.get(key)
        if socket is None:
            if len(self._table) >= MAX_SOCKETS:
                del self._table[next(iter(self._table))]
            socket = self._table[key] = Socket()
        return socket

    def __iter__(self) -> Iterator[Socket]:
        return iter(self._table.values())

    def learn(self, batch: Batch) -> None:
        """Take in what is announced and which sockets there are, before the rules look at the same rows."""
        for key in np.unique(batch.socket[batch.is_frame]).tolist():
            self.at(key)
        for place in np.flatnonzero(batch.received & batch.is_ours & batch.op_is("hello")).tolist():
            seen = batch.peek(batch.ids.start + place)
            socket = self.at(int(batch.socket[place]))
            socket.heartbeat_s = min(max(integer(seen.heartbeat_ms, 0), 0), _HOUR_MS) / 1000
            socket.max_frame_bytes = max(integer(seen.max_frame, 0), 0)
