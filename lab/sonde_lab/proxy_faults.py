"""Between a proxied connection's sockets and the fault engine: effects are carried out, deadlines are kept.

Owns a timer a connection, the extra legs to the server (zombies, shadows) and the lab's own clock. A proxy without a
lab has none of this.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sonde_lab.faults.effects import Do, Effect, Verdict
from sonde_lab.faults.lab import FaultLab
from sonde_lab.faults.limits import MAX_EXTRA_LEGS
from sonde_lab.faults.settling import Settling
from sonde_lab.proxy_side import FAULT, Side
from sonde_lab.records import Direction

if TYPE_CHECKING:
    from sonde_lab.proxy_connection import ProxiedConnection

SHADOW_S: Final = 30.0
T = TypeVar("T")
logger = logging.getLogger(__name__)


class FaultLine:
    """One connection's stream of the lab, with its sockets."""

    def __init__(self, connection: ProxiedConnection, lab: FaultLab, peer: str) -> None:
        self._connection = connection
        self._lab = lab
        self._stream = lab.open(connection.number, peer)
        self.settle = Settling(self._stream, self._carry_out, self._come_back)
        self._stream.wake = self.settle
        self._timer: asyncio.TimerHandle | None = None
        self._shadows: set[asyncio.Task[None]] = set()
        self.keeps_upstream = False

    # ------------------------------------------------------------ what the connection tells

    def on_accept(self) -> Verdict:
        """A client has connected."""
        verdict = self._guarded(self._stream.on_accept, time.monotonic()) or Verdict()
        self.settle()
        return verdict

    def on_head(self, head: bytes) -> Verdict:
        """Its request is there."""
        verdict = self._guarded(self._stream.on_head, head, time.monotonic()) or Verdict()
        self.settle()
        return verdict

    def on_bytes(self, side: Side, data: bytes) -> None:
        """Bytes came."""
        self._guarded(self._stream.receive, side.direction, data, time.monotonic())
        self.settle()

    def on_end(self, side: Side) -> None:
        """A side sends nothing more."""
        self._guarded(self._stream.end, side.direction, Do.END, time.monotonic())
        self.settle()

    def on_lost(self, side: Side, was_reset: bool) -> None:
        """A side is gone."""
        how = Do.RESET if was_reset else Do.CLOSE
        self._guarded(self._stream.end, side.direction, how, time.monotonic())
        self.settle()

    def over(self) -> None:
        """Both are."""
        self._stop_timer()
        for task in self._shadows:
            task.cancel()
        if self.keeps_upstream:
            self._lab.extra_legs -= 1
        self._lab.close(self._connection.number)

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """What still runs for it."""
        return list(self._shadows)

    def _guarded(self, work: Callable[..., T], *told: Any) -> T | None:
        """Ask the engine. What it fails at ends this connection, since nobody knows what has passed; all others go on."""
        try:
            return work(*told)
        except Exception:
            logger.exception("the fault engine failed; its connection is ended")
            self._connection.let_go()
            return None

    # ------------------------------------------------------------ what the stream asks for

    def _come_back(self) -> None:
        """All is done: close, or look again in time."""
        self._close_when_both_ended()
        self._stop_timer()
        at = self._stream.next_deadline()
        if at is not None and not self._connection.is_over:
            wait = max(0.0, at - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait, self._tick)

    def _tick(self) -> None:
        self._guarded(self._stream.tick, time.monotonic())
        self.settle()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _carry_out(self, effect: Effect) -> None:
        to = self._connection.client if effect.direction is Direction.IN else self._connection.upstream
        match effect.do:
            case Do.WRITE:
                to.write(effect.data)
            case Do.END:
                if self._stream.is_cut:
                    self._connection.remember("ended by an injected fault")
                to.end()
            case Do.CLOSE:
                to.close()
            case Do.RESET:
                self._connection.remember("reset by an injected fault")
                to.reset_at_once() if self._stream.is_gone else to.reset()
            case Do.HOLD:
                assert to.other is not None
                to.other.hold(FAULT)
            case Do.GO_ON:
                assert to.other is not None
                to.other.go_on(FAULT)
            case Do.LINGER:
                self._connection.let_go()
            case Do.LEAVE:
                self._leave()
            case Do.SHADOW:
                self._shadow(effect.data)

    def _leave(self) -> None:
        if self._lab.extra_legs >= MAX_EXTRA_LEGS:
            self._connection.upstream.close()
            return
        self.keeps_upstream = True
        self._lab.extra_legs += 1

    def _close_when_both_ended(self) -> None:
        connection = self._connection
        if connection.client.has_ended and connection.upstream.has_ended and self._stream.is_idle:
            connection.close()

    def _shadow(self, data: bytes) -> None:
        if self._lab.extra_legs >= MAX_EXTRA_LEGS:
            return
        self._lab.extra_legs += 1
        work: Coroutine[Any, Any, None] = self._speak_again(data)
        task = asyncio.get_running_loop().create_task(work, name="proxy shadow")
        self._shadows.add(task)
        task.add_done_callback(self._shadow_gone)

    def _shadow_gone(self, task: asyncio.Task[None]) -> None:
        self._shadows.discard(task)
        self._lab.extra_legs -= 1

    async def _speak_again(self, data: bytes) -> None:
        """A second leg that says the same and listens to nothing."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(SHADOW_S):
                reader, writer = await self._connection.open_leg()
                try:
                    writer.write(data)
                    while await reader.read(65_536):
                        pass
                finally:
                    writer.transport.abort()


class LabClock:
    """Calls a lab when a rule begins or ends, between `start` and `stop`."""

    def __init__(self, lab: FaultLab) -> None:
        self._lab = lab
        self._timer: asyncio.TimerHandle | None = None
        self._is_running = False
        lab.on_change = self.follow

    def start(self) -> None:
        """Look for the first time."""
        self._is_running = True
        self.follow()

    def follow(self) -> None:
        """Come back when the next rule wants to."""
        self._forget()
        at = self._lab.next_deadline()
        if at is not None and self._is_running:
            wait = max(0.0, at - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait, self._lab.tick)

    def stop(self) -> None:
        """Not any more."""
        self._is_running = False
        self._forget()

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def failing(cert: ssl.SSLContext, fails: Callable[[], bool]) -> None:
    """Have TLS handshakes with clients fail when they are to."""

    def look(_socket: object, _name: str | None, _context: ssl.SSLContext) -> int | None:
        return int(ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE) if fails() else None

    cert.sni_callback = look
