"""What a person does with messages that stand still in a proxy: hold them, look, let go, change, drop.

Owns these acts and their rows. Which message is held is a rule's (`hold`); what became of each is a row of the fault lab's.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from sonde_lab.changes import Act, HeldContent, HeldRows, RuleRow
from sonde_lab.faults.drafting import line_of
from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.rules import RuleRefused
from sonde_lab.injecting import Injecting, sentence
from sonde_lab.proxy_options import ProxyFailed
from sonde_lab.wording import one_line
from sonde_protocol.faults import BY_NAME

_LINE_CHARACTERS = 200
_HOLD = BY_NAME["hold"]


def hold_line(target: str = "", direction: str = "both") -> str:
    """The rule that holds messages: those that a filter names, in a direction (`up`, `down`, `both`)."""
    return line_of(_HOLD, {"direction": "" if direction == "both" else direction, "target": target})


class Intercepting(Injecting):
    """Acts on the messages that wait in `_proxying`. Each answers with what went wrong, in words, or with `None`."""

    @property
    def held(self) -> HeldRows:
        """The messages that wait, oldest first."""
        return self._proxying.waiting.rows

    @property
    def holds(self) -> tuple[RuleRow, ...]:
        """The rules that hold messages."""
        return tuple(rule for rule in self.rules if rule.kind == _HOLD.name)

    async def hold(self, target: str = "", direction: str = "both") -> str | None:
        """Hold from now on what a filter names. For ten minutes, unless it is taken back before."""
        reason = self.can(Act.HOLD)
        try:
            if reason is None:
                line = hold_line(target, direction)
                parse_rule(line)
                self._act(Act.HOLD, f"arm {one_line(line, _LINE_CHARACTERS)}", injected=True)
                await self._proxying.arming.arm(line)
        except (RuleRefused, ProxyFailed) as error:
            return self._not_armed(str(error))
        return reason

    async def hold_nothing(self) -> str | None:
        """Take every rule that holds away; what is held goes as it is."""
        reason = self.can(Act.HOLD_NOTHING)
        if reason is not None:
            return reason
        for rule in self.holds:
            problem = await self.disarm(rule.number)
            if problem is not None:
                return problem
        return None

    async def content_of_held(self, number: int) -> HeldContent | str:
        """What a held message says; or why that cannot be told, in words."""
        try:
            return await self._proxying.waiting.content(number)
        except (RuleRefused, ProxyFailed) as error:
            return sentence(str(error))

    async def let_go(
        self,
        number: int,
        *,
        text: str | None = None,
        data: bytes | None = None,
        copies: int = 1,
        delay_s: float = 0.0,
    ) -> str | None:
        """Let a message go: as it came, or with another content; so often, and so much later."""
        how: dict[str, Any] = {} if text is None else {"text": text}
        how |= {} if data is None else {"hex": data.hex()}
        how |= {"copies": copies} if copies != 1 else {}
        how |= {"delay_ms": delay_s * 1000} if delay_s else {}
        return await self._done_to_held(number, Act.CHANGE_HELD if how else Act.LET_GO, how)

    async def drop_held(self, number: int) -> str | None:
        """Let a message never go."""
        reason = self.can(Act.CHANGE_HELD)
        return reason or await _asked(self._proxying.waiting.drop(number))

    async def let_all_go(self) -> str | None:
        """Let everything go as it is, in the order of its coming; rules that hold go on."""
        reason = self.can(Act.LET_GO)
        return reason or await _asked(self._proxying.waiting.all_go())

    async def _done_to_held(self, number: int, act: Act, how: dict[str, Any]) -> str | None:
        reason = self.can(act)
        return reason or await _asked(self._proxying.waiting.let_go(number, how))


async def _asked(work: Coroutine[Any, Any, None]) -> str | None:
    try:
        await work
    except (RuleRefused, ProxyFailed) as error:
        return sentence(str(error))
    return None
