"""What a person lets go wrong in a proxy: rules armed, taken away, and everything off.

Owns these acts and their rows. What a rule does is the fault lab's, in the proxy's process; each act of it is a row, too.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

from sonde_lab.changes import Act, RuleRow
from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.presets import preset
from sonde_lab.faults.rules import RuleRefused
from sonde_lab.injected import InjectedRow, of_proxy
from sonde_lab.proxy_options import ProxyFailed
from sonde_lab.proxying import Proxying
from sonde_lab.records import Kind
from sonde_lab.striking import Striking
from sonde_lab.wording import one_line
from sonde_protocol.codes import Role

_LINE_CHARACTERS: Final = 200


class Injecting(Striking):
    """Acts on the fault lab of `_proxying`. Each answers with what went wrong, in words; `None` when nothing did."""

    _proxying: Proxying
    _injected_told: tuple[InjectedRow, ...] = ()

    @property
    def injected(self) -> tuple[InjectedRow, ...]:
        """Everything that is injected now, by whomever: in the proxy, at the gateway, on own clients."""
        return (*of_proxy(self.rules, self._proxying.waiting.rows.rows), *self.striking)

    def _take_injected(self) -> tuple[InjectedRow, ...] | None:
        """The same, when it has changed."""
        before, self._injected_told = self._injected_told, self.injected
        return None if self._injected_told == before else self._injected_told

    @property
    def rules(self) -> tuple[RuleRow, ...]:
        """The rules that are armed, and those that are over and not yet taken away."""
        return self._proxying.arming.rules

    async def arm(self, line: str) -> str | None:
        """Arm a rule, written as for `sonde proxy --fault`."""
        reason = self.can(Act.ARM)
        try:
            if reason is None:
                parse_rule(line)
                words = f"arm {one_line(line.strip(), _LINE_CHARACTERS)}"
                await self._armed(words, line.strip(), self._proxying.arming.arm(line))
        except (RuleRefused, ProxyFailed) as error:
            return self._not_armed(str(error))
        return reason

    async def arm_preset(self, name: str) -> str | None:
        """Arm a network by its name."""
        reason = self.can(Act.ARM)
        try:
            if reason is None:
                known = preset(name)
                words = f"arm {known.name}: {'; '.join(known.lines)}"
                await self._armed(words, "\n".join(known.lines), self._proxying.arming.arm_preset(name))
        except (RuleRefused, ProxyFailed) as error:
            return self._not_armed(str(error))
        return reason

    async def _armed(self, words: str, lines: str, work: Coroutine[Any, Any, list[int]]) -> None:
        """Tell of it, do it, and keep the numbers of the rules; what is refused was not done."""
        done = self._act(Act.ARM, words, injected=True, detail=lines)
        try:
            done.numbers = tuple(await work)
        except (RuleRefused, ProxyFailed):
            self.acts.take_back(done)
            raise

    async def disarm(self, number: int) -> str | None:
        """Take one rule away."""
        reason = self.can(Act.DISARM)
        if reason is None:
            self._act(Act.DISARM, f"disarm rule {number}", detail=str(number))
            try:
                await self._proxying.arming.disarm(number)
            except RuleRefused:
                return None  # it was off already, which is what was asked for
            except ProxyFailed as error:
                return sentence(str(error))
        return reason

    async def faults_off(self) -> str | None:
        """Everything off: every rule, what the gateway or an own socket still does, and refused dials of own clients.

        A proxy that does not answer is ended, since nobody knows what it does.
        """
        reason = self.can(Act.FAULTS_OFF)
        if reason is not None:
            return reason
        self._act(Act.FAULTS_OFF, "all faults off")
        admin = self._live_as(Role.ADMIN)  # before its socket is mended: it comes back
        self._let_dials_through()
        self._mend_sockets()
        problems = [await self._rules_off(), await self._strikes_off(admin)]  # a rule may be in the way
        return " ".join(problem for problem in problems if problem) or None

    async def _rules_off(self) -> str | None:
        if not self.rules:
            return None
        try:
            await self._proxying.arming.reset()
        except (RuleRefused, ProxyFailed) as error:
            self._proxying.kill()
            return f"{sentence(str(error))} It was ended, so it injects nothing any more."
        return None

    def _not_armed(self, why: str) -> str:
        self._say(Kind.NOTE, "fault", f"not armed: {one_line(why, _LINE_CHARACTERS)}")
        return sentence(why)


def sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}" + ("" if words.endswith((".", "?")) else ".")
