"""What changed in a workbench since somebody last asked: plain values, ready to be drawn.

Owns the value classes that cross from the lab to a window or a script. Nothing here computes anything but the
question whether a batch is empty.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sonde_client import ConnectionStatus
from sonde_lab.injected import InjectedRow
from sonde_protocol.frames import Member


class Act(enum.StrEnum):
    """What a person can do to a workbench; `Workbench.can` says in words why one is not possible now."""

    CONNECT = "connect"
    DISCONNECT = "disconnect"
    RETRY_NOW = "retry_now"
    DROP = "drop"
    KICK = "kick"
    RESTART_GATEWAY = "restart_gateway"
    KILL_NODE = "kill_node"
    START_NODE = "start_node"
    PAUSE_NODE = "pause_node"
    CONTINUE_NODE = "continue_node"
    RESTART_NATS = "restart_nats"
    RESTART_REDIS = "restart_redis"
    REFUSE = "refuse"
    SEND = "send"
    SET_PLAYERS = "set_players"
    SET_PRESENCE = "set_presence"
    MARK = "mark"
    ADD_CLIENT = "add_client"
    REMOVE_CLIENT = "remove_client"
    NEXT_CLIENT = "next_client"
    TAP = "tap"
    UNTAP = "untap"
    ARM = "arm"
    DISARM = "disarm"
    FAULTS_OFF = "faults_off"
    HOLD = "hold"
    CHANGE_HELD = "change_held"
    LET_GO = "let_go"
    HOLD_NOTHING = "hold_nothing"
    PUT_PROXY = "put_proxy"
    TAKE_PROXY = "take_proxy"
    INJECT = "inject"
    BREAK_SOCKET = "break_socket"


class RttSample(NamedTuple):
    """One measured round trip of the current client. `at` is monotonic seconds."""

    at: float
    rtt_ms: float
    is_busy: bool = False  # this program itself was busy during the wait: drawn, but in no figure


class Throughput(NamedTuple):
    """Rates of the current client over the last interval, per second. `at` is monotonic seconds."""

    at: float
    in_msgs: float
    out_msgs: float
    in_bytes: float
    out_bytes: float


class Gauges(NamedTuple):
    """What else is known of the current client, once a second; NaN for what is not. `at` is monotonic seconds."""

    at: float
    unsent: float  # commands that wait to be sent
    unanswered: float  # commands sent, whose answer has not come
    age_ms: float  # of the entries of that second on their arrival, by the gateway's clock: the median
    worst_age_ms: float
    entries: float  # that these two are made of
    offset_ms: float  # the gateway's clock minus this machine's
    error_ms: float  # the most that offset and ages can be off by: half the shortest round trip


@dataclass(slots=True, frozen=True)
class Notice:
    """Something that a person should know. Equal causes in a row are one notice with a count."""

    number: int  # stable identity: a repeat comes again under the same number
    at: float  # monotonic s, of the last of them
    wall: float  # unix s
    severity: str  # "info", "warning" or "error"
    cause: str  # machine-readable
    title: str
    detail: str
    advice: str
    conn: str
    count: int = 1


@dataclass(slots=True, frozen=True)
class Promise:
    """One figure against its target. `None` means that there is no data; `explanation` then says why.

    `now` is the last minute, `session` since the endpoint was opened. `met` judges `now`, or `session` where
    the last minute has no data.
    """

    now: float | None
    session: float | None
    target: float | None
    met: bool | None
    explanation: str
    unit: str = "%"  # "%", "ms" or "" for a count
    now_text: str = "–"  # the same figures for people: "100 %", "12.4 ms", "12 / 12"
    session_text: str = "–"
    target_text: str = "–"


NO_PROMISE = Promise(None, None, None, None, "nothing measured yet")


@dataclass(slots=True, frozen=True)
class Promises:
    """What a real-time service promises its players."""

    connection_success: Promise = NO_PROMISE
    delivery: Promise = NO_PROMISE
    latency: Promise = NO_PROMISE
    connections: Promise = NO_PROMISE
    reconnection_success: Promise = NO_PROMISE


class GatewayState(enum.StrEnum):
    """What is known of the gateway process behind the endpoint."""

    NONE = "none"  # no endpoint open
    STARTING = "starting"
    LIVE = "live"
    DEAD = "dead"  # ours, and it ended
    REMOTE = "remote"  # somebody else's process
    FILE = "file"  # no process at all: a capture is open


@dataclass(slots=True, frozen=True)
class GatewayStatus:
    """The gateway behind the endpoint. `log_tail` holds the last lines of its log, oldest first."""

    kind: str = ""  # "embedded", "cluster", "remote", "proxy" or "capture"
    state: GatewayState = GatewayState.NONE
    pid: int | None = None
    url: str = ""  # of a capture, its path
    sessions: int | None = None  # live sessions by $stats; None without the monitor role
    node: str = ""
    log_tail: tuple[str, ...] = ()
    players: int = 0  # simulated players asked for; 0 when they are off
    progress: str = ""  # in words, while a cluster starts; of a capture, what is read of it
    upstream: str = ""  # where a proxy passes everything on to
    proxied: int = 0  # connections open through a proxy


@dataclass(slots=True, frozen=True)
class CaptureStatus:
    """The file that rows are written to; without a path there is none."""

    path: str = ""
    rows: int = 0
    payload_bytes: int = 0
    rows_lost: int = 0
    file_bytes: int = 0  # how large the file is
    left_out: int = 0  # comments, rosters and documents that found no room or were too large


@dataclass(slots=True, frozen=True)
class ProxiedRow:
    """One connection through the proxy. `out` is what its client sent."""

    number: int
    name: str  # "p1": what its rows in the traffic are called
    peer: str
    since: float  # unix s
    is_open: bool = True
    in_bytes: int = 0
    out_bytes: int = 0


@dataclass(slots=True, frozen=True)
class RuleRow:
    """One rule of the proxy's fault lab. `phase`: "waiting", "armed", "firing" or "spent". Times are monotonic s."""

    number: int
    kind: str
    label: str
    says: str  # what it does, in words
    phase: str
    hits: int
    ends_at: float  # it does nothing from then on
    off_at: float  # it is taken away then

    @property
    def is_on(self) -> bool:
        """Whether it may still strike."""
        return self.phase != "spent"


@dataclass(slots=True, frozen=True)
class HeldRow:
    """A message that waits in the proxy until a person decides. Times are monotonic s."""

    number: int
    rule: int  # the number of the rule that holds it
    conn: str  # what the rows of its connection are called
    peer: str
    is_up: bool  # to the server
    op: str  # its type, as in the traffic
    is_binary: bool
    size: int
    since: float
    goes_at: float  # it goes by itself then


@dataclass(slots=True, frozen=True)
class HeldRows:
    """All of them, oldest first. `passed`: messages that were not held, since there was no room for them."""

    rows: tuple[HeldRow, ...] = ()
    passed: int = 0


@dataclass(slots=True, frozen=True)
class HeldContent:
    """What a held message says: a text, or bytes; nothing when it does not inflate. `is_cut`: only its beginning."""

    number: int
    text: str | None = None
    data: bytes | None = None
    is_cut: bool = False

    @property
    def can_be_edited(self) -> bool:
        """Whether all of it is here."""
        return not self.is_cut and (self.text is not None or self.data is not None)


@dataclass(slots=True, frozen=True)
class SessionRow:
    """One live session of the gateway, from `$sessions` (monitor role)."""

    session: str
    user: str
    name: str
    state: str  # "connected", "detached"
    node: str
    peer: str
    since: float | None  # unix s
    rtt_ms: float | None
    own: bool  # one of this workbench's clients
    generation: int = 1
    roles: tuple[str, ...] = ()
    channels: int = 0
    status: str = ""  # presence: "online", "away" …
    device: str = ""
    client: str = ""  # the program and its version


@dataclass(slots=True, frozen=True)
class TapRow:
    """Frames of others that are watched: of a session, a user or a channel; empty selects all."""

    session: str = ""
    user: str = ""
    ch: str = ""
    sample: float = 1.0  # share of the frames
    client: str = ""  # the own client that they are shown to
    conn: str = ""  # what the rows of a tapped session are called


@dataclass(slots=True, frozen=True)
class FleetRow:
    """One node of the gateway, or a part that nodes stand on. `pid` and `port` are known of our own only."""

    name: str
    kind: str  # "node", "redis", "nats", "proxy"
    state: str  # "ready", "live", "draining", "starting", "paused", "dead", "none", "unknown"
    connections: int | None = None
    sessions: int | None = None
    since: float | None = None  # unix s
    port: int = 0
    pid: int | None = None
    carries_you: bool = False  # the current client's session is there
    is_ours: bool = False  # a process of this workbench's cluster


@dataclass(slots=True, frozen=True)
class Document:
    """A channel's state document at `seq`. `hash_ok`: equal to the server's hash, `None` before one came.

    `status` is the subscription's: "live", "catching_up", "stale" (the link is down), "diverged" or "gone".
    """

    state: Any
    seq: int
    hash_ok: bool | None
    paths: tuple[tuple[str, ...], ...]  # leaves that changed since the last batch; empty: perhaps all
    status: str = "live"


@dataclass(slots=True, frozen=True)
class Divergence:
    """A document that was not the gateway's since `seq`. While `repaired_at` is `None` it is not yet."""

    channel: str
    seq: int
    at: float  # monotonic s
    row_id: int  # the row that tells of it
    detail: str  # what the hashes are
    paths: tuple[tuple[str, ...], ...] = ()
    count: int = 0  # of the paths that differed, those that are left out counted
    repaired_seq: int = -1
    repaired_at: float | None = None
    repaired_row: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether the gateway's copy was taken."""
        return self.repaired_at is not None


@dataclass(slots=True)
class Changes:
    """One batch. The maps and lists hold only what changed; promises and gateway are always the latest."""

    rows: int = 0  # rows added to the ring
    statuses: dict[str, ConnectionStatus] = field(default_factory=dict)
    presence: dict[str, tuple[Member, ...]] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    divergences: list[Divergence] = field(default_factory=list)  # of the current client: begun or ended
    rtt: list[RttSample] = field(default_factory=list)
    measured: dict[str, list[RttSample]] = field(
        default_factory=dict
    )  # of every own client, each sample once
    throughput: Throughput | None = None
    gauges: Gauges | None = None  # comes with the throughput
    recorded: dict[str, list[RttSample]] = field(
        default_factory=dict
    )  # of a capture, by connection; told once
    notices: list[Notice] = field(default_factory=list)
    promises: Promises = field(default_factory=Promises)
    gateway: GatewayStatus = field(default_factory=GatewayStatus)
    sessions: tuple[SessionRow, ...] | None = None  # None: as before, or no monitor role
    fleet: tuple[FleetRow, ...] | None = None  # nodes and what they stand on; None: as before
    proxied: tuple[ProxiedRow, ...] | None = None  # newest first; None: as before
    rules: tuple[RuleRow, ...] | None = None  # of the proxy's fault lab; None: as before
    held: HeldRows | None = None  # messages that wait in the proxy; None: as before
    injected: tuple[InjectedRow, ...] | None = None  # everything that is injected now; None: as before
    capture: CaptureStatus | None = None  # None: as before
    sent_types: tuple[str, ...] | None = None  # event types seen or sent, for the composer; None: as before
    clients: tuple[str, ...] | None = None  # names of own clients in order; None: as before
    taps: tuple[TapRow, ...] | None = None  # in the order of their coming; None: as before
    current_changed: bool = False  # another client is current: what this batch tells of it is whole
    earlier_throughput: tuple[Throughput, ...] = ()  # then: what was measured of it before
    earlier_gauges: tuple[Gauges, ...] = ()
    promises_changed: bool = False
    gateway_changed: bool = False
    endpoint_changed: bool = False  # another endpoint was opened: everything before is of the old one

    @property
    def is_fresh_start(self) -> bool:
        """Everything that was told of the current client before is of another one."""
        return self.endpoint_changed or self.current_changed

    @property
    def is_empty(self) -> bool:
        """Nothing to draw."""
        return not (
            self.rows
            or self.statuses
            or self.presence
            or self.documents
            or self.divergences
            or self.rtt
            or self.throughput
            or self.recorded
            or self.notices
            or self.sessions is not None
            or self.fleet is not None
            or self.proxied is not None
            or self.rules is not None
            or self.held is not None
            or self.injected is not None
            or self.capture is not None
            or self.sent_types is not None
            or self.clients is not None
            or self.taps is not None
            or self.current_changed
            or self.promises_changed
            or self.gateway_changed
            or self.endpoint_changed
        )
