"""One proxied connection under faults, without a socket: bytes, ends and `now` in; effects and a deadline out.

Owns what is known of the connection, its two lanes, and which rules are about it. A rule may come and go at any time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sonde_lab.faults.behaviour import Attached, Gate
from sonde_lab.faults.deflating import Compressor, Expander
from sonde_lab.faults.effects import Do, Effect, Verdict
from sonde_lab.faults.framing import Whole
from sonde_lab.faults.handshake import Handshake
from sonde_lab.faults.lane import Lane, insort, without
from sonde_lab.faults.limits import LINGER_S
from sonde_lab.faults.rules import Armed, Rule
from sonde_lab.faults.subject import Subject, feed_head
from sonde_lab.faults.targets import ConnectionFacts, connection_text_matches
from sonde_lab.filter.terms import Everything, Not, Term
from sonde_lab.records import Direction
from sonde_lab.wire import CLOSE
from sonde_protocol.faults import Layer, Scope

if TYPE_CHECKING:
    from sonde_lab.faults.lab import FaultLab

_NOTHING: Final = Not(Everything())


class _Happening:
    """A rule that acts on the connection by itself, and when it does so next."""

    __slots__ = ("attached", "began", "due", "is_admitted")

    def __init__(self, attached: Attached) -> None:
        self.attached = attached
        self.began = False
        self.is_admitted = False
        self.due = math.inf


class Stream:
    """A connection from its accept on. `effects` are taken by the shell after each call."""

    def __init__(self, lab: FaultLab, number: int, peer: str) -> None:
        self.lab = lab
        self.facts = ConnectionFacts(number, peer)
        self.effects: list[Effect] = []
        self.lanes = {each: Lane(self, each) for each in (Direction.OUT, Direction.IN)}
        self.handshake = Handshake()
        self.opening = b""  # the request, as it was passed on
        self.is_passing = False
        self.is_cut = False  # a fault has ended it, or one way of it
        self.is_gone = False  # the client is elsewhere, or both sides were let go of
        self.last_byte_at = 0.0
        self.passed = {Direction.OUT: 0, Direction.IN: 0}  # whole messages and control frames
        self.wake: Callable[[], None] = lambda: None
        self._recorder = lab.reader.recorder(self.facts.conn)
        self._attached: dict[int, Attached] = {}
        self._happenings: dict[int, _Happening] = {}
        self._terms: dict[int, Term] = {}
        self._events = {"connected"}
        self._close_at = math.inf

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way, and nothing is to be kept open."""
        lanes = self.lanes.values()
        return not self.is_gone and all(lane.is_idle and not lane.has_hole for lane in lanes)

    @property
    def is_upgraded(self) -> bool:
        """Whether frames pass."""
        return self.handshake.is_upgraded

    # ------------------------------------------------------------ rules

    def attach(self, armed: Armed, now: float) -> None:
        """A rule is there: it may be about this connection."""
        kind = armed.rule.kind
        attached = self._attached[armed.number] = Attached(armed, self.lab.behaviour(armed.rule))
        if kind.scope is Scope.CONNECTION:
            self._happenings[armed.number] = _Happening(attached)
            self._begin(now)
        self._sort()

    def detach(self, number: int, now: float) -> None:
        """A rule is off: nothing is left of it but what has happened."""
        attached = self._attached.pop(number, None)
        self._happenings.pop(number, None)
        self._terms.pop(number, None)
        if attached is None:
            return
        off = getattr(attached.behaviour, "off", None)
        if off is not None:
            off(self, now)
        for lane in self.lanes.values():
            if without(lane.shapers, number):
                if lane.has_hole and not self.is_gone:
                    self.reset_both()
                lane.hurry(now)
            without(lane.message_faults, number)
            self.lab.holding.let_go_of(lane, "its rule is off", now, rule=number)
            lane.settle(now)

    def nudge(self, now: float) -> None:
        """A rule may have begun, or ended, by its time."""
        self._begin(now)
        for lane in self.lanes.values():
            lane.settle(now)

    def _sort(self) -> None:
        """Put rules about messages and bytes where they act, in their order. A target may mean more, once more is known."""
        for attached in self._attached.values():
            rule = attached.rule
            if rule.kind.scope not in (Scope.FRAME, Scope.BYTES) or not self._is_meant(attached):
                continue
            for direction in rule.directions:
                lane = self.lanes[direction]
                if rule.kind.scope is Scope.FRAME:
                    insort(lane.message_faults, attached)
                else:  # each direction is a link of its own
                    insort(lane.shapers, Attached(attached.armed, self.lab.behaviour(rule)))

    def _is_meant(self, attached: Attached) -> bool:
        term = attached.rule.target.bound(self.facts)
        if attached.rule.kind.scope is Scope.FRAME or attached.rule.target.is_about_messages:
            return term != _NOTHING
        return connection_text_matches(term, self.facts)

    def term(self, attached: Attached) -> Term:
        """What is left to be asked of a message."""
        number = attached.armed.number
        if number not in self._terms or not self.is_upgraded:
            self._terms[number] = attached.rule.target.bound(self.facts)
        return self._terms[number]

    # ------------------------------------------------------------ the dial

    def on_accept(self, now: float) -> Verdict | None:
        """A client has connected."""
        until = self.lab.outage_until(self.facts, now)
        if until is not None:
            return Verdict(held_s=until - now)
        return self._gates(lambda gate: gate.on_accept(self), now)

    def on_head(self, head: bytes, now: float) -> Verdict | None:
        """Its request is there."""
        self.handshake.on_request(head)
        self.facts.path = self.handshake.path
        feed_head(self._recorder, Direction.OUT, head, now)
        self._sort()
        self._begin(now)
        verdict = self._gates(lambda gate: gate.on_head(self, head), now)
        self.opening = verdict.head if verdict is not None and verdict.head else head
        return verdict

    def _gates(self, ask: Callable[[Gate], Verdict | None], now: float) -> Verdict | None:
        """The verdicts of all rules about this dial, in their order; the first that ends it is the last."""
        joined: Verdict | None = None
        for attached in self._gate_rules():
            verdict = ask(attached.behaviour) if self._is_meant(attached) else None
            if verdict is None or not self._strikes(attached, now):
                continue
            self.note(attached.armed, Direction.NONE, 0, attached.behaviour.says)
            if verdict.reset or verdict.status:
                return verdict
            held = verdict.held_s + (joined.held_s if joined is not None else 0.0)
            joined = Verdict(held_s=held, head=verdict.head or (joined.head if joined is not None else b""))
        return joined

    def _gate_rules(self) -> list[Attached]:
        gates = [each for each in self._attached.values() if hasattr(each.behaviour, "on_accept")]
        return sorted(gates, key=lambda each: each.order)

    def _strikes(self, attached: Attached, now: float) -> bool:
        """A dial is a match of its rule; matches are counted over all dials."""
        armed = attached.armed
        if armed.rule.kind.scope is Scope.DIAL:
            return armed.admit(0, Direction.NONE, self.facts.number, now) is not None
        return armed.admit(self.facts.number, Direction.NONE, 0, now) is not None

    def _edit_answer(self, head: bytes, now: float) -> bytes:
        for attached in self._gate_rules():
            edited = attached.behaviour.on_answer(self, head) if self._is_meant(attached) else None
            if edited is not None and self._strikes(attached, now):
                self.note(attached.armed, Direction.IN, 0, attached.behaviour.says)
                head = edited
        return head

    def _edits_answer(self, now: float) -> bool:
        return any(
            getattr(each.behaviour, "edits_answer", False) and each.armed.is_live(now)
            for each in self._attached.values()
        )

    # ------------------------------------------------------------ bytes

    def receive(self, direction: Direction, data: bytes, now: float) -> None:
        """Bytes have come from one side."""
        self.is_passing = True
        self.last_byte_at = now
        if self.is_gone:
            return
        lane = self.lanes[direction]
        if lane.framing is None:
            data = self._before_frames(lane, data, now)
        if data:
            lane.receive(data, now)
        self._begin(now)

    def _before_frames(self, lane: Lane, data: bytes, now: float) -> bytes:
        """Pass HTTP on; what is left of the bytes belongs to frames."""
        if lane.direction is Direction.OUT:
            self.handshake.on_client(data)
            lane.receive(data, now)
            return b""
        passed, rest = self.handshake.on_server(data, self._edits_answer(now))
        if not self.is_upgraded:
            lane.receive(passed, now)
            return b""
        head = self.handshake.answer
        self.facts.subprotocol = self.handshake.subprotocol
        edited = self._edit_answer(head, now) if self.handshake.is_answer_held else head
        if self.handshake.is_answer_held:
            passed = passed.removesuffix(head) + edited
        lane.receive(passed, now)
        self._upgrade(head, now)
        return rest

    def _upgrade(self, head: bytes, now: float) -> None:
        feed_head(self._recorder, Direction.IN, head, now)
        self._events.add("upgraded")
        link = self.handshake.link
        for direction, lane in self.lanes.items():
            bits, takeover = link.window_bits[direction], link.takeover[direction]
            is_deflated = link.deflate
            lane.upgraded(
                Expander(bits, takeover) if is_deflated else None,
                Compressor(bits, takeover) if is_deflated else None,
            )
        early = self.handshake.early
        framing = self.lanes[Direction.OUT].framing
        if early and framing is not None:
            framing.follow(early)
        self._terms.clear()
        self._sort()

    def end(self, direction: Direction, how: Do, now: float) -> None:
        """A side has ended, or was lost: the other one learns of it when its bytes have gone."""
        if not self.is_gone:
            self.lanes[direction].end(how, now)

    def subject(self, direction: Direction, whole: Whole, now: float) -> Subject:
        """A message, to be asked about."""
        return Subject(self.lab.reader, self._recorder, direction, whole, now)

    def mask(self, ordinal: int) -> bytes:
        """A client's mask: it must be there, it need not be secret here."""
        return self.lab.mask(self.facts.number, ordinal)

    # ------------------------------------------------------------ what happens by itself

    def watches_messages(self, now: float) -> bool:
        """Whether a rule of the connection waits for a message."""
        if "closing" not in self._events and any(
            each.rule.on == "closing" for each in self._attached.values()
        ):
            return True
        return any(
            each.attached.armed.is_live(now) and not each.is_admitted and _waits_for_message(each.attached)
            for each in self._happenings.values()
        )

    def has_begun(self, rule: Rule) -> bool:
        """Whether the event that a rule waits for has been."""
        return not rule.on or rule.on in self._events

    def on_passed(self, direction: Direction, messages: int) -> None:
        """Messages have passed untouched."""
        self.passed[direction] += messages

    def on_message(self, lane: Lane, subject: Subject, now: float) -> None:
        """A message was looked at."""
        self.passed[lane.direction] += 1
        if subject.whole.opcode == CLOSE and "closing" not in self._events:
            self._events.add("closing")
        for each in tuple(self._happenings.values()):
            attached = each.attached
            if each.is_admitted or not attached.armed.is_live(now) or not _waits_for_message(attached):
                continue
            if not self._is_meant(attached) or not subject.fits(self.term(attached)):
                continue
            if attached.rule.on and attached.rule.on not in self._events:
                continue
            if (
                attached.armed.admit(self.facts.number, lane.direction, subject.whole.ordinal, now)
                is not None
            ):
                each.is_admitted = each.began = True
                self._happen(each, now)
                each.is_admitted = False

    def _begin(self, now: float) -> None:
        """Begin what may begin now."""
        for each in tuple(self._happenings.values()):
            if each.began or _waits_for_message(each.attached):
                continue
            armed = each.attached.armed
            if (
                not armed.is_live(now)
                or not self._is_ready(each.attached)
                or not self._is_meant(each.attached)
            ):
                continue
            each.began = True
            if armed.admit(self.facts.number, Direction.NONE, 0, now) is not None:
                each.is_admitted = True
                self._happen(each, now)

    def _is_ready(self, attached: Attached) -> bool:
        rule = attached.rule
        if rule.on:
            return rule.on in self._events and (rule.on != "connected" or self.is_passing)
        return self.is_upgraded or (rule.kind.layer is Layer.TCP and self.is_passing)

    def _happen(self, each: _Happening, now: float) -> None:
        attached = each.attached
        due = attached.behaviour.happen(self, attached.armed, attached.rule.directions, now)
        each.due = math.inf if due is None else due

    def next_deadline(self) -> float | None:
        """When `tick` wants to be called."""
        times = [each.due for each in self._happenings.values()]
        times += [at for lane in self.lanes.values() if (at := lane.next_deadline()) is not None]
        times.append(self._close_at)
        at = min(times)
        return None if math.isinf(at) else at

    def tick(self, now: float) -> None:
        """Time has gone by."""
        for lane in self.lanes.values():
            lane.tick(now)
        for each in tuple(self._happenings.values()):
            if each.due <= now:
                self._happen(each, now)
        if self._close_at <= now:
            self._close_at = math.inf
            self.effects.append(Effect(Do.LINGER, Direction.NONE))

    # ------------------------------------------------------------ what a behaviour may do

    def reset_both(self) -> None:
        """RST to both sides."""
        self.reset(tuple(self.lanes))

    def reset(self, towards: tuple[Direction, ...]) -> None:
        """RST to some sides; the others are ended."""
        for direction, lane in self.lanes.items():
            lane.stop()
            do = Do.RESET if direction in towards else Do.CLOSE
            self.effects.append(Effect(do, direction))
        self.is_gone = True

    def cut(self, towards: tuple[Direction, ...], now: float) -> None:
        """FIN to some sides, behind what was sent; what they say is let go of, and they go in the end."""
        self.is_cut = True
        for direction in towards:
            self.lanes[direction].stop()
            self.effects.append(Effect(Do.END, direction))
        self._close_at = now + LINGER_S

    def close_with(self, frame: Callable[[Lane], bytes], towards: tuple[Direction, ...], now: float) -> None:
        """Send a frame and end: the side that got it may answer, the other one is cut."""
        for direction, lane in self.lanes.items():
            if direction in towards:
                lane.insert(frame(lane), now)
            lane.hurry(now)
        self.cut(tuple(self.lanes), now)

    def leave(self, zombie_s: float, now: float) -> None:
        """The client is on another network now: its leg is dead, the server's stays."""
        self.is_gone = True
        for lane in self.lanes.values():
            lane.stop()
        self.effects.append(Effect(Do.RESET, Direction.IN))
        self.effects.append(Effect(Do.LEAVE, Direction.OUT))
        self._close_at = now + zombie_s

    def note(
        self,
        armed: Armed,
        direction: Direction,
        ordinal: int,
        says: str,
        *,
        is_done: bool = True,
        on_bytes: bool = False,
    ) -> None:
        """Write an act down."""
        self.lab.note(armed, self.facts.number, direction, ordinal, says, is_done=is_done, on_bytes=on_bytes)


def _waits_for_message(attached: Attached) -> bool:
    """Whether it begins with a message: one that its target names, the nth one, or a close."""
    rule = attached.rule
    return rule.target.is_about_messages or rule.after > 0 or rule.every > 0 or rule.on == "closing"
