"""The shell of a session on an asyncio loop: performs its actions, turns its deadlines into one timer.

Owns sockets, the token task and the timer; decides nothing. Works on any asyncio loop. Tasks are coarse: one a
dial, one a token; nothing per message. The timer is moved only forward in time by letting it fire, since some
loops keep cancelled timers.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final

from sonde_client.actions import (
    AbandonLink,
    Action,
    CloseLink,
    Dial,
    DialFailure,
    FetchToken,
    SaveQueue,
    Send,
)
from sonde_client.breaking import Breaking
from sonde_client.carrier import Carrier, MakeCarrier
from sonde_client.connection import Socket
from sonde_client.dialling import DialWatch
from sonde_client.errors import failure
from sonde_client.events import EventBus, Failed, FrameIn, SessionResumed
from sonde_client.queue_file import QueueFile, QueueFileError
from sonde_client.session import Session
from sonde_client.status import SocketEnd
from sonde_client.store import Store
from sonde_protocol.errors import excerpt
from sonde_protocol.frames import Ready, Resumed
from sonde_protocol.redact import redact_text

GetToken = Callable[[], Awaitable[str]]
OnWire = Callable[[str, bytes, float, int], None]
OnPhase = Callable[[str, float, int], None]

MAX_TOKEN_CHARS: Final = 16 * 1024


class Driver:
    """Runs one session. Every method must be called on the loop it was started on."""

    def __init__(
        self,
        session: Session,
        bus: EventBus,
        store: Store,
        clock: Callable[[], float],
        get_token: GetToken | None,
        queue_file: QueueFile | None,
        tls: ssl.SSLContext | None = None,
        make_carrier: MakeCarrier = Socket,
    ) -> None:
        self.session = session
        self.on_wire: OnWire | None = None
        self.on_phase: OnPhase | None = None
        self.refuse_until = 0.0
        self._bus = bus
        self._store = store
        self._clock = clock
        self._get_token = get_token
        self._queue_file = queue_file
        self._tls = tls
        self._make_carrier = make_carrier
        self._sockets: dict[int, Carrier] = {}
        self.breaking = Breaking(self.current_socket, clock)
        self._dials = DialWatch(bus.emit)
        self._token_task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._pumping = False
        self._socket_gone = asyncio.Event()
        self._binary = session.settings.codec.binary

    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock()

    # ------------------------------------------------------------ the pump

    def pump(self) -> None:
        """Perform what the session asks for and tell what happened, until there is nothing left."""
        if self._pumping:
            return  # a listener called us; the outer call goes on with it
        self._pumping = True
        session = self.session
        try:
            while True:
                actions, events = session.take_actions(), session.take_events()
                if not actions and not events:
                    break
                for action in actions:
                    self._perform(action)
                for event in events:
                    self._tell(event)
        finally:
            self._pumping = False
        self._arm()

    def _tell(self, event: Any) -> None:
        self._store.apply(event)
        if type(event) is FrameIn:
            if isinstance(event.frame, Ready):
                self._phase("identified", event.dial)
            elif isinstance(event.frame, Resumed):
                self._phase("resumed", event.dial)
        elif type(event) is SessionResumed and self.session.link is not None:
            self._phase("caught_up", self.session.link.dial)
        self._bus.emit(event)

    def _perform(self, action: Action) -> None:
        if isinstance(action, Send):
            socket = self._sockets.get(action.dial)
            if socket is not None and not self.breaking.loses(action.frame):
                socket.send(action.data, self._binary)
        elif isinstance(action, Dial):
            self._dial(action)
        elif isinstance(action, FetchToken):
            self._fetch_token()
        elif isinstance(action, SaveQueue):
            self._save_queue()
        else:
            self._end_link(action)

    def _end_link(self, action: CloseLink | AbandonLink) -> None:
        socket = self._sockets.get(action.dial)
        if socket is None:
            return
        if isinstance(action, CloseLink):
            socket.close(action.code, action.reason)
        else:
            self._dials.failed(action.dial, self.now(), socket.under_way, action.reason)
            socket.let_go(action.code, action.reason)
            self._phase("lost", action.dial)

    # ------------------------------------------------------------ dialling

    def _dial(self, action: Dial) -> None:
        self._phase("dialing", action.dial)
        self._dials.began(action.dial, self.now(), action.url)
        left_s = self.refuse_until - self.now()
        if left_s > 0:
            detail = f"For another {left_s:.0f} s."
            self._dials.failed(action.dial, self.now(), "", "dial_injected")
            self.session.dial_failed(action.dial, DialFailure("dial_injected", detail), self.now())
            self._phase("lost", action.dial)
            return
        socket = self._sockets[action.dial] = self._make_carrier(action.dial, self)
        socket.start(action.url, action.token, self.session.settings.codec.name, self._tls)

    def _fetch_token(self) -> None:
        if self._get_token is None:
            self.session.token_failed("There is no token source.", self.now())
            return
        if self._token_task is not None:
            self._token_task.cancel()
        loop = asyncio.get_running_loop()
        self._token_task = loop.create_task(self._run_token_source(self._get_token), name="sonde-token")

    async def _run_token_source(self, get_token: GetToken) -> None:
        try:
            token = await get_token()
        except Exception as error:  # noqa: BLE001 - a source is somebody's code: whatever it raises is one failure
            detail = excerpt(redact_text(str(error)), 400) or type(error).__name__
            self.session.token_failed(detail, self.now())
        else:
            self._take_token(token)
        self._token_task = None
        self.pump()

    def _take_token(self, token: object) -> None:
        usable = isinstance(token, str) and 0 < len(token) <= MAX_TOKEN_CHARS
        if usable and isinstance(token, str) and token.isascii() and token.isprintable() and " " not in token:
            self.session.token_fetched(token, self.now())
        else:
            self.session.token_failed("What it gave is no token.", self.now())

    # ------------------------------------------------------------ the queue file

    def _save_queue(self) -> None:
        if self._queue_file is None:
            return
        try:
            self._queue_file.save(self.session.commands.queue, self.session.identity)
        except QueueFileError as error:
            self._bus.emit(Failed(failure("queue_file_unwritable", str(error), self.now())))

    # ------------------------------------------------------------ time

    def _arm(self) -> None:
        deadline = self.session.next_deadline()
        if deadline is None or (self._timer is not None and self._timer_at <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        delay_s = max(0.0, deadline - self.now())
        self._timer_at = deadline
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.session.tick(self.now())
        self.pump()

    # ------------------------------------------------------------ SocketOwner

    def on_reached(self, dial: int, phase: str) -> None:
        self.session.reached(dial, phase)
        self._phase(phase, dial)
        self._dials.reached(dial, self.now(), phase)

    def on_open(self, dial: int) -> None:
        self.session.dial_opened(dial, self.now())
        self.pump()

    def on_dial_failed(self, dial: int, failed: DialFailure) -> None:
        socket = self._sockets.get(dial)
        self._dials.failed(dial, self.now(), "" if socket is None else socket.under_way, failed.cause)
        self.session.dial_failed(dial, failed, self.now())
        self._phase("lost", dial)

    def on_message(self, dial: int, data: bytes, binary: bool) -> None:
        self.session.message(dial, data, binary, self.now())

    def on_control(self, dial: int) -> None:
        self.session.heard(dial, self.now())

    def on_lost(self, dial: int, code: int | None, reason: str, by: str, how: SocketEnd) -> None:
        self.session.lost(dial, code, reason, by, self.now(), how)
        self._phase("lost", dial)

    def on_batch_end(self) -> None:
        self.pump()

    def on_gone(self, socket: Carrier) -> None:
        self._sockets.pop(socket.dial, None)
        self._socket_gone.set()

    def on_wire_bytes(self, direction: str, data: bytes, dial: int) -> None:
        if self.on_wire is not None:
            self.on_wire(direction, data, self.now(), dial)

    def _phase(self, phase: str, dial: int) -> None:
        if self.on_phase is not None:
            self.on_phase(phase, self.now(), dial)

    # ------------------------------------------------------------ debug acts

    def current_socket(self) -> Carrier | None:
        """The socket that carries the session."""
        link = self.session.link
        return self._sockets.get(link.dial) if link is not None else None

    # ------------------------------------------------------------ the end

    async def until_idle(self) -> None:
        """Wait until no socket of now and no task is left. Call after the session was closed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._token_task is not None:
            self._token_task.cancel()
            await asyncio.gather(self._token_task, return_exceptions=True)
            self._token_task = None
        ending = set(self._sockets)
        while ending & set(self._sockets):
            for dial in ending & set(self._sockets):
                if self._sockets[dial].is_let_go:
                    self._sockets[dial].abort()
            if ending & set(self._sockets):
                self._socket_gone.clear()
                await self._socket_gone.wait()
