"""What a person lets go wrong without a proxy: by the gateway's command, or on an own client's socket.

Owns these acts, their rows, and what of them is still under way. What a line means is `faults.without_proxy`'s, how it is done
the gateway's and the client's.
"""

from __future__ import annotations

import logging
from typing import Final

from sonde_client import Client, ConnectFailed, NotSent, OutcomeUnknown, Refused
from sonde_lab.acting import Acting
from sonde_lab.changes import Act
from sonde_lab.faults.rules import Rule, RuleRefused
from sonde_lab.faults.without_proxy import command_of, lasts_s, rule_for_gateway, rule_for_socket
from sonde_lab.faults.words import rule_in_words, seconds_in_words
from sonde_lab.monitoring import FAULTS
from sonde_lab.records import Kind
from sonde_lab.wording import one_line
from sonde_protocol.codes import Role
from sonde_protocol.errors import SondeError
from sonde_protocol.frames import Fault
from sonde_protocol.injecting import OFF

logger = logging.getLogger(__name__)
_LINE_CHARACTERS: Final = 200


class Striking(Acting):
    """Each act answers with what went wrong, in words; `None` when nothing did."""

    def _begin_striking(self) -> None:
        """Nothing is under way."""
        self._at_gateway: dict[str, float] = {}  # sessions, and until when a fault may be under way on them
        self._broken: dict[str, float] = {}  # own clients whose sockets are broken, and until when

    @property
    def striking(self) -> int:
        """How many sessions and sockets have a fault that may still be under way."""
        now = self._now()
        return sum(until > now for held in (self._at_gateway, self._broken) for until in held.values())

    async def inject(self, line: str) -> str | None:
        """Let the gateway do what a rule says to the current client's session."""
        reason = self.can(Act.INJECT)
        if reason is not None:
            return reason
        try:
            rule = rule_for_gateway(line)
        except RuleRefused as refused:
            return self._not_done(str(refused))
        session = self.clients[self.current].status.session or ""
        admin = self._live_as(Role.ADMIN) or self.clients[self.current]
        await self._listen(admin)
        words = f"at the gateway: {rule_in_words(rule)}"
        done = self._act(Act.INJECT, words, injected=True, detail=line.strip())
        self._note(self._at_gateway, session, rule)
        problem = await self._ask(admin, command_of(rule, session))
        if problem is not None:
            self.acts.take_back(done)
        return problem

    async def break_socket(self, line: str, name: str = "") -> str | None:
        """Let the current client, or the named one, do what a rule says to its own socket."""
        reason = self.can(Act.BREAK_SOCKET, name)
        if reason is not None:
            return reason
        name = name or self.current
        try:
            rule = rule_for_socket(line)
            words = _in_words(rule, name)
            done = self._act(Act.BREAK_SOCKET, words, injected=True, conn=name, detail=line.strip())
            self._break(self.clients[name], rule)
        except RuleRefused as refused:
            return self._not_done(str(refused))
        except ConnectFailed as error:
            self.acts.take_back(done)
            return str(error.failure)
        self._note(self._broken, name, rule)
        return None

    def _break(self, client: Client, rule: Rule) -> None:
        breaking = client.breaking
        match rule.kind.name:
            case "reset":
                breaking.reset()
            case "cut":
                breaking.cut()
            case "half_open":
                breaking.half_open(lasts_s(rule))
            case "slow_consumer":
                breaking.stop_reading(rule.number("hold"))
            case _:
                breaking.lose_heartbeats(times=rule.count, seconds=rule.for_s)

    async def _strikes_off(self) -> None:
        """End what is under way, as far as it can be reached."""
        for name in self._broken:
            if name in self.clients:
                self.clients[name].breaking.off()
        self._broken.clear()
        sessions, self._at_gateway = tuple(self._at_gateway), {}
        admin = self._live_as(Role.ADMIN)
        for session in sessions if admin is not None else ():
            assert admin is not None
            await self._ask(admin, Fault(id=0, session=session, kind=OFF))

    # ------------------------------------------------------------ small things

    def _note(self, held: dict[str, float], key: str, rule: Rule) -> None:
        seconds = lasts_s(rule)
        if seconds:
            held[key] = max(held.get(key, 0.0), self._now() + rule.at_s + seconds)

    async def _ask(self, admin: Client, command: Fault) -> str | None:
        try:
            await admin.command(command)
        except Refused as refused:
            return self._not_done(refused.message)
        except (OutcomeUnknown, NotSent, ConnectFailed) as error:
            logger.info("a fault's answer did not come: %s", error)  # its own session may have been the one
        return None

    async def _listen(self, client: Client) -> None:
        """Hear what the gateway tells of injected faults, where the client may."""
        if FAULTS in client.channels or Role.MONITOR not in client.status.roles:
            return
        try:
            await client.subscribe(FAULTS)
        except SondeError as error:
            logger.info("no news of faults: %s", error)  # the client has told it as a failure

    def _not_done(self, why: str) -> str:
        self._say(Kind.NOTE, "fault", f"not done: {one_line(why, _LINE_CHARACTERS)}")
        return _sentence(why)


async def closed(client: Client) -> None:
    """Leave for good: a socket that is half open would keep whoever waits until its time is over."""
    client.breaking.off()
    await client.close()


def _in_words(rule: Rule, name: str) -> str:
    """`half_open client:you 60 s`: as a verdict reads it."""
    words = f"{rule.kind.name} client:{name}"
    if rule.kind.name == "no_heartbeat" and rule.count:
        return f"{words} {rule.count} times"
    seconds = lasts_s(rule)
    return f"{words} {seconds_in_words(seconds)}" if seconds else words


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}" + ("" if words.endswith((".", "?")) else ".")
