"""The bus between gateways of one process: every message reaches every other node at once and in order."""

from __future__ import annotations

from sonde_server.core.ports import BusReceiver, PresenceNews
from sonde_server.core.records import Entry


class MemoryBus:
    """A `Bus`. Nodes hear every channel and ignore those that they have no room for."""

    __slots__ = ("_nodes",)

    def __init__(self) -> None:
        self._nodes: dict[str, BusReceiver] = {}

    async def join(self, node: str, receiver: BusReceiver) -> None:
        """Become a node."""
        self._nodes[node] = receiver

    async def leave(self, node: str) -> None:
        """Be no node any more."""
        self._nodes.pop(node, None)

    async def subscribe(self, node: str, ch: str) -> None:
        """Every channel is heard already."""

    async def unsubscribe(self, node: str, ch: str) -> None:
        """Every channel stays heard."""

    async def publish(self, node: str, ch: str, epoch: str, entry: Entry) -> None:
        """To all others."""
        if len(self._nodes) > 1:
            for receiver in self._others(node):
                receiver.on_entry(ch, epoch, entry)

    async def announce(self, node: str, news: PresenceNews) -> None:
        """To all others."""
        if len(self._nodes) > 1:
            for receiver in self._others(node):
                receiver.on_presence(news)

    async def fence(self, node: str, session: str, generation: int) -> None:
        """To one."""
        receiver = self._nodes.get(node)
        if receiver is not None:
            receiver.on_fence(session, generation)

    async def kick(self, node: str, session: str, code: int, cause: str) -> None:
        """To one."""
        receiver = self._nodes.get(node)
        if receiver is not None:
            receiver.on_kick(session, code, cause)

    async def nudge(self, node: str, ch: str) -> None:
        """To all others."""
        for receiver in self._others(node):
            receiver.on_gap(ch)

    async def watch(self, node: str, ch: str) -> None:
        """To all others."""
        for receiver in self._others(node):
            receiver.on_watch(ch)

    def _others(self, node: str) -> list[BusReceiver]:
        return [receiver for name, receiver in self._nodes.items() if name != node]
