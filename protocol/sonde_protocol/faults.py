"""The kinds of faults as data: what each is called, what it does, and what its parameters may be.

Owns names, units, defaults and bounds, so that a gateway, a lab and a document speak of the same thing. How a fault
is brought about is somebody else's: nothing here acts.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

Value = float | str


class Layer(enum.Enum):
    """Where a fault strikes."""

    TCP = "TCP"
    UPGRADE = "upgrade"
    FRAME = "frame"
    MESSAGE = "message"
    APPLICATION = "application"
    AUTHENTICATION = "authentication"
    PRESENCE = "presence"


class Scope(enum.Enum):
    """What a rule of the kind is asked about each time, and so what its target may name."""

    DIAL = "a dial"  # once for each connection, before it is one
    CONNECTION = "a connection"  # once for each connection
    BYTES = "bytes"  # for each chunk of a direction
    FRAME = "a message"  # for each message and control frame of a direction


class Unit(enum.Enum):
    """How a parameter is written, and what its number means."""

    SECONDS = "a duration"
    BYTES = "a size"
    RATE = "bytes a second"
    SHARE = "a share"  # 0 to 1; 5% is 0.05
    NUMBER = "a number"
    WORD = "one of some words"
    TEXT = "a text"


@dataclass(slots=True, frozen=True)
class Parameter:
    """One parameter. Of a number `low` and `high` are the bounds; `words` are all that a word may be.

    `is_spread`: it is what a ± is followed by.
    """

    name: str
    unit: Unit
    default: Value
    low: float = 0.0
    high: float = 0.0
    says: str = ""
    words: tuple[str, ...] = ()
    is_spread: bool = False


@dataclass(slots=True, frozen=True)
class FaultKind:
    """One kind. `direction` is the default: up (to the server), down (to the client), both; empty where there is none.

    `lasts_s` is how long a rule of it holds, and `times` how often it strikes, when nobody says so; 0 is no limit.
    """

    name: str
    layer: Layer
    scope: Scope
    direction: str
    says: str
    parameters: tuple[Parameter, ...] = ()
    lasts_s: float = 0.0
    times: int = 0

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of that name."""
        return next((each for each in self.parameters if each.name == name), None)


def _seconds(name: str, default: float, says: str, high: float = 3_600.0, low: float = 0.0) -> Parameter:
    return Parameter(name, Unit.SECONDS, default, low, high, says)


def _bytes(name: str, default: float, says: str, high: float = 16 << 20, low: float = 1) -> Parameter:
    return Parameter(name, Unit.BYTES, default, low, high, says)


def _number(name: str, default: float, low: float, high: float, says: str) -> Parameter:
    return Parameter(name, Unit.NUMBER, default, low, high, says)


def _word(name: str, says: str, *words: str) -> Parameter:
    return Parameter(name, Unit.WORD, words[0], says=says, words=words)


def _text(name: str, default: str, says: str) -> Parameter:
    return Parameter(name, Unit.TEXT, default, high=200, says=says)


def _share(name: str, default: float, says: str) -> Parameter:
    return Parameter(name, Unit.SHARE, default, 0.0, 1.0, says)


def _spread(name: str, unit: Unit, default: float, high: float, says: str) -> Parameter:
    return Parameter(name, unit, default, 0.0, high, says, is_spread=True)


_REASON: Final = _text("reason", "", "the reason of the close frame")
_TCP: Final = (
    FaultKind("refuse", Layer.TCP, Scope.DIAL, "", "a new connection is reset at once", lasts_s=10.0),
    FaultKind(
        "reset", Layer.TCP, Scope.CONNECTION, "both", "RST to the client, the server or both",
        (_seconds("delay", 0.0, "after this time"),), times=1,
    ),
    FaultKind(
        "half_open", Layer.TCP, Scope.BYTES, "both",
        "bytes and ends vanish, the sockets stay; the connection is reset afterwards", lasts_s=60.0,
    ),
    FaultKind(
        "cut", Layer.TCP, Scope.CONNECTION, "both", "FIN without a close frame",
        (_seconds("delay", 0.0, "after this time"),), times=1,
    ),
    FaultKind(
        "latency", Layer.TCP, Scope.BYTES, "both", "bytes arrive later, one way",
        (
            _seconds("delay", 0.2, "how much later", 60.0),
            _spread("jitter", Unit.SECONDS, 0.0, 60.0, "how much this varies"),
            _word("distribution", "how it varies", "uniform", "normal", "pareto"),
        ),
    ),
    FaultKind(
        "lag_spike", Layer.TCP, Scope.BYTES, "both", "nothing arrives for a while, then everything at once",
        (_seconds("hold", 2.0, "for how long", 60.0),), times=1,
    ),
    FaultKind(
        "bandwidth", Layer.TCP, Scope.BYTES, "both", "bytes pass at a limited rate",
        (Parameter("rate", Unit.RATE, 50_000, 100, 1e9, "how fast"),),
    ),
    FaultKind(
        "slice", Layer.TCP, Scope.BYTES, "both", "bytes arrive in small pieces",
        (
            _bytes("size", 64, "of how many bytes", 65_536),
            _spread("spread", Unit.BYTES, 32, 65_536, "how much this varies"),
            _seconds("pause", 0.0001, "between two pieces", 10.0),
        ),
    ),
    FaultKind(
        "byte_limit", Layer.TCP, Scope.BYTES, "both", "the connection is cut after so many bytes, mid-frame",
        (_bytes("bytes", 1_000, "how many pass", 1 << 40, 0),),
    ),
    FaultKind(
        "slow_close", Layer.TCP, Scope.BYTES, "both", "an end (FIN) arrives later",
        (_seconds("delay", 5.0, "how much later", 60.0),),
    ),
    FaultKind(
        "loss", Layer.TCP, Scope.BYTES, "both", "lost segments: on a stream they are stalls, as TCP sends again",
        (
            _share("probability", 0.05, "how often"),
            _share("correlation", 0.0, "how much a loss makes the next one likelier"),
            _seconds("rto", 0.2, "the first stall; it doubles while losses follow one another", 10.0, 0.001),
        ),
    ),
    FaultKind(
        "handover", Layer.TCP, Scope.CONNECTION, "", "another network: the client's leg is reset, the server's stays "
        "open as a zombie, and a new dial waits for the outage's end",
        (_seconds("outage", 2.0, "how long nothing gets through", 60.0), _seconds("zombie", 30.0, "how long the old leg stays")),
        times=1,
    ),
    FaultKind(
        "idle_cut", Layer.TCP, Scope.CONNECTION, "", "a connection on which nothing passes is cut",
        (_seconds("idle", 60.0, "after this time"),),
    ),
)  # fmt: skip
_UPGRADE: Final = (
    FaultKind(
        "status", Layer.UPGRADE, Scope.DIAL, "", "the upgrade is answered with an HTTP status",
        (_number("code", 503, 400, 599, "which"), _seconds("retry_after", 0.0, "the header Retry-After; 0: none")),
    ),
    FaultKind("wrong_accept", Layer.UPGRADE, Scope.DIAL, "", "the answer's Sec-WebSocket-Accept is another"),
    FaultKind(
        "wrong_subprotocol", Layer.UPGRADE, Scope.DIAL, "", "the answer names a subprotocol that nobody offered",
        (_text("name", "sonde.unknown", "which"),),
    ),
    FaultKind(
        "slow_upgrade", Layer.UPGRADE, Scope.DIAL, "", "the server is dialled later",
        (_seconds("delay", 5.0, "how much later", 60.0),),
    ),
    FaultKind("tls_failure", Layer.UPGRADE, Scope.DIAL, "", "the TLS handshake with the client fails"),
)  # fmt: skip
_FRAME: Final = (
    FaultKind(
        "bad_framing", Layer.FRAME, Scope.CONNECTION, "down", "a frame that no endpoint may send",
        (_word("how", "what is wrong", "long_control", "fragmented_control", "stray_continuation", "endless_length"),),
        times=1,
    ),
    FaultKind(
        "reserved_bits", Layer.FRAME, Scope.FRAME, "down", "a reserved bit is set that no extension uses",
        (_number("bits", 2, 1, 7, "which: 4 is RSV1, 2 RSV2, 1 RSV3"),), times=1,
    ),
    FaultKind(
        "reserved_opcode", Layer.FRAME, Scope.FRAME, "down", "a frame's opcode is one that means nothing",
        (_word("opcode", "which", "3", "4", "5", "6", "7", "11", "12", "13", "14", "15"),), times=1,
    ),
    FaultKind(
        "wrong_masking", Layer.FRAME, Scope.FRAME, "down", "the server's frame is masked, or the client's is not", times=1
    ),
    FaultKind(
        "fragment", Layer.FRAME, Scope.FRAME, "both", "messages come in several frames",
        (_bytes("size", 16, "bytes of each"),),
    ),
    FaultKind("drop_pong", Layer.FRAME, Scope.FRAME, "both", "WebSocket pongs are not passed on"),
    FaultKind(
        "delay_pong", Layer.FRAME, Scope.FRAME, "both", "WebSocket pongs come later",
        (_seconds("delay", 10.0, "how much later", 600.0),),
    ),
    FaultKind(
        "forge_pong", Layer.FRAME, Scope.CONNECTION, "down", "a pong that nobody asked for",
        (_text("payload", "forged", "what is in it"),), times=1,
    ),
    FaultKind(
        "ping_flood", Layer.FRAME, Scope.CONNECTION, "down", "many pings",
        (
            _number("rate", 100, 1, 10_000, "a second"),
            _number("number", 500, 1, 100_000, "how many"),
            _bytes("size", 125, "bytes of each", 125, 0),
        ), times=1,
    ),
    FaultKind("invalid_utf8", Layer.FRAME, Scope.FRAME, "down", "a text message is no UTF-8", times=1),
    FaultKind(
        "close", Layer.FRAME, Scope.CONNECTION, "down", "a close frame, then the end; reserved codes may be sent, too",
        (_number("code", 1011, 0, 65_535, "the code; 0: none"), _REASON), times=1,
    ),
    FaultKind("close_unanswered", Layer.FRAME, Scope.FRAME, "both", "close frames are not passed on"),
    FaultKind(
        "data_after_close", Layer.FRAME, Scope.FRAME, "down", "a text message right behind a close frame",
        (_text("text", "after the close", "what it says"),),
    ),
    FaultKind(
        "oversize", Layer.FRAME, Scope.CONNECTION, "down", "one very large binary message",
        (_bytes("size", 2 << 20, "its bytes"),), times=1,
    ),
    FaultKind(
        "corrupt_deflate", Layer.FRAME, Scope.FRAME, "down", "bytes of a compressed message are changed",
        (_number("bytes", 4, 1, 1_000, "how many"),), times=1,
    ),
)  # fmt: skip
_MESSAGE: Final = (
    FaultKind("drop", Layer.MESSAGE, Scope.FRAME, "both", "messages are not passed on"),
    FaultKind(
        "delay", Layer.MESSAGE, Scope.FRAME, "both", "messages come later, and others overtake them",
        (_seconds("delay", 1.0, "how much later", 600.0), _spread("jitter", Unit.SECONDS, 0.0, 600.0, "how much this varies")),
    ),
    FaultKind(
        "duplicate", Layer.MESSAGE, Scope.FRAME, "both", "messages come again, right behind themselves",
        (_number("copies", 1, 1, 100, "how often again"),),
    ),
    FaultKind(
        "reorder", Layer.MESSAGE, Scope.FRAME, "both", "a message comes after those behind it",
        (_number("places", 1, 1, 100, "how many"), _seconds("patience", 2.0, "it comes then in any case", 60.0)),
    ),
    FaultKind(
        "corrupt", Layer.MESSAGE, Scope.FRAME, "both", "one value of a message is another",
        (_text("field", "d", "the path of its key, as d.hp"), _text("value", "corrupted", "what stands there")),
    ),
    FaultKind(
        "truncate", Layer.MESSAGE, Scope.FRAME, "both", "only the first bytes of a message",
        (_bytes("bytes", 10, "how many", 16 << 20, 0),),
    ),
    FaultKind(
        "stale_replay", Layer.MESSAGE, Scope.FRAME, "both", "a message comes again later",
        (_seconds("delay", 2.0, "how much later", 600.0),),
    ),
    FaultKind(
        "flood", Layer.MESSAGE, Scope.FRAME, "both", "a message comes many times",
        (_number("copies", 100, 1, 10_000, "how often again"),), times=1,
    ),
    FaultKind(
        "hold", Layer.MESSAGE, Scope.FRAME, "both", "messages wait until somebody lets each of them go",
        (
            _seconds("patience", 600.0, "it goes then in any case", low=0.01),
            _word("heartbeats", "what becomes of them", "pass", "wait"),
        ),
    ),
)  # fmt: skip
_APPLICATION: Final = (
    FaultKind("sequence_gap", Layer.APPLICATION, Scope.FRAME, "down", "an entry with a number is not passed on", times=1),
    FaultKind("missing_reply", Layer.APPLICATION, Scope.FRAME, "down", "an answer to a command is not passed on", times=1),
    FaultKind(
        "slow_consumer", Layer.APPLICATION, Scope.CONNECTION, "down", "whoever receives stops reading",
        (_seconds("hold", 10.0, "for how long", 600.0),), times=1,
    ),
    FaultKind("no_heartbeat", Layer.APPLICATION, Scope.FRAME, "both", "heartbeats are not passed on", times=3),
    FaultKind(
        "rate_limit", Layer.APPLICATION, Scope.FRAME, "up", "commands are answered with rate_limited",
        (_seconds("retry", 1.0, "what retry_ms says"),),
    ),
    FaultKind(
        "server_restart", Layer.APPLICATION, Scope.CONNECTION, "down", "the server says that it restarts",
        (_word("code", "the close code", "1012", "4001"), _REASON), times=1,
    ),
    FaultKind("overload", Layer.APPLICATION, Scope.CONNECTION, "down", "close code 4200", (_REASON,), times=1),
    FaultKind("kick", Layer.APPLICATION, Scope.CONNECTION, "down", "close code 4410", (_REASON,), times=1),
    FaultKind(
        "node_kill", Layer.APPLICATION, Scope.CONNECTION, "",
        "every connection is reset, and so is every dial while the rule holds", lasts_s=5.0,
    ),
)  # fmt: skip
_AUTHENTICATION: Final = (
    FaultKind(
        "missing_identify", Layer.AUTHENTICATION, Scope.FRAME, "up", "identify and resume are not passed on", times=1
    ),
    FaultKind(
        "late_identify", Layer.AUTHENTICATION, Scope.FRAME, "up", "identify and resume come later",
        (_seconds("delay", 15.0, "how much later", 600.0),), times=1,
    ),
    FaultKind(
        "invalid_token", Layer.AUTHENTICATION, Scope.FRAME, "up",
        "the token's signature is another: in the request and in identify, resume and auth",
    ),
    FaultKind("expired_session", Layer.AUTHENTICATION, Scope.CONNECTION, "down", "close code 4010", (_REASON,), times=1),
    FaultKind("revoked", Layer.AUTHENTICATION, Scope.CONNECTION, "down", "close code 4401", (_REASON,), times=1),
    FaultKind(
        "permissions_changed", Layer.AUTHENTICATION, Scope.CONNECTION, "down", "a channel is taken from the client",
        (_text("channel", "room:arena", "which"),), times=1,
    ),
    FaultKind(
        "resume_refused", Layer.AUTHENTICATION, Scope.FRAME, "up", "resume is answered with resume_failed",
        (_word("cause", "why", "session_expired", "bad_secret", "unauthorized", "not_ready"),), times=1,
    ),
    FaultKind(
        "clock_skew", Layer.AUTHENTICATION, Scope.FRAME, "down", "the server's times are others",
        (_seconds("skew", 300.0, "by how much", 1e7, -1e7),),
    ),
    FaultKind("origin_denied", Layer.AUTHENTICATION, Scope.DIAL, "", "the upgrade is answered with 403"),
)  # fmt: skip
_PRESENCE: Final = (
    FaultKind("ghost", Layer.PRESENCE, Scope.FRAME, "down", "nobody's leave is told"),
    FaultKind(
        "flapping", Layer.PRESENCE, Scope.CONNECTION, "", "connections are cut soon after each upgrade",
        (_seconds("up", 2.0, "after this time"),), times=5,
    ),
    FaultKind(
        "duplicate_session", Layer.PRESENCE, Scope.FRAME, "up",
        "the client's request and first message come a second time, on a connection of their own", times=1,
    ),
)  # fmt: skip

KINDS: Final[tuple[FaultKind, ...]] = (
    *_TCP, *_UPGRADE, *_FRAME, *_MESSAGE, *_APPLICATION, *_AUTHENTICATION, *_PRESENCE,
)  # fmt: skip
BY_NAME: Final[Mapping[str, FaultKind]] = MappingProxyType({kind.name: kind for kind in KINDS})
