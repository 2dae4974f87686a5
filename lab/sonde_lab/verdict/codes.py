"""Rules about what the other side said: close codes, held against its own words and against what the rows show.

A code is the decider's own word, so it is believed, unless its words or the rows speak against it: then it is one of two
candidates, and no verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from sonde_lab.records import Direction, Flag
from sonde_lab.verdict.causes import Cause
from sonde_lab.verdict.gathering import Case, Ids
from sonde_lab.verdict.verdicts import Certainty, Evidence, Found
from sonde_lab.wording import one_line, seconds
from sonde_protocol.codes import CloseCode, close_name

MISSES: Final = 1.5  # heartbeats of silence after which a gateway gives a client up
LOOK_BACK_S: Final = 10.0
_C = CloseCode

# Of Sonde's own protocol: the cause, and the words that a gateway says with it; no words: any.
_OURS: Final[Mapping[int, tuple[Cause, tuple[str, ...]]]] = MappingProxyType(
    {
        _C.DRAINING: (Cause.DRAINED, ("draining",)),
        _C.HEARTBEAT_LOST: (Cause.CLIENT_GIVEN_UP, ("heartbeat lost",)),
        _C.SLOW_CONSUMER: (Cause.SLOW_CONSUMER, ("slow consumer", "no progress")),
        _C.SERVER_ERROR: (Cause.SERVER_ERROR, ("server error",)),
        _C.TOKEN_EXPIRED: (Cause.TOKEN_EXPIRED, ("token expired",)),
        _C.SESSION_EXPIRED: (Cause.SESSION_EXPIRED, ("session expired",)),
        _C.OVERLOADED: (Cause.OVERLOADED, ("overloaded",)),
        _C.RATE_LIMITED: (Cause.RATE_LIMITED, ("rate limited",)),
        _C.BAD_FRAME: (Cause.BAD_FRAMES, ("bad frame",)),
        _C.FORBIDDEN: (Cause.FORBIDDEN, ()),
        _C.IDENTIFY_TIMEOUT: (Cause.IDENTIFY_TIMEOUT, ("identify timeout",)),
        _C.SUPERSEDED: (Cause.SUPERSEDED, ("superseded",)),
        _C.CONNECTION_LIMIT: (Cause.CONNECTION_LIMIT, ("limit reached", "connection limit")),
        _C.VERSION: (Cause.WRONG_VERSION, ()),
        _C.FRAME_TOO_LARGE: (Cause.FRAME_TOO_LARGE, ("frame too large",)),
        _C.TOO_MANY_ERRORS: (Cause.TOO_MANY_ERRORS, ()),
    }
)
# Of RFC 6455, by whomever; what is not here depends on the side.
_RFC: Final[Mapping[int, Cause]] = MappingProxyType(
    {
        _C.PROTOCOL_ERROR: Cause.PROTOCOL_ERROR,
        _C.UNSUPPORTED_DATA: Cause.PROTOCOL_ERROR,
        _C.INVALID_PAYLOAD: Cause.PROTOCOL_ERROR,
        _C.POLICY_VIOLATION: Cause.POLICY,
        _C.MESSAGE_TOO_BIG: Cause.FRAME_TOO_LARGE,
    }
)
_OF_SERVERS: Final[Mapping[int, Cause]] = MappingProxyType(
    {
        _C.GOING_AWAY: Cause.LEAVING,
        _C.SERVICE_RESTART: Cause.LEAVING,
        _C.TRY_AGAIN_LATER: Cause.OVERLOADED,
        _C.INTERNAL_ERROR: Cause.SERVER_ERROR,
    }
)


def _plain(words: str) -> str:
    return " ".join(words.casefold().replace("_", " ").split())


def who(case: Case) -> dict[str, str]:
    """Names for the sentences: who closed, and with what."""
    side = "The client" if case.by == "client" else "The server" if case.is_foreign else "The gateway"
    code = (
        f"{case.code} ({close_name(case.code)})"
        if case.code and not _is_application(case)
        else str(case.code)
    )
    return {"who": side, "who_small": side[0].lower() + side[1:], "code": code}


def _is_application(case: Case) -> bool:
    return case.code >= 3000 and case.is_foreign


def said_row(case: Case) -> tuple[Evidence, ...]:
    """The words of the end: `bye`, and the close frame."""
    rows = []
    if case.bye is not None:
        rows.append(case.row(f"The gateway said: {case.says(case.bye)}.", case.bye))
    if case.close_frame is not None:
        is_in = case.ring.value("direction", case.close_frame) == Direction.IN
        side = ("server" if case.is_foreign else "gateway") if is_in else "client"
        rows.append(
            case.row(
                f"The {side} sent the first close frame: {case.says(case.close_frame)}.", case.close_frame
            )
        )
    return tuple(rows)


def moved(case: Case) -> Found | None:
    """4409 for a socket whose session this very client had taken to another."""
    if case.by != "server" or case.code != _C.SUPERSEDED:
        return None
    ids = case.before
    mine = (case.pick("conn", ids) == case.ring.value("conn", case.row_id)) & (
        case.pick("dial", ids) > case.dial
    )
    mine &= case.op_is("resume", ids=ids) & (case.pick("direction", ids) == Direction.OUT)
    resumed, asked = ids[mine], case.newest("reconnect")
    if asked is None or not len(resumed):
        return None
    row = int(resumed[-1])
    return Found(
        Cause.MOVED,
        (
            case.row(f"The gateway asked it to move {case.ago(asked)} before the end.", asked),
            case.row(
                f"The client resumed its session on another socket {case.ago(row)} before the end.", row
            ),
        ),
        Certainty.SHOWN,
    )


def contradicted(case: Case) -> Found | None:
    """A gateway's code that its own words, or the rows, speak against: no cause, but candidates."""
    if case.is_foreign or case.by != "server" or case.code not in _OURS:
        return None
    cause, words = _OURS[case.code]
    if case.bye is not None and words and case.reason and _plain(case.reason) not in words:
        claim = f"Its code means “{close_name(case.code)}”, but it said “{case.reason}”."
        return Found(
            Cause.UNKNOWN, (case.row(claim, case.bye),), Certainty.OPEN, {"or": f"{cause} {Cause.KICKED}"}
        )
    if case.code == _C.HEARTBEAT_LOST and case.heartbeat_s and case.at - case.answered_at < case.heartbeat_s:
        answered = _answered(case)
        claim = f"It claims to have heard nothing, but it answered what was sent {case.ago(answered)} before the end."
        either = f"{cause} {Cause.SERVER_CLOSED}"
        return Found(Cause.UNKNOWN, (case.row(claim, answered),), Certainty.OPEN, {"or": either})
    return None


def _answered(case: Case) -> int:
    rtt = case.pick("rtt_ms", case.sent)
    return int(case.sent[~np.isnan(rtt)][-1])


def own_code(case: Case) -> Found | None:
    """A gateway's close code of Sonde's protocol."""
    if case.is_foreign or case.by != "server":
        return None
    if case.code == _C.AUTHENTICATION_FAILED:
        is_revoked = _plain(case.reason) == "revoked"
        return Found(Cause.REVOKED if is_revoked else Cause.TOKEN_REFUSED, (), Certainty.TOLD)
    if case.code not in _OURS:
        return None
    cause = _OURS[case.code][0]
    more = _MORE.get(cause)
    return Found(cause, () if more is None else more(case), Certainty.TOLD, who(case))


def rfc_code(case: Case) -> Found | None:
    """A close code of RFC 6455, or of an application that is not ours."""
    if case.by not in ("server", "client") or not case.code or _is_own_notice(case):
        return None
    certainty = Certainty.SHOWN if case.close_frame is not None else Certainty.TOLD
    return Found(
        _rfc_cause(case), _large(case) if case.code == _C.MESSAGE_TOO_BIG else (), certainty, who(case)
    )


def _is_own_notice(case: Case) -> bool:
    """The client's own decision about silence or nonsense, which other rules tell."""
    return case.by == "client" and not case.is_foreign and case.code == _C.UNSPECIFIED and case.reason != ""


def _rfc_cause(case: Case) -> Cause:
    if case.code in _RFC:
        return _RFC[case.code]
    if _is_application(case):
        return Cause.APPLICATION_CODE
    if case.by == "server":
        return _OF_SERVERS.get(case.code, Cause.SERVER_CLOSED)
    return Cause.LEFT if case.code in (_C.NORMAL, _C.GOING_AWAY) else Cause.CLIENT_CLOSED


# ---------------------------------------------------------------- what the rows add to a code


def _recent(case: Case, *ops: str) -> Ids:
    at = case.pick("at")
    return case.where(
        case.op_is(*ops) & (case.pick("direction") == Direction.IN) & (at >= case.at - LOOK_BACK_S)
    )


def _errors(case: Case) -> tuple[Evidence, ...]:
    rows = _recent(case, "error")
    if not len(rows):
        return ()
    count = "It had refused something" if len(rows) == 1 else f"It had refused {len(rows):,} things"
    return (case.row(f"{count} within {LOOK_BACK_S:g} s, last: {case.says(int(rows[-1]))}.", int(rows[-1])),)


def _flow(case: Case) -> tuple[Evidence, ...]:
    rows = case.ids[case.op_is("flow") & (case.pick("direction") == Direction.IN)]
    told = (
        [
            case.row(
                f"It had warned {case.ago(int(rows[-1]))} before the end: {case.says(int(rows[-1]))}.",
                int(rows[-1]),
            )
        ]
        if len(rows)
        else []
    )
    told += [
        case.row(
            f"This window itself was not running for {seconds((s.ended - s.began) * 1000)} then.", s.row_id
        )
        for s in case.stalls[-1:]
        if s.ended >= case.at - LOOK_BACK_S
    ]
    return tuple(told)


def _auth(case: Case) -> tuple[Evidence, ...]:
    asked = case.newest("auth_required")
    if asked is None:
        return ()
    later = case.sent[(case.sent > asked) & case.op_is("auth", ids=case.sent)]
    did = "and the client sent none" if not len(later) else "and the one that came did not help"
    return (case.row(f"It had asked for a new token {case.ago(asked)} before the end, {did}.", asked),)


def _large(case: Case) -> tuple[Evidence, ...]:
    ids = case.received if case.by == "client" else case.sent
    if not len(ids):
        return ()
    recent = ids[-50:]
    row = int(recent[int(np.argmax(case.pick("size", recent)))])
    return (case.row(f"The largest of the last messages had {case.ring.value('size', row):,} bytes.", row),)


def _malformed(case: Case) -> tuple[Evidence, ...]:
    odd = case.sent[(case.pick("flags", case.sent) & int(Flag.MALFORMED)) != 0]
    told = (
        (
            case.row(
                f"The client sent what is malformed: {one_line(case.says(int(odd[-1])), 80)}.", int(odd[-1])
            ),
        )
        if len(odd)
        else ()
    )
    return told + _errors(case)


def _move(case: Case) -> tuple[Evidence, ...]:
    asked = case.newest("reconnect")
    return (
        ()
        if asked is None
        else (case.row(f"It had asked the client to move {case.ago(asked)} before the end.", asked),)
    )


_MORE: Final[Mapping[Cause, Callable[[Case], tuple[Evidence, ...]]]] = MappingProxyType(
    {
        Cause.RATE_LIMITED: _errors,
        Cause.TOO_MANY_ERRORS: _errors,
        Cause.CONNECTION_LIMIT: _errors,
        Cause.BAD_FRAMES: _malformed,
        Cause.FRAME_TOO_LARGE: _large,
        Cause.SLOW_CONSUMER: _flow,
        Cause.TOKEN_EXPIRED: _auth,
        Cause.DRAINED: _move,
    }
)
