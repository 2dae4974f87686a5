"""Every kind of fault, seen by peers that know nothing of it: what a plain socket gets, never what our ledger says.

One row a kind. A kind without a row fails, and so does a row without a kind.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.lab import FaultLab
from sonde_protocol.faults import KINDS, Scope
from support.certificates import certificate
from support.fault_rig import ACCEPT, End, Watch, answer, down, fault_rig, request, unmasked, up
from support.proxied import proxy_to, tcp_server, until

Check = Callable[[], Awaitable[None]]
CHECKS: dict[str, Check] = {}
SAID = {"op": "event", "ch": "room:arena", "seq": 1, "type": "chat", "d": {"hp": 10}}
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"


def sees(check: Check) -> Check:
    """A row: the function is called like the kind."""
    CHECKS[check.__name__.rstrip("_")] = check
    return check


def text(**said: object) -> str:
    return json.dumps(said)


# ------------------------------------------------------------ TCP


@sees
async def refuse() -> None:
    async with fault_rig("refuse") as rig:
        client = await rig.dial(b"")
        assert await client.is_reset()


@sees
async def reset() -> None:
    async with fault_rig("reset after=2") as rig:
        client, server = await rig.pair()
        for number in range(3):
            await server.send(down(f"{number}"))
        assert await client.is_reset()
        assert await server.is_reset()


@sees
async def half_open() -> None:
    async with fault_rig() as rig:
        client, server = await rig.pair()
        number = rig.arm("half_open direction=down")
        await server.send(down("lost"))
        await client.send(up("passes"))
        await server.exactly(up("passes"))
        assert await client.nothing_comes()
        server.writer.close()
        assert await client.nothing_comes()
        rig.lab.disarm(number)
        assert await client.is_reset()


@sees
async def cut() -> None:
    async with fault_rig("cut after=1") as rig:
        client, server = await rig.pair()
        await server.send(down("a") + down("b"))
        assert await client.rest() == down("a") + down("b")
        assert await server.rest() == b""


@sees
async def latency() -> None:
    async with fault_rig("latency 150ms direction=down") as rig:
        client, server = await rig.pair()
        watch = Watch()
        await server.send(down("late"))
        await client.exactly(down("late"))
        assert watch.seconds >= 0.149


@sees
async def lag_spike() -> None:
    async with fault_rig() as rig:
        client, server = await rig.pair()
        rig.arm("lag_spike 200ms direction=down")
        watch = Watch()
        for number in range(5):
            await server.send(down(f"{number}"))
            await asyncio.sleep(0.01)
        await client.exactly(b"".join(down(f"{number}") for number in range(5)))
        assert watch.seconds >= 0.199


@sees
async def bandwidth() -> None:
    async with fault_rig() as rig:
        client, server = await rig.pair()
        rig.arm("bandwidth 100kB/s direction=down")
        watch, data = Watch(), bytes(40_000)
        await server.send(data)
        await client.exactly(data)
        assert watch.seconds >= 0.38


@sees
async def slice_() -> None:
    async with fault_rig() as rig:
        client, server = await rig.pair()
        rig.arm("slice 10B ±0B 5ms direction=down")
        await server.send(down(b"x" * 98))
        sizes = []
        while sum(sizes) < 100:
            sizes.append(len(await asyncio.wait_for(client.reader.read(1000), 10)))
        assert len(sizes) > 3  # a busy reader may find two of the ten together


@sees
async def byte_limit() -> None:
    async with fault_rig() as rig:
        client, server = await rig.pair()
        rig.arm("byte_limit 7B direction=down")
        await server.send(down("0123456789"))
        assert await client.rest() == down("0123456789")[:7]


@sees
async def slow_close() -> None:
    async with fault_rig("slow_close 200ms direction=down") as rig:
        client, server = await rig.pair()
        watch = Watch()
        await server.send(down("bye"))
        server.writer.write_eof()
        await client.exactly(down("bye"))
        assert await client.rest() == b""
        assert watch.seconds >= 0.199


@sees
async def loss() -> None:
    async with fault_rig() as rig:
        client, server = await rig.pair()
        rig.arm("loss 100% rto=150ms direction=down")
        watch = Watch()
        await server.send(down("lost once"))
        await client.exactly(down("lost once"))
        assert watch.seconds >= 0.149


@sees
async def handover() -> None:
    async with fault_rig() as rig:
        client, server = await rig.pair()
        rig.arm("handover outage=300ms")
        assert await client.is_reset()
        watch = Watch()
        assert await server.nothing_comes()  # the old leg lives on as a zombie
        again = await rig.dial()
        second = await rig.leg()
        assert watch.seconds >= 0.28
        assert second.writer.get_extra_info("peername") != server.writer.get_extra_info("peername")
        await second.send(answer())
        await again.read_head()
        await server.send(down("into the void"))
        assert await again.nothing_comes()


@sees
async def idle_cut() -> None:
    async with fault_rig("idle_cut 200ms") as rig:
        client, server = await rig.pair()
        watch = Watch()
        await server.send(down("a"))
        assert await client.rest() == down("a")
        assert watch.seconds >= 0.19


# ------------------------------------------------------------ upgrade


@sees
async def status() -> None:
    async with fault_rig("status 503 7s") as rig:
        client = await rig.dial()
        head = await client.rest()
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 7\r\n" in head


@sees
async def wrong_accept() -> None:
    async with fault_rig("wrong_accept") as rig:
        client, _ = await rig.pair()
        assert b"Sec-WebSocket-Accept: " in client.head
        assert ACCEPT not in client.head


@sees
async def wrong_subprotocol() -> None:
    async with fault_rig("wrong_subprotocol other.v9") as rig:
        client, _ = await rig.pair(agrees=b"Sec-WebSocket-Protocol: game.v1\r\n")
        assert b"\r\nSec-WebSocket-Protocol: other.v9\r\n" in client.head
        assert b"game.v1" not in client.head


@sees
async def slow_upgrade() -> None:
    async with fault_rig("slow_upgrade 200ms") as rig:
        watch = Watch()
        await rig.dial()
        await rig.leg()
        assert watch.seconds >= 0.199


# ------------------------------------------------------------ frames


@sees
async def bad_framing() -> None:
    wanted = {
        "long_control": b"\x89\x7e\x00\x7e" + b"x" * 126,
        "fragmented_control": b"\x09\x01x",
        "stray_continuation": b"\x80\x01x",
        "endless_length": b"\x82\x7f" + b"\xff" * 8,
    }
    for how, frame in wanted.items():
        async with fault_rig(f"bad_framing {how}") as rig:
            client, _ = await rig.pair()
            await client.exactly(frame)


async def changed(rule: str, sent: bytes, got: bytes, agrees: bytes = b"") -> None:
    """The server's bytes arrive as others; what it says afterwards is as it was."""
    async with fault_rig(rule) as rig:
        client, server = await rig.pair(agrees=agrees)
        await server.send(sent + down("next"))
        await client.exactly(got + down("next"))


@sees
async def reserved_bits() -> None:
    await changed("reserved_bits", down("hi"), b"\xa1\x02hi")


@sees
async def reserved_opcode() -> None:
    await changed("reserved_opcode 11", down("hi"), b"\x8b\x02hi")


@sees
async def wrong_masking() -> None:
    async with fault_rig("wrong_masking direction=both count=2") as rig:
        client, server = await rig.pair()
        await server.send(down("hello"))
        assert unmasked(await client.read(11)) == b"hello"
        await client.send(up("hello"))
        await server.exactly(down("hello"))


@sees
async def fragment() -> None:
    parts = down("012", 1, 0) + down("345", 0, 0) + down("67", 0)
    await changed("fragment 3B count=1", down("01234567"), parts)


@sees
async def drop_pong() -> None:
    await changed("drop_pong", down("p", 10), b"")


@sees
async def delay_pong() -> None:
    async with fault_rig("delay_pong 150ms") as rig:
        client, server = await rig.pair()
        watch = Watch()
        await server.send(down("p", 10) + down("next"))
        await client.exactly(down("next") + down("p", 10))
        assert watch.seconds >= 0.149


@sees
async def forge_pong() -> None:
    async with fault_rig("forge_pong hello") as rig:
        client, _ = await rig.pair()
        await client.exactly(down("hello", 10))


@sees
async def ping_flood() -> None:
    async with fault_rig("ping_flood rate=1000 number=200 size=4") as rig:
        client, _ = await rig.pair()
        await client.exactly(down("pppp", 9) * 200)
        assert await client.nothing_comes()


@sees
async def invalid_utf8() -> None:
    async with fault_rig("invalid_utf8") as rig:
        client, server = await rig.pair()
        await server.send(down("text"))
        head = await client.read(2)
        payload = await client.read(head[1])
        assert head[0] == 0x81
        with pytest.raises(UnicodeDecodeError):
            payload.decode()


async def closed(rule: str, code: int, reason: str = "") -> None:
    """A close frame to the client, then the end of both sides; the server sees no close frame."""
    async with fault_rig() as rig:
        client, server = await rig.pair()
        rig.arm(rule)
        assert await client.rest() == down(code.to_bytes(2) + reason.encode(), 8)
        assert await server.rest() == b""


@sees
async def close() -> None:
    await closed("close 1011 oops", 1011, "oops")
    await closed("close 1005", 1005)  # a reserved code, which nobody may send


@sees
async def close_unanswered() -> None:
    async with fault_rig("close_unanswered direction=down") as rig:
        client, server = await rig.pair()
        await client.send(up(b"\x03\xe8", 8))
        await server.exactly(up(b"\x03\xe8", 8))
        await server.send(down(b"\x03\xe8", 8))
        server.writer.close()
        assert await client.rest() == b""


@sees
async def data_after_close() -> None:
    goodbye = down(b"\x03\xe8", 8)
    await changed("data_after_close more", goodbye, goodbye + down("more"))


@sees
async def oversize() -> None:
    async with fault_rig("oversize 300KB") as rig:
        client, _ = await rig.pair()
        await client.exactly(down(bytes(300 << 10), 2))


@sees
async def corrupt_deflate() -> None:
    async with fault_rig("corrupt_deflate") as rig:
        client, server = await rig.pair(agrees=DEFLATE)
        deflate = zlib.compressobj(wbits=-15)
        data = (deflate.compress(b"hello hello hello hello") + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
        await server.send(down(data, 1, 0xC0))
        got = (await client.read(len(data) + 2))[2:]
        assert got != data
        with contextlib.suppress(zlib.error):  # the other way to see it
            assert zlib.decompressobj(-15).decompress(got + b"\0\0\xff\xff") != b"hello hello hello hello"


# ------------------------------------------------------------ messages


@sees
async def drop() -> None:
    await changed("drop target=d.hp:10", down(text(**SAID)), b"")


@sees
async def delay() -> None:
    async with fault_rig('delay 150ms target="first"') as rig:
        client, server = await rig.pair()
        watch = Watch()
        await server.send(down("first") + down("second"))
        await client.exactly(down("second") + down("first"))
        assert watch.seconds >= 0.149


@sees
async def duplicate() -> None:
    await changed("duplicate 2 count=1", down("a"), down("a") * 3)


@sees
async def reorder() -> None:
    await changed("reorder count=1", down("a") + down("b"), down("b") + down("a"))


@sees
async def corrupt() -> None:
    async with fault_rig("corrupt d.hp many") as rig:
        client, server = await rig.pair()
        await server.send(down(text(**SAID)))
        head = await client.read(2)
        assert json.loads(await client.read(head[1])) == {**SAID, "d": {"hp": "many"}}


@sees
async def hold() -> None:
    async with fault_rig("hold direction=down target=shots") as rig:
        client, server = await rig.pair()
        await server.send(down("shots fired") + down("others pass"))
        await client.exactly(down("others pass"))
        rig.lab.holding.let_go(1)
        await client.exactly(down("shots fired"))


@sees
async def truncate() -> None:
    await changed("truncate 4B count=1", down("0123456789"), down("0123"))


@sees
async def stale_replay() -> None:
    async with fault_rig("stale_replay 100ms count=1") as rig:
        client, server = await rig.pair()
        await server.send(down("old") + down("new"))
        await client.exactly(down("old") + down("new") + down("old"))


@sees
async def flood() -> None:
    await changed("flood 50", down("a"), down("a") * 51)


# ------------------------------------------------------------ application


@sees
async def sequence_gap() -> None:
    unnumbered, entry = down(text(op="event", ch="room:a")), down(text(**SAID))
    await changed("sequence_gap", unnumbered + entry, unnumbered)


@sees
async def missing_reply() -> None:
    event = down(text(**SAID))
    await changed("missing_reply count=1", down(text(op="reply", id=1)) + event, event)


@sees
async def slow_consumer() -> None:
    async with fault_rig() as rig:
        _client, server = await rig.pair()
        number = rig.arm("slow_consumer 60s")
        await until(rig.acts)
        server.writer.transport.set_write_buffer_limits(0)
        server.writer.write(bytes(20 << 20))  # more than all buffers on the way
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(server.writer.drain(), 0.3)
        rig.lab.disarm(number)


@sees
async def no_heartbeat() -> None:
    beat = down(text(op="ping", n=1)) + down("p", 9)
    await changed("no_heartbeat count=4", beat + beat, b"")


@sees
async def rate_limit() -> None:
    async with fault_rig("rate_limit 2s") as rig:
        client, server = await rig.pair()
        await client.send(up(text(op="publish", id=5)) + up("no command"))
        await server.exactly(up("no command"))
        head = await client.read(2)
        said = json.loads(await client.read(head[1]))
        assert (said["op"], said["id"], said["code"]) == ("error", 5, "rate_limited")
        assert (said["temporary"], said["retry_ms"]) == (True, 2000)


@sees
async def server_restart() -> None:
    await closed("server_restart", 1012)
    await closed("server_restart 4001", 4001)


@sees
async def overload() -> None:
    await closed("overload", 4200)


@sees
async def kick() -> None:
    await closed("kick reason=out", 4410, "out")


@sees
async def node_kill() -> None:
    async with fault_rig() as rig:
        pairs = [await rig.pair() for _ in range(3)]
        rig.arm("node_kill for=400ms")
        for client, server in pairs:
            assert await client.is_reset()
            assert await server.is_reset()
        assert await (await rig.dial(b"")).is_reset()
        await asyncio.sleep(0.5)
        await rig.pair()


# ------------------------------------------------------------ authentication


@sees
async def missing_identify() -> None:
    async with fault_rig("missing_identify") as rig:
        client, server = await rig.pair()
        await client.send(up(text(op="identify")) + up(text(op="ping")))
        await server.exactly(up(text(op="ping")))


@sees
async def late_identify() -> None:
    async with fault_rig("late_identify 150ms") as rig:
        client, server = await rig.pair()
        watch = Watch()
        await client.send(up(text(op="identify")))
        await server.exactly(up(text(op="identify")))
        assert watch.seconds >= 0.149


@sees
async def invalid_token() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.abcdefghijklmnopqrstuvwxyz"
    async with fault_rig("invalid_token") as rig:
        client, server = await rig.pair(asks=b"Authorization: Bearer " + token.encode() + b"\r\n")
        assert token.encode() not in server.head
        assert token.encode()[:30] in server.head
        await client.send(up(text(op="auth", id=1, token=token)))
        size = len(text(op="auth", id=1, token=token).replace(" ", ""))
        said = json.loads(unmasked(await server.read(6 + size)))
        assert said["token"] != token
        assert len(said["token"]) == len(token)


@sees
async def expired_session() -> None:
    await closed("expired_session", 4010)


@sees
async def revoked() -> None:
    await closed("revoked", 4401)


@sees
async def permissions_changed() -> None:
    async with fault_rig("permissions_changed room:lobby") as rig:
        client, _ = await rig.pair()
        head = await client.read(2)
        said = json.loads(await client.read(head[1]))
        assert said == {"op": "unsubscribed", "ch": "room:lobby", "code": "forbidden"}


@sees
async def resume_refused() -> None:
    async with fault_rig("resume_refused bad_secret") as rig:
        client, server = await rig.pair()
        await client.send(up(text(op="resume", session="s")) + up("next"))
        await server.exactly(up("next"))
        head = await client.read(2)
        said = json.loads(await client.read(head[1]))
        assert said == {"op": "resume_failed", "cause": "bad_secret", "identify": True}


@sees
async def clock_skew() -> None:
    async with fault_rig("clock_skew -10s") as rig:
        client, server = await rig.pair()
        await server.send(down(text(op="hello", time=1_790_000_000_000)))
        head = await client.read(2)
        assert json.loads(await client.read(head[1])) == {"op": "hello", "time": 1_789_999_990_000}


@sees
async def origin_denied() -> None:
    async with fault_rig("origin_denied") as rig:
        client = await rig.dial()
        assert (await client.rest()).startswith(b"HTTP/1.1 403 Forbidden\r\n")


# ------------------------------------------------------------ presence


@sees
async def ghost() -> None:
    async with fault_rig("ghost") as rig:
        client, server = await rig.pair()
        diff = {
            "op": "presence",
            "ch": "room:a",
            "kind": "diff",
            "number": 4,
            "joins": [],
            "leaves": [{"user": "u1"}],
        }
        await server.send(down(json.dumps(diff)))
        head = await client.read(2)
        assert json.loads(await client.read(head[1])) == {**diff, "leaves": []}


@sees
async def flapping() -> None:
    async with fault_rig("flapping 100ms count=2") as rig:
        for _ in range(2):
            client, server = await rig.pair()
            assert await client.rest() == b""
            assert await server.rest() == b""
        client, _ = await rig.pair()
        assert await client.nothing_comes(0.3)


@sees
async def duplicate_session() -> None:
    async with fault_rig("duplicate_session") as rig:
        client, server = await rig.pair()
        await client.send(up(text(op="identify")) + up("second"))
        shadow = await rig.leg()
        assert shadow.head == server.head
        await shadow.exactly(up(text(op="identify")))
        await server.exactly(up(text(op="identify")) + up("second"))
        assert await shadow.nothing_comes()


async def tls_failure_with(folder: Path) -> None:
    """Its rig needs a certificate."""

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    server, client = certificate(folder)
    lab = FaultLab()
    async with tcp_server(silent) as port, proxy_to(port, cert=server, lab=lab) as proxy:
        lab.arm(parse_rule("tls_failure count=1"))
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await asyncio.open_connection("127.0.0.1", proxy.port, ssl=client)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port, ssl=client)
        end = End(reader, writer)
        await end.send(request())
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS if kind.name != "tls_failure"])
async def test_a_peer_sees_the_fault(kind: str) -> None:
    assert kind in CHECKS, f"the fault {kind} has no row in this table"
    await CHECKS[kind]()


@pytest.mark.parametrize(
    "kind", [kind.name for kind in KINDS if kind.scope is not Scope.FRAME and kind.name in CHECKS]
)
def test_a_peer_sees_the_fault_on_the_other_loop(kind: str) -> None:
    """`sonde proxy` runs on uvloop, whose sockets end in their own ways."""
    uvloop.run(CHECKS[kind]())  # type: ignore[arg-type]


async def test_a_peer_sees_the_fault_of_tls(tmp_path: Path) -> None:
    await tls_failure_with(tmp_path)


def test_every_row_is_of_a_kind() -> None:
    assert set(CHECKS) == {kind.name for kind in KINDS} - {"tls_failure"}
