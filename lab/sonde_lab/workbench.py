"""One endpoint, its clients and everything seen of them: acts in, batches of changes out.

Owns the life of the endpoint (embedded gateway, players, clients) and the acts of a person. Everything that a
window can do, a script can do here. It draws nothing and blocks nothing: whoever looks takes the changes.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sonde_client import Client, ConnectFailed, NotSent, OutcomeUnknown, Refused, Severity
from sonde_client.client import Status
from sonde_lab import cluster_acts, monitoring, tokens
from sonde_lab.capturing import Capturing
from sonde_lab.changes import Act, Changes, GatewayState
from sonde_lab.cluster_acts import ClusterActs
from sonde_lab.collecting import Collector
from sonde_lab.composing import Composed, NotUnderstood, SendClose, SendCommand, SendControl, SendRaw, compose
from sonde_lab.decoders.own.desk import OwnDecoders
from sonde_lab.embedded import EmbeddedGateway, GatewayFailed, end_in_words
from sonde_lab.endpoints import Endpoint, EndpointKind
from sonde_lab.guarded import PartFailed
from sonde_lab.notices import NoticeBoard
from sonde_lab.player_process import PlayerProcess
from sonde_lab.possible import Situation, why_not
from sonde_lab.proxying import Proxying
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.watch import ClientWatch
from sonde_lab.wording import identity, last_words, one_line
from sonde_protocol.codec import CODECS
from sonde_protocol.codes import CloseCode, Role
from sonde_protocol.errors import SondeError, excerpt
from sonde_protocol.frames import Kick, op_of

logger = logging.getLogger(__name__)

YOU: Final = "you"
YOUR_ROLES: Final = (Role.PLAYER, Role.MONITOR, Role.ADMIN)
PROGRAM: Final = "sonde"
VERSION: Final = importlib.metadata.version("sonde")
DEFAULT_PLAYERS: Final = 6


@dataclass(slots=True, frozen=True)
class WorkbenchConfig:
    """Sizes and paces."""

    ring_rows: int = 200_000
    ring_bytes: int = 256 << 20
    measure_every_s: float = 1.0
    figures_every_s: float = 1.0  # throughput and promises
    room: str = "room:arena"
    captures: Path = Path("captures")  # the folder of capture files
    decoders: Path | None = None  # the folder of a person's own decoders
    codec: str = "sonde.v1.json"
    players_seed: int = 1


class Workbench:
    """What the window holds exactly one of; a script may do the same. All methods belong to one loop."""

    def __init__(
        self, config: WorkbenchConfig | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.config = config or WorkbenchConfig()
        self.ring = Ring(self.config.ring_rows, self.config.ring_bytes)
        self.current = YOU
        self.clients: dict[str, Client] = {}
        self.endpoint: Endpoint | None = None
        self.players = 0  # simulated players asked for; 0 when they are off
        self._now = clock
        self._log = RowLog(self.ring, clock)
        self._board = NoticeBoard(self._log.wall)
        self._gateway = EmbeddedGateway(self._on_gateway)
        self._players = PlayerProcess(self._on_players_died)
        self._cluster = ClusterActs(self._on_cluster)
        self._proxying = Proxying(self._log, clock, self._on_cluster, self._notice)
        self._collector = Collector(
            self._log, self._board, self._gateway, self._cluster, self._proxying, self.config.figures_every_s
        )
        self._capturing = Capturing(self._log, self._notice)
        self.decoders = OwnDecoders(lambda: self.ring, self._upstream, self._notice)
        self.decoders.folder = self.config.decoders
        self._wanted_players = DEFAULT_PLAYERS
        self._tasks: set[asyncio.Task[None]] = set()
        self._moving = asyncio.Lock()
        self._marks = 0

    @property
    def players_on(self) -> bool:
        """Whether simulated players are wanted."""
        return self.players > 0

    # ------------------------------------------------------------ open and close

    async def open(self, endpoint: Endpoint, players: int = DEFAULT_PLAYERS) -> None:
        """Leave the present endpoint and go to another. What goes wrong is a notice, never an exception."""
        async with self._moving:
            await self._leave()
            self.endpoint = endpoint
            self._wanted_players = players or DEFAULT_PLAYERS
            self.players = 0 if endpoint.kind in (EndpointKind.REMOTE, EndpointKind.PROXY) else players
            self._collector.begin(endpoint, self.players)
            self._say(Kind.ACT, "act", f"open {endpoint.name}")
            if endpoint.kind is EndpointKind.REMOTE:
                self._join(endpoint.url, tokens.remote(endpoint.token))
            elif endpoint.kind is EndpointKind.CLUSTER:
                await self._start_cluster()
            elif endpoint.kind is EndpointKind.PROXY:
                await self._proxying.start(endpoint)
            else:
                await self._start_gateway(self._gateway.start)

    async def close(self) -> None:
        """Leave the endpoint, end every child process and the capture."""
        async with self._moving:
            await self._leave()
        await self._capturing.stop()
        await self.decoders.stop()

    async def _leave(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._players.stop()
        for client in self.clients.values():
            await client.close()
        self._collector.end()
        self.decoders.leave()
        self.clients = {}
        self.endpoint = None
        self.players = 0
        await self._gateway.stop()
        await self._cluster.stop()
        await self._proxying.stop()

    async def _start_gateway(self, start: Callable[[], Coroutine[Any, Any, str]]) -> None:
        """Bring the embedded gateway up, then whoever lives on it."""
        try:
            url = await start()
        except GatewayFailed as error:
            self._notice(
                "gateway_failed",
                "The embedded gateway did not start",
                str(error),
                last_words(error.log_tail),
            )
            return
        await self._populate((url,), self._gateway.secret)

    async def _start_cluster(self) -> None:
        """Bring a cluster up, then whoever lives on it."""
        try:
            urls = await self._cluster.start()
        except (PartFailed, OSError) as error:
            words = last_words(getattr(error, "log_tail", ()))
            self._notice("cluster_failed", "The cluster did not start", str(error), words)
            await self._cluster.stop()
            self._collector.gateway_changed()
            return
        await self._populate(urls, self._cluster.secret)

    async def _start_proxy_again(self, endpoint: Endpoint) -> None:
        async with self._moving:
            await self._proxying.start(endpoint)

    async def _populate(self, urls: Sequence[str], secret: str) -> None:
        if self.endpoint is not None and YOU not in self.clients:
            roles = [role.value for role in YOUR_ROLES]
            self._join(urls, tokens.source(self.endpoint.token, secret, YOU, roles))
        if self.players:
            await self._start_players()

    async def _start_players(self) -> None:
        config, cluster = self.config, self._cluster
        urls, secret = (
            (cluster.urls, cluster.secret) if cluster.urls else ((self._gateway.url,), self._gateway.secret)
        )
        try:
            await self._players.start(urls, secret, self.players, config.players_seed, config.room)
        except OSError as error:
            self._notice(
                "players_failed", "The players cannot be started", str(error), "Try again from the menu."
            )

    def _join(self, url: str | Sequence[str], token: str | tokens.TokenCall) -> None:
        client = Client(
            url,
            token,
            name=PROGRAM,
            version=VERSION,
            codec=self.config.codec,
            device="desktop",
            measure_every_s=self.config.measure_every_s,
            clock=self._now,
        )
        self.clients[YOU] = client
        watch = ClientWatch(YOU, client, self._log, self._board, self._collector.tally)
        watch.on_live = lambda: self._spawn(self._subscribe(client), "subscribe")
        self._collector.watch(watch)
        client.connect()

    async def _subscribe(self, client: Client) -> None:
        """Join what this workbench shows; a channel that is there already comes back by itself."""
        logger.info("live at %s", client.status.url)
        wanted = [self.config.room]
        if Role.MONITOR in client.status.roles:
            wanted += monitoring.CHANNELS
        for ch in wanted:
            if ch in client.channels:
                continue
            try:
                await client.subscribe(ch, presence=ch == self.config.room)
            except (Refused, NotSent, OutcomeUnknown, ConnectFailed) as error:
                logger.info("no subscription to %s: %s", ch, error)  # the client has told it as a failure

    # ------------------------------------------------------------ what changed

    def take_changes(self) -> Changes:
        """Everything since the last call. Cheap enough for thirty times a second."""
        changes = self._collector.take(self._now(), self.current, self.players)
        changes.capture = self._capturing.take(self._now())
        self.decoders.take_rows()
        return changes

    # ------------------------------------------------------------ acts

    def can(self, act: Act) -> str | None:
        """Why an act is not possible now, in words; `None` when it is."""
        client = self.clients.get(self.current)
        return why_not(
            act,
            Situation(
                endpoint=self.endpoint,
                gateway=self._own_gateway_state(),
                status=None if client is None else client.status,
                parts=self._cluster.parts,
                url=self._proxying.url,
            ),
        )

    def _own_gateway_state(self) -> GatewayState:
        kind = None if self.endpoint is None else self.endpoint.kind
        if kind is EndpointKind.PROXY:
            return self._proxying.state
        return self._cluster.state if kind is EndpointKind.CLUSTER else self._gateway.state

    def connect(self) -> None:
        """Connect the current client; a proxy that has ended starts again."""
        if not self._may(Act.CONNECT) or self.endpoint is None:
            return
        self._act(Act.CONNECT, "connect")
        if self.endpoint.kind is EndpointKind.PROXY:
            self._spawn(self._start_proxy_again(self.endpoint), "start the proxy")
        else:
            self.clients[self.current].connect()

    def disconnect(self) -> None:
        """Leave with the current client: its session ends."""
        if self._may(Act.DISCONNECT):
            self._act(Act.DISCONNECT, "disconnect")
            self._spawn(self.clients[self.current].close(), "disconnect")

    def retry_now(self) -> None:
        """Do not wait for the next try."""
        if self._may(Act.RETRY_NOW):
            self._act(Act.RETRY_NOW, "retry now")
            self.clients[self.current].retry_now()

    def drop(self) -> None:
        """Cut the current client's socket without a word, as a network does."""
        if self._may(Act.DROP):
            self._act(Act.DROP, f"cut the socket of {self.current}", injected=True)
            self.clients[self.current].drop()

    def refuse(self, seconds: float = 10.0) -> None:
        """Let the current client's dials fail for a while."""
        if self._may(Act.REFUSE):
            self._act(Act.REFUSE, f"refuse the dials of {self.current} for {seconds:g} s", injected=True)
            self.clients[self.current].refuse_dials_for(seconds)

    async def kick(self, session: str | None = None) -> None:
        """Let the gateway end a session (role admin); without one the current client's own."""
        if not self._may(Act.KICK):
            return
        client = self.clients[self.current]
        own = client.status.session
        target = session or own or ""
        self._act(Act.KICK, f"kick session {identity(target)}", injected=True)
        frame = Kick(id=1, session=target, code=int(CloseCode.KICKED), cause="kicked from Sonde")
        try:
            await client.command(frame)
        except SondeError as error:
            if target != own:  # the own session's end is the answer
                self._notice(
                    "kick_failed", "The session was not kicked", str(error), "See the gateway's answer."
                )

    async def restart_gateway(self) -> None:
        """End the embedded gateway as a crash does and start it on the same port."""
        if not self._may(Act.RESTART_GATEWAY):
            return
        async with self._moving:
            self._act(Act.RESTART_GATEWAY, "restart the embedded gateway", injected=True)
            await self._start_gateway(self._gateway.restart)

    def can_to(self, act: Act, node: str) -> str | None:
        """Why an act on one node of the cluster is not possible now, in words; `None` when it is."""
        is_on_cluster = self.endpoint is not None and self.endpoint.kind is EndpointKind.CLUSTER
        if not is_on_cluster:
            return self.can(act)
        return cluster_acts.why_not(act, self._cluster.parts, "", node)

    async def act_on_cluster(self, act: Act, node: str = "") -> None:
        """Break or mend a part of the cluster: the named node, else the one that carries the current client."""
        if not self._may(act):
            return
        client = self.clients.get(self.current)
        carrier = "" if client is None else client.status.node or ""
        restarts = act in (Act.RESTART_NATS, Act.RESTART_REDIS)
        names = [] if restarts else cluster_acts.targets(act, self._cluster.parts, carrier, node)
        if not names and not restarts:
            return
        mends = act in (Act.START_NODE, Act.CONTINUE_NODE)
        self._act(act, cluster_acts.in_words(act, names), injected=not mends)
        try:
            await self._cluster.do(act, names)
        except (PartFailed, OSError) as error:
            words = last_words(getattr(error, "log_tail", ()))
            self._notice("part_failed", "A part of the cluster did not come up", str(error), words)

    def set_players(self, on: bool) -> None:
        """Start or end the simulated players."""
        if self._may(Act.SET_PLAYERS) and on != self.players_on:
            self.players = self._wanted_players if on else 0
            self._act(Act.SET_PLAYERS, f"{self.players} simulated players" if on else "no simulated players")
            self._collector.gateway_changed()
            self._spawn(self._start_players() if on else self._players.stop(), "players")

    async def set_presence(self, status: Status, activity: str | None = None) -> None:
        """Change how others see the current client."""
        if self._may(Act.SET_PRESENCE):
            self._act(
                Act.SET_PRESENCE, f"appear {status}" + (f" · {one_line(activity, 64)}" if activity else "")
            )
            try:
                await self.clients[self.current].set_presence(status, activity=activity)
            except SondeError as error:
                self._notice("presence_failed", "The presence was not changed", str(error), "Try again.")

    @property
    def is_capturing(self) -> bool:
        """Whether rows are written to a file."""
        return self._capturing.is_on

    async def toggle_capture(self) -> None:
        """Begin a new capture file, or end the one that is written."""
        if self.is_capturing:
            await self._capturing.stop()
        else:
            self._capturing.start(self.config.captures)

    def mark(self, text: str = "", row_id: int | None = None) -> int:
        """Put a mark at this moment, or on a row; the marked row's id."""
        if row_id is not None:
            self._log.annotate(row_id, flags=Flag.MARKED)
            return row_id
        self._marks += 1
        words = one_line(text, 200) or f"mark {self._marks}"
        return self._say(Kind.ACT, "mark", words, flags=Flag.MARKED)

    async def send(self, text: str) -> str | None:
        """Send what was typed: see `composing`. What went wrong, in words; `None` when nothing did.

        A command is waited for: a refusal comes back as words too.
        """
        reason = self.can(Act.SEND)
        if reason is not None:
            return reason
        client = self.clients[self.current]
        try:
            composed = compose(text, CODECS[self.config.codec].binary)
            await self._send(client, composed)
        except NotUnderstood as error:
            return str(error)
        except ConnectFailed as error:
            return str(error.failure)
        except Refused as error:
            return f"The gateway refused it: {error}"
        except (OutcomeUnknown, NotSent, ValueError) as error:
            return excerpt(str(error), 300)
        return None

    async def _send(self, client: Client, composed: Composed) -> None:
        match composed:
            case SendCommand(frame):
                self._act(Act.SEND, f"send {op_of(frame)}")
                await client.command(frame)
            case SendRaw(data, op):
                self._act(Act.SEND, f"send {one_line(op, 40)}, {len(data):,} characters as they are")
                client.send_raw(data)
            case SendControl(pong, data):
                self._act(Act.SEND, "send a WebSocket pong" if pong else "send a WebSocket ping")
                client.send_ping(data, pong=pong)
            case SendClose(code, reason):
                self._act(Act.SEND, f"close with {code} {one_line(reason, 80)}".rstrip())
                await client.close(code, reason)

    # ------------------------------------------------------------ what children tell

    def _on_cluster(self) -> None:
        self._collector.gateway_changed()

    def _on_gateway(self) -> None:
        self._collector.gateway_changed()
        gateway = self._gateway
        if gateway.state is GatewayState.DEAD and gateway.exit_code is not None and gateway.starts:
            detail = f"Its process {end_in_words(gateway.exit_code)}."
            words = last_words(gateway.log_tail, "“Restart gateway” brings it back on the same port.")
            self._notice("gateway_died", "The embedded gateway has ended", detail, words)

    def _on_players_died(self, exit_code: int) -> None:
        self.players = 0
        self._collector.gateway_changed()
        detail = f"Their process {end_in_words(exit_code)}."
        words = last_words(self._players.log_tail, "Turn them on again when you like.")
        self._notice("players_died", "The simulated players have ended", detail, words)

    # ------------------------------------------------------------ small things

    def _upstream(self) -> str:
        """The server that the endpoint leads to, for decoders that know theirs by it."""
        return "" if self.endpoint is None else self.endpoint.upstream or self.endpoint.url

    def _may(self, act: Act) -> bool:
        reason = self.can(act)
        if reason is not None:
            self._notice("not_possible", "That is not possible now", reason, "", Severity.INFO)
        return reason is None

    def _act(self, act: Act, text: str, *, injected: bool = False) -> None:
        logger.debug("act %s: %s", act.value, text)
        self._say(Kind.ACT, "act", text, flags=Flag.INJECTED if injected else 0)

    def _say(self, kind: Kind, op: str, text: str, *, flags: int = 0) -> int:
        at = self._now()
        return self._log.add(
            Record(
                at=at,
                wall=self._log.wall(at),
                conn=self.current,
                dial=0,
                direction=Direction.NONE,
                kind=kind,
                opcode=0,
                op=str(op),
                channel="",
                size=0,
                payload=text.encode("utf-8", "replace"),
                flags=int(flags),
            )
        )

    def _notice(
        self, cause: str, title: str, detail: str, advice: str, severity: Severity = Severity.ERROR
    ) -> None:
        self._board.add(cause, severity, title, detail, advice, at=self._now())

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=f"workbench: {name}")
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            error = task.exception()
            logger.error("%s failed", task.get_name(), exc_info=error)
            self._notice(
                "internal",
                "Something went wrong in Sonde",
                f"{task.get_name()}: {error}",
                "Please report it.",
            )
