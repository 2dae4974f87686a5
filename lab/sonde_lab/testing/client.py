"""A client for a test: Sonde's own, with a witness of every entry that it hands to its user.

Owns the acts that a test may do with it, its story, and what its witness has seen. It judges nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sonde_client import Channel, Client, Closed, ConnectionStatus
from sonde_client.events import EntryArrived, StatusChanged
from sonde_lab.faults.without_proxy import rule_for_socket
from sonde_lab.own_socket import break_it, breaking_in_words
from sonde_lab.testing.home import Home
from sonde_lab.testing.recording import Happening, Story
from sonde_lab.testing.thread import LoopThread, act
from sonde_lab.tokens import TokenCall
from sonde_lab.watch import ClientWatch
from sonde_protocol.codes import CloseCode
from sonde_protocol.frames import Event, Member
from sonde_protocol.states import ChannelState, ConnectionState

if TYPE_CHECKING:
    from sonde_lab.testing.stand import Stand

MAX_SEEN: Final = 100_000
MAX_ACKED: Final = 20_000
LIVE_S: Final = 20.0


class Seen(NamedTuple):
    """One entry as it was handed over. `seq` is `None` for a volatile event, `type` is "delta" for a state entry."""

    ch: str
    epoch: str
    seq: int | None
    type: str
    data: Any
    sender: str | None


class Witness:
    """What one client was given, and what the gateway has told it that others will be given."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.left_out = 0  # entries beyond what is kept
        self.acked: list[tuple[str, str, int]] = []  # channel, epoch and seq of this client's own commands

    def take(self, seen: Seen) -> None:
        """Remember an entry."""
        if len(self.seen) < MAX_SEEN:
            self.seen.append(seen)
        else:
            self.left_out += 1

    def ack(self, ch: str, epoch: str, seq: int | None) -> None:
        """Remember that the gateway has taken something in."""
        if seq is not None and epoch and len(self.acked) < MAX_ACKED:
            self.acked.append((ch, epoch, seq))


class TestClient:
    """One client of a test, live since it was made. What is read here is what is known now."""

    __test__ = False  # pytest collects what is called Test…

    def __init__(
        self,
        stand: Stand,
        name: str,
        user: str,
        home: Home | str,
        token: str | None,
        roles: Sequence[str],
        options: dict[str, Any],
    ) -> None:
        self.name = name
        self.story = Story(name)
        self.witness = Witness()
        self._stand = stand
        self._user = user
        self._home = home
        self._token = token
        self._roles = roles
        self._options = options
        self._client: Client | None = None
        self._state = ConnectionState.IDLE
        self._close: Closed | None = None

    def __repr__(self) -> str:
        return f"<client {self.name} {self._state.value}>"

    # ------------------------------------------------------------ what is known

    @property
    def thread(self) -> LoopThread:
        """Where it lives."""
        return self._stand.thread

    @property
    def engine(self) -> Client:
        """The client itself. It belongs to the other thread: read it, and act through this class."""
        assert self._client is not None
        return self._client

    @property
    def stand(self) -> Stand:
        """Whose test it is."""
        return self._stand

    @property
    def status(self) -> ConnectionStatus:
        """Where the connection stands."""
        return self.engine.status

    @property
    def session(self) -> str:
        """Id of the session; empty before the first."""
        return self.status.session or ""

    @property
    def is_live(self) -> bool:
        """Whether it is live, with every channel up to date."""
        channels = (channel.status for channel in tuple(self.engine.channels.values()))
        settled = all(status in (ChannelState.LIVE, ChannelState.GONE) for status in channels)
        return self.status.state is ConnectionState.LIVE and settled

    @property
    def entries(self) -> tuple[Seen, ...]:
        """Every entry that it was given, oldest first."""
        return tuple(self.witness.seen)

    def events(self, type: str, ch: str = "") -> tuple[Any, ...]:
        """What the events of one type said, oldest first; of one channel where it is named."""
        return tuple(e.data for e in self.entries if e.type == type and ch in ("", e.ch))

    def state(self, ch: str) -> Any:
        """The channel's document; `{}` before the first snapshot. Read-only."""
        return self._channel(ch).state

    def members(self, ch: str) -> tuple[Member, ...]:
        """Who is in the channel."""
        return self._channel(ch).members

    def is_mine(self, conn: str) -> bool:
        """Whether a row's connection is this one."""
        return conn == self.name

    # ------------------------------------------------------------ acts

    @act
    async def subscribe(self, ch: str, *, presence: bool = True, state: bool = True) -> None:
        """Join a channel. Raises `Refused` where it may not."""
        await self.engine.subscribe(ch, presence=presence, state=state)

    @act
    async def unsubscribe(self, ch: str) -> None:
        """Leave a channel."""
        await self.engine.unsubscribe(ch)

    @act
    async def publish(self, ch: str, type: str, data: Any = None, *, class_: str = "reliable") -> int | None:
        """Publish an event; its seq, `None` for a volatile one. Raises `Refused`, `OutcomeUnknown`."""
        seq = await self._channel(ch).publish(type, data, class_=class_)
        self.witness.ack(ch, self._epoch(ch), seq)
        return seq

    @act
    async def patch(self, ch: str, patch: dict[str, Any], *, base: int | None = None) -> int:
        """Change the channel's document by a merge patch; the seq of the entry that holds it. Raises as `publish`."""
        seq = await self._channel(ch).patch(patch, base=base)
        self.witness.ack(ch, self._epoch(ch), seq)
        return seq

    @act
    async def drop(self) -> None:
        """Cut the socket without a word, as a network does. It comes back by itself."""
        self._stand.recording.say(f"cut the socket of {self.name}", injected=True, conn=self.name)
        self.engine.drop()

    @act
    async def break_socket(self, rule: str) -> None:
        """Do to its own socket what a rule says: `reset`, `cut`, `half_open for=5s`, `slow_consumer 5s`, `no_heartbeat`.

        Raises:
            RuleRefused: it is none of these. ConnectFailed: there is no open socket.
        """
        what = rule_for_socket(rule)
        words = breaking_in_words(what, self.name)
        self._stand.recording.say(words, injected=True, conn=self.name)
        break_it(self.engine, what)

    @act
    async def mend_socket(self) -> None:
        """End what `break_socket` has begun; a half-open socket is reset."""
        self.engine.breaking.off()

    @act
    async def refuse_dials_for(self, seconds: float) -> None:
        """Let its dials fail as refused for a while."""
        words = f"refuse the dials of {self.name} for {seconds:g} s"
        self._stand.recording.say(words, injected=True, conn=self.name)
        self.engine.refuse_dials_for(seconds)

    @act
    async def retry_now(self) -> None:
        """Do not wait for the next try."""
        self.engine.retry_now()

    @act
    async def send_raw(self, data: str | bytes) -> None:
        """Send one message as it is, nonsense included."""
        self.engine.send_raw(data)

    @act
    async def connect(self, within: float = LIVE_S) -> None:
        """After `close`: connect again. Raises `ConnectFailed`."""
        self.engine.connect()
        await self.engine.wait_live(within)

    @act
    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Leave. 1000 and 1001 end the session, 4000 leaves it to be resumed by `connect`."""
        await self.engine.close(code, reason)

    # ------------------------------------------------------------ its life, on the thread

    async def begin(self, rooms: Sequence[str]) -> None:
        """Connect, and join rooms. Raises `ConnectFailed`, `Refused`."""
        urls = [self._home] if isinstance(self._home, str) else list(self._home.urls)
        given = {"name": self.name, "measure_every_s": 0.0, **self._options}
        self._client = client = Client(urls, self._token_source(), **given)
        recording = self._stand.recording
        ClientWatch(self.name, client, recording.log, recording.board, recording.tally)
        client.on(StatusChanged, self._on_status)
        client.on(EntryArrived, self._on_entry)
        client.connect()
        await client.wait_live(LIVE_S)
        for room in rooms:
            await client.subscribe(room, presence=True)

    async def end(self) -> None:
        """Leave for good."""
        if self._client is not None:
            await self._client.close()
            self._client.bus.close()

    def _token_source(self) -> str | TokenCall | None:
        if self._token is not None or isinstance(self._home, str):
            return self._token
        return self._home.token_source(self._user, self._roles)

    def _channel(self, ch: str) -> Channel:
        known = self.engine.channels.get(ch)
        if known is None:
            there = ", ".join(self.engine.channels) or "none"
            raise KeyError(f"{self.name} is not subscribed to '{ch}'; it is to: {there}")
        return known

    def _epoch(self, ch: str) -> str:
        channel = self.engine.channels.get(ch)
        cursor = None if channel is None else channel.cursor
        return "" if cursor is None else cursor.epoch

    def _on_entry(self, event: EntryArrived) -> None:
        data = event.frame.d if isinstance(event.frame, Event) else event.data
        self.witness.take(Seen(event.ch, self._epoch(event.ch), event.seq, event.type, data, event.sender))

    def _on_status(self, event: StatusChanged) -> None:
        status, before = event.status, self._state
        if status.last_close is not None and status.last_close is not self._close:
            self._close = close = status.last_close
            code = int(CloseCode.ABNORMAL) if close.code is None else close.code
            self.story.tell(Happening("closed", close.at, code=code, words=f"by the {close.by}"))
        self._state = status.state
        if status.state is ConnectionState.LIVE and before is not ConnectionState.LIVE:
            self.story.tell(Happening("live", status.since, status.session or ""))
        elif before is ConnectionState.LIVE and status.state is not ConnectionState.LIVE:
            self.story.tell(Happening("lost", status.since, status.session or ""))
