"""Numeric and textual vocabularies of the wire: close codes, error codes, causes and what each asks of a client.

Owns every code that `docs/protocol.md` names. The *range* of a close code decides what a client does, so a
code that this version does not know still works (RFC 6455 section 7.4.2 leaves 4000-4999 to applications).
"""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import Final

VERSION: Final = 1
PATH: Final = "/v1/ws"
SUBPROTOCOL_JSON: Final = "sonde.v1.json"
SUBPROTOCOL_MSGPACK: Final = "sonde.v1.msgpack"
BEARER_PREFIX: Final = "sonde.bearer."


class CloseCode(enum.IntEnum):
    """Why a WebSocket ended: RFC 6455 codes that we use or meet, and our own from 4000."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS = 1005
    ABNORMAL = 1006
    INVALID_PAYLOAD = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013

    UNSPECIFIED = 4000
    DRAINING = 4001
    HEARTBEAT_LOST = 4002
    SLOW_CONSUMER = 4003
    SERVER_ERROR = 4005
    INJECTED_FAULT = 4006
    TOKEN_EXPIRED = 4010
    SESSION_EXPIRED = 4100
    OVERLOADED = 4200
    RATE_LIMITED = 4201
    BAD_FRAME = 4400
    AUTHENTICATION_FAILED = 4401
    FORBIDDEN = 4403
    IDENTIFY_TIMEOUT = 4408
    SUPERSEDED = 4409
    KICKED = 4410
    CONNECTION_LIMIT = 4411
    VERSION = 4412
    FRAME_TOO_LARGE = 4413
    TOO_MANY_ERRORS = 4414


class Reaction(enum.Enum):
    """What a client does after a close."""

    RESUME = "resume"  # reconnect with jitter, resume the session
    IDENTIFY = "identify"  # the session is gone: identify anew
    WAIT = "wait"  # wait for retry_ms, then resume
    STOP = "stop"  # do not come back by itself; tell the person


_RANGES: Final = (
    (4000, 4099, Reaction.RESUME),
    (4100, 4199, Reaction.IDENTIFY),
    (4200, 4299, Reaction.WAIT),
    (4400, 4499, Reaction.STOP),
)


def reaction(code: int | None) -> Reaction:
    """What a client does when its connection ended with `code`; `None` means no close frame came.

    Codes outside our ranges are links or intermediaries giving up: the session is still there, so resume.
    """
    if code is None:
        return Reaction.RESUME
    return next((what for low, high, what in _RANGES if low <= code <= high), Reaction.RESUME)


CLOSE_NAMES: Final = MappingProxyType(
    {code.value: code.name.lower().replace("_", " ") for code in CloseCode}
    | {1005: "no status", 1006: "closed without a close frame"}
)


def close_name(code: int | None) -> str:
    """A short name for people: `"heartbeat lost"`; an unknown code is named by its range."""
    if code is None:
        return CLOSE_NAMES[1006]
    return CLOSE_NAMES.get(code) or f"unknown code, treated as {reaction(code).value!r}"


class ErrorCode(enum.StrEnum):
    """Codes of an `error` frame and of an HTTP refusal's body."""

    BAD_FRAME = "bad_frame"
    BAD_REQUEST = "bad_request"
    UNKNOWN_OP = "unknown_op"
    NOT_IDENTIFIED = "not_identified"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NO_SUCH_CHANNEL = "no_such_channel"
    BAD_CHANNEL = "bad_channel"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    LIMIT_REACHED = "limit_reached"
    NOT_SUPPORTED = "not_supported"
    INTERNAL = "internal"


class Verdict(enum.StrEnum):
    """How a channel is brought up to date after subscribe or resume."""

    REPLAY = "replay"
    SNAPSHOT = "snapshot"
    GONE = "gone"


class Cause(enum.StrEnum):
    """Why a channel got its verdict."""

    OK = "ok"
    NO_CURSOR = "no_cursor"
    EPOCH_CHANGED = "epoch_changed"
    TRIMMED = "trimmed"
    TOO_FAR = "too_far"
    AHEAD = "ahead"
    FORBIDDEN = "forbidden"


class ResumeCause(enum.StrEnum):
    """Why a whole resume was refused."""

    SESSION_EXPIRED = "session_expired"
    BAD_SECRET = "bad_secret"  # noqa: S105 - a cause, not a secret
    UNAUTHORIZED = "unauthorized"
    NOT_READY = "not_ready"


class Role(enum.StrEnum):
    """What a token's holder may be; several may be held at once."""

    PLAYER = "player"
    SERVICE = "service"
    MONITOR = "monitor"
    ADMIN = "admin"


class Status(enum.StrEnum):
    """Presence status of a member. `reconnecting` is set by the server only."""

    ONLINE = "online"
    AWAY = "away"
    BUSY = "busy"
    INVISIBLE = "invisible"
    RECONNECTING = "reconnecting"


SETTABLE_STATUS: Final = frozenset({Status.ONLINE, Status.AWAY, Status.BUSY, Status.INVISIBLE})


class LeaveReason(enum.StrEnum):
    """Why a member is no longer there."""

    LEFT = "left"
    TIMEOUT = "timeout"
    KICKED = "kicked"
    NODE_LOST = "node_lost"


class DeliveryClass(enum.StrEnum):
    """What happens to a published event when a consumer is slow or away."""

    RELIABLE = "reliable"
    LATEST = "latest"
    VOLATILE = "volatile"
