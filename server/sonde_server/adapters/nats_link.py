"""The way to NATS: one connection that is watched, comes back by itself, and knows what it listened to.

Owns the connection. nats-py speaks the protocol; what it leaves to chance is done here, found by reading and
trying 2.16:
- A reconnect of its own may hang for ever on a server that stopped reading (it waits for its buffer to leave),
  and some refusals end it for good. So each connection is a client of its own, given up at the first sign of
  trouble, and the next one is opened here, for ever.
- Its `flush` sends PING past commands that still wait in its buffer, so an answer proves nothing about them.
  `settle` waits until they have left.
- A subscription with a callback costs a task and may drop messages unseen at its limits. One with a future is
  handed messages inside the read loop: no task, no queue, and back-pressure is the socket's. A consumer that
  is too slow is disconnected by the server, and that is seen.
- With `pending_size=0` and an unbounded flusher queue, publishing and subscribing never wait, and nothing is
  kept for later while there is no connection. The bound on what waits to leave is kept here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeVar

from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from sonde_server.adapters.nats_address import NatsAddress, parse_nats_address
from sonde_server.core.records import StoreUnavailable

log: Final = logging.getLogger("sonde.nats")

PING_EVERY_S: Final = 1.0
PONG_WITHIN_S: Final = 2.0
CONNECT_WITHIN_S: Final = 1.0
RECONNECT_WAITS_S: Final = (0.0, 0.05, 0.1, 0.2, 0.5)  # then the last, for ever
CLOSE_WITHIN_S: Final = 0.5
MAX_PENDING_BYTES: Final = 8 * 1024 * 1024
_NO_OWN_PINGS_S: Final = 1 << 30

Receive = Callable[[bytes, str], None]  # (data, subject to answer to or "")
T = TypeVar("T")


class _Listening(NamedTuple):
    """What this link wants to hear, whatever connection carries it."""

    receive: Receive
    queue: str


class _Inbox(asyncio.Future[Msg]):
    """A future that never ends: nats-py hands every message of its subscription to `set_result` at once."""

    def __init__(self, receive: Receive) -> None:
        super().__init__()
        self._receive = receive

    def set_result(self, result: Msg, /) -> None:
        try:
            self._receive(result.data, result.reply)
        except Exception:  # one message must not end the read loop, which all others depend on
            log.exception("a message from NATS could not be handled")


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
            except _Unusable as unusable:
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
            await _discard(client)

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
            _at_once(client.publish(subject, data, reply))
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
                self._subscriptions[subject] = _at_once(_subscribe(client, subject, receive, queue))

    def silence(self, subject: str) -> None:
        """Listen to `subject` no more."""
        self._listening.pop(subject, None)
        subscription = self._subscriptions.pop(subject, None)
        if subscription is not None:
            with suppress(errors.Error, OSError):
                _at_once(subscription.unsubscribe())

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
            await _round_trip(client)
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
                await _open(client, server, self._address, lose)
                lost.clear()
                subscriptions = {
                    subject: await _subscribe(client, subject, wanted.receive, wanted.queue)
                    for subject, wanted in self._listening.items()
                }
                await _round_trip(client)
        except BaseException as error:
            await _discard(client)
            if isinstance(error, _Unusable):
                raise
            if isinstance(error, errors.Error | OSError | TimeoutError | ValueError):
                raise _Unusable(_reason(error)) from None
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
                await _discard(client)
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
            except _Unusable as unusable:
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


class _Unusable(Exception):
    """A server that cannot be used; says why, for people."""


def _reason(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there; start nats-server, or correct the address"
    if isinstance(error, TimeoutError):
        return "it does not answer like NATS in time"
    if isinstance(error, errors.Error) and "authorization" in str(error).lower():
        return "it refuses the user and password, or wants some; correct the address"
    if isinstance(error, OSError):
        return f"it cannot be reached ({error.strerror or type(error).__name__})"
    return f"it does not speak as NATS does ({type(error).__name__})"


async def _open(client: Client, server: str, address: NatsAddress, lose: Callable[[], None]) -> None:
    """Open a client that neither reconnects nor pings by itself, and calls `lose` at its first error."""
    last: list[Exception] = []

    async def on_error(error: Exception) -> None:
        last[:] = [error]
        if "permissions violation" not in str(error).lower():  # of one subject; the connection stays
            lose()

    async def on_end() -> None:
        lose()

    try:
        await client.connect(
            [server],
            error_cb=on_error,
            closed_cb=on_end,
            disconnected_cb=on_end,
            name="sonde gateway",
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0.05,  # type: ignore[arg-type]
            connect_timeout=CONNECT_WITHIN_S,  # type: ignore[arg-type]
            ping_interval=_NO_OWN_PINGS_S,
            no_echo=True,
            pending_size=0,
            flusher_queue_size=0,
            user=_guarded_by_tls(client, address, address.user),
            password=_guarded_by_tls(client, address, address.password),
            token=_guarded_by_tls(client, address, address.token),
        )
    except errors.NoServersError:
        raise (last[0] if last else OSError("no server")) from None
    if address.is_tls and not _is_encrypted(client):
        raise _Unusable("it offers no TLS, though the address says tls://")


def _guarded_by_tls(client: Client, address: NatsAddress, secret: str | None) -> Callable[[], str] | None:
    """Hand a credential out only over TLS when the address asks for it: nats-py itself would not mind."""
    if secret is None:
        return None

    def hand_out() -> str:
        if address.is_tls and not _is_encrypted(client):
            raise _Unusable("it offers no TLS, though the address says tls://")
        return secret

    return hand_out


async def _subscribe(client: Client, subject: str, receive: Receive, queue: str) -> Subscription:
    return await client.subscribe(subject, queue=queue, future=_Inbox(receive), pending_msgs_limit=1)


async def _round_trip(client: Client) -> None:
    """Ask the server for an answer after everything that is still to leave has left."""
    async with asyncio.timeout(PONG_WITHIN_S):
        wait_s = 0.0
        while client.pending_data_size:
            await asyncio.sleep(wait_s)
            wait_s = 0.005
        await client.flush(timeout=_NO_OWN_PINGS_S)  # its own time-out would break its read loop


async def _discard(client: Client) -> None:
    """End a connection that is no good, at once."""
    transport = _socket_transport(client)
    if transport is not None:
        transport.abort()
    with suppress(Exception):
        await asyncio.wait_for(client.close(), CLOSE_WITHIN_S)


def _at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine of nats-py that does not wait, as it is set up here."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    work.close()
    raise RuntimeError("nats-py had to wait")


# ------------------------------------------------------------ what nats-py does not offer; tests hold it to that


def _socket_transport(client: Client) -> asyncio.Transport | None:
    """The socket below a client: closing it politely waits for a peer that may have stopped reading."""
    writer = getattr(getattr(client, "_transport", None), "_io_writer", None)
    return None if writer is None else writer.transport


def _is_encrypted(client: Client) -> bool:
    transport = _socket_transport(client)
    return transport is not None and transport.get_extra_info("ssl_object") is not None
