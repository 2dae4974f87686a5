"""The bus over real NATS servers: lost, stopped, killed, flooded, and fed with what no honest node says."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import nats
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_protocol.frames import Member
from sonde_server.adapters.nats_address import parse_nats_address
from sonde_server.adapters.nats_bus import NatsBus
from sonde_server.adapters.nats_link import NatsLink
from sonde_server.adapters.nats_subjects import (
    PARTITIONS,
    channel_subject,
    client_subject,
    node_subject,
    partition_subject,
    token,
)
from sonde_server.core.ports import PresenceNews
from sonde_server.core.records import Entry, StoreUnavailable
from support.fleet import free_port
from support.listener import Listener
from support.nats import NatsServer, open_link, private_nats, shared_nats

CH = "room:arena"


async def until(condition: Callable[[], bool], limit_s: float = 8.0) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)


class Node:
    """A link, a bus and what it heard."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self.link = NatsLink(url)
        self.bus = NatsBus(self.link)
        self.listener = Listener()
        self.changes: list[bool] = []

    async def start(self) -> None:
        await self.link.open(self.changes.append)
        await self.bus.join(self.name, self.listener)

    async def publish(self, seq: int, d: Any = 1, ch: str = CH) -> None:
        await self.bus.publish(self.name, ch, "e", Entry(ch, seq, "chat", d, "ada", 5))

    @property
    def heard(self) -> list[tuple[Any, ...]]:
        return self.listener.heard


@asynccontextmanager
async def nodes(server: NatsServer, count: int = 2) -> AsyncIterator[list[Node]]:
    made = [Node(server.url, f"n{number}/x{number}") for number in range(1, count + 1)]
    try:
        for node in made:
            await node.start()
        yield made
    finally:
        for node in made:
            await node.link.close()


# ------------------------------------------------------------ subjects


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_becomes_one_harmless_token_and_different_texts_stay_different(one: str, two: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_=-]+", token(one))
    assert len(token(one)) <= 160
    assert (token(one) == token(two)) is (one == two)


@pytest.mark.parametrize(
    "text", ["", "*", ">", "a.b", "a b", "a\r\nPUB x 1", "\0", "ü", "x" * 10_000, "=2A", "\ud800"]
)
def test_wildcards_and_line_ends_are_escaped(text: str) -> None:
    for subject in (channel_subject(text), node_subject(text), client_subject("room", text)):
        assert re.fullmatch(r"[A-Za-z0-9_=.-]+", subject)
        assert ".." not in subject
        assert not subject.endswith(".")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_what_is_published_for_any_channel_arrives_at_one_subject_under_our_prefix(texts: list[str]) -> None:
    async def sniffed() -> list[str]:
        subjects: list[str] = []
        sniffer = await nats.connect(shared_nats().url)
        inbox = await sniffer.subscribe(">")
        await sniffer.flush()
        async with open_link() as link:
            bus = NatsBus(link)
            for text in texts:
                await bus.publish("n1", text, "e", Entry(text, 1, "chat", 1, None, 5))
            await link.settle()
        await sniffer.flush()
        while inbox.pending_msgs:
            subjects.append((await inbox.next_msg()).subject)
        await sniffer.close()
        return subjects

    shared_nats()
    subjects = asyncio.run(sniffed())
    assert len(subjects) == len(texts)
    assert all(re.fullmatch(r"sonde\.int\.v1\.(ch|part)\.[A-Za-z0-9_=-]+", subject) for subject in subjects)


# ------------------------------------------------------------ addresses and the door


@pytest.mark.parametrize(
    "url",
    ["", "localhost:4222", "http://h:1", "nats://", "nats://h:0", "nats://h:99999", "nats://h:x", "nats://h:1/p",
     "nats://u:secret@h:1,nats://v:secret@i:1", "nats://h:1,tls://i:1", "nats://secret@h:1?x"],
)  # fmt: skip
def test_an_address_that_cannot_be_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="write nats://host:port") as refused:
        NatsLink(url)
    assert "secret" not in str(refused.value)


def test_a_password_is_in_no_name() -> None:
    link = NatsLink("nats://ada:s%40cret@one:4222,two:4223")
    assert link.name == "NATS at one:4222, two:4223"
    address = parse_nats_address("nats://ada:s%40cret@one:4222,two:4223")
    assert (address.user, address.password) == ("ada", "s@cret")
    assert "s@cret" not in repr(address)


async def test_a_closed_port_is_said_within_a_second() -> None:
    link = NatsLink(f"nats://127.0.0.1:{free_port()}")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="nothing listens there"):
        await link.open(lambda is_up: None)
    assert time.monotonic() - began < 1.0
    assert not link.is_up


async def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    link = NatsLink(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    with pytest.raises(StoreUnavailable, match="in time"):
        await link.open(lambda is_up: None)
    server.close()
    await server.wait_closed()


async def test_a_wrong_password_is_said_without_the_password() -> None:
    with private_nats("--user", "ada", "--pass", "right") as server:
        right = NatsLink(f"nats://ada:right@127.0.0.1:{server.port}")
        await right.open(lambda is_up: None)
        await right.close()
        wrong = NatsLink(f"nats://ada:sesame@127.0.0.1:{server.port}")
        with pytest.raises(StoreUnavailable, match="refuses the user") as refused:
            await wrong.open(lambda is_up: None)
        assert "sesame" not in str(refused.value)


async def test_no_password_leaves_in_the_clear_when_the_address_asks_for_tls() -> None:
    with private_nats() as server:
        link = NatsLink(f"tls://ada:right@127.0.0.1:{server.port}")
        with pytest.raises(StoreUnavailable, match="offers no TLS"):
            await link.open(lambda is_up: None)


# ------------------------------------------------------------ losses


async def test_a_killed_server_is_noticed_and_everybody_looks_in_the_log_when_it_is_back() -> None:
    with private_nats() as server:
        async with nodes(server) as (first, second):
            await first.bus.subscribe(first.name, CH)
            server.kill()
            await until(lambda: first.changes == [False] and second.changes == [False])
            await second.publish(1)  # nobody hears it, nothing is raised
            with pytest.raises(StoreUnavailable):
                await second.bus.subscribe(second.name, CH)
            server.start()
            await until(lambda: first.changes == [False, True] and second.changes == [False, True])
            await until(lambda: ("gap", None) in first.heard and ("gap", None) in second.heard)
            await second.publish(2)
            await until(lambda: ("entry", CH, "e", 2, 1) in first.heard)


async def test_a_stopped_server_is_noticed_within_five_seconds_although_its_socket_is_full() -> None:
    with private_nats() as server:
        async with nodes(server) as (first, second):
            await first.bus.subscribe(first.name, CH)
            server.pause()
            began = time.monotonic()
            for seq in range(1, 200):
                await second.publish(seq, "x" * 100_000)
            assert time.monotonic() - began < 2.0, "publishing waited for the network"
            await until(lambda: first.changes[:1] == [False] and second.changes[:1] == [False])
            assert time.monotonic() - began < 5.0
            server.go_on()
            await until(lambda: first.changes[-1] and second.changes[-1])
            await until(lambda: ("gap", None) in first.heard and ("gap", None) in second.heard)
            await second.publish(500)
            await until(lambda: ("entry", CH, "e", 500, 1) in first.heard)


async def test_a_node_that_is_too_slow_is_cut_off_by_the_server_and_looks_in_the_log(tmp_path: Any) -> None:
    config = tmp_path / "nats.conf"
    config.write_text("max_pending: 1048576\nwrite_deadline: '1s'\n")
    with private_nats("-c", str(config)) as server:
        async with nodes(server, 1) as (slow,):
            await slow.bus.subscribe(slow.name, CH)

            def flood() -> None:
                slow.listener.on_each = None
                with socket.create_connection(("127.0.0.1", server.port)) as raw:
                    raw.sendall(b'CONNECT {"verbose":false}\r\n')
                    data = b"x" * 500_000
                    for _ in range(60):
                        raw.sendall(b"PUB %s %d\r\n%s\r\n" % (channel_subject(CH).encode(), len(data), data))
                    raw.sendall(b"PING\r\n")
                    while b"PONG" not in raw.recv(65_536):
                        pass

            slow.listener.on_each = flood
            async with open_link(server) as other:
                await NatsBus(other).publish("n2", CH, "e", Entry(CH, 1, "chat", 1, None, 5))
                await until(lambda: slow.changes == [False, True])
            assert ("gap", None) in slow.heard


# ------------------------------------------------------------ what does not fit, and what is no message


async def test_an_entry_over_the_servers_limit_becomes_a_look_in_the_log() -> None:
    async with nodes(shared_nats()) as (first, second):
        await second.bus.subscribe(second.name, CH)
        await first.publish(1, "x" * 2_000_000)
        await until(lambda: bool(second.heard))
        assert second.heard == [("gap", CH)]
        assert first.bus.oversize_total == 1


@pytest.mark.parametrize(
    "message",
    [b"", b"\xc1", b"hello", msgspec.msgpack.encode([99, CH]), msgspec.msgpack.encode({"ch": CH}),
     msgspec.msgpack.encode([10, CH, "e", -1, "chat", 1, None, 5, "reliable", None, None]),
     msgspec.msgpack.encode([10, CH, "e", 1, None, "no patch", None, 5, "reliable", None, None]),
     msgspec.msgpack.encode([10, CH, "e", 1, "chat", b"bytes", None, 5, "reliable", None, None]),
     msgspec.msgpack.encode([10, CH, "e", 1, "chat", 2**60, None, 5, "reliable", None, None]),
     b"\x91" * 100_000],
)  # fmt: skip
async def test_a_message_that_no_node_would_send_is_counted_and_ignored(message: bytes) -> None:
    async with nodes(shared_nats()) as (first, second):
        await second.bus.subscribe(second.name, CH)
        first.link.publish(channel_subject(CH), message)
        await first.publish(7)
        await until(lambda: bool(second.heard))
        assert second.heard == [("entry", CH, "e", 7, 1)]
        assert second.bus.malformed_total == 1


async def test_a_member_arrives_as_it_was() -> None:
    member = Member(
        session="s", user="u", name="U", device=None, status="online", activity=None, meta={"level": 3},
        since=5, rtt_ms=1.5, node="n1",
    )  # fmt: skip
    async with nodes(shared_nats()) as (first, second):
        await second.bus.subscribe(second.name, CH)
        news = PresenceNews(CH, "s", "u", member, None, 9)
        await first.bus.announce(first.name, news)
        await until(lambda: bool(second.heard))
        assert second.heard == [("presence", news)]


# ------------------------------------------------------------ cost


async def test_players_share_partitions_and_cost_no_subscription_and_no_task_each() -> None:
    async with nodes(shared_nats()) as (first, second):
        tasks = len(asyncio.all_tasks())
        for number in range(3_000):
            await first.bus.subscribe(first.name, f"user:u{number}")
        assert first.link.subscriptions <= PARTITIONS + 2
        assert len(asyncio.all_tasks()) <= tasks + 1
        await second.publish(1, ch="user:u77")
        await second.publish(1, ch="user:nobody-here")
        await until(lambda: bool(first.heard))
        assert first.heard == [("entry", "user:u77", "e", 1, 1)]
        for number in range(3_000):
            await first.bus.unsubscribe(first.name, f"user:u{number}")
        assert first.link.subscriptions == 2
    assert partition_subject("user:u77") != channel_subject("user:u77")


async def test_nodes_on_one_link_hear_each_other_too() -> None:
    async with open_link() as link:
        bus, one, two = NatsBus(link), Listener(), Listener()
        await bus.join("a", one)
        await bus.join("b", two)
        await bus.subscribe("b", CH)
        await bus.publish("a", CH, "e", Entry(CH, 1, "chat", 1, None, 5))
        await bus.fence("b", "s", 2)
        await bus.watch("a", "$stats")
        assert two.heard == [("entry", CH, "e", 1, 1), ("fence", "s", 2), ("watch", "$stats")]
        assert one.heard == []


async def test_many_subscribe_at_once_and_none_of_them_misses_what_comes_after() -> None:
    async with nodes(shared_nats()) as (first, second):

        async def enter(number: int) -> None:
            await first.bus.subscribe(first.name, f"room:r{number}")
            await second.publish(1, number, ch=f"room:r{number}")

        await asyncio.gather(*(enter(number) for number in range(500)))
        await until(lambda: len(first.heard) == 500)
