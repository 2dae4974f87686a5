"""The queue on disk: exactly once over a restart of the program, and unmoved by a hostile file."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from pathlib import Path

import pytest

from sonde_client import Client, NotSent, OutcomeUnknown
from sonde_client.events import Failed, SessionLost
from sonde_client.identity import Identity
from sonde_client.queue import CommandQueue, Pending
from sonde_client.queue_file import QueueFile, QueueFileError, restore
from sonde_protocol.frames import Patch, Publish, Sync
from support.model_server import model_server
from support.session_rig import Rig, ready, resumed

URL = "ws://gateway.test:9/v1/ws"


def filled() -> tuple[CommandQueue, Identity]:
    queue, identity = CommandQueue(), Identity()
    for command in (
        Publish(id=0, ch="room:a", type="t", d={"n": 1}),
        Sync(id=0, ch="room:a"),
        Patch(id=0, ch="room:a", d={"x": None}, base=3),
    ):
        queue.submit(Pending(command))
    queue.take_sendable(0)
    queue.submit(Pending(Publish(id=0, ch="room:a", type="t", d="later")))
    identity.restore("s1", "secret-1", 4, 0.0)
    return queue, identity


def test_what_was_written_is_read_back(tmp_path: Path):
    file = QueueFile(tmp_path / "deep" / "queue.json", URL)
    file.save(*filled())
    queue, identity = CommandQueue(), Identity()
    stored = file.load()
    assert stored is not None
    assert restore(stored, queue, identity, 10.0) == 3
    assert [(p.number, p.command.d) for p in queue.unanswered] == [(1, {"n": 1}), (3, {"x": None})]
    assert [p.command.d for p in queue.unsent] == ["later"]
    assert queue.next_number == 4
    assert (identity.session, identity.secret, identity.generation) == ("s1", "secret-1", 4)


def test_the_file_is_readable_by_its_owner_only_and_no_temporary_one_stays(tmp_path: Path):
    path = tmp_path / "queue.json"
    file = QueueFile(path, URL)
    file.save(*filled())
    file.save(*filled())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["queue.json"]


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path):
    path = tmp_path / "queue.json"
    QueueFile(path, URL).save(*filled())
    path.chmod(0o644)
    QueueFile(path, URL).load()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_file_there_is_nothing_to_restore(tmp_path: Path):
    assert QueueFile(tmp_path / "queue.json", URL).load() is None


def changed(path: Path, **fields: object) -> None:
    QueueFile(path, URL).save(*filled())
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"kind":"something else"}',
        b'{"kind":"sonde-queue","version":1}',
    ],
)
def test_nonsense_is_set_aside_and_said(tmp_path: Path, content: bytes):
    path = tmp_path / "queue.json"
    path.write_bytes(content)
    with pytest.raises(QueueFileError, match=r"kept as queue\.json\.unreadable-0"):
        QueueFile(path, URL).load()
    assert (tmp_path / "queue.json.unreadable-0").read_bytes() == content
    assert not path.exists()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"version": 99}, "another version"),
        ({"url": "ws://evil.test/v1/ws"}, "another gateway"),
        ({"next_number": 2}, "used already"),
        ({"commands": [{"frame": {"op": "identify"}, "number": 1}]}, "Invalid value"),
        (
            {
                "commands": [
                    {"frame": {"op": "publish", "id": 1, "ch": "c", "type": "t", "d": 1}, "number": -4}
                ]
            },
            "order",
        ),
        (
            {
                "commands": [
                    {"frame": {"op": "patch", "id": 1, "ch": "c", "d": {}}, "number": 2},
                    {"frame": {"op": "patch", "id": 1, "ch": "c", "d": {}}, "number": 2},
                ]
            },
            "order",
        ),
    ],
)
def test_a_file_that_does_not_hold_together_is_set_aside(tmp_path: Path, fields: dict, why: str):
    path = tmp_path / "queue.json"
    changed(path, **fields)
    with pytest.raises(QueueFileError, match=why):
        QueueFile(path, URL).load()
    assert not path.exists()


def test_a_link_or_a_pipe_in_its_place_is_not_followed(tmp_path: Path):
    secret = tmp_path / "somebody's"
    secret.write_text("{}")
    path = tmp_path / "queue.json"
    path.symlink_to(secret)
    with pytest.raises(QueueFileError):
        QueueFile(path, URL).load()
    assert secret.read_text() == "{}"
    os.mkfifo(path)
    with pytest.raises(QueueFileError, match="not a regular file"):
        QueueFile(path, URL).load()


def test_a_numbered_command_without_its_session_is_not_sent_again(tmp_path: Path):
    path = tmp_path / "queue.json"
    changed(path, session=None, resume=None)
    stored = QueueFile(path, URL).load()
    assert stored is not None
    queue = CommandQueue()
    assert restore(stored, queue, Identity(), 0.0) == 1
    assert [p.command.d for p in queue.unsent] == ["later"]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(QueueFileError):
        QueueFile(tmp_path / "file" / "queue.json", URL).save(*filled())


# ---------------------------------------------------------------- the session saves before it sends


def test_the_file_is_saved_before_a_recorded_command_leaves():
    rig = Rig(keeps_queue=True)
    rig.go_live()
    rig.saves.clear()
    rig.command(Publish(id=0, ch="room:a", type="t", d=1))
    assert rig.saves == [0]
    assert len(rig.sent) == 1


def test_the_new_secret_is_saved_before_anything_is_sent_with_it():
    rig = Rig(keeps_queue=True)
    rig.go_live()
    rig.lose()
    rig.redial()
    rig.opened()
    rig.take_sent()
    rig.saves.clear()
    rig.receive(resumed())
    assert rig.saves[0] == 0


def test_an_answer_is_saved_without_hurry():
    rig = Rig(keeps_queue=True)
    rig.go_live()
    rig.command(Publish(id=0, ch="room:a", type="t", d=1))
    number = rig.take_sent()[0].id
    rig.saves.clear()
    from support.session_rig import reply

    rig.receive(reply(number))
    assert rig.saves == []
    rig.advance(0.2)
    assert len(rig.saves) == 1


def test_a_lost_session_is_forgotten_on_disk_too():
    rig = Rig(keeps_queue=True)
    rig.go_live()
    rig.saves.clear()
    rig.lose(4100, "", "server")
    assert rig.saves
    assert not rig.session.identity.resumable
    rig.redial()
    rig.opened()
    rig.receive(ready("s2"))
    assert rig.session.identity.session == "s2"


# ---------------------------------------------------------------- a program that ends and starts again


@pytest.mark.asyncio
async def test_a_restarted_program_resumes_and_its_commands_are_applied_exactly_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sonde_client.connection.CLOSE_LIMIT_S", 0.05)  # the peer is deaf
    path = tmp_path / "queue.json"
    async with model_server() as server:
        first = Client(server.url, queue_path=path)
        first.connect()
        await first.wait_live(5)
        session = first.status.session
        room = await first.subscribe("room:arena")
        assert await room.publish("n", "answered") == 1
        for connection in server.connections:  # it takes bytes no more: what follows has no answer
            connection.transport.pause_reading()
        lost = [asyncio.create_task(room.publish("n", text)) for text in ("one", "two")]
        await asyncio.sleep(0.05)
        kept = path.read_bytes()
        await first.close(4000)
        for task in lost:
            with pytest.raises(OutcomeUnknown):
                await task
        path.write_bytes(kept)  # as a killed program leaves it

        async with Client(server.url, queue_path=path) as second:
            assert second.status.session == session
            assert second.status.generation == 2
            room = await second.subscribe("room:arena")
            async with asyncio.timeout(5):
                while len(entries := await room.history()) < 3:
                    await asyncio.sleep(0.01)
            assert [e.d for e in entries] == ["answered", "one", "two"]
            assert await room.publish("n", "three") == 4


@pytest.mark.asyncio
async def test_a_restarted_program_reports_what_a_lost_session_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sonde_client.connection.CLOSE_LIMIT_S", 0.05)
    path = tmp_path / "queue.json"
    async with model_server() as server:
        first = Client(server.url, queue_path=path)
        first.connect()
        await first.wait_live(5)
        for connection in server.connections:
            connection.transport.pause_reading()
        lost = asyncio.create_task(first.command(Publish(id=0, ch="room:arena", type="n", d="?")))
        await asyncio.sleep(0.05)
        await first.close(4000)
        with pytest.raises(OutcomeUnknown):
            await lost
        await server.restart()
        second = Client(server.url, queue_path=path)
        told: list[SessionLost] = []
        second.on(SessionLost, told.append)
        async with second:
            assert [c.d for c in told[0].unknown_commands] == ["?"]
            assert server.gateway.channel("room:arena").log == []


@pytest.mark.asyncio
async def test_unsent_commands_survive_a_program_that_never_got_through(tmp_path: Path):
    path = tmp_path / "queue.json"
    async with model_server() as server:
        first = Client(server.url, queue_path=path)
        waiting = asyncio.create_task(first.command(Publish(id=0, ch="room:arena", type="n", d="early")))
        await asyncio.sleep(0)
        first.refuse_dials_for(60)
        first.connect()
        await first.close(4000)
        with pytest.raises(NotSent):
            await waiting
        async with Client(server.url, queue_path=path) as second:
            assert second.status.generation == 1
            async with asyncio.timeout(5):
                while not server.gateway.channel("room:arena").log:
                    await asyncio.sleep(0.01)
        assert json.loads(path.read_text())["commands"] == []


@pytest.mark.asyncio
async def test_a_corrupt_file_does_not_keep_a_client_from_connecting(tmp_path: Path):
    path = tmp_path / "queue.json"
    path.write_text("not json")
    async with model_server() as server:
        client = Client(server.url, queue_path=path)
        told: list[Failed] = []
        client.on(Failed, told.append)
        async with client:
            assert told[0].failure.cause == "queue_file_corrupt"
        assert (tmp_path / "queue.json.unreadable-0").exists()


@pytest.mark.asyncio
async def test_a_goodbye_leaves_no_secret_on_disk(tmp_path: Path):
    path = tmp_path / "queue.json"
    async with model_server() as server, Client(server.url, queue_path=path):
        assert json.loads(path.read_text())["resume"]
    assert json.loads(path.read_text())["resume"] is None
