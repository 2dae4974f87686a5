"""One slots class a frame. `op` is the tag; the two unions say who may send what.

Fields follow `docs/protocol.md` section 3 to the letter; attribute names differ from wire names only where
Python forces it (`from_` for `from`, `class_` for `class`). Fields at their default are left out on the wire;
those that must stand even as null have no default. Times (`ts`, `time`) are server milliseconds since 1970.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from sonde_protocol.codes import DeliveryClass
from sonde_protocol.values import MAX_INTEGER

MAX_HISTORY = 4_000

CommandId = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
Count = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Seq = Count
Millis = Count
# A client's own clock reading: comes back as it was, an integer as an integer.
Reading = (
    Annotated[int, Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]
    | Annotated[float, Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]
)
Rtt = Annotated[float, Meta(ge=0, le=3_600_000)]
Short = Annotated[str, Meta(max_length=64)]
Label = Annotated[str, Meta(max_length=256)]
CursorPair = tuple[Label, Seq]


class Frame(msgspec.Struct, tag_field="op", omit_defaults=True, kw_only=True, gc=False):
    """Root of all frames. `gc=False`: frames hold decoded data only and never form cycles."""


class Part(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """Root of the records inside frames."""


# ---------------------------------------------------------------- records


class User(Part):
    """Who a session belongs to."""

    id: str
    name: str
    roles: list[str]


class Position(Part):
    """Top of a channel's log."""

    ch: str
    epoch: str
    seq: Seq


class ChannelVerdict(Part):
    """How one channel is brought up to date by a resume. `from_`, `to` bound the replayed entries."""

    ch: str
    verdict: Literal["replay", "snapshot", "gone"]
    cause: str
    epoch: str | None
    from_: Seq | None = field(name="from")
    to: Seq | None


class Member(Part):
    """One session in a channel's presence."""

    session: str
    user: str
    name: str
    device: str | None
    status: str
    activity: str | None
    meta: Any
    since: Millis
    rtt_ms: Rtt | None
    node: str


class Leave(Part):
    """A member that is no longer there."""

    session: str
    user: str
    reason: Literal["left", "timeout", "kicked", "node_lost"]


class ClientInfo(Part):
    """What program a client is."""

    name: Short
    version: Short


class PresenceWish(Part):
    """The presence that a client asks for."""

    status: Literal["online", "away", "busy", "invisible"] = "online"
    activity: Label | None = None
    meta: Any = None


class ChannelWish(Part):
    """One channel of a resume's subscription list."""

    ch: str
    cursor: CursorPair | None
    presence: bool = False
    state: bool = True


# ---------------------------------------------------------------- server to client


class Hello(Frame, tag="hello"):
    """Sent at once after the upgrade."""

    version: Count
    node: str
    time: Millis
    heartbeat_ms: Millis
    identify_by_ms: Millis
    max_frame: Count


class Ready(Frame, tag="ready"):
    """A session was made."""

    session: str
    resume: str
    resume_ttl_ms: Millis
    user: User
    expires: Count | None
    time: Millis
    channels: list[Position]


class Resumed(Frame, tag="resumed"):
    """A session was taken over by this connection."""

    session: str
    resume: str
    generation: Count
    last_command: Count
    channels: list[ChannelVerdict]


class ResumeFailed(Frame, tag="resume_failed"):
    """A resume was refused; `identify` says whether this connection may identify instead."""

    cause: str
    identify: bool


class Reply(Frame, tag="reply"):
    """A command was done."""

    id: CommandId
    d: Any


class Error(Frame, tag="error"):
    """A command or a frame was refused."""

    code: str
    message: str
    temporary: bool
    id: CommandId | None = None
    retry_ms: Millis | None = None
    d: Any = None


class Event(Frame, tag="event"):
    """An entry of a channel's log; a volatile one has no `seq`."""

    ch: str
    type: str
    d: Any
    from_: str | None = field(name="from")
    ts: Millis
    seq: Seq | None = None
    replay: bool = False
    prev: Seq | None = None


class Delta(Frame, tag="delta"):
    """A state entry: an RFC 7396 merge patch."""

    ch: str
    seq: Seq
    d: dict[str, Any]
    from_: str | None = field(name="from")
    ts: Millis
    hash: str | None = None
    replay: bool = False
    prev: Seq | None = None


class Snapshot(Frame, tag="snapshot"):
    """The whole state at `seq`; one larger than 1 MiB comes in parts (see `parts.py`)."""

    ch: str
    epoch: str
    seq: Seq
    d: Any
    hash: str | None
    cause: str | None = None
    prev: Seq | None = None
    part: Count | None = None
    parts: Count | None = None


class Presence(Frame, tag="presence"):
    """Members of a channel: a `snapshot` with `members`, or a `diff` with `joins`, `updates` and `leaves`.

    Empty lists stand on the wire; `number` is one above the last; `count` is the members there are now.
    """

    ch: str
    kind: Literal["snapshot", "diff"]
    number: Seq
    count: Count
    members: list[Member] | None = None
    joins: list[Member] | None = None
    updates: list[Member] | None = None
    leaves: list[Leave] | None = None


class Live(Frame, tag="live"):
    """Everything up to `seq` has been sent."""

    ch: str
    epoch: str
    seq: Seq


class ServerPing(Frame, tag="ping"):
    """Heartbeat."""

    n: Count
    time: Millis


class ServerPong(Frame, tag="pong"):
    """Answer to a client's `ping`; `t` comes back as it was."""

    t: Reading
    time: Millis


class Flow(Frame, tag="flow"):
    """This consumer was slow: what it did not get."""

    ch: str
    dropped: Count
    conflated: Count


class AuthRequired(Frame, tag="auth_required"):
    """The token ends soon: refresh in band."""

    by_ms: Millis


class Reconnect(Frame, tag="reconnect"):
    """Drain: open a new connection, resume there, then drop this one."""

    in_ms: Millis
    deadline_ms: Millis
    url: str | None = None


class Unsubscribed(Frame, tag="unsubscribed"):
    """Taken out of a channel by the server."""

    ch: str
    code: str


class Tapped(Frame, tag="tapped"):
    """Somebody's frame; `dir` is `in` (from the client) or `out`."""

    session: str
    user: str
    dir: Literal["in", "out"]
    time: Millis
    size: Count
    frame: Any


class Bye(Frame, tag="bye"):
    """The last frame before the server closes."""

    code: Count
    cause: str
    resume: bool
    retry_ms: Millis | None


# ---------------------------------------------------------------- client to server


class Identify(Frame, tag="identify"):
    """Make a session."""

    client: ClientInfo
    token: str | None = None
    device: Short | None = None
    presence: PresenceWish | None = None


class Resume(Frame, tag="resume"):
    """Take a session over. `channels` is the whole subscription list."""

    session: Short
    resume: Label
    channels: list[ChannelWish]
    token: str | None = None


class Subscribe(Frame, tag="subscribe"):
    """Join a channel; a cursor asks for exactly what was missed."""

    id: CommandId
    ch: str
    cursor: CursorPair | None = None
    presence: bool = False
    state: bool = True


class Unsubscribe(Frame, tag="unsubscribe"):
    """Leave a channel."""

    id: CommandId
    ch: str


class Publish(Frame, tag="publish"):
    """Append an event to a channel."""

    id: CommandId
    ch: str
    type: Annotated[str, Meta(min_length=1, max_length=64)]
    d: Any
    class_: DeliveryClass = field(name="class", default=DeliveryClass.RELIABLE)
    key: Label | None = None


class Patch(Frame, tag="patch"):
    """Change a channel's state by a merge patch; `base` is the delta it was made on."""

    id: CommandId
    ch: str
    d: dict[str, Any]
    base: Seq | None = None


class SetPresence(Frame, tag="set_presence"):
    """Change how others see this session."""

    id: CommandId
    status: Literal["online", "away", "busy", "invisible"]
    activity: Label | None = None
    meta: Any = None


class History(Frame, tag="history"):
    """Read old entries: those after `after`, at most `limit`."""

    id: CommandId
    ch: str
    after: Seq
    limit: Annotated[int, Meta(ge=1, le=MAX_HISTORY)]


class Sync(Frame, tag="sync"):
    """Ask for a fresh snapshot, or presence snapshot."""

    id: CommandId
    ch: str
    presence: bool = False


class Auth(Frame, tag="auth"):
    """Refresh the token in band; the same `sub` only."""

    id: CommandId
    token: str


class ClientPing(Frame, tag="ping"):
    """Measure: answered at once with the same `t` (the client's clock, milliseconds)."""

    t: Reading
    rtt_ms: Rtt | None = None


class ClientPong(Frame, tag="pong"):
    """Answer to a heartbeat."""

    n: Count


class Tap(Frame, tag="tap"):
    """Watch other sessions' frames (role monitor); `sample` is the share of frames, (0, 1]."""

    id: CommandId
    session: Short | None = None
    ch: str | None = None
    user: Short | None = None
    sample: Annotated[float, Meta(gt=0, le=1)] | None = None


class Untap(Frame, tag="untap"):
    """Stop watching what the same fields selected."""

    id: CommandId
    session: Short | None = None
    ch: str | None = None
    user: Short | None = None
    sample: Annotated[float, Meta(gt=0, le=1)] | None = None


class Kick(Frame, tag="kick"):
    """End another session (role admin)."""

    id: CommandId
    session: Short
    code: Annotated[int, Meta(ge=4000, le=4999)]
    cause: Label


class Fault(Frame, tag="fault"):
    """Inject a fault into a session (role admin, where faults are allowed).

    `parameters` are the kind's own (`sonde_protocol.faults`): numbers in its unit, durations in seconds. The kind `off`
    takes away what is armed on the session.
    """

    id: CommandId
    session: Short
    kind: Short
    parameters: Annotated[dict[Short, Reading | Label], Meta(max_length=16)] | None = None
    after_ms: Millis | None = None  # when it begins
    for_ms: Millis | None = None  # how long it holds
    count: Count | None = None  # how often it strikes at most
    direction: Literal["up", "down", "both"] | None = None  # up: from the client


ServerFrame = (
    Hello
    | Ready
    | Resumed
    | ResumeFailed
    | Reply
    | Error
    | Event
    | Delta
    | Snapshot
    | Presence
    | Live
    | ServerPing
    | ServerPong
    | Flow
    | AuthRequired
    | Reconnect
    | Unsubscribed
    | Tapped
    | Bye
)
ClientFrame = (
    Identify
    | Resume
    | Subscribe
    | Unsubscribe
    | Publish
    | Patch
    | SetPresence
    | History
    | Sync
    | Auth
    | ClientPing
    | ClientPong
    | Tap
    | Untap
    | Kick
    | Fault
)
Command = (
    Subscribe
    | Unsubscribe
    | Publish
    | Patch
    | SetPresence
    | History
    | Sync
    | Auth
    | Tap
    | Untap
    | Kick
    | Fault
)


def op_of(frame: Frame) -> str:
    """The `op` of a frame: `"event"`."""
    return str(frame.__struct_config__.tag)
