"""One direction's bytes under faults: in which pieces they leave, and when.

Owns the queue and its bound: a direction that holds too much has its sender wait. Bytes that no rule is about leave as
they came, at once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sonde_lab.faults.behaviour import Attached
from sonde_lab.faults.draws import Draw
from sonde_lab.faults.effects import Do, Effect
from sonde_lab.faults.limits import MAX_QUEUED_BYTES, RESUME_BYTES
from sonde_lab.faults.rules import Armed
from sonde_lab.records import Direction

if TYPE_CHECKING:
    from sonde_lab.faults.stream import Stream


@dataclass(slots=True)
class _Queued:
    """Bytes that leave at a time, or an end."""

    at: float
    data: bytes
    end: Do | None = None


class Pipe:
    """`direction` is where bytes go: IN towards the client."""

    def __init__(self, stream: Stream, direction: Direction) -> None:
        self.direction = direction
        self.stream = stream
        self.shapers: list[Attached] = []
        self.is_over = False  # its destination gets nothing more
        self.has_hole = False  # bytes have vanished
        self.holds: set[str] = set()
        self.queue: deque[_Queued] = deque()
        self.held_back_bytes = 0  # of whole messages, elsewhere
        self._queued_bytes = 0
        self._chunk = 0
        self._leaves_at = 0.0

    def out(self, data: bytes, now: float) -> None:
        """Bytes that go on, by what the shapers say."""
        if not data or self.is_over:
            return
        live = [each for each in self.shapers if each.behaviour.shapes and self.is_on(each, now)]
        if not live and not self.queue:
            self._effect(Do.WRITE, data)
            return
        at = 0
        while at < len(data) and not self.is_over:
            at = self._piece(live, data, at, now)
        self.flush(now)
        self.weigh()

    def is_on(self, attached: Attached, now: float) -> bool:
        """Whether a rule may strike here now."""
        return attached.armed.is_live(now) and self.stream.has_begun(attached.rule)

    def _piece(self, live: list[Attached], data: bytes, at: int, now: float) -> int:
        """Queue the next piece, by what the shapers say; where the one after it begins."""
        self._chunk += 1
        struck = []
        for each in live:
            draw = each.armed.admit(self.stream.facts.number, self.direction, self._chunk, now)
            if draw is not None:
                struck.append((each, draw))
        size = len(data) - at
        for each, draw in struck:
            grain = each.behaviour.grain(draw)
            size = min(size, grain if grain >= 0 else size)
        if size == 0:  # a limit has been reached, or the bytes vanish
            return self._stop_at(struck, len(data))
        leaves = now
        for each, draw in struck:
            leaves = self._leave(each, leaves, size, draw)
        leaves = max(leaves, self._leaves_at if self.queue else now)
        self._leaves_at = leaves
        self.queue.append(_Queued(leaves, data[at : at + size]))
        self._queued_bytes += size
        return at + size

    def _leave(self, each: Attached, at: float, size: int, draw: Draw) -> float:
        later: float = each.behaviour.leave(at, size, draw)
        if later > at or not each.behaviour.is_act_each_time:
            self.note_bytes(each, later - at)
        return later

    def note_bytes(self, each: Attached, wait_s: float = 0.0) -> None:
        """Write an act on bytes down: each stall, or that it has begun."""
        behaviour = each.behaviour
        if behaviour.is_act_each_time or not behaviour.is_noted:
            behaviour.is_noted = True
            says = (
                f"{behaviour.says} {wait_s * 1000:,.0f} ms" if behaviour.is_act_each_time else behaviour.says
            )
            self.note(each.armed, self._chunk if behaviour.is_act_each_time else 0, says, on_bytes=True)

    def _stop_at(self, struck: list[tuple[Attached, Draw]], end: int) -> int:
        """A piece of no bytes: whoever asked for it says what becomes of the rest."""
        for each, _ in struck:
            if each.behaviour.stops(self, each):
                break
        return end

    def flush(self, now: float) -> None:
        """Let leave what may."""
        while self.queue and self.queue[0].at <= now:
            queued = self.queue.popleft()
            self._queued_bytes -= len(queued.data)
            if queued.end is None:
                self._effect(Do.WRITE, queued.data)
            else:
                self._effect(queued.end)

    def hurry(self, now: float) -> None:
        """A rule is off: nothing waits for it any more."""
        for queued in self.queue:
            queued.at = now
        self._leaves_at = now
        self.flush(now)
        self.weigh()

    def weigh(self) -> None:
        """Have the sender wait while too much is queued."""
        waiting = self._queued_bytes + self.held_back_bytes
        if waiting > MAX_QUEUED_BYTES:
            self.hold("queue")
        elif waiting <= RESUME_BYTES:
            self.go_on("queue")

    def hold(self, why: str) -> None:
        """Read nothing from this direction's sender."""
        if not self.holds:
            self._effect(Do.HOLD)
        self.holds.add(why)

    def go_on(self, why: str) -> None:
        """Read it again, unless there is another reason not to."""
        if why in self.holds:
            self.holds.discard(why)
            if not self.holds:
                self._effect(Do.GO_ON)

    def end_bytes(self, how: Do, now: float) -> None:
        """The end of the sender's bytes, behind everything that is on its way."""
        live = [each for each in self.shapers if self.is_on(each, now)]
        if any(each.rule.kind.name == "half_open" for each in live):
            self.has_hole = True
            return
        leaves = max(now, self._leaves_at if self.queue else now)
        for each in live:
            if each.rule.kind.name == "slow_close" and how is not Do.RESET:
                leaves += self._late_end(each, now)
        self.queue.append(_Queued(leaves, b"", how))
        self.flush(now)

    def _late_end(self, each: Attached, now: float) -> float:
        if each.armed.admit(self.stream.facts.number, self.direction, 0, now) is None:
            return 0.0
        delay_s: float = each.behaviour.delay_s
        self.note(each.armed, 0, f"the end comes {delay_s:g} s later", on_bytes=True)
        return delay_s

    def stop_bytes(self) -> None:
        """Nothing more goes this way."""
        self.is_over = True
        self.queue.clear()
        self._queued_bytes = self.held_back_bytes = 0

    def note(
        self, armed: Armed, ordinal: int, says: str, *, is_done: bool = True, on_bytes: bool = False
    ) -> None:
        """Write an act down."""
        self.stream.note(armed, self.direction, ordinal, says, is_done=is_done, on_bytes=on_bytes)

    def _effect(self, do: Do, data: bytes = b"") -> None:
        self.stream.effects.append(Effect(do, self.direction, data))
