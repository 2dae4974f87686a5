"""The table of true causes: how each is brought about at the socket or by the gateway, and which verdicts are right.

A case gets a scene and returns the row that a person would ask about. What is right is written down before the verdict
is known; everything else but “unknown” is wrong.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, NamedTuple

from websockets.asyncio.client import connect as connect_raw

from sonde_client import Client, ConnectFailed
from sonde_lab.records import Kind
from sonde_lab.verdict import Cause
from sonde_protocol.codec import CODECS, Codec
from sonde_protocol.errors import SondeError
from sonde_protocol.frames import Fault, History, Kick
from support.breakable_relay import DOWN, UP
from support.drop_scene import HEARTBEAT_S, RESUME_TTL_S, Scene, Spoilt, start_short_gateway
from support.processes import stop
from support.tokens import mint

Play = Callable[[Scene], Awaitable[int]]


STARTING: Final = (
    asyncio.Lock()
)  # gateways start one after the other: many at once take longer than any patience


class DropCase(NamedTuple):
    """One true cause."""

    name: str
    play: Play
    right: frozenset[Cause]
    own_gateway: bool = False
    alone: bool = False  # it stops its whole process, so that nothing else may run in it


# ---------------------------------------------------------------- the network


async def _half_open_in(scene: Scene) -> int:
    await scene.live()
    scene.relay.swallow(DOWN)
    return await scene.closed()


async def _half_open_both(scene: Scene) -> int:
    await scene.live()
    scene.relay.swallow(UP, DOWN)
    return await scene.closed()


async def _half_open_out(scene: Scene) -> int:
    await scene.live()
    scene.relay.swallow(UP)
    return await scene.closed()


async def _half_open_beside(scene: Scene) -> int:
    """Another client of this window reaches the same gateway past the relay and still hears it."""
    await scene.live()
    assert scene.workbench.endpoint is not None
    scene.workbench.endpoint = replace(scene.workbench.endpoint, url=scene.gateway.url)
    name = scene.workbench.add_client(token=mint(f"{scene.user}-beside"))
    await scene.workbench.clients[name].wait_live(10.0)
    scene.relay.swallow(DOWN)
    return await scene.closed()


async def _reset(scene: Scene) -> int:
    await scene.live()
    scene.relay.reset()
    return await scene.closed()


async def _fin(scene: Scene) -> int:
    await scene.live()
    scene.relay.fin()
    return await scene.closed()


async def _cut_mid_frame(scene: Scene) -> int:
    await scene.live()
    scene.relay.cut_after(scene.chance.randrange(1, 40))
    return await scene.closed()


# ---------------------------------------------------------------- the gateway's acts


async def _admin(scene: Scene) -> Client:
    admin = Client(scene.gateway.url, mint(f"{scene.user}-admin", "admin"), measure_every_s=0)
    admin.connect()
    await admin.wait_live(10.0)
    return admin


async def _kicked(scene: Scene) -> int:
    client = await scene.live()
    admin = await _admin(scene)
    try:
        await admin.command(
            Kick,
            session=client.status.session or "",
            code=4410,
            cause=scene.chance.choice(("cheating", "bored", "")),
        )
        return await scene.closed()
    finally:
        await admin.close()


async def _kicked_here(scene: Scene) -> int:
    await scene.live()
    await scene.workbench.kick()
    return await scene.closed()


async def _fault(scene: Scene) -> int:
    client = await scene.live()
    admin = await _admin(scene)
    try:
        await admin.command(
            Fault, session=client.status.session or "", kind="close", parameters={"code": 4006}
        )
        return await scene.closed()
    finally:
        await admin.close()


async def _fault_here(scene: Scene) -> int:
    """`reset` asked for by the client itself: the answer may be lost with the socket."""
    client = await scene.live()
    asking = asyncio.create_task(client.command(Fault, session=client.status.session or "", kind="reset"))
    row = await scene.closed()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    return row


async def _token_expired(scene: Scene) -> int:
    await scene.live(ttl_s=scene.chance.uniform(3.0, 5.0), moment=False)
    return await scene.closed()


async def _superseded(scene: Scene) -> int:
    client = await scene.live()
    identity = client._session.identity
    frame = {"op": "resume", "session": identity.session, "resume": identity.secret, "channels": []}
    headers = {"Authorization": f"Bearer {mint(scene.user)}"}
    async with connect_raw(
        scene.gateway.url, subprotocols=["sonde.v1.json"], additional_headers=headers
    ) as thief:  # type: ignore[list-item]
        await thief.send(json.dumps(frame))
        return await scene.closed()


async def _flood(scene: Scene, codec: Codec) -> None:
    for number in range(100_000, 101_000):
        data = codec.encode(History(id=number, ch=scene.room, after=0, limit=1))
        try:
            scene.client.send_raw(data if codec.binary else data.decode())
        except (SondeError, ConnectFailed):
            return
        if number % 50 == 0:
            await asyncio.sleep(0.01)


async def _rate_limited(scene: Scene) -> int:
    await scene.live()
    flooding = asyncio.create_task(_flood(scene, CODECS[scene.workbench.config.codec]))
    row = await scene.closed()
    flooding.cancel()
    await asyncio.gather(flooding, return_exceptions=True)
    return row


async def _bad_frames(scene: Scene) -> int:
    client = await scene.live()
    nonsense = scene.chance.choice((b"\xc1", "{", "[]", "nonsense", "\x00"))
    for _ in range(12):
        try:
            client.send_raw(nonsense)
        except SondeError:
            break
        await asyncio.sleep(0.02)
    return await scene.closed()


async def _frame_too_large(scene: Scene) -> int:
    client = await scene.live()
    size = scene.chance.randrange(70_000, 300_000)
    client.send_raw(b"\xda" * size if scene.workbench.config.codec.endswith("msgpack") else "x" * size)
    return await scene.closed()


async def _slow_consumer(scene: Scene) -> int:
    """The way to the client is held until the gateway gives it up, as a witness sees; then it flows, and the goodbye with it."""
    client = await scene.live()
    session = client.status.session
    witness = Client(scene.gateway.url, mint(f"{scene.user}-witness"), measure_every_s=0)
    witness.connect()
    await witness.wait_live(10.0)
    channel = await witness.subscribe(scene.room, presence=True)
    scene.relay.hold(DOWN)
    try:
        async with asyncio.timeout(20.0):
            while any(
                member.session == session and member.status != "reconnecting" for member in channel.members
            ):
                witness.send_raw(_publish(scene.room, 60_000))
                await asyncio.sleep(0.03)
        await asyncio.sleep(scene.chance.uniform(0.0, 0.8))
        if scene.rows(Kind.CLOSE):
            raise Spoilt("the client gave up before the gateway did")
        scene.relay.go_on()
        return await scene.closed()
    finally:
        await witness.close()


_numbers = iter(range(1_000_000, 100_000_000))


def _publish(room: str, size: int) -> str:
    number = next(_numbers)
    return json.dumps({"op": "publish", "id": number, "ch": room, "type": "flood", "d": "x" * size})


async def _drained(scene: Scene) -> int:
    await scene.live(scene.chance.choice((scene.gateway.url, scene.relay.url)))
    scene.gateway.process.send_signal(signal.SIGTERM)
    return await scene.closed()


async def _killed(scene: Scene) -> int:
    await scene.live(scene.gateway.url)
    await asyncio.to_thread(scene.gateway.kill)
    await scene.until(lambda: scene.rows(Kind.NOTE, "dial_refused"))  # before that, it is no more than a cut
    return await scene.closed(settle_s=0.1)


async def _killed_and_back(scene: Scene) -> int:
    """Another process stands there at once: the dial after the end is answered, by who knows nothing."""
    await scene.live()
    async with STARTING:
        fresh = await asyncio.to_thread(start_short_gateway)
    scene.relay.lead_new_to(fresh.port)
    await asyncio.to_thread(scene.gateway.kill)
    try:
        await scene.until(lambda: scene.rows(Kind.CLOSE))
        await scene.until(lambda: len(scene.rows(Kind.FRAME, "snapshot")) >= 2)
        return await scene.closed(settle_s=0.3)
    finally:
        await scene.workbench.close()
        await asyncio.to_thread(stop, fresh.process, 3.0)


async def _stopped(scene: Scene) -> int:
    await scene.live(scene.chance.choice((scene.gateway.url, scene.relay.url)))
    scene.gateway.process.send_signal(signal.SIGSTOP)
    try:
        return await scene.closed()
    finally:
        scene.gateway.process.send_signal(signal.SIGCONT)


async def _away_too_long(scene: Scene) -> int:
    await scene.live()
    scene.relay.refuse_new()
    scene.chance.choice((scene.relay.fin, scene.relay.reset))()
    await asyncio.sleep(RESUME_TTL_S + 2.0 + scene.chance.uniform(0.2, 1.0))
    scene.relay.accept_new()
    scene.client.retry_now()
    return await scene.row(Kind.FRAME, "resume_failed")


# ---------------------------------------------------------------- a person's own acts, and this process


async def _dropped_here(scene: Scene) -> int:
    await scene.live()
    scene.workbench.drop()
    return await scene.closed()


async def _disconnected(scene: Scene) -> int:
    await scene.live()
    scene.workbench.disconnect()
    return await scene.closed()


async def _closed_by_hand(scene: Scene) -> int:
    await scene.live()
    await scene.workbench.send("/close 4000 enough")
    return await scene.closed()


async def _own_stall(scene: Scene) -> int:
    await scene.live()
    time.sleep(scene.chance.uniform(1.6, 2.6) * HEARTBEAT_S)
    return await scene.closed()


# ---------------------------------------------------------------- dials that never became open


async def _dial_refused(scene: Scene) -> int:
    scene.relay.refuse_new()
    await scene.open()
    return await scene.failed()


async def _refused_here(scene: Scene) -> int:
    await scene.live()
    scene.workbench.refuse(3.0)
    scene.workbench.drop()
    return await scene.row(Kind.NOTE, "dial_injected")


async def _dial_dns(scene: Scene) -> int:
    await scene.open(f"ws://no-such-host-{scene.chance.randrange(9_999)}.invalid:80/v1/ws")
    return await scene.failed()


async def _dial_reset(scene: Scene) -> int:
    scene.relay.reset_new()
    await scene.open()
    return await scene.failed()


async def _dial_mute(scene: Scene) -> int:
    scene.relay.stay_mute_to_new()
    await scene.open()
    return await scene.failed()


async def _tls_failed(scene: Scene) -> int:
    await scene.open(scene.relay.url.replace("ws://", "wss://"))
    return await scene.failed()


async def _bad_token(scene: Scene) -> int:
    await scene.open(token=mint(scene.user) + scene.chance.choice(("x", "AAAA")))
    return await scene.failed()


async def _http_503(scene: Scene) -> int:
    scene.relay.answer_new(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n")
    await scene.open()
    return await scene.failed()


async def _http_403(scene: Scene) -> int:
    status = scene.chance.choice((b"400 Bad Request", b"403 Forbidden", b"421 Misdirected Request"))
    scene.relay.answer_new(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
    await scene.open()
    return await scene.failed()


async def _no_websocket(scene: Scene) -> int:
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    scene.relay.answer_new(scene.chance.choice((page, b"SSH-2.0-OpenSSH_9.2\r\n")))
    await scene.open()
    return await scene.failed()


def _case(name: str, play: Play, *right: Cause, own_gateway: bool = False, alone: bool = False) -> DropCase:
    return DropCase(name, play, frozenset(right), own_gateway, alone)


CASES = (
    _case("half open, inbound", _half_open_in, Cause.SERVER_SILENT, Cause.HALF_OPEN),
    _case("half open, both ways", _half_open_both, Cause.SERVER_SILENT, Cause.HALF_OPEN),
    _case("half open, outbound", _half_open_out, Cause.NOT_ARRIVING),
    _case("half open, a neighbour hears", _half_open_beside, Cause.HALF_OPEN),
    _case("gateway hangs (SIGSTOP)", _stopped, Cause.SERVER_SILENT, own_gateway=True),
    _case("own process stalls", _own_stall, Cause.OWN_STALL, alone=True),
    _case("reset (RST)", _reset, Cause.RESET),
    _case("cut (FIN)", _fin, Cause.CUT),
    _case("cut inside a frame", _cut_mid_frame, Cause.CUT),
    _case("gateway killed (kill -9)", _killed, Cause.GATEWAY_GONE, own_gateway=True),
    _case("killed, another stands there", _killed_and_back, Cause.GATEWAY_RESTARTED, own_gateway=True),
    _case("drained (SIGTERM)", _drained, Cause.DRAINED, own_gateway=True),
    _case("kicked by an admin", _kicked, Cause.KICKED),
    _case("kicked from this window", _kicked_here, Cause.KICKED),
    _case("fault 4006", _fault, Cause.INJECTED_FAULT),
    _case("fault reset, asked for here", _fault_here, Cause.INJECTED_FAULT),
    _case("token expired", _token_expired, Cause.TOKEN_EXPIRED),
    _case("superseded", _superseded, Cause.SUPERSEDED),
    _case("rate limit", _rate_limited, Cause.RATE_LIMITED),
    _case("bad frames", _bad_frames, Cause.BAD_FRAMES),
    _case("frame too large", _frame_too_large, Cause.FRAME_TOO_LARGE),
    _case("slow consumer", _slow_consumer, Cause.SLOW_CONSUMER),
    _case("resume after its time", _away_too_long, Cause.SESSION_EXPIRED),
    _case("dropped from this window", _dropped_here, Cause.CUT_HERE),
    _case("disconnected", _disconnected, Cause.DISCONNECTED),
    _case("dial: refused", _dial_refused, Cause.DIAL_REFUSED),
    _case("dial: blocked from here", _refused_here, Cause.DIAL_INJECTED),
    _case("dial: no such name", _dial_dns, Cause.DIAL_DNS),
    _case("dial: reset", _dial_reset, Cause.DIAL_RESET),
    _case("dial: no answer", _dial_mute, Cause.DIAL_TIMEOUT),
    _case("dial: TLS", _tls_failed, Cause.TLS_FAILED),
    _case("dial: bad token", _bad_token, Cause.HTTP_UNAUTHORIZED),
    _case("dial: 503", _http_503, Cause.HTTP_UNAVAILABLE),
    _case("dial: 400, 403, 421", _http_403, Cause.HTTP_REFUSED),
    _case("dial: no WebSocket", _no_websocket, Cause.NOT_WEBSOCKET),
)  # fmt: skip
BY_NAME = {case.name: case for case in CASES}
