"""The composition root: the only place that knows settings, adapters, core and listeners together.

Owns the order of starting and stopping:

    start   settings → keys → doors to store and bus → core → pulse → admin listener → public listener →
            collector policy → "ready"
    stop    readiness off, upgrades refused → clients told to move → public listener → core → doors → admin →
            collector
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sonde_protocol.codes import PATH
from sonde_server.adapters.jwks import JwksKeys
from sonde_server.adapters.memory_backend import memory_backend
from sonde_server.adapters.system import SystemClock, SystemEntropy
from sonde_server.admin import AdminListener, AdminPages
from sonde_server.collector import CollectorPolicy
from sonde_server.config_file import ConfigInvalid
from sonde_server.core.admission import Admissions
from sonde_server.core.auth import Authenticator, KeySource, SharedSecret, TokenRules
from sonde_server.core.config import GatewayConfig
from sonde_server.core.gateway import Gateway
from sonde_server.core.ports import Backend, Clock, Door, Entropy
from sonde_server.core.records import StoreUnavailable
from sonde_server.figures import GatewayFigures, registry_of, render
from sonde_server.listener import BACKLOG, Listener, SocketLimits
from sonde_server.pulse import Pulse
from sonde_server.secret_file import load_or_make_secret, secret_path
from sonde_server.settings import Settings, is_loopback_address

log = logging.getLogger(__name__)

HANDSHAKE_ROOM: Final = 256  # sockets beside the open connections: handshakes and refusals under way
DRAIN_EXTRA_S: Final = 3.0  # after the window: goodbyes
LAST_WORDS_S: Final = 0.1  # for last frames and closes to leave for the kernel
SETTLE_S: Final = 3.0  # for what the closing of connections changes to reach the store
KNOCK_AGAIN_S: Final = 0.3  # between attempts to reach store and bus at the start


class Server(Protocol):
    """A listening socket, as `loop.create_server` gives it."""

    @property
    def sockets(self) -> Any: ...
    def close(self) -> None: ...


Listen = Callable[[Callable[[], asyncio.BaseProtocol], str, int], Awaitable[Server]]


async def listen_on_loop(factory: Callable[[], asyncio.BaseProtocol], host: str, port: int) -> Server:
    """A TCP listener of the running loop; one address, so that port 0 means one port."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=1)
    return await loop.create_server(factory, str(found[0][4][0]), port, backlog=BACKLOG)


async def listen_together(factory: Callable[[], asyncio.BaseProtocol], host: str, port: int) -> Server:
    """The same, on a port that several processes listen on: the system spreads connections over them."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=1)
    return await loop.create_server(factory, str(found[0][4][0]), port, backlog=BACKLOG, reuse_port=True)


@dataclass(slots=True, frozen=True)
class World:
    """What a gateway is handed instead of reaching for it."""

    clock: Clock
    entropy: Entropy
    listen: Listen = listen_on_loop
    listen_admin: Listen = listen_on_loop
    backend: Backend | None = None  # None: memory of its own
    max_descriptors: int = 20_000


@dataclass(slots=True, frozen=True)
class Ready:
    """Where a started gateway is."""

    url: str
    admin: str
    node: str


def system_world(max_descriptors: int) -> World:
    """This machine."""
    return World(SystemClock(), SystemEntropy(), max_descriptors=max_descriptors)


class App:
    """One gateway process, or one of several in a test."""

    def __init__(self, settings: Settings, world: World) -> None:
        self._settings = settings
        self._world = world
        self._tasks: set[asyncio.Task[None]] = set()
        self._core_tasks: set[asyncio.Task[None]] = set()  # of those, the ones that wait for store or bus
        self._drained = asyncio.Event()
        self._keys = key_source(settings, world.clock, self._spawn)
        self._authenticator = Authenticator(self._keys, world.clock, _token_rules(settings))
        config = settings.gateway_config()
        backend = self._backend = world.backend or _backend(settings, world, config)
        self.gateway = Gateway(
            config,
            clock=world.clock,
            entropy=world.entropy,
            authenticator=self._authenticator,
            backend=backend,
            spawn=self._spawn_for_core,
        )
        self.collector = CollectorPolicy(self._frames_so_far)
        self._listener = self._public_listener()
        pages = AdminPages(self._is_ready, self._render, is_loopback_address(settings.admin_host))
        self._admin = AdminListener(pages, world.clock.now)
        self._admin_server: Server | None = None
        self._pulse: Pulse | None = None
        self._registry: Any = None

    async def start(self) -> Ready:
        """Begin to serve.

        Raises:
            ConfigInvalid: an address cannot be had, a key set cannot be read from its file, or store or bus
                cannot be reached.
        """
        try:
            return await self._start()
        except StoreUnavailable as away:
            await self.stop()
            raise ConfigInvalid(str(away)) from None
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> Ready:
        await self._start_keys()
        await self._open_doors()
        await self.gateway.start()
        loop, now = asyncio.get_running_loop(), self._world.clock.now
        pulse = self._pulse = Pulse(
            loop, now, [self.gateway, self._listener, self._admin], self._between_turns
        )
        self._registry = registry_of(
            GatewayFigures(self.gateway.metrics, self._listener.counters, self.collector, pulse)
        )
        self.gateway.on_earlier_deadline = self._listener.on_earlier_deadline = pulse.earlier
        admin_port = await self._start_admin()
        port = await self._start_public()
        pulse.start()
        self.collector.start(now())
        settings = self._settings
        return Ready(
            f"ws://{_in_url(settings.host)}:{port}{PATH}",
            f"http://{_in_url(settings.admin_host)}:{admin_port}",
            settings.node,
        )

    async def drain(self, window_s: float) -> None:
        """Refuse new upgrades, send clients elsewhere, and return when they are gone or the window is over."""
        self.gateway.start_drain(window_s)
        if not self.gateway.drained:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained.wait(), window_s + DRAIN_EXTRA_S)

    async def stop(self) -> None:
        """End what is left, in order."""
        self._listener.stop_accepting()
        await self.gateway.close()
        await self._settle()
        await self.gateway.leave()
        for door in (self._backend.bus_door, self._backend.store_door):
            if door is not None:
                await door.close()
        if self._listener.counters.sockets:
            await asyncio.sleep(LAST_WORDS_S)
        self._listener.abort_all()
        if self._pulse is not None:
            self._pulse.stop()
        if self._admin_server is not None:
            self._admin_server.close()
        self._admin.abort_all()
        self.collector.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _settle(self) -> None:
        """Let work that waits for a store come to its end, within reason."""
        give_up_at = self._world.clock.now() + SETTLE_S
        while self._core_tasks and (left_s := give_up_at - self._world.clock.now()) > 0:
            await asyncio.wait(self._core_tasks, timeout=left_s)

    # ------------------------------------------------------------ parts

    async def _open_doors(self) -> None:
        """Reach store and bus, waiting for them as long as the settings say.

        Raises:
            StoreUnavailable: one of them cannot be reached.
        """
        give_up_at = self._world.clock.now() + self._settings.wait_s
        for door, tell in (
            (self._backend.store_door, self.gateway.on_store),
            (self._backend.bus_door, self.gateway.on_bus),
        ):
            if door is not None:
                await self._open(door, tell, give_up_at)

    async def _open(self, door: Door, tell: Callable[[bool], None], give_up_at: float) -> None:
        while True:
            try:
                await door.open(tell)
                return
            except StoreUnavailable as away:
                if self._world.clock.now() >= give_up_at:
                    raise
                log.info("waiting", extra={"door": door.name, "why": str(away)})
            await asyncio.sleep(KNOCK_AGAIN_S)

    def _public_listener(self) -> Listener:
        settings = self._settings
        room = max(1, self._world.max_descriptors - HANDSHAKE_ROOM)
        limit = min(settings.max_connections, room)
        if limit < settings.max_connections:
            log.info(
                "connection limit lowered", extra={"limit": limit, "descriptors": self._world.max_descriptors}
            )
        admissions = Admissions(self._authenticator, settings.admission_rules(limit))
        limits = SocketLimits(
            max_message_bytes=settings.max_frame_bytes,
            slow_bytes=settings.slow_bytes,
            handshake_s=settings.handshake_timeout_s,
            max_sockets=limit + HANDSHAKE_ROOM // 2,
        )
        return Listener(
            self.gateway,
            admissions.admit,
            self._world.clock.now,
            limits,
            is_loopback=settings.is_loopback,
            count_addresses=settings.max_connections_per_address is not None,
            forwarding=settings.forwarding(),
        )

    async def _start_keys(self) -> None:
        if not isinstance(self._keys, JwksKeys):
            return
        await self._keys.start()
        if self._keys.failures and not str(self._settings.jwt_jwks).startswith(("http://", "https://")):
            raise ConfigInvalid(f"{self._settings.jwt_jwks} is no file with a usable JSON Web Key Set")
        if self._settings.jwt_audience is None:
            log.warning("any token of the issuer is accepted: set SONDE_JWT_AUDIENCE")
        self._spawn(self._keys.keep_fresh(), "jwks-fresh")

    async def _start_admin(self) -> int:
        settings = self._settings
        self._admin_server = await _listening(
            self._world.listen_admin, self._admin.new_socket, settings.admin_host, settings.admin_port
        )
        return _port_of(self._admin_server, settings.admin_port)

    async def _start_public(self) -> int:
        settings = self._settings
        server = await self._listener.start(
            lambda factory: _listening(self._world.listen, factory, settings.host, settings.port)
        )
        return _port_of(server, settings.port)

    def _is_ready(self) -> bool:
        return self.gateway.ready

    def _render(self) -> bytes:
        return render(self._registry)

    def _between_turns(self, now: float) -> None:
        self.collector.consider(now)
        if self.gateway.drained:
            self._drained.set()

    def _frames_so_far(self) -> int:
        return self.gateway.metrics.frames_in_total + self.gateway.metrics.frames_out_total

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run as a task that is kept alive, named, and whose failure is logged."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return task

    def _spawn_for_core(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        task = self._spawn(coroutine, name)
        self._core_tasks.add(task)
        task.add_done_callback(self._core_tasks.discard)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task failed", extra={"task": task.get_name()}, exc_info=error)


def key_source(settings: Settings, clock: Clock, spawn: Callable[[Any, str], object]) -> KeySource:
    """The keys that tokens are checked with: a set, a secret, or this person's own secret."""
    if settings.jwt_jwks is not None:
        return JwksKeys({settings.jwt_issuer: settings.jwt_jwks}, clock.now, spawn)
    return SharedSecret(signing_secret(settings))


def signing_secret(settings: Settings) -> bytes:
    """The HS256 secret of the settings, else the one in the person's data folder (made when missing).

    Raises:
        ConfigInvalid: tokens are checked against a key set, or the file cannot be used.
    """
    if settings.jwt_jwks is not None:
        raise ConfigInvalid(
            "tokens of this gateway come from the issuer of SONDE_JWT_JWKS; only that can make them"
        )
    if settings.jwt_secret is not None:
        return settings.jwt_secret.get_secret_value().encode()
    return load_or_make_secret(secret_path())


def _backend(settings: Settings, world: World, config: GatewayConfig) -> Backend:
    if settings.redis is None or settings.nats is None:
        return memory_backend(world.clock, world.entropy, config.resume_ttl_s)
    try:
        from sonde_server.adapters.fleet_backend import (
            fleet_backend,  # late: a single node needs neither library
        )
    except ImportError as error:
        raise ConfigInvalid(f"Redis and NATS need pip install 'sonde[cluster]' ({error})") from None
    redis, nats = settings.redis.get_secret_value(), settings.nats.get_secret_value()
    try:
        return fleet_backend(redis, nats, world.entropy, config)
    except ValueError as error:
        raise ConfigInvalid(str(error)) from None


def _token_rules(settings: Settings) -> TokenRules:
    issuers = frozenset() if settings.jwt_issuer is None else frozenset({settings.jwt_issuer})
    return TokenRules(issuers, settings.jwt_audience, max_lifetime_s=int(settings.jwt_max_lifetime_s))


async def _listening(
    listen: Listen, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int
) -> Server:
    try:
        return await listen(factory, host, port)
    except OSError as error:
        raise ConfigInvalid(f"cannot listen on {host} port {port}: {error.strerror or error}") from error


def _port_of(server: Any, asked: int) -> int:
    sockets = getattr(server, "sockets", None)
    return int(sockets[0].getsockname()[1]) if sockets else asked


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
