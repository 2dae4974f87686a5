"""What is under way at a gateway: what was asked for here, and what the gateway tells of it and of others on `$faults`.

Owns the way from news to rows. News is a peer's: read without trusting its shape, and bounded. Asks a gateway for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sonde_lab.injected import InjectedRow, Where
from sonde_lab.monitoring import number_of, text_of
from sonde_lab.wording import identity, one_line

MOST: Final = 512
LONGEST_SESSION: Final = 128
LONGEST_S: Final = 86_400.0  # whatever a gateway says
_WORDS: Final = 200
_Key = tuple[str, str, int]  # node, session, the node's number


@dataclass(slots=True)
class UnderWay:
    """One fault at a gateway. `until` is monotonic s."""

    session: str
    user: str
    kind: str
    says: str
    until: float
    by: str = ""


class GatewayFaults:
    """Of one endpoint. Times are the workbench's, monotonic."""

    def __init__(self) -> None:
        self._asked: list[UnderWay] = []  # and not yet told of
        self._told: dict[_Key, UnderWay] = {}
        self._over: dict[_Key, None] = {}  # the newest stand last; another listener may tell of them late

    # ------------------------------------------------------------ what comes in

    def ask(self, fault: UnderWay) -> None:
        """It was asked for here. A gateway whose news nobody hears is taken at that."""
        self._asked.append(fault)
        del self._asked[:-MOST]

    def take_back(self, fault: UnderWay) -> None:
        """The gateway has refused it."""
        self._asked = [each for each in self._asked if each is not fault]

    def take(self, what: str, facts: Any, at: float, gateway_ahead_s: float) -> None:
        """News: `armed`, `struck`, `over`. `gateway_ahead_s`: its wall clock minus our monotonic one."""
        key = _key(facts)
        if key is None or key in self._over:
            return
        is_new = key not in self._told
        asked = self._asked_for(key[1], text_of(facts, "kind")) if is_new else None
        if what == "over":
            self._end(key)
        elif is_new and what in ("armed", "struck"):
            self._told[key] = _read(what, facts, asked, at, gateway_ahead_s)
            while len(self._told) > MOST:
                self._end(next(iter(self._told)))

    def _asked_for(self, session: str, kind: str) -> UnderWay | None:
        """What was asked for here and is now told of: it is not counted twice."""
        for fault in self._asked:
            if (fault.session, fault.kind) == (session, kind):
                self.take_back(fault)
                return fault
        return None

    def _end(self, key: _Key) -> None:
        self._told.pop(key, None)
        self._over[key] = None
        while len(self._over) > MOST:
            del self._over[next(iter(self._over))]

    def end_of(self, session: str) -> None:
        """The gateway was told to take everything off a session."""
        self._asked = [fault for fault in self._asked if fault.session != session]
        for key in [key for key in self._told if key[1] == session]:
            self._end(key)

    def clear(self) -> None:
        """The gateway is gone, and what was under way there with it."""
        self._asked.clear()
        for key in tuple(self._told):
            self._end(key)

    # ------------------------------------------------------------ what is known

    def sessions(self, now: float) -> tuple[str, ...]:
        """On which sessions something is under way."""
        return tuple(dict.fromkeys(fault.session for fault in self._going_on(now).values()))

    def is_deaf(self, session: str) -> bool:
        """Whether the gateway may hear nothing that this session says on its connection."""
        kinds = [each.kind for each in (*self._told.values(), *self._asked) if each.session == session]
        return "half_open" in kinds

    def rows(self, now: float, own: Mapping[str, str]) -> list[InjectedRow]:
        """What is under way. `own`: names of own clients by their sessions."""
        return [
            InjectedRow(key, Where.GATEWAY, fault.kind, fault.says, _whom(fault, own), fault.until)
            for key, fault in self._going_on(now).items()
        ]

    def _going_on(self, now: float) -> dict[str, UnderWay]:
        for key in [key for key, fault in self._told.items() if fault.until <= now]:
            self._end(key)  # its end was not heard
        self._asked = [fault for fault in self._asked if fault.until > now]
        told = {f"gateway {node} {session} {number}": f for (node, session, number), f in self._told.items()}
        return told | {f"gateway asked {place}": fault for place, fault in enumerate(self._asked)}


def _key(facts: Any) -> _Key | None:
    if not isinstance(facts, dict):
        return None
    session, number = text_of(facts, "session"), number_of(facts, "number")
    if not 0 < len(session) <= LONGEST_SESSION or number is None or not math.isfinite(number):
        return None
    return one_line(text_of(facts, "node"), 60), session, int(number)


def _read(
    what: str, facts: Mapping[str, Any], asked: UnderWay | None, at: float, gateway_ahead_s: float
) -> UnderWay:
    until_ms, kind = number_of(facts, "until"), one_line(text_of(facts, "kind"), 40)
    latest = at + LONGEST_S
    until = latest if until_ms is None or not math.isfinite(until_ms) else until_ms / 1000 - gateway_ahead_s
    told = one_line(text_of(facts, "says"), _WORDS) if what == "armed" else kind
    return UnderWay(
        session=text_of(facts, "session"),
        user=one_line(text_of(facts, "user"), 60),
        kind=kind,
        says=told if asked is None else asked.says,
        until=min(until, latest),
        by="" if asked is not None else one_line(text_of(facts, "by"), 60),
    )


def _whom(fault: UnderWay, own: Mapping[str, str]) -> str:
    whose = own.get(fault.session) or fault.user or f"session {identity(fault.session)}"
    return f"{whose}, by {fault.by}" if fault.by else whose
