"""Nothing received for longer than the gateway's heartbeat and its grace.

A silence is told by the first row of any connection that comes after the moment when it had lasted too long, so
that the same rows always tell the same silences, however they are handed in.
"""

from __future__ import annotations

import math

import numpy as np

from sonde_lab.expert.batch import Batch, Ints, groups_of
from sonde_lab.expert.kinds import Limits
from sonde_lab.expert.sockets import MAX_SOCKETS, Socket, Sockets


class Silence:
    """The rule."""

    def __init__(self, limits: Limits, sockets: Sockets) -> None:
        self._limits = limits
        self._sockets = sockets
        self._newest: dict[int, int] = {}  # the newest socket's key of a connection

    def forget(self) -> None:
        """Rows were missed."""
        self._newest.clear()

    def judge(self, batch: Batch) -> None:
        """Look at new rows. Frames of one socket are one line in time; its end ends it."""
        places = np.flatnonzero(batch.received | batch.is_end)
        for key, members in groups_of(batch.socket[places], places):
            socket = self._sockets.known(key)
            if socket is not None:
                is_newest = self._supersede(batch, key, members)
                self._line(batch, socket, members)
                socket.is_open = is_newest and not batch.is_end[members[-1]]
        for socket in self._sockets:
            self._check(batch, socket, batch.now)

    def _supersede(self, batch: Batch, key: int, members: Ints) -> bool:
        """A new dial ends the wait for the one before; whether this is the newest of its connection."""
        conn = key >> 32
        newest = self._newest.get(conn, -1)
        if key <= newest:
            return key == newest
        before = self._sockets.known(newest)
        if before is not None:
            self._check(batch, before, float(batch.clock[members[0]]))
            before.is_open = False
        elif len(self._newest) >= MAX_SOCKETS:
            del self._newest[next(iter(self._newest))]
        self._newest[conn] = key
        return True

    def _line(self, batch: Batch, socket: Socket, members: Ints) -> None:
        self._check(batch, socket, float(batch.clock[members[0]]))
        if socket.heartbeat_s:
            patience_s = socket.heartbeat_s + self._limits.grace_s
            heard = members[:-1]
            lasted_s = batch.clock[members[1:]] - batch.at[heard]
            for place in heard[(lasted_s > patience_s) & ~batch.is_end[heard]].tolist():
                self._tell(batch, socket, batch.ids.start + place, float(batch.at[place]))
        frames = members[~batch.is_end[members]]
        if len(frames):
            socket.heard_at, socket.heard_row = float(batch.at[frames[-1]]), batch.ids.start + int(frames[-1])
            socket.silence_told = False

    def _check(self, batch: Batch, socket: Socket, now: float) -> None:
        """Whether the silence since the last frame has lasted too long by `now`."""
        if not socket.is_open or not socket.heartbeat_s or socket.silence_told:
            return
        patience_s = socket.heartbeat_s + self._limits.grace_s
        if not math.isnan(socket.heard_at) and now - socket.heard_at > patience_s:
            socket.silence_told = True
            self._tell(batch, socket, socket.heard_row, socket.heard_at)

    def _tell(self, batch: Batch, socket: Socket, row_id: int, heard_at: float) -> None:
        if row_id < batch.ring.first_id:
            return
        patience_s = socket.heartbeat_s + self._limits.grace_s
        batch.tell(
            "missed_heartbeat",
            row_id,
            f"nothing came for more than {patience_s:g} s after this row"
            f" (heartbeat {socket.heartbeat_s:g} s, grace {self._limits.grace_s:g} s)",
            detail="silence",
            at=heard_at + patience_s,
        )
