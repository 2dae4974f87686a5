"""One connection of nats-py, set up so that nothing of it is left to chance.

Owns what one connection needs: opening it, subscribing, a round trip, its end. Knows of no other that came before or
comes after. Found by reading and trying 2.16:
- A reconnect of its own may hang for ever on a server that stopped reading (it waits for its buffer to leave),
  and some refusals end it for good. So each connection is a client of its own, given up at the first sign of trouble.
- Its `flush` sends PING past commands that still wait in its buffer, so an answer proves nothing about them.
  `round_trip` waits until they have left.
- A subscription with a callback costs a task and may drop messages unseen at its limits. One with a future is
  handed messages inside the read loop: no task, no queue, and back-pressure is the socket's. A consumer that
  is too slow is disconnected by the server, and that is seen.
- With `pending_size=0` and an unbounded flusher queue, publishing and subscribing never wait, and nothing is
  kept for later while there is no connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from sonde_server.adapters.nats_address import NatsAddress

log: Final = logging.getLogger("sonde.nats")

PONG_WITHIN_S: Final = 2.0
CONNECT_WITHIN_S: Final = 1.0
CLOSE_WITHIN_S: Final = 0.5
_NO_OWN_PINGS_S: Final = 1 << 30

Receive = Callable[[bytes, str], None]  # (data, subject to answer to or "")
T = TypeVar("T")


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


class Unusable(Exception):
    """A server that cannot be used; says why, for people."""


def reason_of(error: BaseException) -> str:
    """Why a server cannot be used, and what to do, for people."""
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there; start nats-server, or correct the address"
    if isinstance(error, TimeoutError):
        return "it does not answer like NATS in time"
    if isinstance(error, errors.Error) and "authorization" in str(error).lower():
        return "it refuses the user and password, or wants some; correct the address"
    if isinstance(error, OSError):
        return f"it cannot be reached ({error.strerror or type(error).__name__})"
    return f"it does not speak as NATS does ({type(error).__name__})"


async def open_client(client: Client, server: str, address: NatsAddress, lose: Callable[[], None]) -> None:
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
        raise Unusable("it offers no TLS, though the address says tls://")


def _guarded_by_tls(client: Client, address: NatsAddress, secret: str | None) -> Callable[[], str] | None:
    """Hand a credential out only over TLS when the address asks for it: nats-py itself would not mind."""
    if secret is None:
        return None

    def hand_out() -> str:
        if address.is_tls and not _is_encrypted(client):
            raise Unusable("it offers no TLS, though the address says tls://")
        return secret

    return hand_out


async def subscribe(client: Client, subject: str, receive: Receive, queue: str) -> Subscription:
    """Hand every message of a subject to `receive`, from within the read loop."""
    return await client.subscribe(subject, queue=queue, future=_Inbox(receive), pending_msgs_limit=1)


async def round_trip(client: Client) -> None:
    """Ask the server for an answer after everything that is still to leave has left."""
    async with asyncio.timeout(PONG_WITHIN_S):
        wait_s = 0.0
        while client.pending_data_size:
            await asyncio.sleep(wait_s)
            wait_s = 0.005
        await client.flush(timeout=_NO_OWN_PINGS_S)  # its own time-out would break its read loop


async def discard(client: Client) -> None:
    """End a connection that is no good, at once."""
    transport = _socket_transport(client)
    if transport is not None:
        transport.abort()
    with suppress(Exception):
        await asyncio.wait_for(client.close(), CLOSE_WITHIN_S)


def at_once(work: Coroutine[Any, Any, T]) -> T:
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
