"""The child's end of arming: orders to a proxy's fault lab, a line of JSON each, and what it tells of its rules.

    {"order": 1, "arm": "latency 200ms"}   {"order": 2, "preset": "Chrome 3G"}
    {"order": 3, "disarm": 4}              {"order": 4, "reset": true}
    {"order": 5, "held": 7}                {"order": 6, "let_go": 7, "text": "…", "copies": 2, "delay_ms": 500}
    {"order": 7, "drop": 7}                {"order": 8, "all_go": true}

Orders come over the pipe that only the parent has, so that no port is open for them. Each is answered, right behind the
rules and the held messages as they are then. What changes by itself is told a few times a second, and not to a parent
that is behind.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from sonde_lab.faults.edits import EditRefused, going_of
from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.holding import Holding, NotHeld
from sonde_lab.faults.lab import FaultLab
from sonde_lab.faults.presets import preset
from sonde_lab.faults.rules import Phase, RuleRefused
from sonde_lab.faults.telling import rule_told
from sonde_lab.faults.telling_held import content_told, held_told
from sonde_lab.faults.words import rule_in_words
from sonde_lab.proxy_tap import Tap

_OF_HELD: Final = ("held", "let_go", "drop", "all_go")
LOOK_EVERY_S: Final = 0.2
MAX_LINE_BYTES: Final = 2 << 20  # an edited message, each character of it escaped


class Orders:
    """Obeys between `attach` and `detach`; what comes before is let go."""

    def __init__(self) -> None:
        self._lab: FaultLab | None = None
        self._tap: Tap | None = None
        self._rest = b""
        self._told: list[tuple[int, Phase, int, float]] = []  # how far each rule was when it was told
        self._held_told = 0  # the version of what is held
        self._timer: asyncio.TimerHandle | None = None

    def attach(self, lab: FaultLab, tap: Tap) -> None:
        """Obey from now on."""
        self._lab, self._tap = lab, tap
        self.look()

    def detach(self) -> None:
        """Not any more."""
        self._lab = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def feed(self, data: bytes) -> None:
        """Take in bytes of the pipe. A line that no parent writes is let go."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest if len(rest) <= MAX_LINE_BYTES else b""
        for line in lines:
            try:
                order = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(order, dict) and self._lab is not None:
                self._obey(self._lab, order)

    def look(self) -> None:
        """Tell the rules if any has come further, and what is held; come back while there are some."""
        if self._lab is None or self._tap is None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._lab.now()
        known = [(armed.number, armed.phase(now), armed.hits, armed.ends_at) for armed in self._lab.rules]
        if known != self._told and not self._tap.is_behind:
            self._told = known
            self._tell_rules(self._lab, now)
        if self._lab.holding.version != self._held_told and not self._tap.is_behind:
            self._held_told = self._lab.holding.version
            self._tell_held(self._lab, now)
        if known or self._told:
            self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self.look)

    def _obey(self, lab: FaultLab, order: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"order": order.get("order")}
        try:
            answer |= _obeyed(lab, order)
        except NotHeld as gone:
            answer |= {"error": str(gone), "position": None}
        except (RuleRefused, EditRefused) as refused:
            answer |= {"error": refused.message, "position": refused.position}
        self.look()
        if self._tap is not None:
            self._tap.on_told(json.dumps(answer), lab.now())

    def _tell_rules(self, lab: FaultLab, now: float) -> None:
        assert self._tap is not None
        rules = [{**rule_told(armed, now), "says": rule_in_words(armed.rule)} for armed in lab.rules]
        self._tap.on_told(json.dumps({"rules": rules}), now)

    def _tell_held(self, lab: FaultLab, now: float) -> None:
        assert self._tap is not None
        told = [held_told(each, now) for each in lab.holding.all]
        self._tap.on_told(json.dumps({"waiting": told, "passed": lab.holding.passed}), now)


def _obeyed(lab: FaultLab, order: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked, and the members of the answer. Raises what `_done` and `_done_to_held` do."""
    if any(name in order for name in _OF_HELD):
        return _done_to_held(lab.holding, order)
    return {"numbers": _done(lab, order)}


def _done_to_held(holding: Holding, order: dict[str, Any]) -> dict[str, Any]:
    """Do something to a held message, or to all of them.

    Raises:
        NotHeld: there is none of that number, or it cannot be changed. EditRefused: it cannot go like that.
    """
    if order.get("all_go") is True:
        return {"numbers": [holding.let_all_go()]}
    name = next(each for each in _OF_HELD if each in order)
    number = order[name]
    if not isinstance(number, int):
        raise NotHeld("a held message has a number")
    if name == "held":
        return {"content": content_told(holding.one(number))}
    if name == "drop":
        holding.drop(number)
    else:
        holding.let_go(number, going_of({key: order[key] for key in order if key not in ("order", name)}))
    return {"numbers": [number]}


def _done(lab: FaultLab, order: dict[str, Any]) -> list[int]:
    """Do what is asked; the numbers of the rules that it was about.

    Raises:
        RuleRefused: it cannot be.
    """
    if "arm" in order:
        return [lab.arm(parse_rule(str(order["arm"]))).number]
    if "preset" in order:
        return [armed.number for armed in lab.arm_all(preset(str(order["preset"])).rules())]
    if "disarm" in order:
        number = order["disarm"]
        if not isinstance(number, int) or not lab.disarm(number):
            raise RuleRefused("that rule is off already")
        return [number]
    if order.get("reset") is True:
        numbers = [armed.number for armed in lab.rules]
        lab.reset()
        return numbers
    raise RuleRefused("that is no order")
