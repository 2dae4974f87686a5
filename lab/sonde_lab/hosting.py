"""The processes behind an endpoint of our own: its gateway or cluster, and the simulated players on it.

Owns their starts and the notices of their ends. It joins no client and touches no traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple

from sonde_lab.changes import GatewayState
from sonde_lab.cluster_acts import ClusterActs
from sonde_lab.embedded import EmbeddedGateway, GatewayFailed, end_in_words
from sonde_lab.guarded import PartFailed
from sonde_lab.player_process import PlayerProcess
from sonde_lab.wording import last_words

DEFAULT_PLAYERS: Final = 6
GATEWAY_DIED: Final = "gateway_died"


class Home(NamedTuple):
    """Where clients of our own gateway go, and what their tokens are signed with."""

    urls: tuple[str, ...]
    secret: str


class Hosting:
    """At most one gateway or cluster. `on_change`: something has another state.

    `notify` gets what a person should know: cause, title, detail, advice.
    """

    def __init__(
        self,
        room: str,
        seed: int,
        on_change: Callable[[], None],
        notify: Callable[[str, str, str, str], None],
    ) -> None:
        self.players = 0  # simulated players asked for; 0 when they are off
        self.front = ""  # a proxy before the gateway, through which own clients go
        self.wanted_players = DEFAULT_PLAYERS  # when they are turned on
        self._room = room
        self._seed = seed
        self._on_change = on_change
        self._notify = notify
        self.gateway = EmbeddedGateway(self._on_gateway)
        self.cluster = ClusterActs(on_change)
        self._process = PlayerProcess(self._on_players_died)

    @property
    def home(self) -> Home | None:
        """Where own clients go; `None` before anything of ours is up."""
        if self.cluster.urls:
            return Home(tuple(self.cluster.urls), self.cluster.secret)
        url = self.front or self.gateway.url
        return Home((url,), self.gateway.secret) if self.gateway.url else None

    async def start_gateway(self, *, again: bool = False) -> Home | None:
        """Bring the embedded gateway up, or end it as a crash does and start it on the same port."""
        start: Callable[[], Coroutine[Any, Any, str]] = self.gateway.restart if again else self.gateway.start
        try:
            url = await start()
        except GatewayFailed as error:
            words = last_words(error.log_tail)
            self._notify("gateway_failed", "The embedded gateway did not start", str(error), words)
            return None
        return Home((url,), self.gateway.secret)

    async def start_cluster(self) -> Home | None:
        """Bring a cluster up."""
        try:
            urls = await self.cluster.start()
        except (PartFailed, OSError) as error:
            words = last_words(getattr(error, "log_tail", ()))
            self._notify("cluster_failed", "The cluster did not start", str(error), words)
            await self.cluster.stop()
            self._on_change()
            return None
        return Home(tuple(urls), self.cluster.secret)

    async def start_players(self) -> None:
        """Start as many players as are asked for. No proxy stands before them."""
        home = self.home
        if not self.players or home is None:
            return
        urls = (self.gateway.url,) if self.front else home.urls
        try:
            await self._process.start(urls, home.secret, self.players, self._seed, self._room)
        except OSError as error:
            advice = "Try again from the menu."
            self._notify("players_failed", "The players cannot be started", str(error), advice)

    async def stop_players(self) -> None:
        """End the players."""
        await self._process.stop()

    async def stop(self) -> None:
        """End the gateway or the cluster."""
        self.players, self.front = 0, ""
        await self.gateway.stop()
        await self.cluster.stop()

    # ------------------------------------------------------------ what children tell

    def _on_gateway(self) -> None:
        self._on_change()
        gateway = self.gateway
        if gateway.state is GatewayState.DEAD and gateway.exit_code is not None and gateway.starts:
            detail = f"Its process {end_in_words(gateway.exit_code)}."
            words = last_words(gateway.log_tail, "“Restart gateway” brings it back on the same port.")
            self._notify(GATEWAY_DIED, "The embedded gateway has ended", detail, words)

    def _on_players_died(self, exit_code: int) -> None:
        self.players = 0
        self._on_change()
        detail = f"Their process {end_in_words(exit_code)}."
        words = last_words(self._process.log_tail, "Turn them on again when you like.")
        self._notify("players_died", "The simulated players have ended", detail, words)
