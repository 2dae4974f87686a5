"""server/deploy/haproxy.cfg and nginx.conf, as they stand, in real balancers before real gateways."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from sonde_client import Client
from support.balancers import Balancer, haproxy, is_installed, nginx
from support.foreign_peer import ForeignPeer, bearer, dialled, token
from support.processes import GatewayProcess, start_gateway, stop
from support.tokens import mint

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

CLIENT = "127.0.0.2"  # loopback, but not the address that the balancer dials from
FORGED = "203.0.113.9"
TRUSTED = {"SONDE_TRUSTED_PROXIES": '["127.0.0.1/32"]'}
PASSED_S = 2.0

needs_haproxy = pytest.mark.skipif(not is_installed("haproxy"), reason="haproxy is not installed")
needs_nginx = pytest.mark.skipif(not is_installed("nginx"), reason="nginx is not installed")
BALANCERS = [
    pytest.param(haproxy, marks=needs_haproxy, id="haproxy"),
    pytest.param(nginx, marks=needs_nginx, id="nginx"),
]


@dataclass
class Site:
    """Gateways n1… of one process each, and what stands before them."""

    folder: Path
    stack: contextlib.ExitStack
    nodes: dict[str, GatewayProcess] = field(default_factory=dict)
    logs: dict[str, Path] = field(default_factory=dict)

    def start_nodes(self, number: int, **settings: str) -> None:
        names = [f"n{each}" for each in range(1, number + 1)]
        env = {**TRUSTED, "SONDE_LOG_LEVEL": "debug", "SONDE_DRAIN_WINDOW_S": "6", **settings}
        self.logs |= {name: self.folder / f"{name}.log" for name in names}

        def start(name: str) -> GatewayProcess:
            with self.logs[name].open("wb") as log:
                return start_gateway("--node", name, env=env, stderr=log)

        with ThreadPoolExecutor() as pool:  # their imports take half a second each
            for name, node in zip(names, pool.map(start, names), strict=True):
                self.nodes[name] = node
                self.stack.callback(self.stop_node, name)

    def stop_node(self, name: str) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.nodes[name].process.send_signal(signal.SIGCONT)
        self.nodes[name].process.kill()
        stop(self.nodes[name].process)

    def behind(
        self, start: Callable[..., contextlib.AbstractContextManager[Balancer]], *more: str
    ) -> Balancer:
        folder = self.folder / "balancer"
        return self.stack.enter_context(start(folder, list(self.nodes.values()), *more))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Nothing yet; all of it ends with the test."""
    with contextlib.ExitStack() as stack:
        yield Site(tmp_path, stack)


@pytest.fixture(scope="module", params=BALANCERS)
def trusting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[GatewayProcess, Balancer]]:
    """A gateway that trusts its balancer, and the balancer, for tests that break neither."""
    with contextlib.ExitStack() as stack:
        site = Site(tmp_path_factory.mktemp("trusting"), stack)
        site.start_nodes(1)
        yield site.nodes["n1"], site.behind(request.param)


async def node_of(url: str, name: str = "probe") -> str:
    """Which node answers a fresh connection."""
    async with dialled(url, **bearer(name)) as peer:
        return str((await peer.until("hello"))["node"])


async def address_seen(node: GatewayProcess, balancer: Balancer, **headers: str) -> str:
    """What the gateway takes for the address of a client that comes from `CLIENT`."""
    async with Client(node.url, mint("watcher", "monitor")) as watcher:
        sessions = await watcher.subscribe("$sessions")
        options = {"headers": {"Authorization": f"Bearer {token('ada')}", **headers}}
        async with dialled(balancer.url, CLIENT, **options) as peer:
            await peer.identify()
            async with asyncio.timeout(5):
                while True:
                    for row in (sessions.state or {}).values():
                        if row["user"] == "ada" and "peer" in row:
                            return str(row["peer"]).rpartition(":")[0]
                    await asyncio.sleep(0.01)


async def until_node(url: str, wanted: str, limit_s: float = 5.0) -> None:
    """Until `wanted` answers three fresh connections in a row."""
    async with asyncio.timeout(limit_s):
        row = 0
        while row < 3:
            row = row + 1 if await node_of(url) == wanted else 0


# ------------------------------------------------------------ whose connection it is


@pytest.mark.parametrize("header", ["X-Forwarded-For", "x-forwarded-for", "Forwarded"])
async def test_the_clients_own_address_arrives_and_a_forged_one_does_not(
    trusting: tuple[GatewayProcess, Balancer], header: str
) -> None:
    node, balancer = trusting
    forged = f"for={FORGED}" if header == "Forwarded" else FORGED
    assert await address_seen(node, balancer, **{header: forged}) == CLIENT
    assert await address_seen(node, balancer) == CLIENT


@needs_haproxy
@pytest.mark.parametrize("mode", ["accept", "require"])
async def test_with_the_proxy_protocol_too(site: Site, mode: str) -> None:
    site.start_nodes(1, SONDE_PROXY_PROTOCOL=mode, SONDE_TRUSTED_PROXIES='["127.0.0.1"]')
    balancer = site.behind(haproxy, "default-server send-proxy-v2")
    own = site.nodes["n1"]
    if mode == "accept":
        assert await address_seen(own, balancer, **{"X-Forwarded-For": FORGED}) == CLIENT
        return
    async with dialled(balancer.url, **bearer("ada")) as peer:  # `require`: the watcher comes this way too
        await peer.identify()
    with pytest.raises(aiohttp.ClientError):
        async with dialled(own.url, **bearer("ada")):
            pass


@pytest.mark.parametrize("start", BALANCERS)
async def test_a_gateway_that_trusts_nobody_sees_the_balancer(
    site: Site, start: Callable[..., contextlib.AbstractContextManager[Balancer]]
) -> None:
    site.start_nodes(1, SONDE_TRUSTED_PROXIES="[]")
    assert await address_seen(site.nodes["n1"], site.behind(start)) == "127.0.0.1"


# ------------------------------------------------------------ nodes that are not well


@needs_haproxy
async def test_a_hung_node_is_passed_within_two_seconds(site: Site) -> None:
    site.start_nodes(2)
    balancer = site.behind(haproxy)
    await asyncio.gather(*(until_any(balancer, name) for name in site.nodes))
    site.nodes["n1"].process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    took: list[float] = []
    while time.monotonic() < began + 3.0:  # before the checks notice, while they do, and after
        started = time.monotonic()
        assert await node_of(balancer.url) == "n2"
        took.append(time.monotonic() - started)
    assert max(took) < PASSED_S
    assert max(took) > 0.3, "no connection ever reached the node that hangs: this test shows nothing"
    site.nodes["n1"].process.send_signal(signal.SIGCONT)
    async with asyncio.timeout(5):
        await until_any(balancer, "n1")


async def until_any(balancer: Balancer, name: str) -> None:
    """Until that node is given a connection."""
    async with asyncio.timeout(5):
        while await node_of(balancer.url) != name:
            pass


@pytest.mark.parametrize("start", BALANCERS)
async def test_a_draining_node_gets_no_new_connections_and_keeps_its_own(
    site: Site, start: Callable[..., contextlib.AbstractContextManager[Balancer]]
) -> None:
    site.start_nodes(2)
    balancer = site.behind(start)
    async with contextlib.AsyncExitStack() as stack:
        peers: dict[str, ForeignPeer] = {}
        while len(peers) < 2:
            peer = await stack.enter_async_context(dialled(balancer.url, **bearer(f"u{len(peers)}")))
            peers.setdefault(str((await peer.until("hello"))["node"]), peer)
        await peers["n1"].identify()
        site.nodes["n1"].process.send_signal(signal.SIGTERM)
        await peers["n1"].until("reconnect")
        assert [await node_of(balancer.url) for _ in range(10)] == ["n2"] * 10
        assert (await peers["n1"].command("subscribe", ch="room:arena"))["op"] == "reply"


@pytest.mark.parametrize("start", BALANCERS)
async def test_a_killed_node_is_passed_at_once_and_found_again(
    site: Site, start: Callable[..., contextlib.AbstractContextManager[Balancer]]
) -> None:
    site.start_nodes(2)
    balancer = site.behind(start)
    await asyncio.gather(*(until_any(balancer, name) for name in site.nodes))
    port, admin = site.nodes["n1"].port, site.nodes["n1"].admin.rpartition(":")[2]
    site.nodes["n1"].kill()
    stop(site.nodes["n1"].process)
    began = time.monotonic()
    assert [await node_of(balancer.url) for _ in range(10)] == ["n2"] * 10
    assert time.monotonic() - began < PASSED_S
    with site.logs["n1"].open("ab") as log:
        argv = ("--node", "n1", "--port", str(port), "--admin-port", admin)
        site.nodes["n1"] = start_gateway(*argv, env=TRUSTED, stderr=log)
    await until_any(balancer, "n1")


@needs_haproxy
async def test_two_nodes_killed_at_once_are_passed_though_they_look_idle(site: Site) -> None:
    site.start_nodes(3)
    balancer = site.behind(haproxy)
    await asyncio.gather(*(until_any(balancer, name) for name in site.nodes))
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(3):  # least connections: one for each node
            await stack.enter_async_context(dialled(balancer.url, **bearer("ada")))
        for name in ("n1", "n3"):
            site.nodes[name].kill()
        assert [await node_of(balancer.url) for _ in range(10)] == ["n2"] * 10


@needs_haproxy
async def test_with_no_node_at_all_the_answer_is_503(site: Site) -> None:
    balancer = site.behind(haproxy)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with dialled(balancer.url, **bearer("ada")):
            pass
    assert refused.value.status == 503


# ------------------------------------------------------------ what they write down


@pytest.mark.parametrize("start", BALANCERS)
async def test_no_log_holds_a_token_however_it_came(
    site: Site, start: Callable[..., contextlib.AbstractContextManager[Balancer]]
) -> None:
    site.start_nodes(2)
    balancer = site.behind(start)
    secret = token("ada")
    async with dialled(balancer.url, headers={"Authorization": f"Bearer {secret}"}) as peer:
        await peer.identify()
    offered = ["sonde.v1.json", f"sonde.bearer.{secret}"]
    async with dialled(balancer.url, protocols=offered) as peer:
        await peer.identify()
    await refused(balancer, secret, 400)
    for request in MALFORMED:
        await asyncio.to_thread(knock, balancer, request.format(secret=secret))
    site.nodes["n1"].kill()
    await refused(balancer, secret, 400)  # whichever node it went to first
    site.nodes["n2"].kill()
    await refused(balancer, secret, 502, 503)
    async with asyncio.timeout(5):
        while not shows_all(balancer.logs()):
            await asyncio.sleep(0.02)
    written = balancer.logs() + "".join(log.read_text() for log in site.logs.values())
    assert "upgrade refused" in written, "the gateways' own logs are looked at too"
    for part in secret.split("."):
        assert part not in written


# What careless or hostile clients make of a URL with a token.
MALFORMED = [
    "GET /v1/ws?token={secret} HTTP/1.1 more\r\n\r\n",
    "GET /v1/ws?token={secret} HTTP/1.1\r\nHo st: x\r\nAuthorization: Bearer {secret}\r\n\r\n",
    "GET http://x/v1/ws?token={secret} HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /v1/ws%3Ftoken={secret} HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /v1/ws;token={secret} HTTP/1.1\r\nHost: x\r\n\r\n",
    "{secret} /v1/ws HTTP/1.1\r\nHost: x\r\n\r\n",
]


def knock(balancer: Balancer, request: str) -> None:
    """Send that, and wait for whatever is answered."""
    with socket.create_connection(("127.0.0.1", balancer.port), 5) as peer, contextlib.suppress(OSError):
        peer.sendall(request.encode())
        assert peer.recv(4096)


def shows_all(log: str) -> bool:
    """Upgrades, refusals and failures are all written down."""
    return all(any(f" {status} " in log for status in group) for group in ((101,), (400,), (502, 503)))


async def refused(balancer: Balancer, secret: str, *statuses: int) -> None:
    """An upgrade with the token in the URL, as careless clients send it."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as answer:
        async with dialled(f"{balancer.url}?token={secret}"):
            pass
    assert answer.value.status in statuses
