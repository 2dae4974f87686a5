"""What every bus promises: it carries what nodes tell one another. It may lose and reorder; these tests do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sonde_server.core.ports import PresenceNews
from sonde_server.core.records import Entry
from support.backends import Store
from support.listener import Listener


async def until(condition: Callable[[], bool]) -> None:
    """A bus may take its time; a memory one takes none."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def two(store: Store) -> tuple[Listener, Listener]:
    nodes = Listener(), Listener()
    for name, node in zip(("n1", "n2"), nodes, strict=True):
        await store.backend.bus.join(name, node)
    return nodes


async def test_entries_reach_the_other_nodes_that_listen_and_not_the_sender(store: Store) -> None:
    first, second = await two(store)
    bus = store.backend.bus
    await bus.subscribe("n1", "room:arena")
    await bus.subscribe("n2", "room:arena")
    for seq in (1, 2):
        await bus.publish("n1", "room:arena", "e", Entry("room:arena", seq, "chat", {"n": seq}, "ada", 5))
    await until(lambda: len(second.heard) == 2)
    assert second.heard == [("entry", "room:arena", "e", seq, {"n": seq}) for seq in (1, 2)]
    assert first.heard == []


async def test_presence_reaches_the_other_nodes(store: Store) -> None:
    first, second = await two(store)
    await store.backend.bus.subscribe("n1", "room:arena")
    news = PresenceNews("room:arena", "s1", "ada", None, "left", 7)
    await store.backend.bus.announce("n2", news)
    await until(lambda: bool(first.heard))
    assert first.heard == [("presence", news)]
    assert second.heard == []


async def test_fences_and_kicks_reach_the_node_that_they_name(store: Store) -> None:
    first, second = await two(store)
    await store.backend.bus.fence("n2", "s1", 3)
    await store.backend.bus.kick("n2", "s1", 4410, "rude")
    await store.backend.bus.fence("nowhere", "s1", 3)
    await store.backend.bus.kick("nowhere", "s1", 4410, "rude")
    await until(lambda: len(second.heard) == 2)
    assert second.heard == [("fence", "s1", 3), ("kick", "s1", 4410, "rude")]
    assert first.heard == []


async def test_a_node_that_left_hears_nothing(store: Store) -> None:
    first, second = await two(store)
    bus = store.backend.bus
    for node in ("n1", "n2"):
        await bus.subscribe(node, "room:arena")
    await bus.unsubscribe("n2", "room:arena")
    await bus.leave("n2")
    await bus.publish("n1", "room:arena", "e", Entry("room:arena", 1, "chat", 1, None, 5))
    await bus.announce("n1", PresenceNews("room:arena", "s1", "ada", None, "left", 7))
    await bus.fence("n2", "s1", 1)
    await bus.fence("n1", "s1", 1)
    await until(lambda: bool(first.heard))
    assert second.heard == []


async def test_that_a_channel_is_watched_reaches_the_other_nodes(store: Store) -> None:
    first, second = await two(store)
    await store.backend.bus.watch("n1", "$stats")
    await until(lambda: bool(second.heard))
    assert second.heard == [("watch", "$stats")]
    assert first.heard == []


async def test_a_nudge_reaches_the_other_nodes_that_listen(store: Store) -> None:
    first, second = await two(store)
    for node in ("n1", "n2"):
        await store.backend.bus.subscribe(node, "room:arena")
    await store.backend.bus.nudge("n1", "room:arena")
    await until(lambda: bool(second.heard))
    assert second.heard == [("gap", "room:arena")]
    assert first.heard == []
