"""Which acts are possible now, and in what words one is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sonde_client import ConnectionStatus
from sonde_lab import cluster_acts
from sonde_lab.changes import Act, GatewayState
from sonde_lab.endpoints import NOT_OURS, Endpoint, EndpointKind
from sonde_lab.guarded import PartStatus
from sonde_protocol.codes import Role
from sonde_protocol.states import ConnectionState

MAX_CLIENTS: Final = 16
_ALWAYS: Final = frozenset({Act.MARK})
# What looking takes, and leaving. A list of what is left, so that an act that is added later is locked by itself.
_LEFT_IN_READ_ONLY: Final = frozenset(
    {
        Act.MARK, Act.CONNECT, Act.DISCONNECT, Act.RETRY_NOW, Act.NEXT_CLIENT, Act.TAP, Act.UNTAP,
        Act.DISARM, Act.FAULTS_OFF, Act.TAKE_PROXY, Act.LET_GO, Act.HOLD_NOTHING,  # to end what one has injected is never locked
    }
)  # fmt: skip
READ_ONLY: Final = "The window is read-only: nothing is changed from here. View → Read-only takes that back."
_LOCKED_ON_PRODUCTION: Final = frozenset(
    {Act.KICK, Act.SEND, Act.SET_PRESENCE, Act.ARM, Act.INJECT, Act.HOLD, Act.CHANGE_HELD}
)
_OPEN: Final = frozenset({ConnectionState.HANDSHAKING, ConnectionState.LIVE})
_MAY_CONNECT: Final = frozenset({ConnectionState.IDLE, ConnectionState.STOPPED, ConnectionState.WAITING})


@dataclass(slots=True, frozen=True)
class Situation:
    """What decides. `status` is the current client's, `None` when there is no client."""

    endpoint: Endpoint | None
    gateway: GatewayState
    status: ConnectionStatus | None
    parts: tuple[PartStatus, ...] = ()  # of the cluster
    url: str = ""  # where a proxy listens
    clients: int = 1  # own ones
    can_join: bool = True  # it is known where a client would go
    has_admin: bool = False  # an own client that is live has the role
    has_monitor: bool = False  # the same
    taps: int = 0
    read_only: bool = False  # a person only wants to look
    proxy: GatewayState = GatewayState.NONE  # the endpoint's, or the one in front of our own gateway
    rules: int = 0  # in its fault lab
    striking: int = 0  # faults under way at the gateway and on own clients
    held: int = 0  # messages that wait in the proxy
    holds: int = 0  # of its rules, those that let messages wait

    @property
    def carrier(self) -> str:
        """The node of the current client."""
        return "" if self.status is None else self.status.node or ""


def why_not(act: Act, now: Situation) -> str | None:
    """The reason why `act` is not possible; `None` when it is."""
    if now.endpoint is not None and now.endpoint.kind is EndpointKind.CAPTURE:
        return _OF_CAPTURE.get(
            act, "A capture is open: there is nothing to connect to, so nothing can be done to it."
        )
    if now.read_only and act not in _LEFT_IN_READ_ONLY:
        return READ_ONLY
    if act in _ALWAYS:
        return None
    if now.endpoint is None:
        return "No endpoint is open."
    if now.endpoint.production and act in _LOCKED_ON_PRODUCTION:
        return f"{now.endpoint.name} is marked as production: this act is locked there."
    if act in cluster_acts.CLUSTER_ACTS:
        if now.endpoint.kind is not EndpointKind.CLUSTER:
            return "Only a cluster has nodes: choose it as the endpoint."
        return cluster_acts.why_not(act, now.parts, now.carrier)
    if act in _OF_FAULTS:
        return _OF_FAULTS[act](now)
    if act in _OF_GATEWAY:
        return _OF_GATEWAY[act](now.endpoint, now.gateway)
    if now.endpoint.kind is EndpointKind.PROXY:
        return _of_proxy(act, now)
    if act in _OF_CLIENTS:
        return _OF_CLIENTS[act](now)
    if now.status is None:
        return "There is no client: the gateway has not started."
    return _OF_CLIENT[act](now.status)


def _of_proxy(act: Act, now: Situation) -> str | None:
    if act is not Act.CONNECT:
        where = f"any client at {now.url}" if now.url else "any client at it once it listens"
        return f"A proxy has no client of its own: point {where}."
    if now.gateway is GatewayState.DEAD:
        return None
    return "The proxy is starting." if now.gateway is GatewayState.STARTING else "The proxy is running."


def _arm(now: Situation) -> str | None:
    return _in_a_proxy(now, "Network faults stand")


def _hold(now: Situation) -> str | None:
    return _in_a_proxy(now, "Messages are held")


def _in_a_proxy(now: Situation, what: str) -> str | None:
    if now.proxy is GatewayState.LIVE:
        return None
    if now.proxy is GatewayState.NONE:
        assert now.endpoint is not None
        is_ours = now.endpoint.kind is EndpointKind.EMBEDDED
        how = "put one in front of this gateway." if is_ours else "open a Proxy endpoint towards it."
        return f"{what} in a proxy: {how}"
    return "The proxy is starting." if now.proxy is GatewayState.STARTING else "The proxy has ended."


def _disarm(now: Situation) -> str | None:
    return None if now.rules else "No rule is armed."


def _faults_off(now: Situation) -> str | None:
    return None if now.rules or now.striking else "Nothing is injected."


def _of_held(now: Situation) -> str | None:
    return None if now.held else "No message is held."


def _hold_nothing(now: Situation) -> str | None:
    return None if now.holds else "No messages are to be held."


def _put_proxy(now: Situation) -> str | None:
    if now.endpoint is None or now.endpoint.kind is not EndpointKind.EMBEDDED:
        return "Only the embedded gateway gets a proxy from here: open a Proxy endpoint towards any other."
    if now.proxy in (GatewayState.STARTING, GatewayState.LIVE):
        return "There is a proxy in front of it."
    return None if now.gateway is GatewayState.LIVE else "The gateway is not running."


def _take_proxy(now: Situation) -> str | None:
    if now.endpoint is None or now.endpoint.kind is not EndpointKind.EMBEDDED:
        return "Only the proxy in front of the embedded gateway is taken away from here."
    return "There is no proxy in front of it." if now.proxy is GatewayState.NONE else None


def _restart(endpoint: Endpoint, gateway: GatewayState) -> str | None:
    if endpoint.kind is EndpointKind.CLUSTER:
        return "On a cluster, kill a node and start it again."
    if endpoint.kind is not EndpointKind.EMBEDDED:
        return "Only the embedded gateway can be restarted from here."
    return "The gateway is starting." if gateway is GatewayState.STARTING else None


def _players(endpoint: Endpoint, gateway: GatewayState) -> str | None:
    if endpoint.kind in NOT_OURS:
        return "Simulated players live on our own gateways only."
    return None if gateway is GatewayState.LIVE else "The gateway is not running."


def _connect(status: ConnectionStatus) -> str | None:
    if status.state in _MAY_CONNECT:
        return None
    return (
        "Already connected."
        if status.state is ConnectionState.LIVE
        else "A connection is being made or ended."
    )


def _disconnect(status: ConnectionStatus) -> str | None:
    if status.state is ConnectionState.IDLE:
        return "Not connected."
    return "Already saying goodbye." if status.state is ConnectionState.CLOSING else None


def _retry(status: ConnectionStatus) -> str | None:
    return None if status.state is ConnectionState.WAITING else "Nothing is waiting for a next try."


def _drop(status: ConnectionStatus) -> str | None:
    return None if status.state in _OPEN else "There is no open socket."


def _live(status: ConnectionStatus) -> str | None:
    return None if status.state is ConnectionState.LIVE else "Not connected."


def is_live_as(role: Role, status: ConnectionStatus) -> bool:
    """Whether the gateway would let this client do now what takes the role."""
    return status.state is ConnectionState.LIVE and role in status.roles


def _kick(now: Situation) -> str | None:
    if now.status is None or now.status.state is not ConnectionState.LIVE:
        return "Not connected."
    may = now.has_admin or is_live_as(Role.ADMIN, now.status)
    return None if may else "Needs a token with the role admin."


def _inject(now: Situation) -> str | None:
    if now.endpoint is not None and now.endpoint.kind is EndpointKind.CLUSTER:
        return "The nodes of a cluster are started without faults."
    return _kick(now)


def _add(now: Situation) -> str | None:
    if now.clients >= MAX_CLIENTS:
        return f"{MAX_CLIENTS} clients are the most: remove one first."
    return None if now.can_join else "There is nowhere to go yet: the gateway has not started."


def _remove(now: Situation) -> str | None:
    if not now.clients:
        return "There is no client."
    return None if now.clients > 1 else "The only client stays: disconnect it instead."


def _tap(now: Situation) -> str | None:
    return None if now.has_monitor else "Needs a connected client whose token has the role monitor."


def why_not_tap(node: str, watching: str) -> str | None:
    """Why a session of `node` is not seen from the node where the client is that watches; `None` when it is."""
    if not node or not watching or node == watching:
        return None
    return f"It is on the node {node}: a tap shows what passes {watching}, where your client is that watches."


def _untap(now: Situation) -> str | None:
    return None if now.taps else "Nothing is tapped."


def _next(now: Situation) -> str | None:
    return None if now.clients > 1 else "There is no other client: add one."


def _refuse(status: ConnectionStatus) -> str | None:
    return "Connect first." if status.state is ConnectionState.IDLE else None


_OF_CAPTURE: Final[Mapping[Act, str]] = MappingProxyType(
    {
        Act.CONNECT: "A capture is open: there is nothing to connect to. Choose an endpoint to see live traffic.",
        Act.DISCONNECT: "A capture is open: nothing is connected.",
        Act.RETRY_NOW: "A capture is open: nothing is waiting for a next try.",
        Act.SEND: "A capture is open: nobody listens.",
        Act.SET_PRESENCE: "A capture is open: there is nobody to appear to.",
        Act.SET_PLAYERS: "A capture is open: simulated players live on our own gateways only.",
        Act.MARK: "A capture is open: this moment is no part of it.",
    }
)
_OF_GATEWAY: Final[Mapping[Act, Callable[[Endpoint, GatewayState], str | None]]] = MappingProxyType(
    {Act.RESTART_GATEWAY: _restart, Act.SET_PLAYERS: _players}
)
_OF_FAULTS: Final[Mapping[Act, Callable[[Situation], str | None]]] = MappingProxyType(
    {
        Act.ARM: _arm,
        Act.HOLD: _hold,
        Act.CHANGE_HELD: _of_held,
        Act.LET_GO: _of_held,
        Act.HOLD_NOTHING: _hold_nothing,
        Act.DISARM: _disarm,
        Act.FAULTS_OFF: _faults_off,
        Act.PUT_PROXY: _put_proxy,
        Act.TAKE_PROXY: _take_proxy,
    }
)
_OF_CLIENTS: Final[Mapping[Act, Callable[[Situation], str | None]]] = MappingProxyType(
    {
        Act.ADD_CLIENT: _add,
        Act.REMOVE_CLIENT: _remove,
        Act.NEXT_CLIENT: _next,
        Act.KICK: _kick,
        Act.INJECT: _inject,
        Act.TAP: _tap,
        Act.UNTAP: _untap,
    }
)
_OF_CLIENT: Final[Mapping[Act, Callable[[ConnectionStatus], str | None]]] = MappingProxyType(
    {
        Act.CONNECT: _connect,
        Act.DISCONNECT: _disconnect,
        Act.RETRY_NOW: _retry,
        Act.DROP: _drop,
        Act.BREAK_SOCKET: _drop,
        Act.REFUSE: _refuse,
        Act.SEND: _live,
        Act.SET_PRESENCE: _live,
    }
)
