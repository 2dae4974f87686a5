"""A client session without sockets: a clock that is turned by hand, and a gateway that a test plays itself."""

from __future__ import annotations

from typing import Any, TypeVar

from sonde_client.actions import (
    AbandonLink,
    CloseLink,
    Dial,
    DialFailure,
    FetchToken,
    SaveQueue,
    Send,
)
from sonde_client.metrics import Metrics
from sonde_client.queue import CommandQueue
from sonde_client.session import Session, SessionSettings
from sonde_protocol.codec import JSON
from sonde_protocol.frames import (
    ChannelVerdict,
    Frame,
    Hello,
    Live,
    Member,
    Position,
    Ready,
    Reply,
    Resumed,
    Snapshot,
    User,
)
from sonde_protocol.merge import state_hash

URL = "ws://gateway.test:9/v1/ws"
E = TypeVar("E")


class Outcome:
    """What a command's caller was told."""

    def __init__(self) -> None:
        self.done = False
        self.value: Any = None
        self.error: Exception | None = None

    def __call__(self, value: Any, error: Exception | None = None) -> None:
        assert not self.done, "settled twice"
        self.done, self.value, self.error = True, value, error


class Rig:
    """A session and the test that drives it."""

    def __init__(self, *, limit: int = 1000, **settings: Any) -> None:
        self.now = 1000.0
        self.metrics = Metrics()
        self.queue = CommandQueue(limit)
        self.jitter = 1.0  # share of every random wait that is taken
        settings.setdefault("measure_every_s", 0.0)
        self.session = Session(
            SessionSettings(URL, **settings),
            lambda low, high: low + (high - low) * self.jitter,
            self.queue,
            self.metrics,
        )
        self.dials: list[Dial] = []
        self.sent: list[tuple[int, Frame]] = []
        self.closes: list[CloseLink] = []
        self.abandoned: list[AbandonLink] = []
        self.token_requests: list[FetchToken] = []
        self.saves: list[int] = []  # how many frames had been sent before each save
        self.events: list[Any] = []

    # ------------------------------------------------------------ the shell's part

    def pump(self) -> None:
        for action in self.session.take_actions():
            if isinstance(action, Dial):
                self.dials.append(action)
            elif isinstance(action, Send):
                self.sent.append((action.dial, action.frame))
            elif isinstance(action, CloseLink):
                self.closes.append(action)
            elif isinstance(action, AbandonLink):
                self.abandoned.append(action)
            elif isinstance(action, FetchToken):
                self.token_requests.append(action)
            elif isinstance(action, SaveQueue):
                self.saves.append(len(self.sent))
        self.events += self.session.take_events()

    def advance(self, seconds: float) -> None:
        """Turn the clock, stopping wherever the session wants to be woken."""
        target = self.now + seconds
        for _ in range(10_000):
            deadline = self.session.next_deadline()
            if deadline is None or deadline > target:
                break
            self.now = max(self.now, deadline)
            self.session.tick(self.now)
            self.pump()
        else:
            raise AssertionError("the session asks to be woken without end")
        self.now = target

    def redial(self) -> float:
        """Turn the clock to the next dial. Returns the seconds that took."""
        before, started = len(self.dials), self.now
        while len(self.dials) == before:
            deadline = self.session.next_deadline()
            assert deadline is not None, "it does not dial again"
            self.advance(max(0.0, deadline - self.now))
        return self.now - started

    @property
    def dial(self) -> int:
        return self.dials[-1].dial

    def connect(self) -> None:
        self.session.connect(self.now)
        self.pump()

    def opened(self, dial: int | None = None) -> None:
        self.session.dial_opened(dial or self.dial, self.now)
        self.pump()

    def fail(self, cause: str = "dial_refused", **fields: Any) -> None:
        self.session.dial_failed(self.dial, DialFailure(cause, "it was said", **fields), self.now)
        self.pump()

    def receive(self, *frames: Frame, dial: int | None = None) -> None:
        for frame in frames:
            self.session.message(dial or self.dial, JSON.encode(frame), False, self.now)
            self.pump()

    def lose(
        self, code: int | None = None, reason: str = "", by: str = "network", dial: int | None = None
    ) -> None:
        self.session.lost(dial or self.dial, code, reason, by, self.now)
        self.pump()

    # ------------------------------------------------------------ what is seen

    def take_sent(self) -> list[Frame]:
        """Frames sent since the last look, on whatever socket."""
        frames = [frame for _, frame in self.sent]
        self.sent.clear()
        return frames

    def seen(self, kind: type[E]) -> list[E]:
        """Events of a class so far."""
        return [event for event in self.events if type(event) is kind]

    @property
    def state(self) -> str:
        return self.session.state.value

    def command(self, frame: Any) -> Outcome:
        outcome = Outcome()
        self.session.submit(frame, self.now, outcome)
        self.pump()
        return outcome

    def subscribe(self, ch: str = "room:arena", **fields: Any) -> Outcome:
        outcome = Outcome()
        wishes = {"presence": False, "state": True, "cursor": None} | fields
        self.session.subscribe(ch, self.now, outcome, **wishes)
        self.pump()
        return outcome

    # ------------------------------------------------------------ the gateway's part

    def go_live(self, session: str = "s1", **fields: Any) -> None:
        """Connect (unless dialling already) and be greeted."""
        if self.state in ("idle", "stopped"):
            self.connect()
        self.opened()
        self.receive(hello(), ready(session, **fields))
        assert self.state == "live"
        self.take_sent()

    def join(self, ch: str = "room:arena", epoch: str = "e1", seq: int = 0, d: Any = None) -> None:
        """Subscribe and be brought up to date."""
        outcome = self.subscribe(ch)
        number = self.take_sent()[-1].id
        self.receive(
            reply(number, {"epoch": epoch, "seq": seq, "verdict": "snapshot", "cause": "ok"}),
            snapshot(ch, epoch, seq, {} if d is None else d),
            Live(ch=ch, epoch=epoch, seq=seq),
        )
        assert outcome.done

    def resume(self, *verdicts: ChannelVerdict, generation: int = 2, secret: str = "r2") -> None:
        """The next dial opens and its resume succeeds."""
        self.opened()
        self.receive(hello(), resumed(*verdicts, generation=generation, secret=secret))


def hello(**fields: Any) -> Hello:
    return Hello(
        **{
            "version": 1,
            "node": "n1",
            "time": 0,
            "heartbeat_ms": 15_000,
            "identify_by_ms": 10_000,
            "max_frame": 65_536,
        }
        | fields
    )


def ready(session: str = "s1", **fields: Any) -> Ready:
    user = User(id="ada", name="Ada", roles=["player"])
    return Ready(
        **{
            "session": session,
            "resume": "r1",
            "resume_ttl_ms": 120_000,
            "user": user,
            "expires": None,
            "time": 0,
            "channels": list[Position](),
        }
        | fields
    )


def resumed(*verdicts: ChannelVerdict, generation: int = 2, secret: str = "r2") -> Resumed:
    return Resumed(
        session="s1", resume=secret, generation=generation, last_command=0, channels=list(verdicts)
    )


def verdict(
    ch: str = "room:arena", what: str = "replay", cause: str = "ok", epoch: str | None = "e1", **fields: Any
) -> ChannelVerdict:
    return ChannelVerdict(
        ch=ch, verdict=what, cause=cause, epoch=epoch, from_=fields.get("from_"), to=fields.get("to")
    )


def reply(number: int, d: Any = None) -> Reply:
    return Reply(id=number, d=d)


def snapshot(ch: str, epoch: str, seq: int, d: Any, **fields: Any) -> Snapshot:
    digest = fields.pop("hash", None if d is None else state_hash(d))
    return Snapshot(ch=ch, epoch=epoch, seq=seq, d=d, hash=digest, **fields)


def member(session: str, **fields: object) -> Member:
    base = {"session": session, "user": session, "name": session, "device": None, "status": "online"}
    return Member(
        **base | {"activity": None, "meta": None, "since": 0, "rtt_ms": None, "node": "n1"} | fields
    )
