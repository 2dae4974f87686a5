"""What a person lets go wrong without a proxy: by the gateway's command, or on an own client's socket.

Owns these acts, their rows, and the sum of what is still under way. What a line means is `faults.without_proxy`'s, how it is done
the gateway's and the client's.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

from sonde_client import Client, ConnectFailed, NotSent, OutcomeUnknown, Refused
from sonde_client.events import EntryArrived
from sonde_lab.acting import Acting
from sonde_lab.changes import Act
from sonde_lab.faults.rules import Rule, RuleRefused
from sonde_lab.faults.without_proxy import command_of, lasts_s, rule_for_gateway, rule_for_socket
from sonde_lab.faults.words import rule_in_words
from sonde_lab.gateway_faults import GatewayFaults, UnderWay
from sonde_lab.injected import InjectedRow, of_refused, of_sockets
from sonde_lab.monitoring import FAULTS
from sonde_lab.own_socket import break_it, breaking_in_words
from sonde_lab.records import Kind
from sonde_lab.wording import one_line
from sonde_protocol.codes import Role
from sonde_protocol.errors import SondeError
from sonde_protocol.frames import Event, Fault
from sonde_protocol.injecting import OFF

logger = logging.getLogger(__name__)
_LINE_CHARACTERS: Final = 200
_OUT_OF_REACH: Final = (
    "What the gateway does goes on until its time is over: no own client is live there with the role admin."
)
_UNANSWERED: Final = "The gateway has not answered: what it does may go on until its time is over."


class Striking(Acting):
    """Each act answers with what went wrong, in words; `None` when nothing did."""

    def _begin_striking(self) -> None:
        """Nothing is under way."""
        self._at_gateway = GatewayFaults()

    @property
    def striking(self) -> tuple[InjectedRow, ...]:
        """What is under way at the gateway and on own clients: their sockets, and their dials."""
        now, clients = self._now(), self.clients
        own = {client.status.session: name for name, client in clients.items() if client.status.session}
        return (
            *self._at_gateway.rows(now, own),
            *of_sockets({name: client.breaking.under_way for name, client in clients.items()}),
            *of_refused({name: self._refused_until[name] for name in self.refused}, now),
        )

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
        fault = UnderWay(session, "", rule.kind.name, rule_in_words(rule), self._until(rule))
        self._at_gateway.ask(fault)
        problem = await self._ask(admin, command_of(rule, session))
        if problem is not None:
            self.acts.take_back(done)
            self._at_gateway.take_back(fault)
        return problem

    async def break_socket(self, line: str, name: str = "") -> str | None:
        """Let the current client, or the named one, do what a rule says to its own socket."""
        reason = self.can(Act.BREAK_SOCKET, name)
        if reason is not None:
            return reason
        name = name or self.current
        try:
            rule = rule_for_socket(line)
            words = breaking_in_words(rule, name)
            done = self._act(Act.BREAK_SOCKET, words, injected=True, conn=name, detail=line.strip())
            break_it(self.clients[name], rule)
        except RuleRefused as refused:
            return self._not_done(str(refused))
        except ConnectFailed as error:
            self.acts.take_back(done)
            return str(error.failure)
        return None

    def _mend_sockets(self) -> None:
        for client in self.clients.values():
            client.breaking.off()

    async def _strikes_off(self, admin: Client | None) -> str | None:
        """End what is under way at the gateway, as far as it can be reached; what goes on, in words."""
        sessions = self._at_gateway.sessions(self._now())
        if sessions and admin is None:
            return _OUT_OF_REACH
        problems = [await self._off(admin, session) for session in sessions if admin is not None]
        return next((problem for problem in problems if problem), None)

    async def _off(self, admin: Client, session: str) -> str | None:
        if admin.status.session == session and self._at_gateway.is_deaf(session):
            admin.drop()  # nothing is heard on this connection; the next one is
        try:
            await admin.command(Fault(id=0, session=session, kind=OFF))
        except Refused as refused:
            return self._not_done(refused.message)
        except (OutcomeUnknown, NotSent, ConnectFailed):
            return _UNANSWERED
        self._at_gateway.end_of(session)
        return None

    # ------------------------------------------------------------ small things

    def _until(self, rule: Rule) -> float:
        return self._now() + rule.at_s + lasts_s(rule)

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
        client.on(EntryArrived, partial(self._on_news, client))
        try:
            await client.subscribe(FAULTS)
        except SondeError as error:
            logger.info("no news of faults: %s", error)  # the client has told it as a failure

    def _on_news(self, client: Client, event: EntryArrived) -> None:
        frame = event.frame
        if event.ch != FAULTS or not isinstance(frame, Event):
            return
        now, ahead_s = self._now(), client.clock.offset_s
        if ahead_s is None:
            ahead_s = frame.ts / 1000 - now
        self._at_gateway.take(frame.type, frame.d, now, ahead_s)

    def _not_done(self, why: str) -> str:
        self._say(Kind.NOTE, "fault", f"not done: {one_line(why, _LINE_CHARACTERS)}")
        return _sentence(why)


async def closed(client: Client) -> None:
    """Leave for good: a socket that is half open would keep whoever waits until its time is over."""
    client.breaking.off()
    await client.close()


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}" + ("" if words.endswith((".", "?")) else ".")
