"""All links between clients and nodes: how late everything is, and which of them break.

Owns each client's access: its delay, and for how long it refuses or swallows dials. Faults are told to a link or to
a client's access. It knows nothing of what is carried.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sonde_client.carrier import SocketOwner
from sonde_lab.simulation.links import Host, Link
from sonde_lab.simulation.loop import VirtualLoop
from sonde_lab.simulation.sockets import VirtualSocket
from sonde_lab.simulation.ways import Way

_NUMBERED: Final = (b'{"op":"event"', b'{"op":"delta"', b'{"op":"presence"')


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

    def lose(self, client: str, share: float, for_s: float) -> None:
        """Somebody between the ends eats a share of the entries and of the changes of rosters that a client is sent, and
        resets its links when that is over. What has no number is not missed by who is not sent it: it gets through.
        """
        for link in self.links_of(client):
            link.down.eats = lambda data: data.startswith(_NUMBERED) and self._chance.random() < share
            self.loop.call_later(for_s, self._end_loss, link)

    def _end_loss(self, link: Link) -> None:
        if link in self._open_links():
            link.reset(0, 0)

    def slow_down(self, client: str, by_s: float, for_s: float) -> None:
        """More delay for a while, one way."""
        access = self.access(client)
        access.latency_s += by_s
        self.loop.call_later(for_s, self._speed_up, access, by_s)

    @staticmethod
    def _speed_up(access: Access, by_s: float) -> None:
        access.latency_s -= by_s
