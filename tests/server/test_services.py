"""Backend services: what they ask and tell, over a real nats-server and a gateway over memory stores."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import nats
import pytest

from sonde_server.adapters.nats_bus import NatsBus
from sonde_server.adapters.nats_link import NatsLink
from sonde_server.adapters.nats_services import NatsHerald, NatsServices
from sonde_server.core.ports import Backend
from sonde_server.core.services import Services
from support.gateway_rig import Rig, all_of, only
from support.nats import shared_nats

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "match_service.py"


async def until(condition: Callable[[], Any], limit_s: float = 8.0) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)


class ServicesRig(Rig):
    """A gateway over memory stores, whose bus, herald and services are a link's."""

    def __init__(self, link: NatsLink) -> None:
        self.link = link
        self.tasks: set[asyncio.Task[None]] = set()
        super().__init__()
        self.services = Services(self.gateway._hub)
        self.carrier = NatsServices(link, self.services)

    def make_backend(self) -> Backend:
        made = super().make_backend()
        return replace(made, bus=NatsBus(self.link), herald=NatsHerald(self.link))

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        self.tasks.add(asyncio.create_task(work))

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


class Backdoor:
    """A service's end."""

    def __init__(self, rig: ServicesRig, client: nats.NATS) -> None:
        self.rig = rig
        self.client = client

    async def ask_raw(self, subject: str, data: bytes) -> dict[str, Any]:
        return dict(json.loads((await self.client.request(f"sonde.v1.{subject}", data, timeout=5)).data))

    async def ask(self, subject: str, **fields: Any) -> dict[str, Any]:
        asked = asyncio.create_task(self.ask_raw(subject, json.dumps(fields).encode()))
        while not asked.done():
            await asyncio.sleep(0.01)
            self.rig.move(0.05)
        return asked.result()

    async def player(self, name: str) -> Any:
        """Identified, and in the arena: subscribing waits for NATS."""
        peer = self.rig.peer()
        heard = peer.send(op="identify", client={"name": "rig", "version": "1"}, token=name)
        await until(lambda: heard.extend(peer.frames()) or all_of(heard, "ready"))
        ready = only(heard, "ready")
        peer.session, peer.secret = ready["session"], ready["resume"]
        seen = peer.subscribe()
        await until(lambda: seen.extend(peer.frames()) or all_of(seen, "live"))
        return peer


@asynccontextmanager
async def backdoor() -> AsyncIterator[Backdoor]:
    link = NatsLink(shared_nats().url)
    await link.open(lambda is_up: None)
    rig = ServicesRig(link)
    await asyncio.gather(*rig.tasks)
    await rig.carrier.start()
    client = await nats.connect(shared_nats().url)
    try:
        yield Backdoor(rig, client)
    finally:
        await client.close()
        await rig.carrier.stop()
        await link.close()
        for task in list(rig.tasks):
            task.cancel()
        await asyncio.gather(*rig.tasks, return_exceptions=True)


async def test_a_service_publishes_once_per_command() -> None:
    async with backdoor() as door:
        peer = await door.player("ada")
        first = await door.ask("publish", command="c1", ch="room:arena", type="note", d={"n": 1})
        again = await door.ask("publish", command="c1", ch="room:arena", type="note", d={"n": 1})
        assert first == again == {"ok": True, "d": {"seq": 1}}
        events = all_of(peer.frames(), "event")
        assert [(event["type"], event["d"], event["from"]) for event in events] == [("note", {"n": 1}, None)]


async def test_a_service_patches_any_part_once_per_command() -> None:
    async with backdoor() as door:
        first = await door.ask("patch", command="p1", ch="room:arena", d={"score": {"ada": 1}})
        again = await door.ask("patch", command="p1", ch="room:arena", d={"score": {"ada": 9}})
        assert first == again == {"ok": True, "d": {"seq": 1}}
        stale = await door.ask("patch", command="p2", ch="room:arena", d={"x": 1}, base=0)
        assert (stale["ok"], stale["error"]["code"], stale["error"]["d"]) == (False, "conflict", {"seq": 1})


async def test_the_same_patch_asked_twice_at_once_gets_one_answer_each() -> None:
    async with backdoor() as door:
        fields = {"command": "twice", "ch": "room:arena", "d": {"score": 1}}
        one, two = await asyncio.gather(door.ask("patch", **fields), door.ask("patch", **fields))
        assert one == two == {"ok": True, "d": {"seq": 1}}


async def test_a_service_sees_who_is_there_and_may_send_them_away() -> None:
    async with backdoor() as door:
        peer = await door.player("ada")
        present = await door.ask("presence.get", ch="room:arena")
        assert present["d"]["count"] == 1
        assert present["d"]["members"][0]["session"] == peer.session
        kicked = await door.ask("session.kick", session=peer.session, code=4410, cause="rude")
        assert kicked == {"ok": True, "d": {}}
        assert peer.wire.closed == (4410, "rude")
        nobody = await door.ask("session.kick", session="nobody", code=4410, cause="rude")
        assert nobody["error"]["code"] == "bad_request"


@pytest.mark.parametrize(
    ("subject", "data", "code"),
    [
        ("publish", b"", "bad_frame"),
        ("publish", b"{", "bad_frame"),
        ("publish", b"[1]", "bad_frame"),
        ("publish", b'{"ch":"room:arena","type":"x","d":1}', "bad_request"),
        ("publish", b'{"command":"","ch":"room:arena","type":"x","d":1}', "bad_request"),
        ("publish", b'{"command":"%s","ch":"room:arena","type":"x","d":1}' % (b"c" * 129), "bad_request"),
        ("publish", b'{"command":"a","command":"b","ch":"room:arena","type":"x","d":1}', "bad_frame"),
        ("publish", b'{"command":"a","ch":"room:*","type":"x","d":1}', "bad_channel"),
        ("publish", b'{"command":"a","ch":"hall:a","type":"x","d":1}', "no_such_channel"),
        ("publish", b'{"command":"a","ch":"$stats","type":"x","d":1}', "forbidden"),
        ("publish", b'{"command":"a","ch":"room:arena","type":"x","d":9007199254740993}', "bad_frame"),
        (
            "publish",
            b'{"command":"a","ch":"room:arena","type":"x","d":%s%s}' % (b"[" * 60, b"]" * 60),
            "bad_frame",
        ),
        ("publish", b'{"command":"a","ch":"room:arena","type":"x","d":"%s"}' % (b"x" * 70_000), "too_large"),
        ("patch", b'{"command":"a","ch":"room:arena","d":7}', "bad_request"),
        ("patch", b'{"command":"a","ch":"user:ada","d":{}}', "not_supported"),
        ("presence.get", b'{"ch":"user:ada"}', "not_supported"),
        ("session.kick", b'{"session":"s","code":1000,"cause":""}', "bad_request"),
    ],
)
async def test_what_is_wrong_is_refused_with_a_code(subject: str, data: bytes, code: str) -> None:
    async with backdoor() as door:
        answer = await door.ask_raw(subject, data)
        assert (answer["ok"], answer["error"]["code"], answer["error"]["temporary"]) == (False, code, False)
        assert not door.rig.entries()


async def test_news_of_users_reaches_the_core_and_bad_news_is_counted() -> None:
    async with backdoor() as door:
        peer = await door.player("ada")
        bad = [
            b"",
            b"[]",
            b'{"id":"a b","name":"x"}',
            b'{"id":"ada","name":""}',
            b'{"id":"ada","name":"a\\u202eb"}',
        ]
        for data in bad:
            await door.client.publish("sonde.v1.user.updated", data)
        for data in (b'{"jti":"t"}', b'{"id":"ada","jti":5}', b'{"id":"ada","jti":""}'):
            await door.client.publish("sonde.v1.user.revoked", data)
        await until(lambda: door.rig.services.news_ignored_total == 8)
        assert peer.wire.closed is None
        await door.client.publish("sonde.v1.user.updated", b'{"id":"ada","name":"Ada L."}')
        await until(lambda: door.rig.gateway._hub.sessions[peer.session].name == "Ada L.")
        await door.client.publish("sonde.v1.user.revoked", b'{"id":"ada","cause":"left the team"}')
        await until(lambda: peer.wire.closed is not None)
        assert peer.wire.closed[0] == 4401


async def test_services_hear_what_clients_publish_and_how_sessions_fare() -> None:
    async with backdoor() as door:
        heard: list[tuple[str, dict[str, Any]]] = []

        async def note(message: Any) -> None:
            heard.append((message.subject, json.loads(message.data)))

        await door.client.subscribe("sonde.v1.client.>", cb=note)
        await door.client.subscribe("sonde.v1.lifecycle.*", cb=note)
        await door.client.flush()
        peer = await door.player("ada")
        peer.publish({"n": 1}, type="a.>*\r\n b")
        await door.ask("publish", command="quiet", ch="room:arena", type="note", d=1)
        peer.drop()
        await until(lambda: len(heard) == 3)
        door.rig.move(16.0)
        await until(lambda: len(heard) == 4)
        assert [subject for subject, _ in heard] == [
            "sonde.v1.lifecycle.connected",
            "sonde.v1.client.room.a=2E=3E=2A=0D=0A=20b",
            "sonde.v1.lifecycle.dropped",
            "sonde.v1.lifecycle.left",
        ]
        event = heard[1][1]
        assert (event["ch"], event["seq"], event["d"], event["from"]) == ("room:arena", 1, {"n": 1}, "ada")
        assert event["session"] == peer.session
        assert heard[3][1]["reason"] == "timeout"


async def test_a_resume_and_an_end_on_purpose_are_told_too() -> None:
    async with backdoor() as door:
        heard: list[str] = []

        async def note(message: Any) -> None:
            heard.append(message.subject.rpartition(".")[2])

        await door.client.subscribe("sonde.v1.lifecycle.*", cb=note)
        await door.client.flush()
        peer = await door.player("ada")
        peer.drop()
        back = door.rig.peer()
        back.resume(peer)
        await until(lambda: "resumed" in heard)
        back.drop(1000)
        await until(lambda: len(heard) == 4)
        assert heard == ["connected", "dropped", "resumed", "left"]


async def test_the_example_keeps_the_score() -> None:
    async with backdoor() as door:
        service = await asyncio.create_subprocess_exec(
            sys.executable, str(EXAMPLE), shared_nats().url, stdout=asyncio.subprocess.PIPE
        )
        try:
            assert service.stdout is not None
            assert await asyncio.wait_for(service.stdout.readline(), 10) == b"ready\n"
            peer = await door.player("ada")
            assert await asyncio.wait_for(service.stdout.readline(), 5) == b"connected ada\n"
            frames = [*peer.publish({}, type="goal"), *peer.publish({}, type="goal")]

            def leaders() -> list[Any]:
                door.rig.move(0.05)
                frames.extend(peer.frames())
                return [event["d"] for event in all_of(frames, "event") if event["type"] == "leader"]

            await until(lambda: len(leaders()) == 2)
            assert leaders() == [{"leader": "ada", "goals": 1}, {"leader": "ada", "goals": 2}]
            assert [delta["d"] for delta in all_of(frames, "delta")][-1] == {"score": {"ada": 2}}
        finally:
            service.send_signal(signal.SIGTERM)
            await service.wait()
