"""A workbench whose traffic is written down: for views that are looked at or tested without a gateway."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sonde_client import ConnectionStatus
from sonde_client.status import Closed, ResumeReport
from sonde_lab.acts import ActLog
from sonde_lab.capture.saving import Saved, Saving
from sonde_lab.changes import (
    Act,
    Changes,
    Document,
    GatewayStatus,
    HeldContent,
    Notice,
    Promise,
    Promises,
    RttSample,
    SessionRow,
    Throughput,
)
from sonde_lab.decoders.own.desk import OwnDecoders
from sonde_lab.lag import LagWatch
from sonde_lab.moments import Moment
from sonde_lab.records import NO_RTT, Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.timeline import Timeline
from sonde_protocol.frames import Member
from sonde_protocol.states import ConnectionState

NAMES = ("ada", "bertil", "chidi", "dalia", "emeka", "frida", "goro")
WORST_NAMES = (
    "a" * 200,
    "<b>bold</b><img src=x onerror=alert(1)>",
    "مرحبا يا صديقي العزيز",
    "\u202egnp.exe",
    "lone \ud800 half",
    "nul \x00 inside",
    "two\nlines",
    "👩‍👩‍👧‍👦 family",
    "",
    "   ",
)
TEXT = 1


@dataclass
class ScriptedWorkbench:
    """Answers like `Workbench` and remembers what it was asked to do."""

    ring: Ring = field(default_factory=Ring)
    current: str = "you"
    clients: dict[str, Any] = field(default_factory=dict)
    endpoint: Any = field(
        default_factory=lambda: SimpleNamespace(kind="embedded", name="Embedded gateway", production=False)
    )
    players_on: bool = True
    pending: Changes = field(default_factory=Changes)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    refusals: dict[Act, str] = field(default_factory=dict)
    send_answer: str | None = None
    captures: bool = False
    save_answer: tuple[int, int] | Exception = (12_345, 4_400_000)
    config: object = None
    data: Path | None = None
    acts: ActLog = field(default_factory=ActLog)
    decoders: OwnDecoders = field(init=False)
    timeline: Timeline = field(init=False)
    moment: Moment | None = None
    lag: LagWatch = field(default_factory=LagWatch)
    read_only: bool = False
    arm_answer: str | None = None
    contents: dict[int, HeldContent] = field(default_factory=dict)  # of held messages

    def __post_init__(self) -> None:
        self.told: list[tuple[str, ...]] = []
        self.timeline = Timeline(self.ring)
        self.decoders = OwnDecoders(lambda: self.ring, str, lambda *words: self.told.append(words))

    def take_changes(self) -> Changes:
        taken, self.pending = (
            self.pending,
            Changes(promises=self.pending.promises, gateway=self.pending.gateway),
        )
        return taken

    def can(self, act: Act, name: str = "") -> str | None:
        return self.refusals.get(act)

    def set_current(self, name: str) -> None:
        self.current = name
        self.pending.current_changed = True

    def next_client(self) -> None:
        self.asked.append((Act.NEXT_CLIENT,))

    def add_client(self) -> str:
        self.asked.append((Act.ADD_CLIENT,))
        return "you2"

    def can_tap(self, session: str) -> str | None:
        return self.refusals.get(Act.TAP)

    async def tap(self, *, session: str = "", sample: float = 1.0) -> None:
        self.asked.append((Act.TAP, session, sample))

    async def untap(self, *, session: str = "") -> None:
        self.asked.append((Act.UNTAP, session))

    async def remove_client(self, name: str = "") -> None:
        self.asked.append((Act.REMOVE_CLIENT, name))

    def add(self, records: Sequence[Record]) -> None:
        self.ring.extend(records)
        self.pending.rows += len(records)

    async def send(self, text: str) -> str | None:
        self.asked.append((Act.SEND, text))
        return self.send_answer

    @property
    def is_capturing(self) -> bool:
        return self.captures

    async def set_capture(self, on: bool) -> None:
        self.captures = on

    async def recover_captures(self) -> None:
        self.asked.append(("recover",))

    async def save_capture(self, target: Path, saving: Saving, *, overwrite: bool = False) -> Saved:
        self.asked.append(("save", target, overwrite))
        if isinstance(self.save_answer, Exception):
            raise self.save_answer
        return Saved(target, *self.save_answer)

    async def inject(self, line: str) -> str | None:
        self.asked.append((Act.INJECT, line))
        return self.arm_answer

    async def break_socket(self, line: str, name: str = "") -> str | None:
        self.asked.append((Act.BREAK_SOCKET, line))
        return self.arm_answer

    def drop(self, name: str = "") -> None:
        self.asked.append((Act.DROP, name) if name else (Act.DROP,))

    async def kick(self, session: str | None = None) -> None:
        self.asked.append((Act.KICK, session))

    async def restart_gateway(self) -> None:
        self.asked.append((Act.RESTART_GATEWAY,))

    def can_to(self, act: Act, node: str) -> str | None:
        return self.refusals.get(act)

    async def act_on_cluster(self, act: Act, node: str = "") -> None:
        self.asked.append((act, node))

    async def arm(self, line: str) -> str | None:
        self.asked.append((Act.ARM, line))
        return self.arm_answer

    async def arm_preset(self, name: str) -> str | None:
        self.asked.append((Act.ARM, "preset", name))
        return self.arm_answer

    async def disarm(self, number: int) -> str | None:
        self.asked.append((Act.DISARM, number))
        return None

    async def faults_off(self) -> str | None:
        self.asked.append((Act.FAULTS_OFF,))
        return None

    async def hold(self, target: str = "", direction: str = "both") -> str | None:
        self.asked.append((Act.HOLD, target, direction))
        return self.arm_answer

    async def hold_nothing(self) -> str | None:
        self.asked.append((Act.HOLD_NOTHING,))
        return None

    async def content_of_held(self, number: int) -> HeldContent | str:
        return self.contents.get(number, f"Message {number} is not held any more.")

    async def let_go(self, number: int, **how: object) -> str | None:
        said = {
            name: value
            for name, value in how.items()
            if value not in (None, 0.0) and (name, value) != ("copies", 1)
        }
        self.asked.append((Act.LET_GO, number, said))
        return self.arm_answer

    async def drop_held(self, number: int) -> str | None:
        self.asked.append((Act.CHANGE_HELD, number))
        return self.arm_answer

    async def let_all_go(self) -> str | None:
        self.asked.append((Act.LET_GO,))
        return None

    async def put_proxy(self) -> None:
        self.asked.append((Act.PUT_PROXY,))

    async def take_proxy(self) -> None:
        self.asked.append((Act.TAKE_PROXY,))

    def refuse(self, seconds: float = 10.0) -> None:
        self.asked.append((Act.REFUSE, seconds))


class Script:
    """Makes records on a clock of its own."""

    def __init__(self, at: float = 1_000.0, conn: str = "you") -> None:
        self.at = at
        self.conn = conn
        self.seq = 3_100

    def frame(
        self,
        op: str,
        after_ms: float = 12,
        *,
        out: bool = False,
        flags: int = 0,
        rtt: float = NO_RTT,
        channel: str = "room:arena",
        **fields: Any,
    ) -> Record:
        """A JSON frame of `op`."""
        return self.raw(
            json.dumps({"op": op, **({"ch": channel} if channel else {}), **fields}).encode(),
            op,
            after_ms,
            out=out,
            flags=flags,
            rtt=rtt,
            channel=channel,
        )

    def raw(
        self,
        payload: bytes,
        op: str = "event",
        after_ms: float = 1,
        *,
        out: bool = False,
        flags: int = 0,
        rtt: float = NO_RTT,
        channel: str = "room:arena",
        opcode: int = TEXT,
    ) -> Record:
        """A frame of any bytes."""
        self.at += after_ms / 1000
        return Record(
            at=self.at, wall=1_795_000_000 + self.at, conn=self.conn, dial=1,
            direction=Direction.OUT if out else Direction.IN, kind=Kind.FRAME, opcode=opcode, op=op, channel=channel,
            size=len(payload), payload=payload, rtt_ms=rtt, flags=flags,
        )  # fmt: skip

    def happening(
        self,
        kind: Kind,
        op: str,
        said: str,
        after_ms: float = 1,
        *,
        flags: int = 0,
        code: int = 0,
        direction: Direction = Direction.NONE,
    ) -> Record:
        """A row that is no frame."""
        self.at += after_ms / 1000
        return Record(
            at=self.at, wall=1_795_000_000 + self.at, conn=self.conn, dial=1, direction=direction, kind=kind, opcode=0,
            op=op, channel="", size=0, payload=said.encode("utf-8", "surrogatepass"), flags=flags, code=code,
        )  # fmt: skip

    def delta(self, player: str, x: float, after_ms: float = 20) -> Record:
        """One step of a player."""
        self.seq += 1
        return self.frame(
            "delta", after_ms, seq=self.seq, d={"players": {player: {"x": x}}}, **{"from": player}, ts=1
        )

    def walk(self, player: str, x: float, steps: int) -> list[Record]:
        """A run of deltas."""
        return [self.delta(player, round(x + 0.1 * step, 1)) for step in range(steps)]


def story(repeat: int = 1) -> list[Record]:
    """The rows of the mock picture, again and again."""
    script = Script()
    rows: list[Record] = []
    for _ in range(repeat):
        rows += script.walk("ada", 41.2, 12)
        rows.append(
            script.frame(
                "event",
                18,
                seq=3101,
                type="chat",
                d={"text": "anyone at the north gate?"},
                **{"from": "bertil"},
                ts=1,
            )
        )
        rows.append(
            script.frame("publish", 1, out=True, rtt=8.4, id=214, type="ping_marker", d={"x": 40, "y": 11})
        )
        rows.append(script.frame("reply", 50, rtt=8.4, id=214, d={"seq": 3102}, channel=""))
        rows += script.walk("emeka", 12.0, 9)
        rows.append(
            script.frame("presence", 12, kind="diff", number=41, joins=[], updates=[], leaves=[], count=8)
        )
        rows.append(script.frame("ping", 1, flags=Flag.HEARTBEAT, channel="", n=37, time=1))
        rows.append(script.frame("pong", 1, out=True, flags=Flag.HEARTBEAT, rtt=11.9, channel="", n=37))
        rows.append(script.happening(Kind.ACT, "act", "half_open client:chidi 8 s", flags=Flag.INJECTED))
        rows.append(
            script.frame(
                "event",
                50,
                flags=Flag.INJECTED,
                seq=3104,
                type="hit",
                d={"target": "dalia", "hp": 72},
                **{"from": None},
                ts=1,
            )
        )
        rows.append(
            script.happening(
                Kind.CLOSE,
                "close",
                "4002 heartbeat lost — by the server, 22.5 s after the last frame received",
                22_500,
                code=4002,
            )
        )
        rows.append(
            script.happening(
                Kind.HANDSHAKE,
                "upgrade",
                "GET /v1/ws HTTP/1.1\r\nHost: 127.0.0.1:41733\r\nUpgrade: websocket\r\nAuthorization: Bearer eyJh…\r\n\r\n",
                20,
                direction=Direction.OUT,
            )
        )
        rows.append(
            script.frame("resume", 18, out=True, session="s7f3aaaa", resume="•••", channels=[], channel="")
        )
        rows.append(
            script.frame(
                "resumed",
                1,
                rtt=31.2,
                session="s7f3aaaa",
                resume="•••",
                generation=3,
                last_command=214,
                channels=[],
                channel="",
            )
        )
        rows.append(
            script.frame(
                "event",
                12,
                flags=Flag.REPLAY,
                seq=3105,
                type="chat",
                d={"text": "back at the gate"},
                **{"from": "ada"},
                ts=1,
                replay=True,
            )
        )
        rows.append(script.frame("live", 200, flags=Flag.MARKED, epoch="e1", seq=3118))
        rows.append(
            script.frame(
                "error",
                4,
                flags=Flag.ERROR,
                id=215,
                code="forbidden",
                message="only players.you may be patched",
                temporary=False,
                retry_ms=None,
                channel="",
            )
        )
        rows += script.walk("goro", 77.1, 4)
    return rows


def storm(rows: int, script: Script | None = None) -> list[Record]:
    """Traffic without stories: events that never fold."""
    script = script or Script()
    return [
        script.frame("event", 0.2, seq=at, type="chat", d={"text": f"line {at}"}, **{"from": "ada"}, ts=1)
        for at in range(rows)
    ]


def member(
    name: str,
    status: str = "online",
    activity: str | None = "walking",
    rtt: float | None = 14.0,
    session: str | None = None,
) -> Member:
    """Somebody in the room."""
    ident = session or f"s-{abs(hash(name)) % 10**8}"
    return Member(
        session=ident, user=f"p-{name[:40]}", name=name, device=None, status=status, activity=activity, meta=None,
        since=1_795_000_000_000, rtt_ms=rtt, node="node-a",
    )  # fmt: skip


def room() -> tuple[Member, ...]:
    """The eight of the mock picture."""
    return (
        member("you", activity="observer", rtt=None),
        member("ada", rtt=12), member("bertil", activity="chatting", rtt=18), member("chidi", "reconnecting", rtt=None),
        member("dalia", "away", "idle 3 min", rtt=25), member("emeka", rtt=14), member("frida", "busy", "in match", rtt=31), member("goro", rtt=16),
    )  # fmt: skip


def crowd(size: int) -> tuple[Member, ...]:
    """Many people, the worst names among them."""
    statuses = ("online", "away", "busy", "reconnecting")
    people = [member(name, session=f"worst-{at}") for at, name in enumerate(WORST_NAMES)]
    people += [
        member(f"player {at:03d}", statuses[at % 4], rtt=float(at), session=f"s{at}")
        for at in range(size - len(people))
    ]
    return tuple(people)


def live_status(rtt_ms: float | None = 12.4, **more: Any) -> ConnectionStatus:
    """A client that is well."""
    now = time.monotonic()
    values: dict[str, Any] = {
        "state": ConnectionState.LIVE, "since": now - 60, "url": "ws://127.0.0.1:41733/v1/ws", "session": "s7f3aaaa", "generation": 3,
        "user": "you", "name": "you", "roles": frozenset({"player", "monitor"}), "node": "node-a", "last_frame_at": now, "rtt_ms": rtt_ms, "connected_at": now - 60,
    }  # fmt: skip
    return ConnectionStatus(**values | more)


def waiting_status(in_s: float = 1.4) -> ConnectionStatus:
    """A client that was dropped and will try again."""
    now = time.monotonic()
    closed = Closed(
        code=4002, reason="", cause="heartbeat lost", by="server", resumable=True, retry_ms=None, at=now
    )
    return ConnectionStatus(
        state=ConnectionState.WAITING, since=now, attempts=2, next_try_at=now + in_s, last_close=closed
    )


def resumed_status(replayed: int = 15) -> ConnectionStatus:
    """A client just back."""
    return live_status(last_resume=ResumeReport(channels=2, replayed=replayed, took_ms=310.0))


def promises() -> Promises:
    """The strip of the mock picture, with one figure that has no data."""
    return Promises(
        connection_success=Promise(
            100.0, 100.0, 99.9, True, "Dials that ended in a live session.", "%", "100 %", "100 %", "99.9 %"
        ),
        delivery=Promise(
            100.0,
            99.98,
            99.99,
            True,
            "Entries that arrived once and in order.",
            "%",
            "100 %",
            "99.98 %",
            "99.99 %",
        ),
        latency=Promise(62.4, 14.1, 50.0, False, "Mean round trip.", "ms", "62.4 ms", "14.1 ms", "50 ms"),
        connections=Promise(9.0, 9.0, None, None, "Live sessions at the gateway.", "", "9", "9", "–"),
        reconnection_success=Promise(None, None, 95.0, None, "No reconnect was needed yet.", "%"),
    )


def notices() -> list[Notice]:
    """One of each severity, and a hostile one."""
    now, wall = time.monotonic(), 1_795_000_000.0
    return [
        Notice(1, now, wall, "info", "resumed", "Resumed after 310 ms", "2 channels, 15 entries replayed, nothing lost.", "", "you"),
        Notice(2, now, wall + 3, "warning", "rtt_high", "Round trips take longer than promised", "Mean 62.4 ms over the last minute, target 50 ms.", "Look at the latency plot for when it began.", "you", 3),
        Notice(3, now, wall + 9, "error", "token_refused", "The gateway refused the token", "401 unauthorized: <b>audience</b> “game” is not “sonde” " + "x" * 400, "Paste a token for this gateway, or let the command in the endpoint's settings mint one.", "player 2"),
    ]  # fmt: skip


def sessions() -> tuple[SessionRow, ...]:
    """What `$sessions` lists."""
    rows = [SessionRow("s-you", "you", "you", "connected", "node-a", "127.0.0.1:1", None, 12.0, own=True)]
    rows += [
        SessionRow(
            f"s-{n}",
            n,
            n,
            "detached" if n == "chidi" else "connected",
            "node-a",
            "127.0.0.1:2",
            None,
            10.0 + at,
            own=False,
        )
        for at, n in enumerate(NAMES)
    ]
    return tuple(rows)


def document(step: float = 0.0) -> Document:
    """The arena's state."""
    players = {
        name: {
            "x": round(10 + 10 * at + step, 1),
            "y": round(9.8 + 7 * (at % 3) + step / 2, 1),
            "hp": 100 - at,
        }
        for at, name in enumerate(NAMES)
    }
    state = {
        "players": players,
        "map": "arena",
        "round": 3,
        "pickups": [{"kind": "medkit", "x": 40, "y": 11}],
    }
    return Document(state=state, seq=3_118, hash_ok=True, paths=())


def samples(count: int, now: float) -> list[RttSample]:
    """A minute with a slow stretch in it."""
    out = []
    for at in range(count):
        slow = max(0.0, 1 - abs(at - count * 0.5) / (count * 0.08)) * 60
        out.append(RttSample(now - count + at, 11 + (at * 7919 % 11) * 0.6 + slow))
    return out


def throughput(at: float) -> Throughput:
    """A calm second."""
    return Throughput(at, 184.0, 12.0, 31_000.0, 900.0)


def gateway() -> GatewayStatus:
    """The embedded one."""
    return GatewayStatus(
        "embedded", pid=4711, url="ws://127.0.0.1:41733/v1/ws", sessions=9, node="node-a", players=7
    )
