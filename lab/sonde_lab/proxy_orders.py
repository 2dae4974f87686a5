"""The child's end of arming: orders to a proxy's fault lab, a line of JSON each, and what it tells of its rules.

    {"order": 1, "arm": "latency 200ms"}   {"order": 2, "preset": "Chrome 3G"}
    {"order": 3, "disarm": 4}              {"order": 4, "reset": true}

Orders come over the pipe that only the parent has, so that no port is open for them. Each is answered, right behind the
rules as they are then. Rules that change by themselves are told a few times a second, and not to a parent that is behind.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.lab import FaultLab
from sonde_lab.faults.presets import preset
from sonde_lab.faults.rules import Phase, RuleRefused
from sonde_lab.faults.telling import rule_told
from sonde_lab.faults.words import rule_in_words
from sonde_lab.proxy_tap import Tap

LOOK_EVERY_S: Final = 0.2
MAX_LINE_BYTES: Final = 64 * 1024


class Orders:
    """Obeys between `attach` and `detach`; what comes before is let go."""

    def __init__(self) -> None:
        self._lab: FaultLab | None = None
        self._tap: Tap | None = None
        self._rest = b""
        self._told: list[tuple[int, Phase, int, float]] = []  # how far each rule was when it was told
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
        """Tell the rules if any has come further, and come back while there are some."""
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
        if known or self._told:
            self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self.look)

    def _obey(self, lab: FaultLab, order: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"order": order.get("order")}
        try:
            answer["numbers"] = _done(lab, order)
        except RuleRefused as refused:
            answer |= {"error": refused.message, "position": refused.position}
        self.look()
        if self._tap is not None:
            self._tap.on_told(json.dumps(answer), lab.now())

    def _tell_rules(self, lab: FaultLab, now: float) -> None:
        assert self._tap is not None
        rules = [{**rule_told(armed, now), "says": rule_in_words(armed.rule)} for armed in lab.rules]
        self._tap.on_told(json.dumps({"rules": rules}), now)


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
