"""Who may do what in which channel. Pure rules over a namespace's configuration; says no by raising."""

from __future__ import annotations

from typing import Any, Final, Protocol

from sonde_protocol.channels import parse_channel
from sonde_protocol.codes import ErrorCode, Role
from sonde_protocol.errors import Refused
from sonde_server.core.config import Audience, GatewayConfig, NamespaceConfig

PLAYERS_KEY: Final = "players"


class Actor(Protocol):
    """Who acts: a actor, or a backend service, which is no user."""

    @property
    def user(self) -> str | None: ...
    @property
    def roles(self) -> frozenset[str]: ...


class Authority:
    """Answers for one configuration."""

    __slots__ = ("_namespaces",)

    def __init__(self, config: GatewayConfig) -> None:
        self._namespaces = config.namespaces

    def namespace(self, ch: str) -> NamespaceConfig:
        """The configuration of a channel's namespace.

        Raises:
            Refused: `bad_channel`, or `no_such_channel` for a namespace that is not configured.
        """
        found = self._namespaces.get(parse_channel(ch).namespace)
        if found is None:
            raise Refused(ErrorCode.NO_SUCH_CHANNEL, "this namespace does not exist here")
        return found

    def to_subscribe(self, actor: Actor, ch: str) -> NamespaceConfig:
        """The namespace, if the actor may listen there.

        Raises:
            Refused: `forbidden`, or as `namespace`.
        """
        config = self.namespace(ch)
        _require(_has_role(actor, config.subscribe) and _is_for(actor, config, ch), "subscribe")
        return config

    def to_publish(self, actor: Actor, ch: str, known: NamespaceConfig | None = None) -> NamespaceConfig:
        """The namespace (`known` where the room is open), if the actor may publish there."""
        config = known or self.namespace(ch)
        if config.publish.isdisjoint(actor.roles) or not _is_for(actor, config, ch):
            raise _forbidden("publish")
        return config

    def to_patch(self, actor: Actor, ch: str, patch: dict[str, Any]) -> NamespaceConfig:
        """The namespace, if the actor may make this very patch: services any, players `players.<own id>`."""
        config = self.namespace(ch)
        if not config.state:
            raise Refused(ErrorCode.NOT_SUPPORTED, "channels of this namespace have no state")
        _require(_has_role(actor, config.patch) and _is_for(actor, config, ch), "patch")
        _require(Role.SERVICE in actor.roles or _touches_only(patch, actor.user), "patch that part")
        return config


def require_role(actor: Actor, role: Role) -> None:
    """Refuse an actor without `role`."""
    if role not in actor.roles:
        raise Refused(ErrorCode.FORBIDDEN, f"this needs the role {role.value}")


def _forbidden(act: str) -> Refused:
    return Refused(ErrorCode.FORBIDDEN, f"not allowed to {act} here")


def _require(allowed: bool, act: str) -> None:
    if not allowed:
        raise _forbidden(act)


def _has_role(actor: Actor, roles: frozenset[Role]) -> bool:
    return not roles.isdisjoint(actor.roles)


def _is_for(actor: Actor, config: NamespaceConfig, ch: str) -> bool:
    if config.audience is not Audience.OWNER:
        return True
    return ch.partition(":")[2] == actor.user or Role.SERVICE in actor.roles


def _touches_only(patch: dict[str, Any], user: str | None) -> bool:
    if not patch:
        return True
    players = patch.get(PLAYERS_KEY)
    return len(patch) == 1 and isinstance(players, dict) and set(players) <= {user}
