"""The cluster behind an endpoint: its start and end, and the acts on its parts with the words for them.

Owns which part an act means when none is named: the node that carries the current client, else the first that fits.
Says what went wrong as values; draws nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from sonde_lab.changes import Act, GatewayState
from sonde_lab.cluster import Cluster
from sonde_lab.guarded import PartKind, PartState, PartStatus

NODES: Final = 2
_STARTING: Final = "The cluster is starting."

# For each act on nodes: the states that it fits, the words for it, and why it does not fit anywhere.
_FITS: Final[Mapping[Act, tuple[frozenset[PartState], str, str]]] = MappingProxyType(
    {
        Act.KILL_NODE: (frozenset({PartState.LIVE, PartState.PAUSED}), "kill", "No node is running."),
        Act.PAUSE_NODE: (frozenset({PartState.LIVE}), "pause", "No node is running that could be paused."),
        Act.CONTINUE_NODE: (frozenset({PartState.PAUSED}), "continue", "No node is paused."),
        Act.START_NODE: (frozenset({PartState.DEAD, PartState.NONE}), "start", "Every node is running."),
    }
)
_RESTARTS: Final[Mapping[Act, PartKind]] = MappingProxyType(
    {Act.RESTART_NATS: PartKind.NATS, Act.RESTART_REDIS: PartKind.REDIS}
)
CLUSTER_ACTS: Final = frozenset({*_FITS, *_RESTARTS})


def targets(act: Act, parts: Sequence[PartStatus], carrier: str, named: str = "") -> list[str]:
    """The nodes that an act on nodes means; none when it does not fit."""
    states = _FITS[act][0]
    fitting = [part.name for part in parts if part.kind is PartKind.NODE and part.state in states]
    if named:
        return [name for name in fitting if name == named]
    if act in (Act.START_NODE, Act.CONTINUE_NODE):
        return fitting
    return [carrier] if carrier in fitting else fitting[:1]


def why_not(act: Act, parts: Sequence[PartStatus], carrier: str, named: str = "") -> str | None:
    """Why an act on a cluster's parts is not possible now; `None` when it is."""
    if not parts or any(part.state is PartState.STARTING for part in parts):
        return _STARTING
    if act in _RESTARTS:
        return None
    if targets(act, parts, carrier, named):
        return None
    return f"{named} is in no state for that." if named else _FITS[act][2]


def in_words(act: Act, names: Sequence[str]) -> str:
    """`"kill node n1"`, `"restart NATS"`."""
    if act in _RESTARTS:
        return "restart NATS" if act is Act.RESTART_NATS else "restart Redis"
    return f"{_FITS[act][1]} node {', '.join(names)}"


class ClusterActs:
    """At most one cluster at a time. `on_change` is called whenever a part has another state."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._cluster: Cluster | None = None
        self.progress = ""  # in words, while it starts
        self.is_starting = False

    @property
    def parts(self) -> tuple[PartStatus, ...]:
        """Nodes, Redis, NATS, balancer; none without a cluster."""
        return () if self._cluster is None else self._cluster.parts

    @property
    def secret(self) -> str:
        """What tokens are signed with."""
        return "" if self._cluster is None else self._cluster.secret

    @property
    def urls(self) -> tuple[str, ...]:
        """Where clients go."""
        return () if self._cluster is None else self._cluster.urls

    @property
    def state(self) -> GatewayState:
        """The whole as a gateway: live while one node is."""
        if self._cluster is None:
            return GatewayState.NONE
        if self.is_starting:
            return GatewayState.STARTING
        nodes = [part for part in self._cluster.parts if part.kind is PartKind.NODE]
        return GatewayState.LIVE if any(n.state is PartState.LIVE for n in nodes) else GatewayState.DEAD

    async def start(self) -> tuple[str, ...]:
        """Start all parts; where clients go.

        Raises:
            PartFailed: a program is missing or did not come up; nothing is left running.
        """
        self._cluster = Cluster(self._on_change, NODES)
        self.is_starting = True
        try:
            return await self._cluster.start(self._tell)
        finally:
            self.is_starting = False
            self._tell("")

    def _tell(self, words: str) -> None:
        self.progress = words
        self._on_change()

    async def stop(self) -> None:
        """End all parts, in order."""
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            await cluster.stop()

    async def do(self, act: Act, names: Sequence[str]) -> None:
        """Do it.

        Raises:
            PartFailed: a part did not come up again.
        """
        cluster = self._cluster
        if cluster is None:
            return
        if act is Act.RESTART_NATS:
            await cluster.restart_nats()
        elif act is Act.RESTART_REDIS:
            await cluster.restart_redis()
        for name in names:
            if act is Act.START_NODE:
                await cluster.start_node(name)
            elif act is Act.KILL_NODE:
                cluster.kill(name)
            elif act is Act.PAUSE_NODE:
                cluster.pause(name)
            elif act is Act.CONTINUE_NODE:
                cluster.go_on(name)
