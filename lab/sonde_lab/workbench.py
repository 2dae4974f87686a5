"""One endpoint, its clients and everything seen of them: acts in, batches of changes out.

Owns the life of the endpoint (embedded gateway, players, clients) and the acts of a person. Everything that a
window can do, a script can do here. It draws nothing and blocks nothing: whoever looks takes the changes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sonde_lab import tokens
from sonde_lab.capture.files import CaptureLimits
from sonde_lab.capture.saving import Saved, Saving
from sonde_lab.capturing import Capturing
from sonde_lab.changes import Act, Changes, GatewayState
from sonde_lab.collecting import Collector
from sonde_lab.decoders.own.desk import OwnDecoders
from sonde_lab.endpoints import NOT_OURS, Endpoint, EndpointKind, TokenKind, TokenSource
from sonde_lab.hosting import DEFAULT_PLAYERS, GATEWAY_DIED, Home, Hosting
from sonde_lab.joining import Joiner
from sonde_lab.lag import LagWatch
from sonde_lab.moments import Moment
from sonde_lab.operating import Operating
from sonde_lab.possible import Situation, why_not, why_not_tap
from sonde_lab.proxying import Proxying
from sonde_lab.records import Flag, Kind
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.spool import Spool
from sonde_lab.stalls import STALL, StallWatch
from sonde_lab.striking import closed
from sonde_lab.tapping import Tapping, tapping_in_words
from sonde_lab.timeline import Timeline
from sonde_lab.tokens import TokenCall
from sonde_lab.viewing import Viewing
from sonde_protocol.codes import Role
from sonde_protocol.errors import SondeError

YOU: Final = "you"
YOUR_ROLES: Final = (Role.PLAYER, Role.MONITOR, Role.ADMIN)


@dataclass(slots=True, frozen=True)
class WorkbenchConfig:
    """Sizes and paces."""

    ring_rows: int = 200_000
    ring_bytes: int = 256 << 20  # of payload: in memory, or with a spool on disk
    memory_bytes: int = 64 << 20  # of payload in memory where there is a spool
    spool: Path | None = None  # the folder for payload beyond that; None: all is in memory
    measure_every_s: float = 1.0
    figures_every_s: float = 1.0  # throughput and promises
    room: str = "room:arena"
    captures: Path = Path("captures")  # the folder of capture files
    capture_limits: CaptureLimits | None = None  # None: as it comes
    decoders: Path | None = None  # the folder of a person's own decoders
    data: Path | None = None  # where scenarios and their runs are kept; None: the person's own folder
    codec: str = "sonde.v1.json"
    players_seed: int = 1


class Workbench(Operating):
    """What the window holds exactly one of; a script may do the same. All methods belong to one loop."""

    def __init__(
        self, config: WorkbenchConfig | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.config = config = config or WorkbenchConfig()
        self.ring = _ring(config)
        super().__init__(YOU, config.codec, RowLog(self.ring, clock), clock)
        self._begin_striking()
        self._hosting = Hosting(config.room, config.players_seed, self._on_children, self._on_hosting)
        self.lag = LagWatch()  # when this program itself was busy
        self._stalls = StallWatch(clock, self.lag, self._on_stall)
        self._gateway, self._cluster = self._hosting.gateway, self._hosting.cluster
        self._proxying = Proxying(self._log, clock, self._on_children, self._notice)
        self._viewing = Viewing(self._log, clock, self._on_children, self._notice)
        self._collector = Collector(
            self._log,
            self._board,
            self._gateway,
            self._cluster,
            self._proxying,
            self._viewing,
            config.figures_every_s,
        )
        self._tapping = Tapping(self._log)
        self._joiner = Joiner(
            self._log,
            self._board,
            self._collector,
            self._tapping,
            self._spawn,
            clock,
            room=config.room,
            codec=config.codec,
            measure_every_s=config.measure_every_s,
            lag=self.lag,
        )
        self._capturing = Capturing(self._log, self._notice, config.capture_limits, clock)
        self.decoders = OwnDecoders(lambda: self.ring, self._upstream, self._notice)
        self.decoders.folder = config.decoders
        self.timeline = Timeline(self.ring)
        self._viewing.on_kept = self.timeline.take_kept
        self.moment: Moment | None = None  # the time cursor: what is looked at, None for what is now
        self.read_only = False  # a person only wants to look: acts that change something are refused
        self._moving = asyncio.Lock()
        self._sources: dict[str, str | TokenCall] = {}  # of tokens, of own clients of our own gateways
        self._joined = 1  # clients that this endpoint has had: a name is never given twice

    @property
    def data(self) -> Path | None:
        """Where scenarios and their runs are kept; `None`: in the person's own folder."""
        return self.config.data

    # ------------------------------------------------------------ open and close

    async def open(self, endpoint: Endpoint, players: int = DEFAULT_PLAYERS) -> None:
        """Leave the present endpoint and go to another. What goes wrong is a notice, never an exception."""
        async with self._moving:
            await self._leave()
            self.endpoint = endpoint
            self._hosting.wanted_players = players or DEFAULT_PLAYERS
            self._hosting.players = 0 if endpoint.kind in NOT_OURS else players
            self._collector.begin(endpoint, self.players)
            self.acts.begin(self.players)
            if endpoint.kind is EndpointKind.CAPTURE:
                self._viewing.start(Path(endpoint.path))
                return
            self._stalls.start()
            self._say(Kind.ACT, "act", f"open {endpoint.name}")
            if endpoint.kind is EndpointKind.REMOTE:
                self.clients[YOU] = self._joiner.join(YOU, endpoint.url, tokens.remote(endpoint.token))
            elif endpoint.kind is EndpointKind.CLUSTER:
                await self._populate(await self._hosting.start_cluster())
            elif endpoint.kind is EndpointKind.PROXY:
                await self._proxying.start(endpoint)
            else:
                await self._populate(await self._hosting.start_gateway())

    async def until_read(self) -> None:
        """With a capture open: wait until all of it is read."""
        await self._viewing.until_read()

    async def close(self) -> None:
        """Leave the endpoint, end every child process and the capture."""
        async with self._moving:
            await self._leave()
        await self._capturing.stop()
        self.ring.close()
        await self.decoders.stop()

    async def _leave(self) -> None:
        self.endpoint = None  # nobody joins any more
        self._stalls.stop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._hosting.stop_players()
        await asyncio.gather(*(closed(client) for client in self.clients.values()))
        self._collector.end()
        self._tapping.clear()
        self.decoders.leave()
        self.clients = {}
        self._begin_striking()
        self.current, self._joined = YOU, 1
        await self._hosting.stop()
        await self._proxying.stop()
        await self._viewing.stop()

    async def _populate(self, home: Home | None) -> None:
        """Let whoever lives on our own gateway come to it."""
        if home is None:
            return
        if self.endpoint is not None and not self.clients:
            roles = [role.value for role in YOUR_ROLES]
            token = tokens.source(self.endpoint.token, home.secret, YOU, roles)
            self.clients[YOU] = self._joiner.join(YOU, home.urls, token)
            self._sources[YOU] = token
        await self._hosting.start_players()

    def _on_children(self) -> None:
        self._collector.gateway_changed()

    def _on_hosting(self, cause: str, title: str, detail: str, advice: str) -> None:
        self._notice(cause, title, detail, advice)
        if cause == GATEWAY_DIED:  # what ended with it has its reason here
            self._at_gateway.clear()
            self._say(Kind.NOTE, cause, f"{title}: {detail}", flags=Flag.ERROR)

    def _on_stall(self, _at: float, words: str) -> None:
        self._say(Kind.NOTE, STALL, words)

    # ------------------------------------------------------------ what changed

    def take_changes(self) -> Changes:
        """Everything since the last call. Cheap enough for thirty times a second."""
        self._stalls.beat()  # before anything that was measured is judged
        problem = self.ring.spool.take_problem() if self.ring.spool is not None else ""
        if problem:
            advice = "Free some room or mend the folder. Until then the oldest rows leave the table sooner."
            self._notice("spool_failed", "Older rows cannot be kept on disk", problem, advice)
        changes = self._collector.take(self._now(), self.current, self.players)
        changes.taps = self._tapping.take()
        changes.injected = self._take_injected()
        changes.capture = self._capturing.take(self._now(), changes)
        self.decoders.take_rows()
        return changes

    # ------------------------------------------------------------ acts

    def can(self, act: Act, name: str = "") -> str | None:
        """Why an act is not possible now, in words; `None` when it is. `name`: another than the current client."""
        client = self.clients.get(name or self.current)
        return why_not(
            act,
            Situation(
                endpoint=self.endpoint,
                gateway=self._own_gateway_state(),
                status=None if client is None else client.status,
                parts=self._cluster.parts,
                url=self._proxying.url,
                clients=len(self.clients),
                can_join=bool(self.clients),
                has_admin=self._live_as(Role.ADMIN) is not None,
                has_monitor=self._live_as(Role.MONITOR) is not None,
                taps=len(self._tapping),
                read_only=self.read_only,
                proxy=self._proxying.state,
                rules=len(self.rules),
                held=len(self.held.rows),
                holds=len(self.holds),
                striking=len(self.striking),
            ),
        )

    def _own_gateway_state(self) -> GatewayState:
        kind = None if self.endpoint is None else self.endpoint.kind
        if kind is EndpointKind.PROXY:
            return self._proxying.state
        return self._cluster.state if kind is EndpointKind.CLUSTER else self._gateway.state

    @property
    def _is_remote(self) -> bool:
        return self.endpoint is not None and self.endpoint.kind is EndpointKind.REMOTE

    def add_client(self, *, user: str = "", token: str = "") -> str:
        """One more own client on this endpoint, on its way at once; its name, empty when it is not possible.

        On our own gateways it gets a token of its own: for `user`, else for its name, with the role player.
        Elsewhere it shows the token given here, else the endpoint's.
        """
        if not self._may(Act.ADD_CLIENT) or self.endpoint is None:
            return ""
        self._joined += 1
        name, home, wanted = f"{YOU}{self._joined}", self._hosting.home, self.endpoint.token
        self._act(Act.ADD_CLIENT, f"add the client {name}", conn=name)
        if token:
            wanted = TokenSource(TokenKind.PASTE, token)
        if self._is_remote or home is None:
            self.clients[name] = self._joiner.join(name, self.endpoint.url, tokens.remote(wanted))
        else:
            source = tokens.source(wanted, home.secret, user or name, (Role.PLAYER.value,))
            self.clients[name] = self._joiner.join(name, home.urls, source)
            self._sources[name] = source
        return name

    async def remove_client(self, name: str = "") -> None:
        """Leave with a client, the current one or the named one, and forget it; its rows stay."""
        name = name or self.current
        client = self.clients.get(name)
        if not self._may(Act.REMOVE_CLIENT, name) or client is None:
            return
        self._act(Act.REMOVE_CLIENT, f"remove the client {name}", conn=name)
        await closed(client)
        if self.clients.get(name) is client:  # else another endpoint was opened meanwhile
            del self.clients[name]
            self._collector.unwatch(name)
            self._tapping.forget(name)
            self.current = self.current if self.current in self.clients else next(iter(self.clients), YOU)

    def can_tap(self, session: str) -> str | None:
        """Why a session cannot be tapped now, in words; `None` when it can."""
        watching, row = self._live_as(Role.MONITOR), self._collector.session(session)
        if watching is None or row is None:
            return self.can(Act.TAP)
        return self.can(Act.TAP) or why_not_tap(row.node, watching.status.node or "")

    async def tap(self, *, session: str = "", user: str = "", ch: str = "", sample: float = 1.0) -> None:
        """Show frames of others as rows of theirs: of a session, a user or a channel, `sample` of them (0–1]."""
        watching = self._live_as(Role.MONITOR)
        if not self._may(Act.TAP) or watching is None:
            return
        name = next(name for name, client in self.clients.items() if client is watching)
        self._act(Act.TAP, tapping_in_words("tap", session, user, ch, sample), conn=name)
        try:
            row = self._collector.session(session)
            owner = "" if row is None else row.user
            await self._tapping.tap(name, watching, session, user, ch, sample, owner)
        except SondeError as error:
            self._notice("tap_failed", "The tap was not placed", str(error), "See the gateway's answer.")

    async def untap(self, *, session: str = "", user: str = "", ch: str = "") -> None:
        """Show no more of what the same words selected; without any, of nobody."""
        if self._may(Act.UNTAP):
            self._act(Act.UNTAP, tapping_in_words("untap", session, user, ch, 1.0))
            try:
                await self._tapping.untap(self.clients, session, user, ch)
            except SondeError as error:
                self._notice("tap_failed", "A tap was not ended", str(error), "It ends with its connection.")

    def connect(self, name: str = "") -> None:
        """Connect the current client, or the named one; a proxy that has ended starts again."""
        if self.endpoint is None or self.endpoint.kind is not EndpointKind.PROXY:
            super().connect(name)
        elif self._may(Act.CONNECT):
            self._act(Act.CONNECT, "connect")
            self._spawn(self._start_proxy_again(self.endpoint), "start the proxy")

    async def _start_proxy_again(self, endpoint: Endpoint) -> None:
        async with self._moving:
            await self._proxying.start(endpoint)

    @property
    def is_capturing(self) -> bool:
        """Whether rows are written to a file."""
        return self._capturing.is_on

    async def set_capture(self, on: bool) -> None:
        """Write every row from now on to a new file, or end that. What goes wrong is a notice."""
        await (self._capturing.start(self.config.captures) if on else self._capturing.stop())

    async def save_capture(self, target: Path, saving: Saving, *, overwrite: bool = False) -> Saved:
        """A copy of the capture while it goes on. Raises what `Capturing.save` does."""
        return await self._capturing.save(target, saving, overwrite=overwrite)

    async def recover_captures(self) -> None:
        """Tell of a capture that an earlier run did not close, and mend it."""
        await self._capturing.recover(self.config.captures)

    def _upstream(self) -> str:
        """The server that the endpoint leads to, for decoders that know theirs by it."""
        return "" if self.endpoint is None else self.endpoint.upstream or self.endpoint.url


def _ring(config: WorkbenchConfig) -> Ring:
    spool = None if config.spool is None else Spool(config.spool)
    return Ring(config.ring_rows, config.ring_bytes, config.memory_bytes, spool)
