"""The link to Redis when the server is away, wrong, hung, killed or emptied."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sonde_server.adapters.redis_address import RedisAddress
from sonde_server.adapters.redis_link import RedisLink, Script, StoreFault
from sonde_server.adapters.redis_socket import ANSWER_LIMIT_S, MAX_WAITING
from sonde_server.core.records import StoreUnavailable
from support.fleet import Program, free_port, redis_program, valkey_binary
from support.servers import shared_redis


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Program]:
    """A server of the test's own, which keeps what it acknowledged."""
    program = redis_program(tmp_path)
    program.start()
    yield program
    program.end(signal.SIGKILL)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[RedisLink, list[bool]]]:
    link, changes = RedisLink(url), []
    await link.open(changes.append)
    try:
        yield link, changes
    finally:
        await link.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def url_of(program: Program) -> str:
    return f"redis://127.0.0.1:{program.port}/0"


# ------------------------------------------------------------ the door


async def test_a_closed_port_is_said_at_once() -> None:
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"Redis at 127\.0\.0\.1:\d+ cannot be used: .*refused|failed"):
        await RedisLink(f"redis://127.0.0.1:{free_port()}/0").open(lambda _: None)
    assert time.monotonic() - begun < 1.0


@pytest.mark.parametrize(
    ("settings", "url", "said"),
    [
        (["--maxmemory-policy", "allkeys-lru"], "redis://127.0.0.1:{port}/0", "noeviction"),
        (["--requirepass", "right"], "redis://:wrong-secret@127.0.0.1:{port}/0", "WRONGPASS|AUTH"),
        (["--requirepass", "right"], "redis://127.0.0.1:{port}/0", "NOAUTH|Authentication"),
        ([], "redis://127.0.0.1:{port}/99", "DB index"),
    ],
)
async def test_a_server_that_cannot_be_the_store_is_refused_with_the_reason(
    tmp_path: Path, settings: list[str], url: str, said: str
) -> None:
    port = free_port()
    program = Program(
        [valkey_binary(), "--port", str(port), "--dir", str(tmp_path), "--save", "", *settings], port
    )
    program.start()
    try:
        with pytest.raises(StoreUnavailable, match=said) as refused:
            await RedisLink(url.format(port=port)).open(lambda _: None)
        assert "secret" not in str(refused.value)
    finally:
        program.end(signal.SIGKILL)


async def test_a_password_opens_the_door_and_stands_nowhere(tmp_path: Path) -> None:
    port = free_port()
    argv = [
        valkey_binary(),
        "--port",
        str(port),
        "--dir",
        str(tmp_path),
        "--save",
        "",
        "--requirepass",
        "s3cret",
    ]
    program = Program(argv, port)
    program.start()
    try:
        async with opened(f"redis://:s3cret@127.0.0.1:{port}/2") as (link, _):
            assert await link.call("PING") == b"PONG"
            assert "s3cret" not in link.name + repr(link._address)
    finally:
        program.end(signal.SIGKILL)


@pytest.mark.parametrize("url", ["http://host", "redis://", "redis://h:x/0", "redis://h/abc", "unix://", ""])
def test_an_address_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"redis://host:6379/0"):
        RedisAddress.parse(url)


def test_addresses_are_read() -> None:
    whole = RedisAddress.parse("rediss://me:p%40ss@example.org:7000/3")
    assert (whole.host, whole.port, whole.db, whole.tls) == ("example.org", 7000, 3, True)
    assert whole.greeting() == [("AUTH", "me", "p@ss"), ("SELECT", "3")]
    assert RedisAddress.parse("redis://h").port == 6379
    assert RedisAddress.parse("unix:///run/redis.sock").path == "/run/redis.sock"


# ------------------------------------------------------------ asking


async def test_calls_of_one_turn_are_answered_in_order() -> None:
    async with opened(url_of(shared_redis())) as (link, _):
        await link.call("DEL", "t")
        answers = await asyncio.gather(*(link.call("INCR", "t") for _ in range(1_000)))
    assert answers == list(range(1, 1_001))


async def test_more_calls_than_may_wait_are_refused_and_the_others_are_answered() -> None:
    async with opened(url_of(shared_redis())) as (link, _):
        calls = [asyncio.ensure_future(link.call("PING")) for _ in range(MAX_WAITING + 5)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(outcome, StoreUnavailable) for outcome in outcomes) == 5
        assert await link.call("PING") == b"PONG"


async def test_a_command_that_redis_refuses_is_our_fault_and_no_outage() -> None:
    async with opened(url_of(shared_redis())) as (link, changes):
        with pytest.raises(StoreFault, match="wrong number of arguments"):
            await link.call("GET")
        assert changes == [True]


async def test_a_script_that_the_server_forgot_is_sent_again() -> None:
    link = RedisLink(url_of(shared_redis()))
    script = link.know(Script("recorded", "clock", "answers"))
    await link.open(lambda _: None)
    try:
        await link.call("SCRIPT", "FLUSH")
        assert await link.run(script, ["sonde:v1:{c:x}:answers:y"], 1_000, 1) == -1
    finally:
        await link.close()


async def test_a_closed_link_refuses_at_once() -> None:
    link = RedisLink(url_of(shared_redis()))
    with pytest.raises(StoreUnavailable):
        await link.call("PING")


# ------------------------------------------------------------ loss


async def test_a_killed_server_fails_what_waits_and_the_link_comes_back(server: Program) -> None:
    async with opened(url_of(server)) as (link, changes):
        former = link.identity
        server.end(signal.SIGKILL)
        await until(lambda: not link.is_up)
        with pytest.raises(StoreUnavailable):
            await link.call("PING")
        server.start()
        await until(lambda: link.is_up)
        assert await link.call("PING") == b"PONG"
        assert changes == [True, False, True]
        assert link.identity != former


async def test_a_hung_server_is_noticed_and_what_waits_fails(server: Program) -> None:
    async with opened(url_of(server)) as (link, changes):
        server.pause()
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable, match="no answer"):
            await link.call("PING")
        assert time.monotonic() - begun < ANSWER_LIMIT_S + 1.5
        with pytest.raises(StoreUnavailable):
            await link.call("PING")
        server.resume()
        await until(lambda: changes == [True, False, True])
        assert await link.call("PING") == b"PONG"


async def test_a_server_that_hangs_while_nobody_asks_is_noticed_too(server: Program) -> None:
    async with opened(url_of(server)) as (link, changes):
        server.pause()
        await until(lambda: not link.is_up)
        server.resume()
        await until(lambda: changes == [True, False, True])


async def test_a_primary_that_becomes_a_replica_is_left(server: Program) -> None:
    async with opened(url_of(server)) as (link, changes):
        former = link.identity
        await link.call("REPLICAOF", "127.0.0.1", free_port())
        await until(lambda: changes == [True, False])
        promoting = RedisLink(url_of(server))
        with pytest.raises(StoreUnavailable, match="replica"):
            await promoting.open(lambda _: None)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"REPLICAOF NO ONE\r\n")
        assert await reader.readline() == b"+OK\r\n"
        writer.close()
        await until(lambda: changes == [True, False, True])
        assert link.identity != former


async def test_a_server_that_speaks_something_else_is_refused() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    with pytest.raises(StoreUnavailable, match=r"no Redis protocol|closed"):
        await RedisLink(f"redis://127.0.0.1:{port}/0").open(lambda _: None)
    listener.close()
    await listener.wait_closed()
