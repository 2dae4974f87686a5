"""Every limit and duration of the gateway, with the protocol's defaults. Values only; `settings.py` reads them
from the outside, checks bounds and builds this.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from sonde_protocol.codes import Role
from sonde_server.core.records import LogLimits

ANYBODY = frozenset(Role)
PLAYERS = frozenset({Role.PLAYER, Role.SERVICE})


class Audience(enum.Enum):
    """Who a namespace is for, before roles are looked at."""

    EVERYONE = "everyone"
    OWNER = "owner"  # the user named by the channel's key, and services
    GATEWAY = "gateway"  # written by the gateway itself, read by the named roles


@dataclass(slots=True, frozen=True)
class NamespaceConfig:
    """What channels of one namespace offer and who may do what there."""

    audience: Audience = Audience.EVERYONE
    history_entries: int = 4_000
    history_age_s: float = 600.0
    presence: bool = True
    state: bool = True
    tick_s: float = 0.05
    subscribe: frozenset[Role] = ANYBODY
    publish: frozenset[Role] = PLAYERS
    patch: frozenset[Role] = PLAYERS

    @property
    def limits(self) -> LogLimits:
        """How much of a channel's log is kept."""
        return LogLimits(self.history_entries, self.history_age_s)


_NOBODY: frozenset[Role] = frozenset()
_MONITORED = NamespaceConfig(
    audience=Audience.GATEWAY,
    history_entries=600,
    presence=False,
    subscribe=frozenset({Role.MONITOR}),
    publish=_NOBODY,
    patch=_NOBODY,
)
DEFAULT_NAMESPACES: Mapping[str, NamespaceConfig] = MappingProxyType(
    {
        "room": NamespaceConfig(),
        "user": NamespaceConfig(audience=Audience.OWNER, presence=False, state=False),
        "$sessions": _MONITORED,
        "$stats": _MONITORED,
        "$nodes": _MONITORED,
        "$faults": replace(_MONITORED, state=False),
    }
)


@dataclass(slots=True, frozen=True)
class GatewayConfig:
    """The whole gateway. Durations in seconds, sizes in bytes."""

    node: str = "node"
    namespaces: Mapping[str, NamespaceConfig] = field(default_factory=lambda: DEFAULT_NAMESPACES)

    # connections
    max_connections: int = 20_000
    max_sessions_per_user: int = 16
    max_subscriptions: int = 256
    max_frame_bytes: int = 64 * 1024
    identify_timeout_s: float = 10.0
    heartbeat_s: float = 15.0
    heartbeat_misses: float = 1.5  # nothing received for this many heartbeats: 4002

    # sessions and presence
    resume_ttl_s: float = 120.0
    grace_s: float = 15.0
    presence_batch_s: float = 0.1
    rtt_update_s: float = 5.0
    rtt_change: float = 0.2  # share; smaller changes are not shown
    max_meta_bytes: int = 4 * 1024
    node_lease_s: float = 10.0

    # token
    auth_warning_s: float = 60.0
    auth_grace_s: float = 10.0
    revocation_ttl_s: float = 30 * 86_400.0  # no token lives longer

    # rates
    commands_per_s: float = 500.0
    commands_burst: float = 1_000.0
    inbound_bytes_per_s: float = 1024.0 * 1024.0
    user_commands_per_s: float = 2_000.0
    user_commands_burst: float = 4_000.0
    rate_strikes: int = 200  # refusals within `strike_window_s` before 4201
    malformed_strikes: int = 10  # malformed frames within `strike_window_s` before 4400
    strike_window_s: float = 10.0

    # sending
    slow_bytes: int = 64 * 1024
    max_buffered_bytes: int = 1024 * 1024
    stall_s: float = 10.0
    max_outbound_bytes: int = 1024 * 1024
    max_queued_commands: int = 256  # of one connection, while a store is slow

    # state
    max_document_bytes: int = 4 * 1024 * 1024
    max_player_bytes: int = 64 * 1024  # of one player's own part of it
    hash_every: int = 64
    checkpoint_every: int = 1_000
    max_tick_patches: int = 1_024
    history_page_bytes: int = 256 * 1024
    command_window: int = 64

    # monitoring
    stats_s: float = 1.0
    max_taps: int = 64
    tap_frames_per_s: float = 1_000.0  # of one tap
    tap_bytes_per_s: float = 1024.0 * 1024.0
    faults_allowed: bool = False

    # drain
    drain_window_s: float = 10.0
    drain_batch_s: float = 0.1
