"""RFC 6455 as a table, run over our transport and over `websockets`' own asyncio server: same input, same outcome.

An outcome is every frame that comes back, in order, and the code of the close frame (`None`: none came). Our echo
answers in its subprotocol's opcode, so text and binary count as one.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import uvloop
from websockets.asyncio.server import ServerConnection, serve

from sonde_lab.records import Direction
from support.echo_house import REQUEST, RawPeer, echo_server, frame
from support.proxied import Rows, Seen, proxy_to, sha, until

TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
LIMIT = 64 * 1024


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


BYE = close(1000, b"goodbye")
PAUSE = b"(time to answer)"

CASES: dict[str, bytes] = {
    # plain data
    "text": frame(TEXT, b"hello") + BYE,
    "text empty": frame(TEXT) + BYE,
    "binary": frame(BINARY, bytes(range(256))) + BYE,
    "text 125": frame(TEXT, b"x" * 125) + BYE,
    "text 126": frame(TEXT, b"x" * 126) + BYE,
    "text 65535": frame(TEXT, b"x" * 65_535) + BYE,
    "text at the limit": frame(TEXT, b"x" * LIMIT) + BYE,
    "text over the limit": frame(TEXT, b"x" * (LIMIT + 1)) + BYE,
    "length not minimal, 16 bit": b"\x81\xfe\x00\x05\x00\x00\x00\x00hello" + BYE,
    "length not minimal, 64 bit": b"\x81\xff" + struct.pack("!Q", 5) + b"\x00\x00\x00\x00hello" + BYE,
    "length 2^62": frame(TEXT, b"abc", length=1 << 62),
    "length 2^63": frame(TEXT, b"abc", length=1 << 63),
    "length 2^32 binary": frame(BINARY, b"", length=1 << 32),
    # fragments
    "fragments": frame(TEXT, b"a", fin=False) + frame(CONT, b"b", fin=False) + frame(CONT, b"c") + BYE,
    "fragments, empty ones": frame(TEXT, fin=False) + frame(CONT, fin=False) + frame(CONT) + BYE,
    "fragments, first empty": frame(BINARY, fin=False) + frame(CONT, b"abc") + BYE,
    "fragments with a ping between": frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(CONT, b"b") + BYE,
    "fragments cut inside a character": frame(TEXT, b"\xc3", fin=False) + frame(CONT, b"\xa4") + BYE,
    "fragments over the limit": frame(TEXT, b"x" * 60_000, fin=False) + frame(CONT, b"x" * 60_000) + BYE,
    "continuation of nothing": frame(CONT, b"x") + BYE,
    "continuation after a whole message": frame(TEXT, b"a") + PAUSE + frame(CONT, b"b") + BYE,
    "text inside a fragmented message": frame(TEXT, b"a", fin=False) + frame(TEXT, b"b") + BYE,
    "binary inside a fragmented message": frame(TEXT, b"a", fin=False) + frame(BINARY, b"b") + BYE,
    "close inside a fragmented message": frame(TEXT, b"a", fin=False) + BYE,
    # control frames
    "ping": frame(PING, b"data") + BYE,
    "ping empty": frame(PING) + BYE,
    "ping 125": frame(PING, b"p" * 125) + BYE,
    "ping 126": frame(PING, b"p" * 126) + BYE,
    "ping fragmented": frame(PING, b"p", fin=False) + BYE,
    "pong unasked": frame(PONG, b"p") + frame(TEXT, b"still here") + BYE,
    "ten pings": frame(PING, b"x") * 10 + BYE,
    # wrong bits
    "unmasked text": frame(TEXT, b"hello", masked=False) + BYE,
    "unmasked ping": frame(PING, masked=False) + BYE,
    "RSV1": frame(TEXT, b"x", rsv=0x40) + BYE,
    "RSV2": frame(TEXT, b"x", rsv=0x20) + BYE,
    "RSV3": frame(BINARY, b"x", rsv=0x10) + BYE,
    "RSV on a ping": frame(PING, b"x", rsv=0x40) + BYE,
    **{f"opcode {opcode}": frame(opcode, b"x") + BYE for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    # text that is none
    "bad UTF-8": frame(TEXT, b"\xff\xfe") + BYE,
    "bad UTF-8 in the middle": frame(TEXT, b"hello \xc3( world") + BYE,
    "UTF-8 surrogate": frame(TEXT, b"\xed\xa0\x80") + BYE,
    "UTF-8 overlong": frame(TEXT, b"\xc0\xaf") + BYE,
    "UTF-8 beyond Unicode": frame(TEXT, b"\xf4\x90\x80\x80") + BYE,
    "UTF-8 cut at the end": frame(TEXT, b"abc\xe2\x82") + BYE,
    "bad UTF-8 in fragments": frame(TEXT, b"a", fin=False) + frame(CONT, b"\xff") + BYE,
    "any bytes in binary": frame(BINARY, b"\xff\xfe\x00") + BYE,
    # closes
    "close without code": frame(CLOSE),
    "close with one byte": frame(CLOSE, b"\x03"),
    "close 1000": close(1000, b"bye"),
    "close 1001": close(1001),
    "close 3000": close(3000),
    "close 4999": close(4999, "grüße".encode()),
    "close, bad UTF-8": close(1000, b"\xff"),
    **{f"close {code}": close(code) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535)},
    "close, then text": BYE + frame(TEXT, b"after") + BYE,
    "text, then end of stream": frame(TEXT, b"hello"),
    "half a frame, then end of stream": frame(TEXT, b"hello")[:-2],
}  # fmt: skip


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@asynccontextmanager
async def reference_server() -> AsyncIterator[int]:
    quiet = logging.getLogger("reference")
    quiet.disabled = True
    async with serve(echo, "127.0.0.1", 0, max_size=LIMIT, compression=None, logger=quiet) as server:
        yield server.sockets[0].getsockname()[1]


Outcome = tuple[list[tuple[int, bytes]], int | None]


async def outcome(port: int, data: bytes, step: int = 1 << 20) -> Outcome:
    """What comes back for `data`, sent in pieces of `step` bytes, and then for a goodbye and the end of the stream.

    The goodbye waits, since the library answers messages from a task of its own, after later control frames.
    """
    peer = await RawPeer.upgraded(port)
    answer = asyncio.ensure_future(_collect(peer))
    goodbye = [BYE] if data.endswith(BYE) else []
    for part in [*data.removesuffix(BYE).split(PAUSE), *goodbye]:
        for start in range(0, len(part), step):
            peer.writer.write(part[start : start + step])
            await asyncio.sleep(0)
        await asyncio.wait({answer}, timeout=0.03)
    if not answer.done():
        with suppress(OSError):
            peer.writer.write_eof()
    frames, code = await answer
    await peer.close()
    return [(0x81 if first == 0x82 else first, payload) for first, payload in frames], code


async def _collect(peer: RawPeer) -> Outcome:
    frames: list[tuple[int, bytes]] = []
    code: int | None = None
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        async with asyncio.timeout(5):
            while True:
                first, payload = await peer.read_frame()
                if first == 0x88:
                    code = struct.unpack("!H", payload[:2])[0] if payload else 1005
                else:
                    frames.append((first, payload))
    return frames, code


@pytest.mark.parametrize("name", CASES)
async def test_transport_answers_as_the_library_does(name: str) -> None:
    async with echo_server() as ours, reference_server() as theirs:
        assert await outcome(ours.port, CASES[name]) == await outcome(theirs, CASES[name])


@pytest.mark.parametrize("name", [name for name, data in CASES.items() if len(data) < 1_000])
async def test_transport_answers_the_same_when_bytes_come_one_by_one(name: str) -> None:
    async with echo_server() as server:
        assert await outcome(server.port, CASES[name], step=1) == await outcome(server.port, CASES[name])


@pytest.mark.parametrize("name", CASES)
async def test_idle_proxy_changes_no_outcome(name: str) -> None:
    async with echo_server() as ours, reference_server() as theirs:
        for port in (ours.port, theirs):
            async with proxy_to(port, Rows().recorder) as proxy:
                assert await outcome(proxy.port, CASES[name]) == await outcome(port, CASES[name])


@pytest.mark.parametrize("name", CASES)
async def test_idle_proxy_passes_on_and_shows_the_very_bytes(name: str) -> None:
    inner, outer = Seen(), Seen()  # two in a row: what the outer one has passed on is what the inner one got
    async with (
        echo_server() as server,
        proxy_to(server.port, inner) as near,
        proxy_to(near.port, outer) as proxy,
    ):
        await outcome(proxy.port, CASES[name])
        await until(lambda: inner.ended and outer.ended)
    sent = REQUEST.format(path="/v1/ws", more="").encode() + CASES[name].replace(PAUSE, b"")
    for direction in (Direction.IN, Direction.OUT):
        assert sha(inner.bytes[1, direction]) == sha(outer.bytes[1, direction])
    assert sent.startswith(
        bytes(outer.bytes[1, Direction.OUT])
    )  # a server may close before it was sent everything


async def _whole_table() -> dict[str, Outcome]:
    async with echo_server() as server:
        outcomes = await asyncio.gather(*(outcome(server.port, data) for data in CASES.values()))
    return dict(zip(CASES, outcomes, strict=True))


def test_transport_answers_the_same_on_both_loops() -> None:
    assert uvloop.run(_whole_table()) == asyncio.run(_whole_table())


async def test_a_planted_difference_would_be_seen() -> None:
    async with echo_server() as ours, reference_server() as theirs:
        ours.house.on_each = lambda echo, data: echo.wire.send(data.upper())
        assert await outcome(ours.port, CASES["text"]) != await outcome(theirs, CASES["text"])
