"""The parent's end of arming: the rules of a proxy's fault lab as they were told last, and orders that wait for answers.

Owns the numbers of orders and how long one may take. What a rule may say is the lab's; refusals come back in its words.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from sonde_lab.changes import RuleRow
from sonde_lab.faults.rules import RuleRefused
from sonde_lab.proxy_options import ProxyFailed
from sonde_lab.wording import one_line

ANSWER_S: Final = 3.0


class Arming:
    """Of one proxy at a time. `send` writes a line to its process."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]], patience_s: float = ANSWER_S) -> None:
        self.rules: tuple[RuleRow, ...] = ()
        self._send = send
        self._patience_s = patience_s
        self._next = 1
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._is_changed = False

    async def arm(self, line: str) -> list[int]:
        """Arm a rule that is written as a line; its number.

        Raises:
            RuleRefused: the lab does not take it. ProxyFailed: there is no answer.
        """
        return await self._numbers({"arm": line})

    async def arm_preset(self, name: str) -> list[int]:
        """Arm a network by name; the numbers of its rules. Raises what `arm` does."""
        return await self._numbers({"preset": name})

    async def disarm(self, number: int) -> list[int]:
        """Take a rule away. Raises what `arm` does."""
        return await self._numbers({"disarm": number})

    async def reset(self) -> list[int]:
        """Everything off; the numbers of the rules that there were. Raises what `arm` does."""
        return await self._numbers({"reset": True})

    def take(self, text: str, at: float) -> None:
        """What the lab has said. Something that no lab says is let go."""
        try:
            told = json.loads(text)
            if "rules" in told:
                self._tell([_row(each, at) for each in told["rules"]])
                return
            waiting = self._waiting.pop(told["order"], None)
        except (ValueError, KeyError, TypeError):
            return
        if waiting is not None and not waiting.done():
            waiting.set_result(told)

    def forget(self) -> None:
        """The process is gone, and with it its rules and answers."""
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            if not each.done():
                each.set_exception(ProxyFailed("the proxy has ended"))
        if self.rules:
            self._tell([])

    def take_rules(self) -> tuple[RuleRow, ...] | None:
        """The rules, when they have changed."""
        is_changed, self._is_changed = self._is_changed, False
        return self.rules if is_changed else None

    def _tell(self, rules: list[RuleRow]) -> None:
        self.rules = tuple(rules)
        self._is_changed = True

    async def order(self, what: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for something else; the answer. Raises what `arm` does."""
        number, self._next = self._next, self._next + 1
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send(json.dumps({"order": number, **what}).encode() + b"\n")
            told: dict[str, Any] = await asyncio.wait_for(waiting, self._patience_s)
        except TimeoutError:
            raise ProxyFailed(f"the proxy has not answered within {self._patience_s:g} s") from None
        finally:
            self._waiting.pop(number, None)
        if "error" in told:
            raise RuleRefused(str(told["error"]), told.get("position"))
        return told

    async def _numbers(self, what: Mapping[str, Any]) -> list[int]:
        return [int(each) for each in (await self.order(what))["numbers"]]


def _row(told: dict[str, Any], at: float) -> RuleRow:
    ends, off = float(told["left_s"]), float(told["off_in_s"])
    return RuleRow(
        number=int(told["number"]),
        kind=str(told["kind"]),
        label=one_line(str(told["label"]), 60),
        says=one_line(str(told["says"]), 400),
        phase=str(told["phase"]),
        hits=int(told["hits"]),
        ends_at=at + ends if math.isfinite(ends) else math.inf,
        off_at=at + off,
    )
