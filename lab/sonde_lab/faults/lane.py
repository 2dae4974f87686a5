"""One direction of a connection under faults: whole messages, while a rule needs them, then bytes (`pipe`).

Owns the order of rules about messages, what is held back of them, and what is sent in between.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sonde_lab.faults.behaviour import BEHIND_HOLDS, Attached, Order, Strike
from sonde_lab.faults.deflating import Compressor, Expander
from sonde_lab.faults.effects import Do
from sonde_lab.faults.framing import Frame, Framing, Whole, encoded
from sonde_lab.faults.holding import Held
from sonde_lab.faults.limits import (
    MAX_EXPANDED_BYTES,
    MAX_LATER,
    MAX_LATER_BYTES,
    MAX_OUTPUT_BYTES,
    MAX_QUEUED_BYTES,
)
from sonde_lab.faults.pipe import Pipe
from sonde_lab.faults.rules import Armed
from sonde_lab.faults.subject import Subject
from sonde_lab.filter.terms import Everything, Not
from sonde_lab.records import Direction
from sonde_lab.wire import CLOSE

if TYPE_CHECKING:
    from sonde_lab.faults.stream import Stream

_NOTHING: Final = Not(Everything())
_RSV1: Final = 4
_FIRST: Final = (-1, 0)


@dataclass(order=True, slots=True)
class _Later:
    """A message that is held back: until a time, or until so many others have passed."""

    at: float
    number: int
    places: int = field(compare=False)  # 0: only the time counts
    order: Order = field(compare=False)  # of the rule that held it back
    whole: Whole = field(compare=False)


class Lane(Pipe):
    """`direction` is where bytes go: IN towards the client."""

    def __init__(self, stream: Stream, direction: Direction) -> None:
        super().__init__(stream, direction)
        self.framing: Framing | None = None  # from the upgrade on
        self.message_faults: list[Attached] = []
        self.held: list[Held] = []  # messages that wait for a person, oldest first
        self._gathers = False
        self._rewriter: Armed | None = None  # whose act it is that all that follows is compressed anew
        self._striker: Armed | None = None  # the last one
        self._compressor: Compressor | None = None
        self._later: list[_Later] = []
        self._later_number = 0
        self._inserts: list[bytes] = []
        self._ending: Do | None = None

    # ------------------------------------------------------------ what comes

    def upgraded(self, expander: Expander | None, compressor: Compressor | None) -> None:
        """Frames begin here."""
        self.framing, self._compressor = Framing(expander), compressor

    def receive(self, data: bytes, now: float) -> None:
        """Bytes have come."""
        if self.is_over:
            return
        framing = self.framing
        if framing is None:
            self.out(data, now)
            return
        if not self._gathers:
            data = self._follow(framing, data, now)
            if not data:
                return
        for item in framing.gather(data):
            if self._is_unwritable(item):
                self._give_up()
                return
            if isinstance(item, bytes):
                self.out(item, now)
            else:
                self._whole(item, now)
        self.settle(now)

    def _is_unwritable(self, item: Whole | bytes) -> bool:
        """Whether the receiver, whose context is another since a message was changed, could not read it."""
        if self._rewriter is None:
            return False
        return isinstance(item, bytes) or (item.compressed and item.plain is None)

    def _give_up(self) -> None:
        """End what cannot go on."""
        assert self._rewriter is not None
        says = "a message that cannot be compressed anew came behind a changed one: the connection was reset"
        self.note(
            self._rewriter, self.framing.ordinal if self.framing is not None else 0, says, is_done=False
        )
        self.stream.reset_both()

    def _follow(self, framing: Framing, data: bytes, now: float) -> bytes:
        """Pass on what needs no gathering; the rest."""
        if not self._wants(now):
            before = framing.ordinal
            framing.follow(data)
            self.out(data, now)
            self.stream.on_passed(self.direction, framing.ordinal - before)
            return b""
        before = framing.ordinal
        passed = framing.follow(data, stops=True)
        self.out(data[:passed], now)
        self.stream.on_passed(self.direction, framing.ordinal - before)
        self._gathers = framing.is_at_boundary
        self._insert_waiting(now)
        return data[passed:] if self._gathers else b""

    def settle(self, now: float) -> None:
        """Hold nothing that nobody needs."""
        framing = self.framing
        if framing is None:
            return
        if framing.is_at_boundary and not self._gathers:
            self._insert_waiting(now)
        if self._gathers and (not framing.is_at_boundary or not self._wants(now)):
            self._gathers = False
            if not framing.is_empty:
                self.out(framing.let_go(), now)

    def _wants(self, now: float) -> bool:
        """Whether whole messages are needed."""
        return (
            self._rewriter is not None
            or bool(self._later or self._inserts or self.held)
            or any(each.armed.is_live(now) for each in self.message_faults)
            or self.stream.watches_messages(now)
        )

    # ------------------------------------------------------------ messages

    def _whole(self, whole: Whole, now: float) -> None:
        if whole.opcode == CLOSE:
            self._hurry_held("its sender closes the connection", now)
        subject = self.stream.subject(self.direction, whole, now)
        self._run(subject, _FIRST, now)
        self.stream.on_message(self, subject, now)
        if not whole.is_control:
            self._count_down(now)

    def _run(self, subject: Subject, behind: Order, now: float) -> None:
        """Ask every rule behind another one; what is left goes on."""
        came = subject.whole
        batch = [came]
        for attached in self.message_faults:
            if batch and attached.order > behind:
                batch = [out for each in batch for out in self._ask(attached, each, subject, now)]
        is_touched = len(batch) != 1 or (batch[0] is not came and not batch[0].is_built) or came.is_new
        if is_touched and came.compressed and self._takes_over and self._rewriter is None:
            self._rewriter = self._striker
            if self.framing is not None:
                self.framing.max_held_bytes = MAX_EXPANDED_BYTES
        for each in batch:
            self.out(self._bytes_of(each), now)

    @property
    def _takes_over(self) -> bool:
        framing = self.framing
        return framing is not None and framing.expander is not None and framing.expander.takeover

    def _ask(self, attached: Attached, whole: Whole, subject: Subject, now: float) -> list[Whole]:
        if not attached.armed.is_live(now) or not self.stream.has_begun(attached.rule):
            return [whole]
        subject.whole = whole
        if not attached.behaviour.wants(subject) or not subject.fits(self.stream.term(attached)):
            return [whole]
        draw = attached.armed.admit(self.stream.facts.number, self.direction, whole.ordinal, now)
        if draw is None:
            return [whole]
        strike = Strike(attached, self, subject, draw, now)
        if whole.plain is None and whole.compressed and self._takes_over:
            strike.cannot("this compressed message does not inflate, so nothing can be done to it")
            return [whole]
        self._striker = attached.armed
        out: list[Whole] = attached.behaviour.act(whole, strike)
        return out

    def frames_of(self, whole: Whole) -> list[Frame]:
        """The frames that a message goes out in, compressed anew where that is needed."""
        is_right = whole.frames and not whole.is_new and not (whole.compressed and self._rewriter is not None)
        if is_right or whole.is_built:
            return whole.frames
        plain = whole.plain if whole.plain is not None else b""
        compressor = self._compressor
        if whole.compressed and compressor is not None and compressor.can and not whole.is_control:
            frame = Frame(whole.opcode, compressor.compress(plain), rsv=_RSV1, mask=self.mask(whole.ordinal))
        else:
            frame = Frame(whole.opcode, plain, mask=self.mask(whole.ordinal))
        return [frame]

    def _bytes_of(self, whole: Whole) -> bytes:
        return b"".join(frame.encode() for frame in self.frames_of(whole))

    def mask(self, ordinal: int) -> bytes:
        """What a frame of this direction is masked with; nothing towards the client."""
        if self.direction is Direction.IN:
            return b""
        return self.stream.mask(ordinal)

    def made(self, opcode: int, payload: bytes, **wrong: int) -> bytes:
        """A frame of our own, in bytes. `wrong`: `rsv`, `final`."""
        return encoded(
            opcode, payload, self.mask(0), final=bool(wrong.get("final", 1)), rsv=wrong.get("rsv", 0)
        )

    # ------------------------------------------------------------ later, and in between

    def hold_back(self, whole: Whole, at: float, order: Order, places: int = 0) -> bool:
        """Let a message go later; false when too much is held back already."""
        size = len(whole.plain or b"")
        if len(self._later) >= MAX_LATER or self.held_back_bytes + size > MAX_LATER_BYTES:
            return False
        self._later_number += 1
        self.held_back_bytes += size
        heapq.heappush(self._later, _Later(at, self._later_number, places, order, whole))
        return True

    def _count_down(self, now: float) -> None:
        due = []
        for each in self._later:
            if each.places:
                each.places -= 1
                if each.places == 0:
                    due.append(each)
        for each in sorted(due):
            self._later.remove(each)
            heapq.heapify(self._later)
            self._release(each, now)

    def _release(self, later: _Later, now: float) -> None:
        self.held_back_bytes -= len(later.whole.plain or b"")
        self._run(self.stream.subject(self.direction, later.whole, now), later.order, now)

    def has_room(self, whole: Whole, times: int) -> bool:
        """Whether a person may let a message go so often, or later."""
        size = max(len(whole.plain or b""), sum(len(frame.payload) for frame in whole.frames))
        is_bounded = self.held_back_bytes + size * times <= MAX_OUTPUT_BYTES
        return is_bounded and len(self._later) + times <= MAX_LATER

    def send_on(self, whole: Whole, at: float) -> None:
        """Let a message go that was held; what rules about messages say of it has been asked before."""
        self._later_number += 1
        self.held_back_bytes += len(whole.plain or b"")
        heapq.heappush(self._later, _Later(at, self._later_number, 0, BEHIND_HOLDS, whole))

    def _hurry_held(self, why: str, now: float) -> None:
        """Nothing may come behind an end: what waits for a person goes now, and so does what a person has delayed."""
        if not self.held and not self._later:
            return
        self.stream.lab.holding.let_go_of(self, why, now)
        for each in self._later:
            if each.order == BEHIND_HOLDS:
                each.at = now
        heapq.heapify(self._later)
        self._release_due(now)

    def _release_due(self, now: float) -> None:
        while self._later and self._later[0].at <= now and self._may_insert():
            self._release(heapq.heappop(self._later), now)

    def insert(self, data: bytes, now: float) -> None:
        """Send frames of our own at the next boundary between messages."""
        if self.is_over or self.framing is None or self.framing.is_lost:
            return
        if self._gathers or self.framing.is_at_boundary:
            self.out(data, now)
        elif sum(map(len, self._inserts)) + len(data) <= MAX_QUEUED_BYTES:
            self._inserts.append(data)

    def _insert_waiting(self, now: float) -> None:
        if self._inserts and self.framing is not None and self.framing.is_at_boundary:
            inserts, self._inserts = self._inserts, []
            for data in inserts:
                self.out(data, now)

    # ------------------------------------------------------------ ends and time

    def end(self, how: Do, now: float) -> None:
        """The sender has ended: so does the receiver's side, behind everything that is on its way."""
        if self.is_over:
            return
        self._hurry_held("its sender has ended", now)
        if self.framing is not None and not self.framing.is_empty:
            self.out(self.framing.let_go(), now)
            self._gathers = False
        if not self._may_insert():
            self._later.clear()  # behind half a message nothing can come
        if self._later and how is not Do.RESET:
            self._ending = how
            return
        self.end_bytes(how, now)

    def stop(self) -> None:
        """Nothing more goes this way."""
        self.stream.lab.holding.lose(self)
        self._later.clear()
        self._inserts.clear()
        self.stop_bytes()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way."""
        return not (self.queue or self._later or self._ending or self.held)

    def next_deadline(self) -> float | None:
        """When something leaves by itself."""
        times = [self.queue[0].at] if self.queue else []
        if self._later and (self.framing is None or self.framing.is_at_boundary):
            times.append(self._later[0].at)
        if self.held:
            times.append(min(each.goes_at for each in self.held))
        return min(times, default=None)

    def tick(self, now: float) -> None:
        """Time has gone by."""
        if self.held:
            self.stream.lab.holding.expire(self, now)
        self._release_due(now)
        self.flush(now)
        if self._ending is not None and not self._later:
            how, self._ending = self._ending, None
            self.end(how, now)
        self.settle(now)
        self.weigh()

    def _may_insert(self) -> bool:
        return self.framing is not None and self.framing.is_at_boundary


def insort(rules: list[Attached], attached: Attached) -> None:
    """Put a rule in its place, once."""
    if all(each.armed is not attached.armed for each in rules):
        rules.append(attached)
        rules.sort(key=lambda each: each.order)


def without(rules: list[Attached], number: int) -> bool:
    """Take a rule out; whether it was there."""
    before = len(rules)
    rules[:] = [each for each in rules if each.armed.number != number]
    return len(rules) < before
