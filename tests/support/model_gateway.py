"""A gateway in a hundred lines, after docs/protocol.md: an independent model to test clients against.

Sessions with fencing, channels as logs, recorded replies, exact replay. No ticks, presence, limits or time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec

from sonde_protocol.frames import (
    Auth,
    ChannelVerdict,
    ClientPing,
    Delta,
    Error,
    Event,
    Frame,
    Hello,
    History,
    Identify,
    Live,
    Patch,
    Publish,
    Ready,
    Reply,
    Resume,
    Resumed,
    ResumeFailed,
    ServerPong,
    Snapshot,
    Subscribe,
    Sync,
    Unsubscribe,
    User,
)
from sonde_protocol.merge import apply, state_hash

Send = Callable[[Frame], None]


class ModelChannel:
    """A log and its document."""

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.log: list[Event | Delta] = []
        self.document: Any = {}
        self.members: set[ModelConnection] = set()
        self.recorded: dict[tuple[str, int], int] = {}

    @property
    def top(self) -> int:
        return len(self.log)

    def append(self, entry: Event | Delta) -> int:
        entry.seq = self.top + 1
        self.log.append(entry)
        if isinstance(entry, Delta):
            self.document = apply(self.document, entry.d)
        for member in list(self.members):
            member.send(entry)
        return entry.seq


class ModelSession:
    """A session record."""

    def __init__(self, name: str, secret: str) -> None:
        self.name = name
        self.secrets = [secret]
        self.generation = 1
        self.connection: ModelConnection | None = None


class ModelGateway:
    """All sessions and channels of one life of a gateway."""

    def __init__(self, life: str = "1") -> None:
        self.life = life
        self.sessions: dict[str, ModelSession] = {}
        self.channels: dict[str, ModelChannel] = {}
        self._names = itertools.count(1)

    def fresh(self, kind: str) -> str:
        return f"{kind}{self.life}-{next(self._names)}"

    def channel(self, ch: str) -> ModelChannel:
        if ch not in self.channels:
            self.channels[ch] = ModelChannel(self.fresh("e"))
        return self.channels[ch]

    def connect(self, send: Send) -> ModelConnection:
        connection = ModelConnection(self, send)
        send(
            Hello(
                version=1, node="model", time=0, heartbeat_ms=15_000, identify_by_ms=10_000, max_frame=65_536
            )
        )
        return connection


class ModelConnection:
    """One socket's conversation."""

    def __init__(self, gateway: ModelGateway, send: Send) -> None:
        self.gateway = gateway
        self._send = send
        self.session: ModelSession | None = None
        self.alive = True

    def send(self, frame: Frame) -> None:
        if self.alive:
            self._send(frame)

    def lost(self) -> None:
        self.alive = False
        for channel in self.gateway.channels.values():
            channel.members.discard(self)

    def on_frame(self, frame: Any) -> None:
        if self.alive:
            getattr(self, f"_on_{type(frame).__name__.lower()}", self._on_other)(frame)

    def _on_other(self, frame: Any) -> None:
        number = getattr(frame, "id", None)
        if number is not None:
            self.send(Reply(id=number, d={}))

    def _on_identify(self, frame: Identify) -> None:
        name = self.gateway.fresh("s")
        self.session = ModelSession(name, f"{name}-1")
        self.session.connection = self
        self.gateway.sessions[name] = self.session
        user = User(id="ada", name="Ada", roles=["player"])
        self.send(
            Ready(
                session=name,
                resume=f"{name}-1",
                resume_ttl_ms=120_000,
                user=user,
                expires=None,
                time=0,
                channels=[],
            )
        )

    def _on_resume(self, frame: Resume) -> None:
        session = self.gateway.sessions.get(frame.session)
        if session is None:
            self.send(ResumeFailed(cause="session_expired", identify=True))
            return
        if frame.resume not in session.secrets:
            self.send(ResumeFailed(cause="bad_secret", identify=True))
            return
        if session.connection is not None:
            session.connection.lost()
        session.generation += 1
        session.connection, self.session = self, session
        # The one that came stays valid: its `resumed` may be lost.
        session.secrets = [frame.resume, f"{session.name}-{session.generation}"]
        verdicts = [self._verdict(wish.ch, wish.cursor) for wish in frame.channels]
        self.send(
            Resumed(
                session=session.name,
                resume=session.secrets[-1],
                generation=session.generation,
                last_command=0,
                channels=verdicts,
            )
        )
        for wish, verdict in zip(frame.channels, verdicts, strict=True):
            self._bring_up_to_date(wish.ch, verdict)

    def _verdict(self, ch: str, cursor: tuple[str, int] | None) -> ChannelVerdict:
        channel = self.gateway.channel(ch)
        exact = cursor is not None and cursor[0] == channel.epoch and cursor[1] <= channel.top
        cause = "ok" if exact else "no_cursor" if cursor is None else "epoch_changed"
        return ChannelVerdict(
            ch=ch,
            verdict="replay" if exact else "snapshot",
            cause=cause,
            epoch=channel.epoch,
            from_=cursor[1] if exact and cursor else None,
            to=channel.top,
        )

    def _bring_up_to_date(self, ch: str, verdict: ChannelVerdict) -> None:
        channel = self.gateway.channel(ch)
        if verdict.verdict == "snapshot":
            self._snapshot(ch)
        else:
            for entry in channel.log[verdict.from_ or 0 :]:
                self.send(msgspec.structs.replace(entry, replay=True))
        self.send(Live(ch=ch, epoch=channel.epoch, seq=channel.top))
        channel.members.add(self)

    def _snapshot(self, ch: str) -> None:
        channel = self.gateway.channel(ch)
        digest = state_hash(channel.document)
        self.send(Snapshot(ch=ch, epoch=channel.epoch, seq=channel.top, d=channel.document, hash=digest))

    def _on_subscribe(self, frame: Subscribe) -> None:
        verdict = self._verdict(frame.ch, frame.cursor)
        d = {"epoch": verdict.epoch, "seq": verdict.to, "verdict": verdict.verdict, "cause": verdict.cause}
        self.send(Reply(id=frame.id, d=d))
        self._bring_up_to_date(frame.ch, verdict)

    def _on_unsubscribe(self, frame: Unsubscribe) -> None:
        self.gateway.channel(frame.ch).members.discard(self)
        self.send(Reply(id=frame.id, d={}))

    def _on_publish(self, frame: Publish) -> None:
        entry = Event(ch=frame.ch, type=frame.type, d=frame.d, from_="ada", ts=0)
        if frame.class_ == "volatile":
            for member in list(self.gateway.channel(frame.ch).members):
                member.send(entry)
            self.send(Reply(id=frame.id, d={}))
        else:
            self._record(frame.ch, frame.id, entry)

    def _on_patch(self, frame: Patch) -> None:
        self._record(frame.ch, frame.id, Delta(ch=frame.ch, seq=0, d=frame.d, from_="ada", ts=0))

    def _record(self, ch: str, number: int, entry: Event | Delta) -> None:
        channel = self.gateway.channel(ch)
        if self.session is None:
            self.send(Error(id=number, code="not_identified", message="identify first", temporary=False))
            return
        key = (self.session.name, number)
        if key not in channel.recorded:
            channel.recorded[key] = channel.append(entry)
        self.send(Reply(id=number, d={"seq": channel.recorded[key]}))

    def _on_history(self, frame: History) -> None:
        channel = self.gateway.channel(frame.ch)
        page = channel.log[frame.after : frame.after + min(frame.limit, 10)]
        d = {"epoch": channel.epoch, "first": 1, "top": channel.top, "entries": msgspec.to_builtins(page)}
        self.send(Reply(id=frame.id, d=d))

    def _on_sync(self, frame: Sync) -> None:
        self.send(Reply(id=frame.id, d={}))
        self._snapshot(frame.ch)

    def _on_auth(self, frame: Auth) -> None:
        self.send(Reply(id=frame.id, d={}))

    def _on_clientping(self, frame: ClientPing) -> None:
        self.send(ServerPong(t=frame.t, time=0))

    def _on_clientpong(self, frame: Any) -> None:
        """Nothing to answer."""
