"""A gateway, or a cluster of them, for a test: started on free ports with a secret of its own, broken by its acts.

Owns tokens for them and the acts of an operator. Whatever they start ends with the test run, killed or not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from sonde_client import Client
from sonde_lab import tokens
from sonde_lab.changes import GatewayState
from sonde_lab.cluster import Cluster
from sonde_lab.embedded import EmbeddedGateway
from sonde_lab.guarded import PartState
from sonde_lab.testing.thread import LoopThread, act
from sonde_lab.tokens import TokenCall
from sonde_lab.wording import identity
from sonde_protocol.codes import CloseCode, Role
from sonde_protocol.frames import Kick

if TYPE_CHECKING:
    from sonde_lab.testing.stand import Stand

PLAYER = (Role.PLAYER.value,)
_OPERATOR = ("player", "monitor", "admin")


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
        async with Client(
            list(self.urls), self.token_source("operator", _OPERATOR), name="operator"
        ) as operator:
            await operator.command(Kick, session=wanted, code=code, cause="kicked by a test")


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
