"""Links between clients and nodes that carry whole messages, late, and break in every way in which a stream can.

Owns delay, order and loss: a stream never loses a message from its midst and never reorders; what gets lost is an
end of it. Faults are told to a link or to a client's access. It knows nothing of what is carried.
"""

from __future__ import annotations

import asyncio
import enum
import random
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

from sonde_client.actions import DialFailure
from sonde_client.connection import CLOSE_LIMIT_S, SocketOwner
from sonde_client.status import SocketEnd
from sonde_lab.simulation.loop import VirtualLoop

KERNEL_BYTES: Final = 128 * 1024  # what lies in the buffers of both kernels before a sender sees its own grow


class Sign(enum.Enum):
    """What is no message."""

    CLOSE = "close"
    RESET = "reset"


@dataclass(slots=True, frozen=True)
class Item:
    """A message, or the sign of an end with its code and reason."""

    data: bytes = b""
    is_binary: bool = False
    sign: Sign | None = None
    code: int | None = None
    reason: str = ""


class Server(Protocol):
    """The core's side of a link (`sonde_server.core.connection.Connection`)."""

    def on_message(self, data: bytes, binary: bool) -> None: ...
    def on_lost(self, code: int | None, reason: str) -> None: ...
    def on_writable(self) -> None: ...


@dataclass(slots=True)
class Refusal:
    """Why an upgrade does not come about."""

    cause: str
    detail: str
    status: int | None = None


class Host(Protocol):
    """A node, as the network sees it."""

    name: str

    def admit(self, wire: Wire, token: str | None, subprotocol: str) -> Server | Refusal: ...


class Way:
    """One direction of a link. What is put in comes out in order, later, or never."""

    def __init__(
        self, loop: VirtualLoop, delay_s: Callable[[], float], deliver: Callable[[Item], None]
    ) -> None:
        self._loop = loop
        self._delay_s = delay_s
        self._deliver = deliver
        self._waiting: deque[tuple[float, Item]] = deque()
        self._last_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._stops = 0  # how many hold it up now
        self._is_black = False
        self.size_bytes = 0  # under way

    def put(self, item: Item) -> None:
        """Send."""
        if self._is_black:
            return
        self._last_at = max(self._last_at, self._loop.time() + self._delay_s())
        self._waiting.append((self._last_at, item))
        self.size_bytes += len(item.data)
        self._arm()

    def keep(self, count: int) -> None:
        """Of what is under way only the first `count` items arrive."""
        while len(self._waiting) > count:
            self.size_bytes -= len(self._waiting.pop()[1].data)

    def vanish(self) -> None:
        """From now on nothing arrives, and nobody is told."""
        self._is_black = True
        self.keep(0)

    def stop(self) -> None:
        """Hold everything up; once for each `go`."""
        self._stops += 1

    def go(self) -> None:
        """Let it flow again."""
        self._stops -= 1
        self._arm()

    def _arm(self) -> None:
        if self._timer is None and self._waiting and not self._stops:
            self._timer = self._loop.call_at(max(self._waiting[0][0], self._loop.time()), self._flow)

    def _flow(self) -> None:
        self._timer = None
        while self._waiting and not self._stops and self._waiting[0][0] <= self._loop.time():
            item = self._waiting.popleft()[1]
            self.size_bytes -= len(item.data)
            self._deliver(item)
        self._arm()


class Link:
    """One socket: a client's end, a node's end, and two ways between them."""

    def __init__(self, network: Network, socket: VirtualSocket, host: Host) -> None:
        access = network.access(socket.client)
        self.socket = socket
        self.host = host
        self.server: Server | None = None
        self.wire = Wire(self, socket.client)
        self.up = Way(network.loop, lambda: network.delay_s(access), self._to_server)
        self.down = Way(network.loop, lambda: network.delay_s(access), self._to_client)
        self.watch = network.watch
        self._loop = network.loop
        self._was_slow = False

    def _to_server(self, item: Item) -> None:
        server = self.server
        if server is None:
            return
        if item.sign is None:
            server.on_message(item.data, item.is_binary)
            return
        self.server = None
        if item.sign is Sign.CLOSE and not self.wire.has_closed:
            self.down.put(item)
        server.on_lost(item.code, item.reason)

    def _to_client(self, item: Item) -> None:
        if item.sign is None:
            self.socket.receive(item)
        else:
            self.socket.end_by_peer(item)
        if self._was_slow and self.wire.buffered() == 0 and self.server is not None:
            self._was_slow = False
            self.server.on_writable()

    def note_slow(self) -> None:
        """The sender has seen its buffer grow, and waits for it to fall."""
        self._was_slow = True

    def close_by_server(self, code: int, reason: str) -> None:
        """A close frame, and at most some seconds for the answer."""
        self.down.put(Item(sign=Sign.CLOSE, code=code, reason=reason))
        self._loop.call_later(CLOSE_LIMIT_S, self.end_server, code, reason)

    def end_server(self, code: int | None = None, reason: str = "") -> None:
        """The node's end is gone."""
        server, self.server = self.server, None
        if server is not None:
            self.down.put(Item(sign=Sign.RESET))
            server.on_lost(code, reason)

    # ------------------------------------------------------------ faults

    def reset(self, keep_up: int, keep_down: int) -> None:
        """Cut: of what is under way only so much arrives, then both sides see the end."""
        for way, count in ((self.up, keep_up), (self.down, keep_down)):
            way.keep(count)
            way.put(Item(sign=Sign.RESET))

    def vanish(self) -> None:
        """Half open: nothing arrives any more, and neither side is told."""
        self.up.vanish()
        self.down.vanish()

    def die_with_node(self, *, silent: bool) -> None:
        """The process at the other end is gone with all that it had not sent."""
        self.server = None
        self.up.vanish()
        if silent:
            self.down.vanish()
        else:
            self.down.keep(0)
            self.down.put(Item(sign=Sign.RESET))


class Wire:
    """What the core knows of one socket (`core.ports.Wire`)."""

    def __init__(self, link: Link, peer: str) -> None:
        self.peer = peer
        self.has_closed = False
        self._link = link

    def send(self, data: bytes) -> None:
        """Queue one message."""
        self._link.watch(self.peer, data)
        self._link.down.put(Item(data))

    def buffered(self) -> int:
        """Bytes beyond what the kernels take."""
        over = max(0, self._link.down.size_bytes - KERNEL_BYTES)
        if over:
            self._link.note_slow()
        return over

    def close(self, code: int, reason: str) -> None:
        """Say goodbye."""
        self.has_closed = True
        self._link.close_by_server(code, reason)

    def abort(self) -> None:
        """End at once; the core hears of it afterwards, as of a socket."""
        asyncio.get_running_loop().call_soon(self._link.end_server)


class VirtualSocket:
    """A client's carrier of messages (`sonde_client.connection.Carrier`)."""

    def __init__(self, network: Network, client: str, dial: int, owner: SocketOwner) -> None:
        self.dial = dial
        self.client = client
        self.under_way = "tcp"
        self.link: Link | None = None  # once it is open
        self._network = network
        self._owner = owner
        self._reports = True
        self._is_binary = False
        self._closed_with: tuple[int, str] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_gone = False

    @property
    def is_let_go(self) -> bool:
        """Nobody waits for what it still has to say."""
        return not self._reports

    # ------------------------------------------------------------ dialling

    def start(self, url: str, token: str | None, subprotocol: str, tls: ssl.SSLContext | None) -> None:
        """Dial."""
        self._is_binary = subprotocol.endswith("msgpack")
        host = urlsplit(url).hostname or ""
        self._network.dial(self, lambda: self._arrive(host, token, subprotocol))

    def _arrive(self, name: str, token: str | None, subprotocol: str) -> None:
        """The request is at the node."""
        if self._is_gone:
            return
        host = self._network.hosts.get(name)
        if host is None:
            self._later(self._fail, Refusal("dial_refused", f"{name} is not there."))
            return
        link = Link(self._network, self, host)
        link.down.stop()  # what the node sends follows its consent
        answer = host.admit(link.wire, token, subprotocol)
        if isinstance(answer, Refusal):
            self._later(self._fail, answer)
            return
        link.server = answer
        self._network.links.append(link)
        self._later(self._open, link)

    def _later(self, act: Callable[..., None], what: object) -> None:
        self._network.loop.call_later(self._network.delay_s(self._network.access(self.client)), act, what)

    def _open(self, link: Link) -> None:
        if self._is_gone:
            link.up.put(Item(sign=Sign.RESET))
            return
        self.link = link
        self._owner.on_reached(self.dial, "tcp")
        self.under_way = "upgraded"
        self._owner.on_reached(self.dial, "upgraded")
        if self._reports:
            self._owner.on_open(self.dial)
        link.down.go()

    def _fail(self, why: Refusal) -> None:
        if self._reports and not self._is_gone:
            self._reports = False
            self._owner.on_dial_failed(self.dial, DialFailure(why.cause, why.detail, why.status))
            self._owner.on_batch_end()
        self._end()

    def refuse(self, why: str) -> None:
        """The dial was turned away on the way."""
        self._later(self._fail, Refusal("dial_refused", why))

    # ------------------------------------------------------------ messages

    def send(self, data: bytes, binary: bool) -> None:
        """One message out."""
        if self.link is not None and not self._is_gone and self._closed_with is None:
            self.link.up.put(Item(data, binary))

    def send_ping(self, data: bytes, *, pong: bool = False) -> None:
        """Control frames are not carried here."""

    def receive(self, item: Item) -> None:
        """One message in."""
        if not self._reports or self._is_gone:
            return
        self._owner.on_message(self.dial, item.data, self._is_binary)
        if self._reports:
            self._owner.on_batch_end()

    # ------------------------------------------------------------ ends

    def end_by_peer(self, item: Item) -> None:
        """A close frame or a reset arrived."""
        if self._is_gone:
            return
        if item.sign is Sign.CLOSE and self._closed_with is None and self.link is not None:
            self.link.up.put(item)
        if self._closed_with is not None:
            self._lost(*self._closed_with, "client")
        elif item.sign is Sign.CLOSE:
            self._lost(item.code, item.reason, "server")
        else:
            self._lost(None, "", "network")

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, and wait a little for the answer."""
        if self.link is None:
            self.abort(reason)
            return
        if self._closed_with is None and not self._is_gone:
            self._closed_with = (code, reason)
            self.link.up.put(Item(sign=Sign.CLOSE, code=code, reason=reason))
            self._timer = self._network.loop.call_later(CLOSE_LIMIT_S, self.abort, "no close frame came")

    def let_go(self, code: int, reason: str) -> None:
        """As `close`, and say nothing more."""
        self._reports = False
        self.close(code, reason)

    def abort(self, why: str = "") -> None:
        """Cut."""
        if self._is_gone:
            return
        if self.link is None:
            self._fail(Refusal("dial_reset", why or "given up"))
            return
        self.link.up.put(Item(sign=Sign.RESET))
        code, reason = self._closed_with or (None, why)
        self._lost(code, reason, "client")

    def _lost(self, code: int | None, reason: str, by: str) -> None:
        if self._reports:
            self._reports = False
            ends = {"client": SocketEnd.ABORTED, "network": SocketEnd.RESET}
            how = SocketEnd.GOODBYE if code is not None else ends[by]
            self._owner.on_lost(self.dial, code, reason, by, how)
            self._owner.on_batch_end()
        self._end()

    def _end(self) -> None:
        if self._is_gone:
            return
        self._is_gone = True
        if self._timer is not None:
            self._timer.cancel()
        self._owner.on_gone(self)


@dataclass(slots=True)
class Access:
    """A client's way to the network."""

    latency_s: float
    jitter_s: float
    refuses_until: float = 0.0
    is_black_until: float = 0.0


class Network:
    """All links, and how long everything takes."""

    def __init__(
        self, loop: VirtualLoop, chance: random.Random, latency_s: float = 0.02, jitter_s: float = 0.005
    ) -> None:
        self.loop = loop
        self.hosts: dict[str, Host] = {}
        self.links: list[Link] = []
        self.watch: Callable[[str, bytes], None] = lambda _client, _data: None  # what nodes send
        self._chance = chance
        self._usual = (latency_s, jitter_s)
        self._accesses: dict[str, Access] = {}

    def carrier(self, client: str) -> Callable[[int, SocketOwner], VirtualSocket]:
        """What a client called so dials with."""
        return lambda dial, owner: VirtualSocket(self, client, dial, owner)

    def access(self, client: str) -> Access:
        """The client's way here."""
        if client not in self._accesses:
            self._accesses[client] = Access(*self._usual)
        return self._accesses[client]

    def delay_s(self, access: Access) -> float:
        """How long the next item takes, one way."""
        return access.latency_s + self._chance.random() * access.jitter_s

    def dial(self, socket: VirtualSocket, arrive: Callable[[], None]) -> None:
        """A request sets out; on a dead way it never arrives, however long one waits."""
        access, now = self.access(socket.client), self.loop.time()
        if now < access.refuses_until:
            socket.refuse("The way is closed.")
        elif now >= access.is_black_until:
            self.loop.call_later(3 * self.delay_s(access), arrive)

    def links_of(self, client: str) -> list[Link]:
        """The links of a client that both ends still hold."""
        return [link for link in self._open_links() if link.socket.client == client]

    def links_to(self, host: str) -> list[Link]:
        """The links of a node."""
        return [link for link in self._open_links() if link.host.name == host]

    def _open_links(self) -> list[Link]:
        self.links = [link for link in self.links if link.server is not None or not link.socket.is_let_go]
        return self.links

    # ------------------------------------------------------------ faults

    def cut(self, client: str, keep_up: int, keep_down: int) -> None:
        """Reset the client's links."""
        for link in self.links_of(client):
            link.reset(keep_up, keep_down)

    def blacken(self, client: str, for_s: float) -> None:
        """The client's links are half open from now on, and its dials lead nowhere for a while."""
        self.access(client).is_black_until = self.loop.time() + for_s
        for link in self.links_of(client):
            link.vanish()

    def refuse(self, client: str, for_s: float) -> None:
        """The client's dials are refused for a while."""
        self.access(client).refuses_until = self.loop.time() + for_s

    def stall(self, ways: list[Way], for_s: float) -> None:
        """Hold these up, then let everything through at once."""
        for way in ways:
            way.stop()
            self.loop.call_later(for_s, way.go)

    def slow_down(self, client: str, by_s: float, for_s: float) -> None:
        """More delay for a while, one way."""
        access = self.access(client)
        access.latency_s += by_s
        self.loop.call_later(for_s, self._speed_up, access, by_s)

    @staticmethod
    def _speed_up(access: Access, by_s: float) -> None:
        access.latency_s -= by_s
