"""`Client`: what a script holds. Composes session, sockets, queue, store, events and metrics.

Owns the public API and the waiting of coroutines; the engine below it knows neither.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import msgspec

from sonde_client.breaking import Breaking
from sonde_client.carrier import MakeCarrier
from sonde_client.channel import Channel
from sonde_client.connection import Socket
from sonde_client.driver import Driver, OnPhase, OnWire
from sonde_client.errors import ConnectFailed, failure
from sonde_client.events import (
    EntryArrived,
    EventBus,
    EventStream,
    Failed,
    Overflow,
    StatusChanged,
    Unsubscribe,
    selection,
)
from sonde_client.metrics import Metrics
from sonde_client.queue import DEFAULT_LIMIT, CommandQueue, Settle
from sonde_client.queue_file import QueueFile, QueueFileError, restore
from sonde_client.session import Session, SessionSettings
from sonde_client.smoothing import ServerClock
from sonde_client.status import ConnectionStatus
from sonde_client.store import Store
from sonde_client.token_source import TokenSource, token_getter
from sonde_protocol.channels import parse_channel
from sonde_protocol.codec import CODECS
from sonde_protocol.cursor import Cursor
from sonde_protocol.frames import Command, PresenceWish, SetPresence, Tap, Untap
from sonde_protocol.states import ConnectionState

E = TypeVar("E")
Status = Literal["online", "away", "busy", "invisible"]


class Client:
    """A connection to one gateway that recovers by itself.

    Args:
        url: `ws://host:port/v1/ws` or `wss://…`; or several, of nodes of one fleet without a balancer: when one
            is lost or does not answer, the next is tried.
        token: a token, or an async callable that gets one; it is asked again when one is refused or ends.
        name, version: what this program is, for the gateway's lists. device: shown in presence.
        codec: `sonde.v1.json` or `sonde.v1.msgpack`.
        queue_path: keeps session and unanswered commands over a restart of the program.
        measure_every_s: seconds between measuring pings; 0 measures never.
        open_timeout_s: how long `async with` waits to become live; `None` for ever.
        queue_limit: most commands waiting for an answer; one more raises `Refused` (`limit_reached`).
        presence: the status to begin with. tls: own TLS settings for `wss`.
        clock, uniform: monotonic seconds and a random number between two bounds; tests pass their own.
        make_carrier: what carries messages instead of a socket, where there is no network.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        token: TokenSource = None,
        *,
        name: str = "sonde",
        version: str = "",
        codec: str = "sonde.v1.json",
        device: str | None = None,
        queue_path: Path | str | None = None,
        measure_every_s: float = 5.0,
        open_timeout_s: float | None = 30.0,
        queue_limit: int = DEFAULT_LIMIT,
        presence: Status = "online",
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
        make_carrier: MakeCarrier = Socket,
    ) -> None:
        url, *others = (url,) if isinstance(url, str) else url
        self.url = url
        self.metrics = Metrics()
        self.bus = EventBus()
        self.channels: dict[str, Channel] = {}
        self.open_timeout_s = open_timeout_s
        settings = SessionSettings(
            url,
            tuple(others),
            client_name=name[:64],
            client_version=version[:64],
            codec=CODECS[codec],
            device=device,
            presence=None if presence == "online" else PresenceWish(status=presence),
            has_token_source=token is not None,
            token_is_fixed=not callable(token),
            measure_every_s=measure_every_s,
            keeps_queue=queue_path is not None,
        )
        self._session = Session(settings, uniform, CommandQueue(queue_limit), self.metrics)
        self.store = Store(self._session.membership)
        queue_file = None if queue_path is None else QueueFile(Path(queue_path), url)
        self._driver = Driver(
            self._session, self.bus, self.store, clock, token_getter(token), queue_file, tls, make_carrier
        )
        self._queue_file = queue_file
        self._waiters: list[asyncio.Future[None]] = []
        self.bus.on(StatusChanged, self._on_status)

    def __repr__(self) -> str:
        return f"<Client {self.url} {self._session.state.value}>"

    # ------------------------------------------------------------ what is known

    @property
    def status(self) -> ConnectionStatus:
        """Where the client stands, now."""
        return self._session.status()

    def now(self) -> float:
        """This client's clock, monotonic seconds: what every `at` here counts in."""
        return self._driver.now()

    @property
    def clock(self) -> ServerClock:
        """The gateway's clock, estimated from the pings."""
        return self._session.clock

    @property
    def queue_depth(self) -> tuple[int, int]:
        """Commands that wait to be sent, and commands sent whose answer has not come."""
        queue = self._session.commands.queue
        return len(queue.unsent), len(queue.unanswered)

    @property
    def on_wire(self) -> OnWire | None:
        """Called with ("in"|"out", bytes, monotonic s, dial) for the very bytes of every socket."""
        return self._driver.on_wire

    @on_wire.setter
    def on_wire(self, watch: OnWire | None) -> None:
        self._driver.on_wire = watch

    @property
    def on_phase(self) -> OnPhase | None:
        """Called with (phase, monotonic s, dial) when a phase has been reached.

        dialing, authorities, name, tcp, tls, upgraded, identified, resumed, caught_up, lost. A dial leaves out what it
        does not need: the name of a host written in numbers, the authorities where TLS settings were given.
        """
        return self._driver.on_phase

    @on_phase.setter
    def on_phase(self, watch: OnPhase | None) -> None:
        self._driver.on_phase = watch

    # ------------------------------------------------------------ life

    def connect(self) -> None:
        """Start trying and return at once. From idle or stopped; while waiting, try now."""
        if self._queue_file is not None and self._session.state is ConnectionState.IDLE:
            self._load_queue(self._queue_file)
        self._session.connect(self._driver.now())
        self._driver.pump()

    def _load_queue(self, queue_file: QueueFile) -> None:
        """Once a process: later the memory knows better than the file."""
        self._queue_file = None
        try:
            stored = queue_file.load()
        except QueueFileError as error:
            self.bus.emit(Failed(failure("queue_file_corrupt", str(error), self._driver.now())))
            return
        if stored is not None:
            restore(stored, self._session.commands.queue, self._session.identity, self._driver.now())

    async def wait_live(self, timeout_s: float | None = None) -> None:
        """Wait until the session is live.

        Raises:
            ConnectFailed: the client was told to stop, or `timeout_s` passed.
        """
        loop = asyncio.get_running_loop()
        ends_at = None if timeout_s is None else self._driver.now() + timeout_s
        while self._session.state is not ConnectionState.LIVE:
            self._raise_if_stopped()
            left_s = None if ends_at is None else ends_at - self._driver.now()
            if left_s is not None and left_s <= 0:
                raise ConnectFailed(self._why_not_live(timeout_s or 0.0))
            waiter = loop.create_future()
            self._waiters.append(waiter)
            await asyncio.wait([waiter], timeout=left_s)

    def _raise_if_stopped(self) -> None:
        state, known = self._session.state, self._session.last_failure
        if state is ConnectionState.STOPPED and known is not None:
            raise ConnectFailed(known)
        if state in (ConnectionState.IDLE, ConnectionState.CLOSING):
            raise ConnectFailed(failure("closed", "The client was closed.", self._driver.now()))

    def _why_not_live(self, timeout_s: float) -> Any:
        known = self._session.last_failure
        detail = f"Not live within {timeout_s:g} s."
        return known or failure("dial_timeout", detail, self._driver.now())

    def _on_status(self, _: StatusChanged) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Leave. 1000 and 1001 end the session; another code (4000) leaves it to be resumed later.

        What was sent and not answered raises `OutcomeUnknown` in its caller, what was not sent `NotSent`.
        """
        if code != 1000 and code != 1001 and not 3000 <= code <= 4999:
            raise ValueError(f"{code} is no close code that a client may send")
        self._session.close(code, reason, self._driver.now())
        self._driver.pump()
        await self._driver.until_idle()

    async def __aenter__(self) -> Self:
        self.connect()
        try:
            await self.wait_live(self.open_timeout_s)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
        self.bus.close()

    # ------------------------------------------------------------ channels and commands

    async def subscribe(
        self, ch: str, *, presence: bool = False, state: bool = True, cursor: Cursor | None = None
    ) -> Channel:
        """Join a channel and wait for the gateway's word. The document follows: see `Channel.status`.

        A cursor of one's own asks for exactly what was missed since.

        Raises:
            Refused: among others `forbidden`, `bad_channel`.
        """
        parse_channel(ch)
        channel = self.channels.get(ch)
        if channel is None:
            channel = self.channels[ch] = Channel(self, ch)
        waiter, settle = self._waiter()
        try:
            self._session.subscribe(
                ch, self._driver.now(), settle, presence=presence, state=state, cursor=cursor
            )
            self._driver.pump()
            await waiter
        except BaseException:
            self._forget_unless_subscribed(ch)
            raise
        return channel

    def _forget_unless_subscribed(self, ch: str) -> None:
        known = self.store.channel(ch)
        if known is None or known.cursor is None:
            self.channels.pop(ch, None)

    async def unsubscribe(self, ch: str) -> None:
        """Leave a channel for good."""
        self.channels.pop(ch, None)
        waiter, settle = self._waiter()
        self._session.unsubscribe(ch, self._driver.now(), settle)
        self._driver.pump()
        await waiter

    async def command(self, frame: Command | type[Command], **fields: Any) -> Any:
        """Send any command and wait for the reply's `d`: a frame, or its class and fields. The number is ours.

        Raises:
            Refused: not applied. OutcomeUnknown: perhaps applied. NotSent: the client was closed before.
        """
        command = frame(id=0, **fields) if isinstance(frame, type) else msgspec.structs.replace(frame, id=0)
        waiter, settle = self._waiter()
        self._session.submit(command, self._driver.now(), settle)
        self._driver.pump()
        return await waiter

    def _waiter(self) -> tuple[asyncio.Future[Any], Settle]:
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def settle(value: Any, error: Exception | None) -> None:
            if waiter.done():
                return
            if error is None:
                waiter.set_result(value)
            else:
                waiter.set_exception(error)
                waiter.exception()  # seen: a caller that was cancelled meanwhile is not an error in the log

        return waiter, settle

    async def set_presence(self, status: Status, *, activity: str | None = None, meta: Any = None) -> None:
        """Change how others see this session; kept over new sessions."""
        await self.command(SetPresence(id=0, status=status, activity=activity, meta=meta))

    async def tap(
        self,
        *,
        session: str | None = None,
        ch: str | None = None,
        user: str | None = None,
        sample: float | None = None,
    ) -> None:
        """Watch frames of other sessions on this node (role monitor); `sample` is the share of them, (0, 1].

        They come as `FrameIn` with a `Tapped` frame. A tap ends with its connection: a resume does not bring it back.
        """
        await self.command(Tap, session=session, ch=ch, user=user, sample=sample)

    async def untap(
        self, *, session: str | None = None, ch: str | None = None, user: str | None = None
    ) -> None:
        """Stop watching what the same fields selected; without any, everything."""
        await self.command(Untap, session=session, ch=ch, user=user)

    # ------------------------------------------------------------ events

    def on(self, event_class: type[E], callback: Callable[[E], None]) -> Unsubscribe:
        """Call `callback` with every event of that class (see `sonde_client.events`)."""
        return self.bus.on(event_class, callback)

    def events(
        self,
        event_class: type[Any] = EntryArrived,
        *,
        ch: str | None = None,
        op: str | None = None,
        type: str | None = None,
        limit: int = 1024,
        overflow: Overflow = Overflow.DROP_OLDEST,
    ) -> EventStream[Any]:
        """A stream of events from now on, entries by default. Bounded: a slow reader loses by `overflow`."""
        return self.bus.stream(event_class, selection(ch=ch, op=op, type=type), limit, overflow)

    # ------------------------------------------------------------ debugging acts

    def drop(self) -> None:
        """Cut the socket without a word, as a network does."""
        socket = self._driver.current_socket()
        if socket is not None:
            socket.abort("dropped on purpose")

    @property
    def breaking(self) -> Breaking:
        """Other ways to break the socket, as far as there is one: see `sonde_client.breaking`."""
        return self._driver.breaking

    def retry_now(self) -> None:
        """Do not wait for the next try."""
        self._session.retry_now(self._driver.now())
        self._driver.pump()

    def refuse_dials_for(self, seconds: float) -> None:
        """Let this client's own dials fail as refused for a while."""
        self._driver.refuse_until = self._driver.now() + seconds

    def send_raw(self, data: str | bytes) -> None:
        """Send one message as it is, nonsense included; nothing is tracked. Text or binary by its type.

        Raises:
            ConnectFailed: there is no open socket.
        """
        socket = self._open_socket()
        socket.send(
            data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data, isinstance(data, bytes)
        )

    def send_ping(self, data: bytes = b"", *, pong: bool = False) -> None:
        """Send a protocol ping (or pong) frame: below the application's own heartbeat."""
        self._open_socket().send_ping(data, pong=pong)

    def _open_socket(self) -> Any:
        socket = self._driver.current_socket()
        if socket is None:
            raise ConnectFailed(failure("closed", "There is no open connection.", self._driver.now()))
        return socket
