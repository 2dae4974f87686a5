"""The way to NATS: one connection that is watched, comes back by itself, and knows what it listened to.

Owns the connection, and the next one: each is a client of its own (`nats_client`), given up at the first sign of
trouble, and another is opened here, for ever. The bound on what waits to leave is kept here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from nats import errors
from nats.aio.client import Client
from nats.aio.subscription import Subscription

from sonde_server.adapters.nats_address import parse_nats_address
from sonde_server.adapters.nats_client import (
    CLOSE_WITHIN_S,
    CONNECT_WITHIN_S,
    Receive,
    Unusable,
    at_once,
    discard,
    open_client,
    reason_of,
    round_trip,
    subscribe,
)
from sonde_server.core.records import StoreUnavailable

log: Final = logging.getLogger("sonde.nats")

PING_EVERY_S: Final = 1.0
RECONNECT_WAITS_S: Final = (0.0, 0.05, 0.1, 0.2, 0.5)  # then the last, for ever
MAX_PENDING_BYTES: Final = 8 * 1024 * 1024


class _Listening(NamedTuple):
    """What this link wants to hear, whatever connection carries it."""

    receive: Receive
    queue: str


class NatsLink:
    """A `Door` to NATS, and what bus, services and herald send and hear through it."""

    def __init__(self, url: str) -> None:
        """Raises: ValueError: `url` is no NATS address; the message holds nothing of it."""
        self._address = parse_nats_address(url)
        self.name = self._address.name
        self.dropped_total = 0  # messages that could not be sent
        self.reconnects_total = 0
        self._client: Client | None = None
        self._listening: dict[str, _Listening] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._beats: list[Callable[[bool], None]] = []
        self._on_change: Callable[[bool], None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._next_flush: asyncio.Task[bool] | None = None
        self._flushes: set[asyncio.Task[bool]] = set()

    @property
    def is_up(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._client is not None

    @property
    def max_payload(self) -> int:
        """The largest message that the server takes (bytes)."""
        return 1024 * 1024 if self._client is None else self._client.max_payload

    @property
    def subscriptions(self) -> int:
        """How many subjects this link listens to."""
        return len(self._listening)

    # ------------------------------------------------------------ the door

    async def open(self, on_change: Callable[[bool], None]) -> None:
        """Connect once, within a second for each server; from then on the link comes back by itself.

        Raises:
            StoreUnavailable: no server can be used.
        """
        reason = "no server answered"
        for server in self._address.servers:
            try:
                await self._connect(server)
            except Unusable as unusable:
                reason = str(unusable)
            else:
                self._on_change = on_change
                self._keeper = asyncio.create_task(self._keep(), name="NATS link")
                return
        raise StoreUnavailable(f"{self.name} cannot be used: {reason}.")

    async def close(self) -> None:
        """Disconnect for good."""
        self._on_change = None
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        client, self._client = self._client, None
        self._listening.clear()
        self._end_flushes()
        if client is not None:
            with suppress(Exception):
                await asyncio.wait_for(client.close(), CLOSE_WITHIN_S)  # what was published still leaves
            await discard(client)

    def on_beat(self, beat: Callable[[bool], None]) -> None:
        """Call `beat` whenever the server has answered a ping, about once a second: with True for the first time
        on a new connection that replaces a lost one.
        """
        self._beats.append(beat)

    # ------------------------------------------------------------ sending and listening

    def publish(self, subject: str, data: bytes, reply: str = "") -> bool:
        """Send without waiting. False: there is no connection, or too much waits to leave. Never raises."""
        client = self._client
        if client is None or client.pending_data_size > MAX_PENDING_BYTES:
            self.dropped_total += 1
            return False
        try:
            at_once(client.publish(subject, data, reply))
        except (errors.Error, OSError, RuntimeError):
            self.dropped_total += 1
            return False
        return True

    def listen(self, subject: str, receive: Receive, queue: str = "") -> None:
        """Hand every message of `subject` to `receive`, on this connection and on later ones."""
        if subject in self._listening:
            raise ValueError(f"{subject} is listened to already")
        self._listening[subject] = _Listening(receive, queue)
        client = self._client
        if client is not None:
            with suppress(errors.Error, OSError):  # the connection is going: the next one asks again
                self._subscriptions[subject] = at_once(subscribe(client, subject, receive, queue))

    def silence(self, subject: str) -> None:
        """Listen to `subject` no more."""
        self._listening.pop(subject, None)
        subscription = self._subscriptions.pop(subject, None)
        if subscription is not None:
            with suppress(errors.Error, OSError):
                at_once(subscription.unsubscribe())

    async def settle(self) -> None:
        """Return once the server has done everything that was asked of it before. Callers share round trips.

        Raises:
            StoreUnavailable: the connection is gone.
        """
        flush = self._next_flush
        if flush is None:
            if self._client is None:
                raise StoreUnavailable(f"{self.name} is away.")
            flush = self._next_flush = asyncio.create_task(self._flush(), name="NATS round trip")
            self._flushes.add(flush)
            flush.add_done_callback(self._flushed)
        try:
            answered = await asyncio.shield(flush)
        except asyncio.CancelledError:
            if not flush.cancelled():
                raise
            answered = False
        if not answered:
            raise StoreUnavailable(f"{self.name} does not answer.")

    async def _flush(self) -> bool:
        self._next_flush = None  # whoever comes from here on needs the next one
        client, lost = self._client, self._lost
        if client is None:
            return False
        try:
            await round_trip(client)
        except (errors.Error, OSError, TimeoutError):
            lost.set()
            return False
        return True

    def _flushed(self, flush: asyncio.Task[bool]) -> None:
        self._flushes.discard(flush)
        if self._next_flush is flush:
            self._next_flush = None

    def _end_flushes(self) -> None:
        """Nobody is to wait for the answer of a connection that is gone."""
        for flush in list(self._flushes):
            flush.cancel()

    # ------------------------------------------------------------ keeping it

    async def _connect(self, server: str) -> None:
        """One connection that listens to everything this link listens to."""
        client = Client()
        self._lost = lost = asyncio.Event()

        def lose() -> None:
            lost.set()
            if self._client is client:
                self._end_flushes()

        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                await open_client(client, server, self._address, lose)
                lost.clear()
                subscriptions = {
                    subject: await subscribe(client, subject, wanted.receive, wanted.queue)
                    for subject, wanted in self._listening.items()
                }
                await round_trip(client)
        except BaseException as error:
            await discard(client)
            if isinstance(error, Unusable):
                raise
            if isinstance(error, errors.Error | OSError | TimeoutError | ValueError):
                raise Unusable(reason_of(error)) from None
            raise
        self._client, self._subscriptions = client, subscriptions
        self._make_up(subscriptions)

    def _make_up(self, subscriptions: dict[str, Subscription]) -> None:
        """What was listened to, or not any more, while the connection was being made."""
        for subject in [subject for subject in subscriptions if subject not in self._listening]:
            self.silence(subject)
        for subject, wanted in list(self._listening.items()):
            if subject not in subscriptions:
                del self._listening[subject]
                self.listen(subject, wanted.receive, wanted.queue)

    async def _keep(self) -> None:
        """Watch the connection; when it is lost, say so, and make another."""
        while True:
            await self._until_lost()
            client, self._client, self._subscriptions = self._client, None, {}
            log.info("%s is away", self.name)
            self._tell(False)
            if client is not None:
                await discard(client)
            await self._come_back()
            self.reconnects_total += 1
            log.info("%s is back", self.name)
            self._beat(True)
            self._tell(True)

    async def _until_lost(self) -> None:
        lost = self._lost
        while not lost.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), PING_EVERY_S)
            if lost.is_set():
                return
            try:
                await self.settle()
            except StoreUnavailable:
                return
            self._beat(False)

    async def _come_back(self) -> None:
        tries = 0
        while True:
            await asyncio.sleep(RECONNECT_WAITS_S[min(tries, len(RECONNECT_WAITS_S) - 1)])
            server = self._address.servers[tries % len(self._address.servers)]
            try:
                await self._connect(server)
            except Unusable as unusable:
                log.debug("%s: %s", self.name, unusable)
                tries += 1
            else:
                return

    def _tell(self, is_up: bool) -> None:
        if self._on_change is not None:
            self._guarded(self._on_change, is_up)

    def _beat(self, is_new: bool) -> None:
        for beat in self._beats:
            self._guarded(beat, is_new)

    def _guarded(self, tell: Callable[[bool], None], fact: bool) -> None:
        try:
            tell(fact)
        except Exception:  # the link outlives whoever listens to it
            log.exception("a listener of the NATS link failed")
