"""Who may do what in which channel. Pure rules over a namespace's configuration; says no by raising."""

from __future__ import annotations

from typing import Any, Final

from sonde_protocol.channels import parse_channel
from sonde_protocol.codes import ErrorCode, Role
from sonde_protocol.errors import Refused
from sonde_server.core.config import Audience, GatewayConfig, NamespaceConfig
from sonde_server.core.session import Session

PLAYERS_KEY: Final = "players"


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

    def to_subscribe(self, session: Session, ch: str) -> NamespaceConfig:
        """The namespace, if the session may listen there.

        Raises:
            Refused: `forbidden`, or as `namespace`.
        """
        config = self.namespace(ch)
        _require(_has_role(session, config.subscribe) and _is_for(session, config, ch), "subscribe")
        return config

    def to_publish(self, session: Session, ch: str, known: NamespaceConfig | None = None) -> NamespaceConfig:
        """The namespace (`known` where the room is open), if the session may publish there."""
        config = known or self.namespace(ch)
        if config.publish.isdisjoint(session.roles) or not _is_for(session, config, ch):
            raise _forbidden("publish")
        return config

    def to_patch(self, session: Session, ch: str, patch: dict[str, Any]) -> NamespaceConfig:
        """The namespace, if the session may make this very patch: services any, players `players.<own id>`."""
        config = self.namespace(ch)
        if not config.state:
            raise Refused(ErrorCode.NOT_SUPPORTED, "channels of this namespace have no state")
        _require(_has_role(session, config.patch) and _is_for(session, config, ch), "patch")
        _require(Role.SERVICE in session.roles or _touches_only(patch, session.user), "patch that part")
        return config


def require_role(session: Session, role: Role) -> None:
    """Refuse a session without `role`."""
    if role not in session.roles:
        raise Refused(ErrorCode.FORBIDDEN, f"this needs the role {role.value}")


def _forbidden(act: str) -> Refused:
    return Refused(ErrorCode.FORBIDDEN, f"not allowed to {act} here")


def _require(allowed: bool, act: str) -> None:
    if not allowed:
        raise _forbidden(act)


def _has_role(session: Session, roles: frozenset[Role]) -> bool:
    return not roles.isdisjoint(session.roles)


def _is_for(session: Session, config: NamespaceConfig, ch: str) -> bool:
    if config.audience is not Audience.OWNER:
        return True
    return ch.partition(":")[2] == session.user or Role.SERVICE in session.roles


def _touches_only(patch: dict[str, Any], user: str) -> bool:
    if not patch:
        return True
    players = patch.get(PLAYERS_KEY)
    return len(patch) == 1 and isinstance(players, dict) and set(players) <= {user}
