"""One proxied connection: look at the request's Host, dial the upstream, then pass bytes on as they come.

Owns the order of these steps, the refusals of a connection that comes to nothing, and the one place where bytes
go over. Refuses to change them (but for the Host, when that is asked for), and to let an observer disturb them.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from sonde_client.diagnosis import of_exception
from sonde_lab.faults.effects import Verdict
from sonde_lab.faults.lab import FaultLab
from sonde_lab.proxy_faults import FaultLine
from sonde_lab.proxy_head import (
    HEAD_END,
    MAX_HEAD_BYTES,
    Upstream,
    answer,
    foreign_host,
    joined,
    with_host,
)
from sonde_lab.proxy_phases import TRANSITIONS, Phase, Step
from sonde_lab.proxy_side import FAULT, Side
from sonde_lab.records import Direction
from sonde_protocol.errors import excerpt

HANDSHAKE_S: Final = 10.0
LINGER_S: Final = 1.0  # a refused client has this long to read why


class ProxyObserver(Protocol):
    """Who sees copies of everything. `at` is monotonic seconds; what it raises is logged and goes no further."""

    def on_opened(self, number: int, peer: str, at: float) -> None:
        """A client has connected."""

    def on_bytes(self, number: int, direction: Direction, data: bytes, at: float) -> None:
        """Bytes have come from a side, and have been passed on."""

    def on_trouble(self, number: int, cause: str, sentence: str, at: float) -> None:
        """The connection came to nothing, and its client was told why."""

    def on_ended(self, number: int, how: str, at: float) -> None:
        """It is over."""

    def on_act(
        self, number: int, direction: Direction, ordinal: int, says: str, is_done: bool, at: float
    ) -> None:
        """A fault was injected (or could not be), at the message of that ordinal where it is about one."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every connection. `checks_host`: only clients that name this machine or the upstream."""

    upstream: Upstream
    tls: ssl.SSLContext | None = None
    checks_host: bool = True
    rewrites_host: bool = False
    handshake_s: float = HANDSHAKE_S


@dataclass(slots=True)
class Figures:
    """Sums of a proxy's life."""

    accepted: int = 0
    refused: int = 0
    bytes_passed: dict[Direction, int] = field(default_factory=lambda: {Direction.IN: 0, Direction.OUT: 0})


class House(Protocol):
    """What a connection needs of its proxy. `observer` does not raise."""

    rules: Rules
    figures: Figures
    observer: ProxyObserver | None
    lab: FaultLab | None

    def admit(self, connection: ProxiedConnection) -> bool:
        """A client has connected: number it. False when it is one too many."""

    def forget(self, connection: ProxiedConnection) -> None:
        """It is over. Called once for each that was admitted or not."""


class ProxiedConnection:
    """Both sides of one connection; its `number` is 0 until its client is connected, TLS included."""

    def __init__(self, house: House) -> None:
        self.number = 0
        self.phase = Phase.HEAD
        self.client = Side(self, Direction.OUT)
        self.upstream = Side(self, Direction.IN)
        self.client.other, self.upstream.other = self.upstream, self.client
        self.dial: asyncio.Task[None] | None = None
        self._house = house
        self._rules = house.rules
        self._observer = house.observer
        self._head = bytearray()
        self._how = ""
        self._timer: asyncio.TimerHandle | None = None
        self.line: FaultLine | None = None  # with a fault lab only
        self._is_waiting = False  # a fault holds the dial back

    @property
    def is_over(self) -> bool:
        """Whether both sides are gone."""
        return self.phase is Phase.GONE

    # ------------------------------------------------------------ what the sides tell

    def on_made(self, side: Side) -> None:
        """A side is connected."""
        if side is self.upstream:
            self._dialed()
            return
        assert side.transport is not None
        is_welcome = self._house.admit(self)
        peer = side.transport.get_extra_info("peername")
        address = joined(peer[0], peer[1]) if peer else ""
        if self._observer is not None:
            self._observer.on_opened(self.number, address, time.monotonic())
        if not is_welcome:
            self._refuse(503, "too_many", "there are too many connections; close some, or try again later")
            return
        held_s = self._accepted(self._house.lab, address)
        self._wait(held_s + self._rules.handshake_s, self._cut_handshake)

    def on_data(self, side: Side, data: bytes) -> None:
        """Bytes came: on with them, then a copy for the observer."""
        at = time.monotonic()
        if self.line is not None and self._observer is not None:
            self._observer.on_bytes(self.number, side.direction, data, at)  # before what is done to them
        if self.phase is Phase.PASSING:
            self._pass_on(side, data)
        elif self.phase in (Phase.HEAD, Phase.DIALING):
            self._head += data
        else:
            return  # a refused client's rest
        if self._observer is not None and self.line is None:
            self._observer.on_bytes(self.number, side.direction, data, at)
        if self.phase is Phase.HEAD and not self._is_waiting:
            self._look_at_head()
        elif self._is_waiting:
            self.client.hold(
                FAULT
            )  # uvloop reads once, although it was told not to while the socket was made

    def on_end(self, side: Side) -> None:
        """A side has sent its FIN: the other one gets it."""
        self.remember(f"ended by the {self._name(side)}")
        if self.phase is Phase.PASSING and self.line is not None:
            self.line.on_end(side)
        elif self.phase is Phase.PASSING:
            assert side.other is not None
            side.other.end()
            if side.other.has_ended:
                self.close()
        elif self.phase is Phase.HEAD and self._head and not self._is_waiting:
            self._start_dialing()  # what there is of a request is passed on, too
        elif self.phase is not Phase.DIALING:
            self.close()

    def on_lost(self, side: Side, error: Exception | None) -> None:
        """A side is gone: the other one goes in the same way."""
        if isinstance(error, ConnectionError):
            self.remember(f"reset by the {self._name(side)}")
        elif error is not None:
            self.remember(f"lost on the way to the {self._name(side)}: {excerpt(str(error), 120)}")
        if self.dial is not None:
            self.dial.cancel()
        other = side.other
        assert other is not None
        if other.is_open and self.phase is Phase.PASSING and self.line is not None:
            self.line.on_lost(side, error is not None)
        elif other.is_open:
            (other.reset if error is not None else other.close)()
        elif other.transport is None or other.is_lost:
            self._finish()

    def abort(self) -> None:
        """The proxy itself ends."""
        self.remember("ended with the proxy")
        for side in (self.upstream, self.client):
            side.abort()

    # ------------------------------------------------------------ the way there

    def _look_at_head(self) -> None:
        if HEAD_END in self._head:
            self._start_dialing()
        elif len(self._head) >= MAX_HEAD_BYTES:
            self._refuse(431, "endless_head", "the request's head does not end within 64 KiB")

    def _start_dialing(self) -> None:
        head = bytes(self._head[: MAX_HEAD_BYTES + len(HEAD_END)]).partition(HEAD_END)[0]
        foreign = foreign_host(head, self._rules.upstream) if self._rules.checks_host else None
        if foreign is not None:
            self._refuse(
                421,
                "foreign_host",
                f"Host '{excerpt(foreign)}' is not served here: a proxy on this machine takes requests to "
                "127.0.0.1 or localhost; to serve other names, listen at another address",
            )
            return
        verdict = self._judged(head + HEAD_END)
        if self.phase is not Phase.HEAD or self.client.is_lost:
            return
        self._move(Step.HEAD_READ)
        self._stop_waiting()
        self.client.hold()
        self.dial = asyncio.get_running_loop().create_task(
            self._reach(verdict.held_s), name=f"proxy dial {self.number}"
        )

    async def _reach(self, held_s: float) -> None:
        rules, loop = self._rules, asyncio.get_running_loop()
        try:
            if held_s:
                await asyncio.sleep(held_s)
            async with asyncio.timeout(rules.handshake_s):
                await loop.create_connection(
                    lambda: self.upstream,
                    rules.upstream.host,
                    rules.upstream.port,
                    ssl=rules.tls,
                    server_hostname=rules.upstream.host if rules.tls is not None else None,
                )
        except (OSError, UnicodeError) as error:
            failed = of_exception(error, str(rules.upstream))
            status = 504 if isinstance(error, TimeoutError) else 502
            self._refuse(status, failed.cause, f"the upstream cannot be reached. {failed.detail}")

    def _dialed(self) -> None:
        if self.phase is not Phase.DIALING or self.client.is_lost:
            self.upstream.abort()
            return
        self._move(Step.DIALED)
        head, self._head = bytes(self._head), bytearray()
        if self._rules.rewrites_host:
            head = with_host(head, self._rules.upstream.host_header)
        self.client.go_on()
        self._pass_on(self.client, head)
        if self.client.has_ended:
            self.on_end(self.client)

    def _pass_on(self, side: Side, data: bytes) -> None:
        """The one place where bytes go over. Faults stand here: between what came and what is written."""
        self._house.figures.bytes_passed[side.direction] += len(data)
        if self.line is not None:
            self.line.on_bytes(side, data)
            return
        assert side.other is not None
        side.other.write(data)

    # ------------------------------------------------------------ faults

    def _accepted(self, lab: FaultLab | None, peer: str) -> float:
        """Begin a fault line where there is a lab; how long the client is not read."""
        if lab is None:
            return 0.0
        self.line = FaultLine(self, lab, peer)
        verdict = self.line.on_accept()
        if verdict.reset:
            self._reset_client()
        elif verdict.held_s:
            self._is_waiting = True
            self.client.hold(FAULT)
            asyncio.get_running_loop().call_later(verdict.held_s, self._let_in)
        return verdict.held_s

    def _let_in(self) -> None:
        """A client that was made to wait is read now."""
        self._is_waiting = False
        self.client.go_on(FAULT)
        if self.phase is Phase.HEAD and self._head:
            self._look_at_head()

    def _judged(self, head: bytes) -> Verdict:
        """What the faults make of a request."""
        if self.line is None:
            return Verdict()
        verdict = self.line.on_head(head)
        if verdict.reset:
            self._reset_client()
        elif verdict.status:
            sentence = "a fault was injected here on purpose"
            self._refuse(verdict.status, "injected", sentence, verdict.headers)
        elif verdict.head:
            self._head[: len(head)] = verdict.head
        return verdict

    def _reset_client(self) -> None:
        self.remember("reset by an injected fault")
        self.client.reset_at_once()

    def let_go(self) -> None:
        """A fault has ended it, and who was to answer had the time."""
        self.remember("ended by an injected fault")
        for side in (self.upstream, self.client):
            side.abort()

    async def open_leg(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """One more connection to the upstream."""
        rules = self._rules
        name = rules.upstream.host if rules.tls is not None else None
        return await asyncio.open_connection(
            rules.upstream.host, rules.upstream.port, ssl=rules.tls, server_hostname=name
        )

    # ------------------------------------------------------------ the ways out

    def _cut_handshake(self) -> None:
        self._refuse(408, "slow_handshake", f"no request came within {self._rules.handshake_s:g} s")

    def _refuse(
        self, status: int, cause: str, sentence: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        if (self.phase, Step.REFUSED) not in TRANSITIONS or self.client.is_lost:
            return
        self._move(Step.REFUSED)
        self._stop_waiting()
        self._house.figures.refused += 1
        self.remember(f"refused with {status}")
        self._head.clear()
        self.client.go_on()  # what still comes is read and let go: unread bytes would turn the end into a reset
        self.client.write(answer(status, sentence, headers))
        self.client.end()
        if self.client.has_ended:
            self.client.close()
        self._wait(LINGER_S, self.client.abort)
        if self._observer is not None:
            self._observer.on_trouble(self.number, cause, sentence, time.monotonic())

    def close(self) -> None:
        """End both sides in order."""
        self.client.close()
        self.upstream.close()

    def _finish(self) -> None:
        if (self.phase, Step.LOST) not in TRANSITIONS:
            return
        self._move(Step.LOST)
        self._stop_waiting()
        if self._observer is not None:
            self._observer.on_ended(self.number, self._how or "ended", time.monotonic())
        if self.line is not None:
            self.line.over()
        self._house.forget(self)

    def _move(self, step: Step) -> None:
        self.phase = TRANSITIONS[self.phase, step]

    def remember(self, how: str) -> None:
        """How it ended: the first cause is the one to tell."""
        self._how = self._how or how

    def _name(self, side: Side) -> str:
        return "client" if side is self.client else "upstream"

    def _wait(self, delay_s: float, then: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(delay_s, then)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
