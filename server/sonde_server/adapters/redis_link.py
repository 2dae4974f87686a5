"""The one connection of a gateway to Redis: multiplexed, pipelined, watched, and opened again by itself.

Owns the door: what a server must be like (6.2 or newer, a primary, `noeviction`), the store's identity, the scripts,
time limits and the way back. Calls of one turn of the loop leave together; answers come in order. While the door is
closed every call fails at once: nobody waits for a store that is away. Knows nothing of keys.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Sequence
from hashlib import sha1
from importlib.resources import files
from typing import Any, Final

import hiredis

from sonde_server.adapters.redis_address import RedisAddress
from sonde_server.adapters.redis_socket import Lost, RedisSocket
from sonde_server.core.records import StoreUnavailable

log = logging.getLogger(__name__)

Argument = bytes | str | int
OPEN_LIMIT_S: Final = 3.0
BEAT_S: Final = 1.0
BACKOFF_S: Final = (0.05, 1.0)
OLDEST_VERSION: Final = (6, 2)

# Replies that say that the server cannot serve now. Those in the first set are cured by another connection.
_MOVED: Final = frozenset({"READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "NOAUTH", "UNKILLABLE"})
_BUSY: Final = frozenset({"OOM", "BUSY", "MISCONF", "NOREPLICAS", "TRYAGAIN", "NOTBUSY", "MOVED", "ASK"})


class StoreFault(Exception):
    """Redis refused what we sent: a fault of ours, not an outage."""


class Script:
    """A Lua script as the server knows it."""

    __slots__ = ("name", "sha", "source")

    def __init__(self, name: str, *parts: str) -> None:
        folder = files("sonde_server.adapters") / "lua"
        self.name = name
        self.source = "\n".join((folder / f"{part}.lua").read_text() for part in (*parts, name))
        self.sha = sha1(self.source.encode()).hexdigest()  # noqa: S324 - how Redis names scripts, no secret


class RedisLink:
    """A `Door` to Redis, and what the adapters ask through."""

    def __init__(self, url: str, skew_ms: Callable[[], int] | None = None) -> None:
        """`skew_ms`: added to the server's clock in every script; tests let time go by with it.

        Raises:
            ValueError: the address cannot be used; the message never holds the password.
        """
        self._address = RedisAddress.parse(url)
        self.name = f"Redis at {self._address.where}"
        self.identity = ""  # of the server's data: another one after a restart or a failover
        self._skew_ms = skew_ms or (lambda: 0)
        self._scripts: dict[str, Script] = {}
        self._socket: RedisSocket | None = None
        self._on_change: Callable[[bool], None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._is_up = False
        self._chance = random.SystemRandom()

    def know(self, script: Script) -> Script:
        """A script that every connection is to load."""
        self._scripts[script.sha] = script
        return script

    # ------------------------------------------------------------ the door

    @property
    def is_up(self) -> bool:
        """Whether calls are taken."""
        return self._is_up and self._socket is not None and not self._socket.has_ended

    async def open(self, on_change: Callable[[bool], None]) -> None:
        """Connect once; from then on the link comes back by itself.

        Raises:
            StoreUnavailable: it cannot be reached, or is not what a store must be.
        """
        socket = await self._connect()
        self._on_change = on_change
        self._stand_on(socket)
        self._keeper = asyncio.get_running_loop().create_task(self._keep(socket), name="redis link")

    async def close(self) -> None:
        """Disconnect for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        self._is_up = False
        if self._socket is not None:
            self._socket.abort("the link was closed")
            self._socket = None

    def _stand_on(self, socket: RedisSocket) -> None:
        self._socket = socket
        self._is_up = True
        if self._on_change is not None:
            self._on_change(True)

    async def _keep(self, socket: RedisSocket) -> None:
        while True:
            why = await self._watch(socket)
            self._is_up = False
            log.info("lost", extra={"door": self.name, "why": why})
            if self._on_change is not None:
                self._on_change(False)
            socket = await self._reconnect()
            self._stand_on(socket)

    async def _watch(self, socket: RedisSocket) -> str:
        """Until it ends: a beat finds a server that hangs, and a primary that was demoted meanwhile."""
        while not socket.has_ended:
            try:
                return await asyncio.wait_for(socket.ended(), BEAT_S)
            except TimeoutError:
                pass
            try:
                facts = _facts(await _expect(socket, "INFO", "replication"))
            except Lost as lost:
                socket.abort(str(lost))
                break
            if facts.get("role") != "master" or facts.get("master_replid") != self.identity.partition(":")[2]:
                socket.abort("it is not the primary that it was")
        return await socket.ended()

    async def _reconnect(self) -> RedisSocket:
        """Full jitter between tries, for ever."""
        longest_s, cap_s = BACKOFF_S
        while True:
            try:
                return await self._connect()
            except StoreUnavailable as away:
                log.debug("still away: %s", away)
            await asyncio.sleep(self._chance.uniform(0.0, longest_s))
            longest_s = min(cap_s, longest_s * 2)

    async def _connect(self) -> RedisSocket:
        socket: RedisSocket | None = None
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                socket = await RedisSocket.connect(self._address)
                await self._greet(socket)
                return socket
        except (OSError, TimeoutError, Lost, hiredis.HiredisError) as error:
            why = str(error) or type(error).__name__
            if socket is not None:
                socket.abort(why)
            raise StoreUnavailable(f"{self.name} cannot be used: {why}") from None
        except BaseException:
            if socket is not None:
                socket.abort("given up")
            raise

    async def _greet(self, socket: RedisSocket) -> None:
        for command in self._address.greeting():
            await _expect(socket, *command)
        facts = _facts(await _expect(socket, "INFO", "server")) | _facts(
            await _expect(socket, "INFO", "replication")
        )
        policy = await _policy(socket)
        problem = _problem(facts, policy)
        if problem is not None:
            raise StoreUnavailable(f"{self.name} cannot be used: {problem}")
        for script in self._scripts.values():
            await _expect(socket, "SCRIPT", "LOAD", script.source)
        self.identity = f"{facts.get('run_id', '')}:{facts.get('master_replid', '')}"

    # ------------------------------------------------------------ asking

    async def call(self, *arguments: Argument) -> Any:
        """One command; its reply.

        Raises:
            StoreUnavailable: the link is down, or went before the reply came.
            StoreFault: Redis refused the command.
        """
        socket = self._socket
        if socket is None or not self.is_up:
            raise StoreUnavailable(f"{self.name} is away")
        try:
            reply = await socket.ask(arguments)
        except Lost as lost:
            raise StoreUnavailable(f"{self.name}: {lost}") from None
        return self._checked(socket, reply)

    async def run(self, script: Script, keys: Sequence[str], *arguments: Argument) -> Any:
        """Run a script. It finds the clock's skew in ms and the store's identity as its first two arguments.

        Raises:
            StoreUnavailable, StoreFault: as `call`.
        """
        tail = (len(keys), *keys, self._skew_ms(), self.identity, *arguments)
        try:
            return await self.call("EVALSHA", script.sha, *tail)
        except StoreFault as fault:
            if not str(fault).startswith("NOSCRIPT"):
                raise
        return await self.call("EVAL", script.source, *tail)

    def _checked(self, socket: RedisSocket, reply: Any) -> Any:
        if not isinstance(reply, hiredis.ReplyError):
            return reply
        text = str(reply)
        kind = text.partition(" ")[0]
        if kind in _MOVED:
            socket.abort(text)
        elif kind not in _BUSY and "OOM" not in text:
            raise StoreFault(text)
        raise StoreUnavailable(f"{self.name}: {text}")


async def _expect(socket: RedisSocket, *command: Argument) -> Any:
    reply = await socket.ask(command)
    if isinstance(reply, hiredis.ReplyError):
        raise Lost(str(reply))
    return reply


async def _policy(socket: RedisSocket) -> str:
    """What is evicted when memory is full; managed servers hide the setting but tell it among their figures."""
    with contextlib.suppress(Lost):
        reply = await _expect(socket, "CONFIG", "GET", "maxmemory-policy")
        if isinstance(reply, list) and len(reply) == 2:
            return bytes(reply[1]).decode(errors="replace")
    return _facts(await _expect(socket, "INFO", "memory")).get("maxmemory_policy", "noeviction")


def _facts(info: bytes) -> dict[str, str]:
    lines = bytes(info).decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _problem(facts: dict[str, str], policy: str) -> str | None:
    """Why this server cannot be the store, in words."""
    version = facts.get("redis_version", "0")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_VERSION:
        return f"it is version {version}; 6.2 or newer is needed"
    if facts.get("role", "master") != "master":
        return "it is a replica; connect to the primary"
    if policy != "noeviction":
        return f"it may evict sessions and entries (maxmemory-policy {policy}); set it to noeviction"
    return None
