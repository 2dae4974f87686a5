"""Everything that a test run has going: the thread, gateways, clusters, proxies and clients, and whose test it is now.

Owns the order in which things end, and which of them outlive a test. It knows no pytest: a script may use one too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sonde_lab.proxy_options import ProxyFailed
from sonde_lab.testing.client import TestClient
from sonde_lab.testing.home import Home, TestCluster, TestGateway
from sonde_lab.testing.proxy import ProxyRefused, TestProxy
from sonde_lab.testing.recording import Recording
from sonde_lab.testing.thread import LoopThread, take_forgotten
from sonde_protocol.errors import SondeError

MAX_CLIENTS: Final = 200
MAX_PROXIES: Final = 20


class NotStarted(SondeError):
    """Something that a test asked for cannot be. The message is a sentence, with what to do."""


class Forgotten(SondeError):
    """An asynchronous test has called something and not awaited it."""


class Stand:
    """Between `start` and `stop`; each test lies in `test()`. `keeps`: gateways and clusters outlive their test."""

    def __init__(self, *, keeps: bool = False) -> None:
        self.thread = LoopThread()
        self.recording = Recording("")
        self.keeps = keeps
        self.clients: list[TestClient] = []
        self.proxies: list[TestProxy] = []
        self._gateway: TestGateway | None = None
        self._clusters: dict[int, TestCluster] = {}

    def start(self) -> None:
        """Begin."""
        self.thread.start()

    def stop(self) -> None:
        """End everything."""
        try:
            self.thread.run(self._end_homes())
        finally:
            self.thread.stop()

    @contextlib.contextmanager
    def test(self, name: str) -> Iterator[Recording]:
        """One test: it has a recording of its own, and what it started is ended behind it.

        Raises:
            Forgotten: something was not awaited, so it may have failed unseen.
        """
        self.recording = recording = Recording(name)
        take_forgotten()
        try:
            yield recording
        finally:
            forgotten = take_forgotten()
            self.thread.run(self._end_test())
        if forgotten:
            what = ", ".join(dict.fromkeys(forgotten))
            raise Forgotten(f"not awaited in an asynchronous test: {what}. Write “await” in front of it")

    # ------------------------------------------------------------ what a test asks for, on the thread

    async def gateway(self) -> TestGateway:
        """The gateway of this test, started when it is asked for first.

        Raises:
            NotStarted: it did not come up.
        """
        if self._gateway is None:
            self._gateway = TestGateway(self)
        await self._up(self._gateway)
        return self._gateway

    async def cluster(self, nodes: int) -> TestCluster:
        """A cluster of so many nodes.

        Raises:
            NotStarted: a program is missing, or did not come up.
        """
        known = self._clusters.get(nodes)
        if known is None:
            known = self._clusters[nodes] = TestCluster(self, nodes)
        await self._up(known)
        return known

    async def proxy(self, upstream: Any, seed: int) -> TestProxy:
        """A proxy in front of a gateway, a cluster, another proxy or an address; of the gateway when nothing is said.

        Raises:
            NotStarted: the address is none.
        """
        if len(self.proxies) >= MAX_PROXIES:
            raise NotStarted(f"{MAX_PROXIES} proxies in one test are the most")
        home = await self._home(upstream)
        name = "p" if not self.proxies else f"p{len(self.proxies) + 1}-"
        ours, url = (None, home) if isinstance(home, str) else (home, home.url)
        try:
            proxy = TestProxy(self, name, url, ours, seed)
            await proxy.begin()
        except (ProxyRefused, ProxyFailed) as error:
            raise NotStarted(str(error)) from None
        self.proxies.append(proxy)
        return proxy

    async def client(
        self,
        user: str,
        rooms: Sequence[str],
        to: Any,
        token: str | None,
        roles: Sequence[str],
        options: dict[str, Any],
    ) -> TestClient:
        """A client that is live and in its rooms.

        Raises:
            NotStarted: there are too many, or nobody can make a token for that address.
        """
        if len(self.clients) >= MAX_CLIENTS:
            raise NotStarted(f"{MAX_CLIENTS} clients in one test are the most")
        home = await self._home(to)
        client = TestClient(self, self._name(user), user, home, token, roles, options)
        self.clients.append(client)
        await client.begin(rooms)
        return client

    async def _home(self, wanted: Any) -> Home | str:
        if wanted is None:
            return await self.gateway()
        if isinstance(wanted, str | TestGateway | TestCluster | TestProxy):
            return wanted
        raise NotStarted(
            f"{wanted!r} is no gateway, cluster, proxy or address such as ws://127.0.0.1:8765/v1/ws"
        )

    def _name(self, user: str) -> str:
        taken = {client.name for client in self.clients}
        names = (user if number == 1 else f"{user}-{number}" for number in range(1, MAX_CLIENTS + 2))
        return next(
            name for name in names if name not in taken and not any(p.is_mine(name) for p in self.proxies)
        )

    # ------------------------------------------------------------ ends

    async def _up(self, home: TestGateway | TestCluster) -> None:
        try:
            await home.begin()
        except SondeError as error:
            words = "\n".join(f"  {line}" for line in getattr(error, "log_tail", ())[-8:])
            raise NotStarted(f"{error}\n{words}".rstrip()) from None

    async def _end_test(self) -> None:
        clients, self.clients = self.clients, []
        for client in clients:
            await client.end()
        proxies, self.proxies = self.proxies, []
        for proxy in proxies:
            await proxy.end()
        if not self.keeps:
            await self._end_homes()

    async def _end_homes(self) -> None:
        homes: list[TestGateway | TestCluster] = [*self._clusters.values()]
        if self._gateway is not None:
            homes.append(self._gateway)
        self._clusters, self._gateway = {}, None
        for home in homes:
            await home.end()
