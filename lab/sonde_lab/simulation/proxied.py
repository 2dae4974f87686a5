"""The fault engine between a simulated client and the simulated network: its carrier of messages, as bytes in between.

Messages become frames, pass the engine's own stream, and become messages again, so that a rule does on virtual time
what it does in the proxy. Owns that translation and the engine's timers. No handshake of bytes is verified here, and
there are no control frames but closes: faults of those need a real socket.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from typing import Any, Final

from sonde_client.actions import DialFailure
from sonde_client.carrier import CLOSE_LIMIT_S, Carrier, SocketOwner
from sonde_client.status import SocketEnd
from sonde_lab.faults.effects import Do, Effect, Verdict
from sonde_lab.faults.framing import encoded
from sonde_lab.faults.lab import FaultLab
from sonde_lab.faults.settling import Settling
from sonde_lab.records import Direction
from sonde_lab.simulation.loop import VirtualLoop
from sonde_lab.simulation.network import Network
from sonde_lab.simulation.sockets import VirtualSocket
from sonde_lab.simulation.ways import Way
from sonde_lab.wire import BINARY, CLOSE, TEXT, WireParser
from sonde_lab.wire_items import CloseSeen, HandshakeSeen, Link, MessageSeen
from sonde_protocol.websocket_text import fitting_reason

_MASK: Final = bytes(4)
_TOKEN: Final = re.compile(rb"\r\nAuthorization: Bearer ([^\r\n]+)")


class VirtualProxy:
    """One client's. `lab` is its engine, on the loop's time."""

    def __init__(self, loop: VirtualLoop, network: Network, client: str, seed: int) -> None:
        self.loop = loop
        self.network = network
        self.client = client
        self.lab = FaultLab(seed, now=loop.time)
        self.lab.on_change = self._follow
        self._timer: asyncio.TimerHandle | None = None
        self._dials = 0

    def carrier(self, dial: int, owner: SocketOwner) -> Carrier:
        """What the client dials with."""
        self._dials += 1
        return _ProxiedSocket(self, self._dials, dial, owner)

    def stop(self) -> None:
        """No timer any more."""
        self.lab.on_change = lambda: None
        if self._timer is not None:
            self._timer.cancel()

    def _follow(self) -> None:
        """Come back when the next rule begins or ends."""
        if self._timer is not None:
            self._timer.cancel()
        at = self.lab.next_deadline()
        self._timer = None if at is None else self.loop.call_at(at, self.lab.tick)


class _ProxiedSocket:
    """A client's carrier, and the owner of the socket behind the engine."""

    def __init__(self, proxy: VirtualProxy, number: int, dial: int, owner: SocketOwner) -> None:
        self.dial = dial
        self.under_way = "tcp"
        self._proxy = proxy
        self._loop = proxy.loop
        self._number = number
        self._owner = owner
        self._stream = proxy.lab.open(number, f"{proxy.client}:{number}")
        self._settle = Settling(self._stream, self._carry_out, self._come_back)
        self._stream.wake = self._settle
        self._inner: VirtualSocket | None = None
        self._wanted: tuple[str, str | None, str, ssl.SSLContext | None] = ("", None, "", None)
        link = Link()
        self._parsers = {each: WireParser(each, link) for each in (Direction.IN, Direction.OUT)}
        self._reports = True
        self._is_open = False
        self._is_over = False  # for the client
        self._has_left_server = False
        self._closed_with: tuple[int, str] | None = None
        self._held: list[bytes] | None = None  # what the client sends while nobody reads it
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._is_binary = False

    @property
    def is_let_go(self) -> bool:
        """Nobody waits for what it still has to say."""
        return not self._reports

    # ------------------------------------------------------------ the dial

    def start(self, url: str, token: str | None, subprotocol: str, tls: ssl.SSLContext | None) -> None:
        """Dial: first the engine is asked, then the node."""
        self._wanted = (url, token, subprotocol, tls)
        self._is_binary = subprotocol.endswith("msgpack")
        self._later(
            "dial", self._proxy.network.delay_s(self._proxy.network.access(self._proxy.client)), self._accept
        )

    def _accept(self) -> None:
        verdict = self._stream.on_accept(self._loop.time()) or Verdict()
        self._settle()
        self._go_on(verdict, self._ask)

    def _ask(self) -> None:
        head = self._head()
        self._owner.on_reached(self.dial, "tcp")
        self.under_way = "upgraded"
        self._owner.on_wire_bytes("out", head, self.dial)
        verdict = self._stream.on_head(head, self._loop.time()) or Verdict()
        self._settle()
        if verdict.head:
            found = _TOKEN.search(verdict.head)
            url, token, subprotocol, tls = self._wanted
            self._wanted = (url, found[1].decode() if found else token, subprotocol, tls)
        self._go_on(verdict, lambda: self._reach(verdict.head or head))

    def _go_on(self, verdict: Verdict, step: Callable[[], None]) -> None:
        if self._is_over:
            return
        if verdict.reset:
            self._fail(DialFailure("dial_reset", "the connection was reset."))
        elif verdict.status:
            retry = dict(verdict.headers).get("Retry-After")
            said = f"the gateway answered {verdict.status}."
            self._fail(
                DialFailure("http_error", said, verdict.status, None if retry is None else float(retry))
            )
        elif verdict.held_s:
            self._later("dial", verdict.held_s, step)
        else:
            step()

    def _reach(self, head: bytes) -> None:
        self._inner = VirtualSocket(self._proxy.network, self._proxy.client, self.dial, self)
        self._inner.start(*self._wanted)
        self._receive(Direction.OUT, head)

    def _head(self) -> bytes:
        url, token, subprotocol, _tls = self._wanted
        bearer = "" if token is None else f"\r\nAuthorization: Bearer {token}"
        path = "/" + url.partition("://")[2].partition("/")[2]
        return (
            f"GET {path} HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Protocol: {subprotocol}{bearer}\r\n\r\n"
        ).encode()

    def _answer(self) -> bytes:
        return (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Protocol: {self._wanted[2]}\r\n\r\n"
        ).encode()

    def _fail(self, why: DialFailure) -> None:
        if self._reports and not self._is_over:
            self._reports = False
            self._owner.on_dial_failed(self.dial, why)
            self._owner.on_batch_end()
        self._end()
        self._leave_server()

    # ------------------------------------------------------------ what the client does

    def send(self, data: bytes, binary: bool) -> None:
        """One message out."""
        if self._is_open and not self._is_over and self._closed_with is None:
            self._say(encoded(BINARY if binary else TEXT, data, _MASK))

    def send_ping(self, data: bytes, *, pong: bool = False) -> None:
        """Control frames are not carried here."""

    def _say(self, frame: bytes) -> None:
        self._owner.on_wire_bytes("out", frame, self.dial)
        if self._held is not None:
            self._held.append(frame)
        else:
            self._receive(Direction.OUT, frame)

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, and wait a little for the answer."""
        if not self._is_open:
            self.abort(reason)
        elif self._closed_with is None and not self._is_over:
            self._closed_with = (code, reason)
            self._say(encoded(CLOSE, code.to_bytes(2) + fitting_reason(reason).encode(), _MASK))
            self._later("close", CLOSE_LIMIT_S, lambda: self.abort("no close frame came"))

    def let_go(self, code: int, reason: str) -> None:
        """As `close`, and say nothing more."""
        self._reports = False
        self.close(code, reason)

    def abort(self, why: str = "") -> None:
        """Cut."""
        if self._is_over:
            return
        if not self._is_open:
            self._fail(DialFailure("dial_reset", why or "given up"))
            return
        self._stream.end(Direction.OUT, Do.RESET, self._loop.time())
        code, reason = self._closed_with or (None, why)
        self._lost(code, reason, "client")
        self._settle()

    # ------------------------------------------------------------ what the socket behind the engine tells

    def on_reached(self, dial: int, phase: str) -> None:
        """The client is told when the answer has come to it."""

    def on_open(self, dial: int) -> None:
        """The node has agreed."""
        self._receive(Direction.IN, self._answer())

    def on_dial_failed(self, dial: int, failed: DialFailure) -> None:
        """The node did not: a proxy answers then."""
        status = 502 if failed.status is None else failed.status
        self._fail(DialFailure("http_error", failed.detail, status, failed.retry_after_s))

    def on_message(self, dial: int, data: bytes, binary: bool) -> None:
        """One message in."""
        self._receive(Direction.IN, encoded(BINARY if binary else TEXT, data))

    def on_control(self, dial: int) -> None:
        """There are none."""

    def on_wire_bytes(self, direction: str, data: bytes, dial: int) -> None:
        """There are none behind the engine."""

    def on_batch_end(self) -> None:
        """The engine decides what belongs together."""

    def on_gone(self, socket: Carrier) -> None:
        """It holds nothing any more."""

    def on_lost(self, dial: int, code: int | None, reason: str, by: str, how: SocketEnd) -> None:
        """The node's end is gone."""
        if self._has_left_server:
            return
        self._has_left_server = True
        if code is not None:
            self._receive(Direction.IN, encoded(CLOSE, code.to_bytes(2) + fitting_reason(reason).encode()))
        self._stream.end(Direction.IN, Do.RESET if code is None else Do.END, self._loop.time())
        self._settle()

    # ------------------------------------------------------------ the engine

    def _receive(self, direction: Direction, data: bytes) -> None:
        self._stream.receive(direction, data, self._loop.time())
        self._settle()

    def _come_back(self) -> None:
        """All is done: look again in time."""
        self._forget("tick")
        at = self._stream.next_deadline()
        if at is not None and not (self._is_over and self._has_left_server):
            self._later("tick", max(0.0, at - self._loop.time()), self._tick)

    def _tick(self) -> None:
        self._stream.tick(self._loop.time())
        self._settle()

    def _carry_out(self, effect: Effect) -> None:
        match effect.do:
            case Do.WRITE if effect.direction is Direction.IN:
                self._to_client(effect.data)
            case Do.WRITE:
                self._to_server(effect.data)
            case Do.END | Do.CLOSE | Do.RESET if effect.direction is Direction.IN:
                self._end_client(SocketEnd.RESET if effect.do is Do.RESET else SocketEnd.FIN)
            case Do.END | Do.CLOSE | Do.RESET:
                self._leave_server()
            case Do.HOLD | Do.GO_ON:
                self._hold(effect.direction, holds=effect.do is Do.HOLD)
            case Do.LINGER:
                self._end_client()
                self._leave_server()
            case _:  # LEAVE: the server's leg stays until LINGER; SHADOW is refused before anything starts
                pass

    def _to_client(self, data: bytes) -> None:
        if self._is_over:
            return
        self._owner.on_wire_bytes("in", data, self.dial)
        for item in self._parsers[Direction.IN].feed(data, self._loop.time()):
            self._hear(item)
        if self._reports and not self._is_over:
            self._owner.on_batch_end()

    def _hear(self, item: Any) -> None:
        if self._is_over:
            return
        if isinstance(item, HandshakeSeen):
            self._is_open = True
            self._owner.on_reached(self.dial, "upgraded")
            if self._reports:
                self._owner.on_open(self.dial)
        elif isinstance(item, CloseSeen):
            self._closed_by_server(item)
        elif isinstance(item, MessageSeen) and not item.control and self._reports:
            self._owner.on_message(self.dial, item.payload, item.opcode == BINARY)

    def _closed_by_server(self, item: CloseSeen) -> None:
        if self._closed_with is None:
            self._say(encoded(CLOSE, item.payload[:2], _MASK))
            self._lost(item.code if item.code is not None else 1005, item.reason, "server")
        else:
            self._lost(*self._closed_with, "client")

    def _to_server(self, data: bytes) -> None:
        for item in self._parsers[Direction.OUT].feed(data, self._loop.time()):
            if self._inner is None or self._has_left_server:
                return
            if isinstance(item, MessageSeen) and not item.control:
                self._inner.send(item.payload, item.opcode == BINARY)
            elif isinstance(item, CloseSeen):
                self._inner.close(item.code or 1000, item.reason)

    def _hold(self, direction: Direction, *, holds: bool) -> None:
        way = self._way_down()
        if direction is Direction.IN and way is not None:
            (way.stop if holds else way.go)()
        elif direction is Direction.OUT and holds:
            self._held = self._held or []
        elif direction is Direction.OUT:
            held, self._held = self._held or [], None
            for frame in held:
                self._receive(Direction.OUT, frame)

    def _way_down(self) -> Way | None:
        link = None if self._inner is None else self._inner.link
        return None if link is None else link.down

    # ------------------------------------------------------------ ends

    def _end_client(self, how: SocketEnd = SocketEnd.FIN) -> None:
        if self._is_over:
            return
        if not self._is_open:
            self._fail(DialFailure("dial_reset", "the connection ended before it was answered."))
        elif self._closed_with is not None:
            self._lost(*self._closed_with, "client")
        else:
            self._lost(None, "", "network", how)

    def _lost(self, code: int | None, reason: str, by: str, how: SocketEnd = SocketEnd.RESET) -> None:
        if self._reports and not self._is_over:
            self._reports = False
            ends = {"client": SocketEnd.ABORTED, "network": how}
            self._owner.on_lost(
                self.dial, code, reason, by, SocketEnd.GOODBYE if code is not None else ends[by]
            )
            self._owner.on_batch_end()
        self._end()

    def _end(self) -> None:
        """The client's side is gone."""
        if self._is_over:
            return
        self._is_over = True
        self._forget("close")
        self._forget("dial")
        self._owner.on_gone(self)
        self._close_when_both_ended()

    def _leave_server(self) -> None:
        if not self._has_left_server:
            self._has_left_server = True
            if self._inner is not None:
                self._inner.abort()
        self._close_when_both_ended()

    def _close_when_both_ended(self) -> None:
        if self._is_over and self._has_left_server:
            self._forget("tick")
            self._proxy.lab.close(self._number)

    def _later(self, what: str, seconds: float, act: Callable[[], None]) -> None:
        self._forget(what)
        self._timers[what] = self._loop.call_later(seconds, act)

    def _forget(self, what: str) -> None:
        timer = self._timers.pop(what, None)
        if timer is not None:
            timer.cancel()
