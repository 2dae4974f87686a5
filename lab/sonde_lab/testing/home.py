"""A gateway, or a cluster of them, for a test: started on free ports with a secret of its own, broken by its acts.

Owns tokens for them and the acts of an operator. Whatever they start ends with the test run, killed or not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from sonde_client import Client
from sonde_lab import tokens
from sonde_lab.changes import GatewayState, SessionRow
from sonde_lab.cluster import Cluster
from sonde_lab.embedded import EmbeddedGateway
from sonde_lab.faults.without_proxy import command_of, rule_for_gateway
from sonde_lab.faults.words import rule_in_words
from sonde_lab.guarded import PartState
from sonde_lab.monitoring import SESSIONS, session_rows
from sonde_lab.testing.thread import LoopThread, act, until
from sonde_lab.tokens import TokenCall
from sonde_lab.wording import identity, one_line
from sonde_protocol.codes import CloseCode, Role
from sonde_protocol.errors import SondeError
from sonde_protocol.frames import Fault, Kick
from sonde_protocol.injecting import OFF

if TYPE_CHECKING:
    from sonde_lab.testing.stand import Stand

PLAYER = (Role.PLAYER.value,)
LISTED_S = 5.0  # until a new session is listed
_OPERATOR = ("player", "monitor", "admin")


class NotFound(SondeError):
    """There is no such session. The message is a sentence."""


class Home(Protocol):
    """Where clients go. `urls` are all addresses, `url` the first."""

    @property
    def url(self) -> str: ...

    @property
    def urls(self) -> tuple[str, ...]: ...

    def token_source(self, user: str, roles: Sequence[str]) -> TokenCall | None:
        """What makes tokens that are accepted there; `None` where nobody can."""


class _Operated(ABC):
    """What a gateway and a cluster have in common."""

    def __init__(self, stand: Stand, secret: str) -> None:
        self._stand = stand
        self._secret = secret

    @property
    def thread(self) -> LoopThread:
        """Where it lives."""
        return self._stand.thread

    @property
    @abstractmethod
    def urls(self) -> tuple[str, ...]:
        """Where clients go."""

    @property
    def url(self) -> str:
        """The first address."""
        return self.urls[0]

    def token_source(self, user: str, roles: Sequence[str] = PLAYER) -> TokenCall:
        """A fresh token each time that it is called."""
        return tokens.minted(self._secret, user, roles)

    @act
    async def token(self, user: str, roles: Sequence[str] = PLAYER) -> str:
        """A token for a client of your own: good for an hour."""
        return await self.token_source(user, roles)()

    @act
    async def kick(self, session: Any, code: int = int(CloseCode.KICKED)) -> None:
        """End the session of a `sonde_client`, or one of that id, as an operator does.

        Raises:
            Refused: the gateway says no, as when there is no such session.
        """
        wanted = session if isinstance(session, str) else session.session
        self._stand.recording.say(f"kick session {identity(wanted)}", injected=True)
        async with self._operator() as operator:
            await operator.command(Kick, session=wanted, code=code, cause="kicked by a test")

    def _operator(self) -> Client:
        return Client(list(self.urls), self.token_source("operator", _OPERATOR), name="operator")


class TestGateway(_Operated):
    """One gateway in a process of its own. Its port stays the same over a restart, its sessions do not."""

    __test__ = False  # pytest collects what is called Test…

    def __init__(self, stand: Stand) -> None:
        self._process = EmbeddedGateway(lambda: None)
        super().__init__(stand, self._process.secret)

    def __repr__(self) -> str:
        return f"<gateway {self._process.url or 'not started'} {self._process.state.value}>"

    @property
    def urls(self) -> tuple[str, ...]:
        return (self._process.url,)

    @property
    def is_live(self) -> bool:
        """Whether its process runs and is ready."""
        return self._process.state is GatewayState.LIVE

    @property
    def log_tail(self) -> tuple[str, ...]:
        """The last lines of its log."""
        return self._process.log_tail

    async def begin(self) -> None:
        """Start it where it does not run."""
        if not self.is_live:
            await self._process.start()

    async def end(self) -> None:
        """End it."""
        await self._process.stop()

    @act
    async def inject(self, rule: str, session: Any = "", *, user: str = "") -> int:
        """Let the gateway do what a rule says to a `sonde_client`, to the session of that id, or to a user's newest one.

        The rules are those of `docs/faults.md`, “Without a proxy”. The fault's number.

        Raises:
            RuleRefused: it is no rule, or not a gateway's. NotFound: the user has no session. Refused: the gateway says no.
        """
        what = rule_for_gateway(rule)
        async with self._operator() as operator:
            wanted = await _session(operator, session, user)
            self._say(f"at the gateway: {rule_in_words(what)}", wanted)
            told = await operator.command(command_of(what, wanted))
        return int(told["number"])

    @act
    async def faults_off(self, session: Any = "", *, user: str = "") -> int:
        """End what is under way there; how much it was. Raises as `inject`."""
        async with self._operator() as operator:
            wanted = await _session(operator, session, user)
            told = await operator.command(Fault, session=wanted, kind=OFF)
        return int(told["off"])

    def _say(self, words: str, session: str) -> None:
        """A row on the connection that it is about, where that is a client of this test."""
        mine = (client.name for client in self._stand.clients if client.session == session)
        self._stand.recording.say(words, injected=True, conn=next(mine, "test"))

    @act
    async def restart(self) -> str:
        """End it as a crash does and start it on the same port; its address."""
        self._stand.recording.say("restart the embedded gateway", injected=True)
        return await self._process.restart()

    @act
    async def kill(self) -> None:
        """End it as a crash does. `start` brings it back."""
        self._stand.recording.say("kill the gateway", injected=True)
        self._process.kill()
        await self._process.ended()

    @act
    async def drain(self) -> None:
        """Let it say goodbye to everybody and end. `start` brings it back."""
        self._stand.recording.say("drain the gateway", injected=True)
        await self._process.stop()

    @act
    async def start(self) -> str:
        """After `kill` or `drain`: start it on the same port; its address."""
        await self.begin()
        return self.url


async def _session(operator: Client, wanted: Any, user: str) -> str:
    """The id of a session: as it is given, of a client, or the newest of a user that the gateway lists."""
    if not user and not wanted:
        raise NotFound("say whose session: a sonde_client, the id of a session, or user=")
    if not user:
        return str(wanted if isinstance(wanted, str) else wanted.session)
    channel = await operator.subscribe(SESSIONS)
    rows = await until(lambda: _of_user(channel.state, user) or None, LISTED_S)
    if rows is None:
        raise NotFound(f"the gateway lists no session of “{one_line(user, 60)}”")
    return rows[-1].session


def _of_user(document: Any, user: str) -> list[SessionRow]:
    return [row for row in session_rows(document, ()) if row.user == user]


class TestCluster(_Operated):
    """Redis, NATS and some gateways on this machine; HAProxy in front where it is installed."""

    __test__ = False

    def __init__(self, stand: Stand, nodes: int) -> None:
        self._cluster = Cluster(lambda: None, nodes)
        super().__init__(stand, self._cluster.secret)
        self._has_started = False

    @property
    def urls(self) -> tuple[str, ...]:
        return self._cluster.urls

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes, as `client.status.node` tells them."""
        return tuple(self._cluster.nodes)

    async def begin(self) -> None:
        """Start it, and again what has ended since."""
        if not self._has_started:
            await self._cluster.start()
            self._has_started = True
        for name, node in self._cluster.nodes.items():
            self._cluster.go_on(name)
            if node.state is not PartState.LIVE:
                await self._cluster.start_node(name)

    async def end(self) -> None:
        """End all of it."""
        await self._cluster.stop()

    @act
    async def kill(self, node: str) -> None:
        """End a node as a crash does."""
        self._stand.recording.say(f"kill node {node}", injected=True)
        self._cluster.kill(node)
        await self._cluster.nodes[node].ended()

    @act
    async def start(self, node: str) -> None:
        """Start a node that ended, on its old port."""
        await self._cluster.start_node(node)

    @act
    async def pause(self, node: str) -> None:
        """Halt a node like a machine that hangs."""
        self._stand.recording.say(f"pause node {node}", injected=True)
        self._cluster.pause(node)

    @act
    async def go_on(self, node: str) -> None:
        """After `pause`."""
        self._cluster.go_on(node)

    @act
    async def restart_redis(self) -> None:
        """Kill Redis and start it with what is on disk."""
        self._stand.recording.say("restart Redis", injected=True)
        await self._cluster.restart_redis()

    @act
    async def restart_nats(self) -> None:
        """Kill NATS and start it."""
        self._stand.recording.say("restart NATS", injected=True)
        await self._cluster.restart_nats()
