"""The composition: two gateways in one process over one memory, a start that fails cleanly, keys by JWKS."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sonde_server.adapters.memory_backend import memory_backend
from sonde_server.adapters.system import SystemClock, SystemEntropy
from sonde_server.app import App, Ready, World
from sonde_server.config_file import ConfigInvalid
from sonde_server.core.ports import Backend
from sonde_server.settings import load_settings
from support.foreign_peer import bearer, dialled, token
from support.processes import SECRET

CH = "room:arena"


@asynccontextmanager
async def running(backend: Backend | None = None, **settings: Any) -> AsyncIterator[tuple[App, Ready]]:
    """An app in this very process, on free ports."""
    flags = {"port": 0, "admin_port": 0, "jwt_secret": SECRET} | settings
    app = App(load_settings(None, flags), World(SystemClock(), SystemEntropy(), backend=backend))
    ready = await app.start()
    try:
        yield app, ready
    finally:
        await app.stop()
        await asyncio.sleep(0.02)


async def test_session_moves_between_two_gateways_of_one_process_without_losing_an_entry() -> None:
    backend = memory_backend(SystemClock(), SystemEntropy())
    async with (
        running(backend, node="a") as (_, a),
        running(backend, node="b") as (_, b),
        dialled(a.url, **bearer("p1")) as peer,
        dialled(b.url, **bearer("p2")) as other,
    ):
        ready = await peer.identify()
        await other.identify()
        await peer.command("subscribe", ch=CH)
        live = await peer.until("live")
        await other.command("publish", ch=CH, type="chat", d=1)
        while not peer.entries(CH):
            await peer.receive()
        async with dialled(b.url, **bearer("p1")) as again:
            wish = {"ch": CH, "cursor": [live["epoch"], 1]}
            await other.command("publish", ch=CH, type="chat", d=2)
            await again.send("resume", session=ready["session"], resume=ready["resume"], channels=[wish])
            resumed = await again.until("resumed")
            assert (resumed["generation"], resumed["channels"][0]["verdict"]) == (2, "replay")
            await again.until(lambda frame: frame["op"] == "live" and frame["ch"] == CH)
            assert again.entries(CH) == [(2, True)]
            bye = await peer.until("bye")
            assert bye["code"] == 4409


async def test_stopped_gateway_leaves_no_task_and_frees_its_ports() -> None:
    tasks = asyncio.all_tasks()
    async with running() as (app, ready), dialled(ready.url, **bearer("p1")) as peer:
        await peer.identify()
        await app.stop()
        bye = await peer.until("bye")
        assert bye["code"] == 4001
    await asyncio.sleep(0.05)
    assert {task for task in asyncio.all_tasks() - tasks if not task.done()} == set()
    for url in (ready.url, ready.admin):
        port = int(url.rsplit(":", 1)[1].split("/")[0])
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", port)


async def test_port_in_use_fails_the_start_and_gives_back_the_other_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as probe:
        admin_port = probe.getsockname()[1]
        probe.close()
        with pytest.raises(ConfigInvalid, match="cannot listen"):
            async with running(port=taken.getsockname()[1], admin_port=admin_port):
                pass
        socket.create_server(("127.0.0.1", admin_port)).close()


async def test_descriptors_of_the_process_bound_the_connections() -> None:
    settings = load_settings(None, {"port": 0, "admin_port": 0, "jwt_secret": SECRET})
    app = App(settings, World(SystemClock(), SystemEntropy(), max_descriptors=258))
    ready = await app.start()
    try:
        async with dialled(ready.url), dialled(ready.url):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                async with dialled(ready.url):
                    pass
            assert caught.value.status == 503
    finally:
        await app.stop()
        await asyncio.sleep(0.02)


@pytest.mark.expects_log("sonde_server.app")
async def test_tokens_of_a_key_set_in_a_file_are_accepted_and_others_are_not(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": "k1"}
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [public]}))
    async with running(jwt_secret=None, jwt_jwks=str(path)) as (_, ready):
        claims = jwt.decode(token("p1"), SECRET, ["HS256"])
        good = jwt.encode(claims, key, "RS256", headers={"kid": "k1"})
        async with dialled(ready.url, headers={"Authorization": f"Bearer {good}"}) as peer:
            assert (await peer.identify())["user"]["id"] == "p1"
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            async with dialled(ready.url, **bearer("p1")):
                pass
        assert caught.value.status == 401
