"""State machines as data: enums, transition tables, and `advance()`, the only way to change a state.

Three machines: a client's *connection* to an endpoint, its *session* at the gateway, and its *channel*
subscriptions. Illegal input raises and changes nothing; `docs/states.md` is drawn from these tables.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from sonde_protocol.errors import IllegalTransition

State = TypeVar("State", bound=enum.Enum)
Trigger = TypeVar("Trigger", bound=enum.Enum)


def advance(table: Mapping[tuple[State, Trigger], State], state: State, trigger: Trigger) -> State:
    """The state after `trigger`.

    Raises:
        IllegalTransition: `state` does not allow `trigger`.
    """
    try:
        return table[state, trigger]
    except KeyError:
        raise IllegalTransition(state, trigger) from None


class ConnectionState(enum.Enum):
    """Where a client stands with its endpoint."""

    IDLE = "idle"  # not connected and not trying
    DIALING = "dialing"  # TCP, TLS and the upgrade are under way
    HANDSHAKING = "handshaking"  # socket open; identify or resume sent
    LIVE = "live"  # ready or resumed; frames flow
    WAITING = "waiting"  # dropped; the next try has a time
    CLOSING = "closing"  # we said goodbye and wait for the socket to end
    STOPPED = "stopped"  # refused for good; a person has to act


class ConnectionTrigger(enum.Enum):
    """What moves a connection."""

    CONNECT = "connect"  # a person or program asks
    OPENED = "opened"  # the upgrade succeeded
    ACCEPTED = "accepted"  # ready or resumed arrived
    DROPPED = "dropped"  # socket lost, dial failed or closed resumably
    RETRY = "retry"  # the wait is over, or a person said now
    REFUSED = "refused"  # told to stop
    CLOSE = "close"  # a person or program asks to end
    CLOSED = "closed"  # the socket is gone after our goodbye


_C, _CT = ConnectionState, ConnectionTrigger
CONNECTION: Final[Mapping[tuple[ConnectionState, ConnectionTrigger], ConnectionState]] = MappingProxyType(
    {
        (_C.IDLE, _CT.CONNECT): _C.DIALING,
        (_C.STOPPED, _CT.CONNECT): _C.DIALING,
        (_C.WAITING, _CT.CONNECT): _C.DIALING,
        (_C.WAITING, _CT.RETRY): _C.DIALING,
        (_C.DIALING, _CT.OPENED): _C.HANDSHAKING,
        (_C.HANDSHAKING, _CT.ACCEPTED): _C.LIVE,
        (_C.DIALING, _CT.DROPPED): _C.WAITING,
        (_C.HANDSHAKING, _CT.DROPPED): _C.WAITING,
        (_C.LIVE, _CT.DROPPED): _C.WAITING,
        (_C.DIALING, _CT.REFUSED): _C.STOPPED,
        (_C.HANDSHAKING, _CT.REFUSED): _C.STOPPED,
        (_C.LIVE, _CT.REFUSED): _C.STOPPED,
        (_C.WAITING, _CT.REFUSED): _C.STOPPED,
        (_C.DIALING, _CT.CLOSE): _C.CLOSING,
        (_C.HANDSHAKING, _CT.CLOSE): _C.CLOSING,
        (_C.LIVE, _CT.CLOSE): _C.CLOSING,
        (_C.WAITING, _CT.CLOSE): _C.IDLE,
        (_C.STOPPED, _CT.CLOSE): _C.IDLE,
        (_C.CLOSING, _CT.CLOSED): _C.IDLE,
    }
)


class SessionState(enum.Enum):
    """The life of a session, as both sides see it."""

    NONE = "none"  # never identified
    ACTIVE = "active"  # a connection carries it
    DETACHED = "detached"  # dropped; may be resumed
    ENDED = "ended"  # left, kicked or expired


class SessionTrigger(enum.Enum):
    """What moves a session."""

    IDENTIFIED = "identified"
    DROPPED = "dropped"
    RESUMED = "resumed"
    ENDED = "ended"


_S, _ST = SessionState, SessionTrigger
SESSION: Final[Mapping[tuple[SessionState, SessionTrigger], SessionState]] = MappingProxyType(
    {
        (_S.NONE, _ST.IDENTIFIED): _S.ACTIVE,
        (_S.ACTIVE, _ST.DROPPED): _S.DETACHED,
        # A client may come back before the gateway has noticed that it was gone.
        (_S.ACTIVE, _ST.RESUMED): _S.ACTIVE,
        (_S.DETACHED, _ST.RESUMED): _S.ACTIVE,
        (_S.ACTIVE, _ST.ENDED): _S.ENDED,
        (_S.DETACHED, _ST.ENDED): _S.ENDED,
        (_S.ENDED, _ST.IDENTIFIED): _S.ACTIVE,
    }
)


class ChannelState(enum.Enum):
    """A client's subscription to one channel."""

    ABSENT = "absent"  # not subscribed
    SUBSCRIBING = "subscribing"  # asked; no reply yet
    CATCHING_UP = "catching_up"  # snapshot or replay under way
    LIVE = "live"  # everything up to now is here
    STALE = "stale"  # the link is down; what is shown is old
    DIVERGED = "diverged"  # a hole or a wrong hash: sync asked for
    GONE = "gone"  # taken away by the gateway


class ChannelTrigger(enum.Enum):
    """What moves a subscription."""

    SUBSCRIBE = "subscribe"
    ANSWERED = "answered"
    CAUGHT_UP = "caught_up"
    REBASED = "rebased"  # a snapshot arrived by itself
    HOLE = "hole"
    DROPPED = "dropped"
    REMOVED = "removed"
    UNSUBSCRIBE = "unsubscribe"


_CH, _CHT = ChannelState, ChannelTrigger
CHANNEL: Final[Mapping[tuple[ChannelState, ChannelTrigger], ChannelState]] = MappingProxyType(
    {
        (_CH.ABSENT, _CHT.SUBSCRIBE): _CH.SUBSCRIBING,
        (_CH.GONE, _CHT.SUBSCRIBE): _CH.SUBSCRIBING,
        (_CH.SUBSCRIBING, _CHT.ANSWERED): _CH.CATCHING_UP,
        (_CH.STALE, _CHT.ANSWERED): _CH.CATCHING_UP,
        (_CH.CATCHING_UP, _CHT.CAUGHT_UP): _CH.LIVE,
        (_CH.LIVE, _CHT.REBASED): _CH.CATCHING_UP,
        (_CH.CATCHING_UP, _CHT.REBASED): _CH.CATCHING_UP,
        (_CH.DIVERGED, _CHT.REBASED): _CH.CATCHING_UP,
        (_CH.LIVE, _CHT.HOLE): _CH.DIVERGED,
        (_CH.CATCHING_UP, _CHT.HOLE): _CH.DIVERGED,
        **{
            (state, _CHT.DROPPED): _CH.STALE
            for state in (_CH.SUBSCRIBING, _CH.CATCHING_UP, _CH.LIVE, _CH.DIVERGED, _CH.STALE)
        },
        **{(state, _CHT.REMOVED): _CH.GONE for state in _CH if state not in (_CH.ABSENT, _CH.GONE)},
        **{(state, _CHT.UNSUBSCRIBE): _CH.ABSENT for state in _CH if state is not _CH.ABSENT},
    }
)
