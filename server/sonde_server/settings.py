"""Everything that can be set from outside: names, units, bounds, defaults, and where a value came from.

Flags win over the environment (`SONDE_…`), the environment over the file, the file over the defaults. Read once
at start. Refuses unknown names and wrong values with a sentence that names file, line and key; secrets never
stand in a message or a `repr`.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import fields
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from sonde_protocol.codes import Role
from sonde_server.config_file import ConfigFile, ConfigInvalid, read_config_file, unknown_name
from sonde_server.core.admission import AdmissionRules
from sonde_server.core.auth import MAX_LIFETIME_S, MIN_SECRET_BYTES
from sonde_server.core.config import DEFAULT_NAMESPACES, GatewayConfig, NamespaceConfig
from sonde_server.forwarding import Forwarding, ProxyProtocol

DEFAULT_PORT: Final = 8765
DEFAULT_ADMIN_PORT: Final = 8766
ENV_PREFIX: Final = "SONDE_"

Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
LongSeconds = Annotated[float, Field(gt=0, le=30 * 86_400)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]
Bytes = Annotated[int, Field(ge=1_024, le=1 << 30)]
Rate = Annotated[float, Field(gt=0, le=1e9)]
NodeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]

_DEFAULTS: Final = GatewayConfig()
_ORIGIN: Final = re.compile(r"^[a-z][a-z0-9+.-]*://[^/\s,*]+$")


class NamespaceSettings(BaseModel):
    """What channels of one namespace offer; unset fields keep the namespace's default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    history_entries: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="entries kept"
    )
    history_age_s: LongSeconds | None = Field(None, description="how long an entry is kept")
    presence: bool | None = Field(None, description="whether members are shown")
    state: bool | None = Field(None, description="whether there is a state document")
    tick_s: Seconds | None = Field(None, description="how often patches are merged into one entry")
    subscribe: frozenset[Role] | None = Field(None, description="roles that may subscribe")
    publish: frozenset[Role] | None = Field(None, description="roles that may publish")
    patch: frozenset[Role] | None = Field(None, description="roles that may patch")

    def over(self, base: NamespaceConfig) -> NamespaceConfig:
        """`base` with what is set here."""
        mine = {name: value for name, value in self if value is not None}
        return NamespaceConfig(**({field.name: getattr(base, field.name) for field in fields(base)} | mine))


class Settings(BaseSettings):
    """One gateway process. A field's name is its key in the file and, with `SONDE_` before it, in the environment."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    # where it listens
    host: str = Field(
        "127.0.0.1", min_length=1, max_length=253, description="address of the WebSocket listener"
    )
    port: Port = Field(DEFAULT_PORT, description="port of the WebSocket listener; 0 takes a free one")
    admin_host: str = Field(
        "127.0.0.1", min_length=1, max_length=253, description="address of the admin listener"
    )
    admin_port: Port = Field(DEFAULT_ADMIN_PORT, description="port of the admin listener; 0 takes a free one")
    node: NodeName = Field(
        default_factory=lambda: default_node(), description="this gateway's name in frames"
    )

    # who may enter
    jwt_secret: SecretStr | None = Field(None, description="HS256 secret, at least 32 bytes")
    jwt_jwks: str | None = Field(None, min_length=1, description="file or http(s) URL of a JSON Web Key Set")
    jwt_issuer: str | None = Field(None, min_length=1, description="required `iss` of a token")
    jwt_audience: str | None = Field(None, min_length=1, description="required `aud` of a token")
    jwt_max_lifetime_s: LongSeconds = Field(
        float(MAX_LIFETIME_S), description="longest time to `exp` of a token"
    )
    allowed_origins: frozenset[str] = Field(frozenset(), description="exact `Origin` values that may connect")
    allowed_hosts: frozenset[str] = Field(
        frozenset(), description="further `Host` values of a loopback gateway"
    )
    max_connections_per_address: Count | None = Field(
        None, description="connections from one address; unset: any"
    )

    # what several nodes share
    redis: SecretStr | None = Field(None, description="URL of the Redis that nodes share; with `nats`")
    nats: SecretStr | None = Field(None, description="URL of the NATS that nodes share; with `redis`")
    wait_s: Annotated[float, Field(ge=0, le=86_400)] = Field(
        0.0, description="time to wait for both at the start"
    )

    # balancers in front
    trusted_proxies: frozenset[IPv4Network | IPv6Network] = Field(
        frozenset(), description="addresses and CIDRs of balancers whose word about a client's address counts"
    )
    proxy_protocol: ProxyProtocol = Field(
        "off", description="PROXY header from trusted proxies: `off`, `accept`, or `require`"
    )

    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        1, description="processes on the one port; more than one needs `redis` and `nats`"
    )

    # what it tells
    log_format: Literal["text", "json"] = Field("text", description="key=value lines or JSON lines on stderr")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe level logged"
    )

    # connections
    max_connections: Count = Field(_DEFAULTS.max_connections, description="open connections of this process")
    max_sessions_per_user: Count = Field(_DEFAULTS.max_sessions_per_user, description="sessions of one user")
    max_subscriptions: Count = Field(_DEFAULTS.max_subscriptions, description="channels of one session")
    max_frame_bytes: Annotated[int, Field(ge=1_024, le=1 << 24)] = Field(
        _DEFAULTS.max_frame_bytes, description="largest frame from a client"
    )
    handshake_timeout_s: Seconds = Field(10.0, description="time for a peer to send its request")
    identify_timeout_s: Seconds = Field(
        _DEFAULTS.identify_timeout_s, description="time from the upgrade to identify"
    )
    heartbeat_s: Seconds = Field(_DEFAULTS.heartbeat_s, description="silence after which a peer is pinged")
    heartbeat_misses: Annotated[float, Field(gt=1, le=10)] = Field(
        _DEFAULTS.heartbeat_misses, description="heartbeats of silence that end a connection"
    )

    # sessions and presence
    resume_ttl_s: Seconds = Field(
        _DEFAULTS.resume_ttl_s, description="how long a dropped session may be resumed"
    )
    grace_s: Seconds = Field(_DEFAULTS.grace_s, description="how long a dropped member shows as reconnecting")
    presence_batch_s: Seconds = Field(
        _DEFAULTS.presence_batch_s, description="presence changes are sent this often"
    )
    rtt_update_s: Seconds = Field(_DEFAULTS.rtt_update_s, description="least time between shown RTT changes")
    rtt_change: Annotated[float, Field(ge=0, le=10)] = Field(
        _DEFAULTS.rtt_change, description="share by which a shown RTT must change"
    )
    max_meta_bytes: Bytes = Field(_DEFAULTS.max_meta_bytes, description="largest presence meta")
    node_lease_s: Seconds = Field(
        _DEFAULTS.node_lease_s, description="lease after which a silent node is lost"
    )

    # tokens of open connections
    auth_warning_s: Seconds = Field(
        _DEFAULTS.auth_warning_s, description="auth_required comes this long before expiry"
    )
    auth_grace_s: Seconds = Field(_DEFAULTS.auth_grace_s, description="time after expiry until 4010")
    revocation_ttl_s: LongSeconds = Field(
        _DEFAULTS.revocation_ttl_s,
        description="how long a revocation is remembered; at least a token's lifetime",
    )

    # rates
    commands_per_s: Rate = Field(
        _DEFAULTS.commands_per_s, description="commands of one connection, sustained"
    )
    commands_burst: Rate = Field(_DEFAULTS.commands_burst, description="commands of one connection, at once")
    inbound_bytes_per_s: Rate = Field(_DEFAULTS.inbound_bytes_per_s, description="bytes from one connection")
    user_commands_per_s: Rate = Field(
        _DEFAULTS.user_commands_per_s, description="commands of one user, sustained"
    )
    user_commands_burst: Rate = Field(
        _DEFAULTS.user_commands_burst, description="commands of one user, at once"
    )
    rate_strikes: Count = Field(_DEFAULTS.rate_strikes, description="rate_limited answers before 4201")
    malformed_strikes: Count = Field(_DEFAULTS.malformed_strikes, description="malformed frames before 4400")
    strike_window_s: Seconds = Field(_DEFAULTS.strike_window_s, description="window of both strikes")

    # sending
    slow_bytes: Bytes = Field(
        _DEFAULTS.slow_bytes, description="waiting bytes above which a consumer is slow"
    )
    max_buffered_bytes: Bytes = Field(
        _DEFAULTS.max_buffered_bytes, description="waiting bytes above which 4003"
    )
    stall_s: Seconds = Field(_DEFAULTS.stall_s, description="time without progress after which 4003")
    max_outbound_bytes: Bytes = Field(_DEFAULTS.max_outbound_bytes, description="largest frame to a client")
    max_queued_commands: Count = Field(
        _DEFAULTS.max_queued_commands, description="commands waiting for a store"
    )

    # state
    max_document_bytes: Bytes = Field(_DEFAULTS.max_document_bytes, description="largest state document")
    max_player_bytes: Bytes = Field(
        _DEFAULTS.max_player_bytes, description="largest part of one player in a document"
    )
    hash_every: Count = Field(_DEFAULTS.hash_every, description="deltas between hashes")
    checkpoint_every: Count = Field(_DEFAULTS.checkpoint_every, description="deltas between checkpoints")
    max_tick_patches: Count = Field(_DEFAULTS.max_tick_patches, description="patches of one room's tick")
    history_page_bytes: Bytes = Field(_DEFAULTS.history_page_bytes, description="largest page of history")
    command_window: Count = Field(_DEFAULTS.command_window, description="unanswered commands of one session")

    # monitoring and drain
    stats_s: Seconds = Field(_DEFAULTS.stats_s, description="how often $stats changes")
    max_taps: Count = Field(_DEFAULTS.max_taps, description="taps of all monitors")
    tap_frames_per_s: Rate = Field(_DEFAULTS.tap_frames_per_s, description="frames of one tap, sustained")
    tap_bytes_per_s: Rate = Field(_DEFAULTS.tap_bytes_per_s, description="bytes of one tap, sustained")
    faults: Literal["off", "local", "remote"] = Field(
        "off",
        description="whether an admin may inject faults: `local` on a loopback `host` that nothing stands in front of, `remote` on any",
    )
    drain_window_s: Seconds = Field(_DEFAULTS.drain_window_s, description="time for clients to go elsewhere")
    drain_batch_s: Seconds = Field(_DEFAULTS.drain_batch_s, description="time between batches of a drain")

    namespaces: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")], NamespaceSettings] = Field(
        default_factory=dict, description="channel namespaces (tables of the file)"
    )

    @field_validator("jwt_secret")
    @classmethod
    def _long_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"must be at least {MIN_SECRET_BYTES} bytes long")
        return secret

    @field_validator("allowed_origins")
    @classmethod
    def _exact_origins(cls, origins: frozenset[str]) -> frozenset[str]:
        for origin in origins:
            if not _ORIGIN.match(origin):
                raise ValueError("must be exact origins such as 'https://play.example.com'")
        return origins

    @model_validator(mode="after")
    def _agree(self) -> Settings:
        if self.jwt_secret is not None and self.jwt_jwks is not None:
            raise ValueError("set jwt_secret or jwt_jwks, not both: each algorithm needs its own kind of key")
        if self.jwt_secret is None and self.jwt_jwks is None and not self.is_loopback:
            raise ValueError(
                f"{self.host} can be reached from outside: set SONDE_JWT_SECRET or SONDE_JWT_JWKS first"
            )
        if self.faults == "local" and (not self.is_loopback or self.is_fronted):
            behind = ", by trusted_proxies or allowed_hosts," if self.is_loopback else ""
            raise ValueError(
                f"{self.host} can{behind} be reached from outside, where whoever has an admin's token could break "
                "everybody's sessions: say --faults twice (or SONDE_FAULTS=remote) if that is meant, else leave it out"
            )
        if (self.redis is None) is not (self.nats is None):
            missing = "nats" if self.nats is None else "redis"
            raise ValueError(f"several nodes need both Redis and NATS: set SONDE_{missing.upper()} as well")
        if self.proxy_protocol != "off" and not self.trusted_proxies:
            raise ValueError("proxy_protocol needs trusted_proxies: the addresses of the balancers")
        if self.workers > 1 and self.redis is None:
            raise ValueError(
                "several workers share nothing without Redis and NATS: set SONDE_REDIS and SONDE_NATS"
            )
        if self.max_buffered_bytes <= self.slow_bytes:
            raise ValueError("max_buffered_bytes must be above slow_bytes")
        return self

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the WebSocket listener."""
        return is_loopback_address(self.host)

    @property
    def is_fronted(self) -> bool:
        """Whether a balancer or a reverse proxy was told of, by which others may come in whatever `host` is."""
        return bool(self.trusted_proxies or self.allowed_hosts)

    @property
    def is_shared(self) -> bool:
        """Whether stores and bus are shared with other nodes."""
        return self.redis is not None

    def forwarding(self) -> Forwarding:
        """Whose word about a client's address counts."""
        return Forwarding(tuple(self.trusted_proxies), self.proxy_protocol)

    def gateway_config(self) -> GatewayConfig:
        """The core's own view."""
        names = {field.name for field in fields(GatewayConfig)} & (
            set(Settings.model_fields) - {"namespaces"}
        )
        spaces = dict(DEFAULT_NAMESPACES)
        for name, wanted in self.namespaces.items():
            spaces[name] = wanted.over(spaces.get(name, NamespaceConfig()))
        rest = {name: getattr(self, name) for name in names}
        return GatewayConfig(namespaces=spaces, faults_allowed=self.faults != "off", **rest)

    def admission_rules(self, max_connections: int) -> AdmissionRules:
        """The upgrade's own view; `max_connections` as far as descriptors allow."""
        return AdmissionRules(
            max_connections=max_connections,
            max_per_address=self.max_connections_per_address,
            allowed_origins=self.allowed_origins,
            allowed_hosts=frozenset(host.lower() for host in self.allowed_hosts),
        )


def default_node() -> str:
    """This machine's name, as far as a node's name allows."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname())[:64] or "node"


def is_loopback_address(host: str) -> bool:
    """Whether a listener on `host` is reachable from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def load_settings(config: Path | None, flags: Mapping[str, Any]) -> Settings:
    """Read file, environment and flags (`None` values are not set).

    Raises:
        ConfigInvalid: a sentence for each thing that is wrong, with where it stands.
    """
    file = None if config is None else read_config_file(config)
    if file is not None:
        _refuse_unknown(file)
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return _loader(file)(**given)
    except ValidationError as error:
        raise ConfigInvalid("; ".join(_sentence(item, given, file) for item in error.errors())) from None


def _loader(file: ConfigFile | None) -> type[Settings]:
    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            written = InitSettingsSource(settings_cls, {} if file is None else file.values)
            return init_settings, env_settings, written

    return Loaded


def _refuse_unknown(file: ConfigFile) -> None:
    for name in file.values:
        if name not in Settings.model_fields:
            raise ConfigInvalid(f"{file.where(name)}: {unknown_name(name, Settings.model_fields)}")
    spaces = file.values.get("namespaces")
    for space, table in spaces.items() if isinstance(spaces, dict) else ():
        for name in table if isinstance(table, dict) else ():
            if name not in NamespaceSettings.model_fields:
                where = file.where(f"namespaces.{space}.{name}")
                raise ConfigInvalid(f"{where}: {unknown_name(name, NamespaceSettings.model_fields)}")


def _sentence(error: Any, flags: Mapping[str, Any], file: ConfigFile | None) -> str:
    """One wrong value in words. Says where it came from, never what it was: it might be a secret."""
    what = str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    location = [str(part) for part in error["loc"] if part != "[key]"]
    if not location:
        return what
    name = location[0]
    if name in flags:
        return f"--{name.removesuffix('_s').replace('_', '-')}: {what}"
    if file is not None and name in file.values and not _in_environment(name):
        dotted = ".".join(location)
        return f"{file.where(dotted)}: '{dotted}': {what}"
    return f"{ENV_PREFIX}{name.upper()}: {what}"


def _in_environment(name: str) -> bool:
    return f"{ENV_PREFIX}{name.upper()}" in os.environ
