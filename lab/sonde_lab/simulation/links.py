"""One socket between a client and a node: two ways, both ends, and the faults that break it.

Owns what the core sees of it (`Wire`) and how it ends. Decides nothing about who may enter: a `Host` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from sonde_client.carrier import CLOSE_LIMIT_S
from sonde_lab.simulation.ways import Item, Sign, Way

if TYPE_CHECKING:
    from sonde_lab.simulation.network import Network
    from sonde_lab.simulation.sockets import VirtualSocket

KERNEL_BYTES: Final = 128 * 1024  # what lies in the buffers of both kernels before a sender sees its own grow


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

    def hear(self, act: Callable[[], None]) -> None: ...
    def admit(self, wire: Wire, token: str | None, subprotocol: str) -> Server | Refusal: ...


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
