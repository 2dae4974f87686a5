"""The fault lab of one proxy: the rules that are armed, the connections they are about, and what they did.

Owns arming, expiry and outages. Refuses more rules than it can hold, and a rule that could never act beside another.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final

from sonde_lab.faults.connections import CONNECTION_BEHAVIOURS
from sonde_lab.faults.draws import Draw
from sonde_lab.faults.frames import FRAME_BEHAVIOURS
from sonde_lab.faults.gates import GATE_BEHAVIOURS
from sonde_lab.faults.holding import Holding
from sonde_lab.faults.ledger import Ledger
from sonde_lab.faults.limits import MAX_OUTAGES, MAX_RULES
from sonde_lab.faults.messages import MESSAGE_BEHAVIOURS
from sonde_lab.faults.rules import Armed, Phase, Rule, RuleRefused
from sonde_lab.faults.shaping import BYTE_BEHAVIOURS
from sonde_lab.faults.sonde_acts import SONDE_BEHAVIOURS
from sonde_lab.faults.stream import Stream
from sonde_lab.faults.subject import Reader
from sonde_lab.faults.targets import ConnectionFacts
from sonde_lab.records import Direction

BEHAVIOURS: Final = {
    **BYTE_BEHAVIOURS,
    **CONNECTION_BEHAVIOURS,
    **GATE_BEHAVIOURS,
    **FRAME_BEHAVIOURS,
    **MESSAGE_BEHAVIOURS,
    **SONDE_BEHAVIOURS,
}
_ENDS_THE_DIAL: Final = frozenset({"refuse", "status", "origin_denied", "tls_failure"})


class FaultLab:
    """`seed` is that of every rule which names none. `has_tls`: clients come by TLS. `now` is monotonic seconds."""

    def __init__(
        self, seed: int = 0, *, now: Callable[[], float] = time.monotonic, has_tls: bool = False
    ) -> None:
        self.seed = seed
        self.now = now
        self.has_tls = has_tls
        self.ledger = Ledger()
        self.reader = Reader()
        self.holding = Holding(now)
        self.on_change: Callable[[], None] = lambda: None
        self.extra_legs = 0
        self._rules: dict[int, Armed] = {}
        self._next = 1
        self._streams: dict[int, Stream] = {}
        self._outages: dict[str, float] = {}  # by the client's host
        self._ticked_at = -math.inf

    # ------------------------------------------------------------ rules

    def arm(self, rule: Rule) -> Armed:
        """Take a rule in; it may strike at once.

        Raises:
            RuleRefused: there are too many, or it could never act.
        """
        now = self.now()
        self._refuse_idle(rule, now)
        self._make_room(now)
        armed = Armed(self._next, rule, now, self.seed if rule.seed is None else rule.seed)
        self._next += 1
        self._rules[armed.number] = armed
        for stream in tuple(self._streams.values()):
            stream.attach(armed, now)
        self._changed()
        return armed

    def arm_all(self, rules: list[Rule]) -> list[Armed]:
        """Take rules in that go together: all of them or none.

        Raises:
            RuleRefused: one of them cannot be.
        """
        armed: list[Armed] = []
        try:
            for rule in rules:
                armed.append(self.arm(rule))  # noqa: PERF401
        except RuleRefused:
            for each in armed:
                self.disarm(each.number)
            raise
        return armed

    def disarm(self, number: int) -> bool:
        """Take a rule away; false when there is none of that number."""
        now, known = self.now(), self._rules.pop(number, None)
        if known is None:
            return False
        for stream in tuple(self._streams.values()):
            stream.detach(number, now)
        self._changed()
        return True

    def reset(self) -> int:
        """All off, outages as well; how many rules there were."""
        count = len(self._rules)
        self._outages.clear()
        for number in tuple(self._rules):
            self.disarm(number)
        return count

    @property
    def rules(self) -> list[Armed]:
        """Those that are armed, and those that are over, oldest first."""
        return list(self._rules.values())

    def _refuse_idle(self, rule: Rule, now: float) -> None:
        if rule.kind.name == "tls_failure" and not self.has_tls:
            raise RuleRefused("“tls_failure” needs a proxy whose clients come by TLS (--cert)")
        if rule.kind.name not in _ENDS_THE_DIAL:
            return
        for armed in self._rules.values():
            other = armed.rule
            is_unconditional = other.probability == 1.0 and not (other.every or other.after or other.at_s)
            same = other.target.term == rule.target.term or not other.target.text
            if other.kind.name in _ENDS_THE_DIAL and is_unconditional and same and not armed.is_over(now):
                raise RuleRefused(
                    f"rule {armed.number} ({other.kind.name}) already ends every dial that this one is about: "
                    "disarm it first, or give them different targets"
                )

    def _make_room(self, now: float) -> None:
        over = [armed.number for armed in self._rules.values() if armed.is_over(now)]
        if len(self._rules) >= MAX_RULES and over:
            self.disarm(over[0])
        if len(self._rules) >= MAX_RULES:
            raise RuleRefused(f"{MAX_RULES} rules are the most: disarm one first")

    # ------------------------------------------------------------ connections

    def open(self, number: int, peer: str) -> Stream:
        """A client has connected."""
        stream = self._streams[number] = Stream(self, number, peer)
        now = self.now()
        for armed in self._rules.values():
            if armed.phase(now) not in (Phase.SPENT, Phase.EXPIRED):
                stream.attach(armed, now)
        return stream

    def close(self, number: int) -> None:
        """A connection is over."""
        stream = self._streams.pop(number, None)
        for lane in () if stream is None else stream.lanes.values():
            self.holding.lose(lane)
        for armed in self._rules.values():
            armed.forget(number)

    @property
    def streams(self) -> list[Stream]:
        """The connections that are open."""
        return list(self._streams.values())

    def begin_outage(self, peer: str, until: float) -> None:
        """A client has no network until then: its next dials, from whatever port, wait."""
        now = self.now()
        self._outages = {host: at for host, at in self._outages.items() if at > now}
        if len(self._outages) < MAX_OUTAGES:
            self._outages[_host(peer)] = until

    def outage_until(self, facts: ConnectionFacts, now: float) -> float | None:
        """How long a dial has to wait."""
        until = self._outages.get(_host(facts.peer), 0.0)
        return until if until > now else None

    def fails_tls(self) -> bool:
        """Whether a TLS handshake is to fail now; nothing is known of its connection yet."""
        now = self.now()
        for armed in self._rules.values():
            if armed.rule.kind.name == "tls_failure" and armed.admit(0, Direction.NONE, armed.hits, now):
                self.note(armed, 0, Direction.NONE, armed.hits, "the TLS handshake fails")
                return True
        return False

    # ------------------------------------------------------------ time

    def next_deadline(self) -> float | None:
        """When a rule begins or ends by itself; in the past, when that came while nobody looked."""
        at = min((armed.next_deadline(self._ticked_at) for armed in self._rules.values()), default=math.inf)
        return None if math.isinf(at) else at

    def tick(self) -> None:
        """Time has gone by: rules begin, and those that are over are taken off."""
        now = self._ticked_at = self.now()
        for armed in tuple(self._rules.values()):
            if now >= armed.expires_at:
                self.disarm(armed.number)
            elif now >= armed.ends_at:
                for stream in tuple(self._streams.values()):
                    stream.detach(armed.number, now)
        for stream in tuple(self._streams.values()):
            stream.nudge(now)
        self._changed()

    # ------------------------------------------------------------ for streams

    def behaviour(self, rule: Rule) -> Any:
        """A behaviour for one rule and connection."""
        return BEHAVIOURS[rule.kind.name](rule)

    def mask(self, connection: int, ordinal: int) -> bytes:
        """Four bytes for a frame towards the server."""
        return Draw(self.seed, 0, connection, Direction.OUT, ordinal).bytes(4)

    def note(
        self,
        armed: Armed,
        connection: int,
        direction: Direction,
        ordinal: int,
        says: str,
        *,
        is_done: bool = True,
        on_bytes: bool = False,
    ) -> None:
        """Write an act down."""
        self.ledger.add(
            self.now(), armed.number, armed.rule.label, armed.rule.kind.name, connection, direction, ordinal, says,
            is_done=is_done, on_bytes=on_bytes,
        )  # fmt: skip

    def _changed(self) -> None:
        for stream in tuple(self._streams.values()):
            stream.wake()
        self.on_change()


def _host(peer: str) -> str:
    return peer.rpartition(":")[0]
