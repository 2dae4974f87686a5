"""Questions without an answer in time: commands, greetings, pings of either side.

Round trips are the recorder's; this rule only waits for them. Pings that the gateway sends are matched here, with
any pong of the same level. A connection that ends takes its questions with it: the close tells that story.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from sonde_lab.expert.batch import Batch, Mask
from sonde_lab.expert.kinds import Limits
from sonde_lab.records import Flag
from sonde_lab.wording import one_line

MAX_WAITING: Final = 4_096  # the oldest question is forgotten
_PING, _PONG = 9, 10
# Types that only ever answer, by decoder. Others with a number ask; other protocols' numbers are not matched.
_ANSWERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"socket.io": ("ack", "binary_ack"), "phoenix": ("phx_reply",)}
)


@dataclass(slots=True)
class _Asked:
    row_id: int
    conn: int
    line: tuple[int, bool] | None  # socket and level of a received ping, which any sent pong answers
    deadline: float
    kind: str
    is_settled: bool = False


class Answers:
    """The rule."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: deque[_Asked] = deque()  # in order of their deadline, but for moments told late

    def forget(self) -> None:
        """Rows were missed, answers perhaps among them."""
        self._waiting.clear()

    def judge(self, batch: Batch) -> None:
        """Look at new rows."""
        beats = batch.is_frame & ((batch.flags & int(Flag.HEARTBEAT)) != 0) & (batch.protocol == 0)
        is_ping = (batch.opcode == _PING) | batch.op_is("ping")
        pinged, ponged = beats & batch.received & is_ping, beats & batch.sent & ~is_ping
        asks = self._questions(batch, beats & batch.sent & is_ping)
        late = asks & (batch.rtt_ms > self._limits.answer_s * 1000)
        open_asks = asks & np.isnan(batch.rtt_ms)
        for place in np.flatnonzero(late | open_asks | pinged | ponged | batch.is_end).tolist():
            row_id = batch.ids.start + place
            if batch.is_end[place]:
                self._end(int(batch.conn[place]), float(batch.clock[place]))
            elif ponged[place]:
                self._pong(_line(batch, place), float(batch.clock[place]))
            elif late[place]:
                self._tell(batch, row_id, self._kind(batch, place))
            else:
                line = _line(batch, place) if pinged[place] else None
                self._wait(batch, place, line)
        self._expire(batch)

    def _questions(self, batch: Batch, pings: Mask) -> Mask:
        """Rows that the recorder waits for an answer to."""
        asks = batch.sent & batch.is_ours & ((batch.command >= 0) | batch.op_is("identify", "resume"))
        for protocol, answers in _ANSWERS.items():
            number = batch.ring.names.number(protocol)
            if number is not None:
                theirs = batch.is_frame & (batch.protocol == number)
                asks |= theirs & (batch.command >= 0) & ~batch.op_is(*answers)
                asks |= theirs & batch.op_is("ping") & ((batch.flags & int(Flag.HEARTBEAT)) != 0)
        return asks | pings

    def _kind(self, batch: Batch, place: int) -> str:
        return "missed_heartbeat" if int(batch.flags[place]) & Flag.HEARTBEAT else "unanswered"

    def _wait(self, batch: Batch, place: int, line: tuple[int, bool] | None) -> None:
        patience_s = self._limits.grace_s if line is not None else self._limits.answer_s
        self._waiting.append(
            _Asked(
                batch.ids.start + place, int(batch.conn[place]), line, float(batch.clock[place]) + patience_s,
                self._kind(batch, place),
            )
        )  # fmt: skip
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()

    def _pong(self, line: tuple[int, bool], at: float) -> None:
        for asked in self._waiting:
            if asked.line == line and at <= asked.deadline:
                asked.is_settled = True

    def _end(self, conn: int, at: float) -> None:
        for asked in self._waiting:
            if asked.conn == conn and at <= asked.deadline:
                asked.is_settled = True

    def _expire(self, batch: Batch) -> None:
        while self._waiting and self._waiting[0].deadline < batch.now:
            asked = self._waiting.popleft()
            if asked.is_settled or asked.row_id < batch.ring.first_id:
                continue
            rtt_ms = batch.ring.value("rtt_ms", asked.row_id)
            if math.isnan(rtt_ms) or rtt_ms > self._limits.answer_s * 1000:
                self._tell(batch, asked.row_id, asked.kind)

    def _tell(self, batch: Batch, row_id: int, kind: str) -> None:
        ring = batch.ring
        op, command = one_line(ring.text("op", row_id), 40), ring.value("command", row_id)
        number = f" #{command}" if command >= 0 else ""
        batch.tell(
            kind,
            row_id,
            f"{op}{number} was not answered within {self._limits.answer_s:g} s",
            detail=op if kind == "unanswered" else "ping",
            at=ring.value("at", row_id) + self._limits.answer_s,
        )


def _line(batch: Batch, place: int) -> tuple[int, bool]:
    """The socket, and whether it is a ping of RFC 6455 or of our own protocol."""
    return int(batch.socket[place]), bool(int(batch.flags[place]) & Flag.CONTROL)
