"""A gateway process and a client of another library: the contract, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import msgspec
import pytest

from support.foreign_peer import ForeignPeer, bearer, dialled, token
from support.processes import GatewayProcess, running_gateway

CH = "room:arena"


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """One process for the whole file: what a test leaves behind, the next one has to live with."""
    with running_gateway() as running:
        yield running


async def closed(peer: ForeignPeer) -> tuple[dict[str, Any] | None, int | None]:
    """Read to the end: the `bye` and the close code."""
    bye = None
    while True:
        message = await peer.socket.receive(5)
        if message.type is not aiohttp.WSMsgType.TEXT:
            return bye, peer.socket.close_code
        frame = json.loads(message.data)
        bye = frame if frame["op"] == "bye" else bye


async def test_foreign_client_identifies_subscribes_publishes_patches_drops_and_resumes(
    gateway: GatewayProcess,
) -> None:
    async with dialled(gateway.url, **bearer("p2")) as other:
        await other.identify()
        await other.command("subscribe", ch=CH)
        await other.until("live")

        async with dialled(gateway.url, **bearer("p1", name="Ada")) as peer:
            hello = await peer.receive()
            assert (hello["op"], hello["version"], hello["max_frame"]) == ("hello", 1, 65_536)
            ready = await peer.identify(device="laptop")
            assert ready["user"] == {"id": "p1", "name": "Ada", "roles": ["player"]}
            reply = await peer.command("subscribe", ch=CH, presence=True)
            assert (reply["d"]["verdict"], reply["d"]["cause"]) == ("snapshot", "ok")
            order = [
                frame["op"] for frame in (await peer.receive(), await peer.receive(), await peer.receive())
            ]
            assert order == ["snapshot", "presence", "live"]

            reply = await peer.command("publish", ch=CH, type="chat", d={"text": "hi"})
            assert reply["d"]["seq"] == 1
            reply = await peer.command("patch", ch=CH, d={"players": {"p1": {"x": 1}}})
            assert reply["d"]["seq"] == 2
            while len(peer.entries(CH)) < 2:
                await peer.receive()
            epoch = next(frame["epoch"] for frame in peer.frames if frame["op"] == "live")
            peer.drop()

        for text in ("while", "you", "were", "away"):
            await other.command("publish", ch=CH, type="chat", d={"text": text})

        async with dialled(gateway.url, **bearer("p1")) as again:
            wish = {"ch": CH, "cursor": [epoch, 2], "presence": True}
            await again.send("resume", session=ready["session"], resume=ready["resume"], channels=[wish])
            resumed = await again.until("resumed")
            assert resumed["generation"] == 2
            (verdict,) = resumed["channels"]
            assert {key: verdict[key] for key in ("ch", "verdict", "cause", "from", "to")} == {
                "ch": CH, "verdict": "replay", "cause": "ok", "from": 2, "to": 6,
            }  # fmt: skip
            live = await again.until(lambda frame: frame["op"] == "live" and frame["ch"] == CH)
            assert live["seq"] == 6
            assert again.entries(CH) == [(3, True), (4, True), (5, True), (6, True)]
            again.number = peer.number
            reply = await again.command("publish", ch=CH, type="chat", d={"text": "back"})
            assert reply["d"]["seq"] == 7

        seqs = [seq for seq, _ in other.entries(CH)]
        assert seqs == sorted(set(seqs))


async def test_other_subprotocol_carries_the_same_frames_in_binary(gateway: GatewayProcess) -> None:
    async with dialled(gateway.url, protocols=["sonde.v1.msgpack"], **bearer("p1")) as peer:
        message = await peer.socket.receive(5)
        assert message.type is aiohttp.WSMsgType.BINARY
        assert msgspec.msgpack.decode(message.data)["op"] == "hello"
        await peer.socket.send_bytes(
            msgspec.msgpack.encode({"op": "identify", "client": {"name": "f", "version": "1"}})
        )
        message = await peer.socket.receive(5)
        assert msgspec.msgpack.decode(message.data)["op"] == "ready"


@pytest.mark.parametrize(
    ("where", "token_text", "status"),
    [
        ("header", "nonsense", 401),
        ("header", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJwMSIsImV4cCI6MTk5OTk5OTk5OX0.", 401),
        ("header", None, 401),
        ("url", None, 400),
    ],
)
async def test_bad_token_is_refused_before_the_101_with_a_reason(
    gateway: GatewayProcess, where: str, token_text: str | None, status: int
) -> None:
    expired = token("p1", ttl_s=-60)
    url = f"{gateway.url}?token={expired}" if where == "url" else gateway.url
    headers = {"Authorization": f"Bearer {token_text or expired}"} if where == "header" else {}
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(url, headers=headers)
        assert caught.value.status == status
        async with session.get(url.replace("ws://", "http://"), headers=headers) as answer:
            assert set(await answer.json()) == {"error", "message"}


async def test_browsers_form_of_the_token_is_accepted_and_not_echoed(gateway: GatewayProcess) -> None:
    protocols = ["sonde.v1.json", f"sonde.bearer.{token('p1')}"]
    async with dialled(gateway.url, protocols=protocols) as peer:
        assert peer.socket.protocol == "sonde.v1.json"
        assert (await peer.identify())["user"]["id"] == "p1"


async def test_token_may_come_with_identify(gateway: GatewayProcess) -> None:
    async with dialled(gateway.url) as peer:
        assert (await peer.identify(token=token("p1")))["user"]["id"] == "p1"
    async with dialled(gateway.url) as peer:
        await peer.send("identify", client={"name": "f", "version": "1"}, token="nonsense")
        bye, code = await closed(peer)
        assert code == 4401
        assert bye is not None
        assert bye["code"] == 4401


BAD = {
    "malformed": "{",
    "not an object": "[]",
    "deep": "[" * 5_000 + "]" * 5_000,
    "NaN": '{"op":"ping","t":NaN}',
    "surrogate": '{"op":"\\ud800"}',
    "unknown op": '{"op":"dance"}',
    "wrong value": '{"op":"subscribe","id":"one","ch":"room:arena"}',
    "before identify": '{"op":"subscribe","id":1,"ch":"room:arena"}',
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_frame_is_answered_and_hurts_nobody_else(gateway: GatewayProcess, name: str) -> None:
    async with (
        dialled(gateway.url, **bearer("good")) as neighbour,
        dialled(gateway.url, **bearer("bad")) as peer,
    ):
        await neighbour.identify()
        await peer.socket.send_str(BAD[name])
        bye, code = None, None
        first = await peer.until(lambda frame: frame["op"] in ("error", "bye"))
        if first["op"] == "bye":
            bye, code = first, (await closed(peer))[1]
            assert code == bye["code"]
        await neighbour.send("ping", t=1)
        assert (await neighbour.until("pong"))["t"] == 1


async def test_binary_where_text_is_spoken_is_a_bad_frame(gateway: GatewayProcess) -> None:
    async with dialled(gateway.url, **bearer("p1")) as peer:
        await peer.identify()
        await peer.socket.send_bytes(b'{"op":"ping","t":1}')
        assert (await peer.until("error"))["code"] == "bad_frame"
        await peer.send("ping", t=2)
        assert (await peer.until("pong"))["t"] == 2


async def test_oversize_message_ends_only_its_own_connection(gateway: GatewayProcess) -> None:
    async with (
        dialled(gateway.url, **bearer("good")) as neighbour,
        dialled(gateway.url, **bearer("bad")) as peer,
    ):
        await neighbour.identify()
        await peer.identify()
        await peer.socket.send_str("x" * 70_000)
        assert (await closed(peer))[1] == 1009
        await neighbour.send("ping", t=1)
        await neighbour.until("pong")


async def test_nothing_of_the_admin_listener_answers_on_the_public_port(gateway: GatewayProcess) -> None:
    public = gateway.url.replace("ws://", "http://").removesuffix("/v1/ws")
    async with aiohttp.ClientSession() as session:
        for path in ("/", "/healthz", "/readyz", "/metrics", "/v1/", "/debug", "/admin"):
            async with session.get(public + path) as answer:
                assert answer.status == 404
                assert b"sonde_" not in await answer.read()
        async with session.get(gateway.admin + "/metrics") as answer:
            assert "sonde_connections" in await answer.text()


async def test_series_do_not_grow_with_users_and_rooms(gateway: GatewayProcess) -> None:
    async def series() -> set[str]:
        async with aiohttp.ClientSession() as session, session.get(gateway.admin + "/metrics") as answer:
            lines = (await answer.text()).splitlines()
            return {line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")}

    async def visit(number: int) -> None:
        async with dialled(gateway.url, **bearer(f"user{number}")) as peer:
            await peer.identify()
            await peer.command("subscribe", ch=f"room:r{number}")
            await peer.socket.close(code=3000 + number)

    for number in range(3):
        await visit(number)
    before = await series()
    await asyncio.gather(*(visit(number) for number in range(3, 60)))
    assert await series() - before == set()
