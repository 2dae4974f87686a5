"""The judge: from a row to one verdict.

Owns the order of the rules and what happens when two of them disagree: the rules of one step are all asked, and where
they name different causes, the verdict is unknown and names both. A cause without a row behind it is never given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from sonde_client.status import SocketEnd
from sonde_lab.records import Direction, Flag, Kind
from sonde_lab.ring import Ring
from sonde_lab.verdict import bare_ends, codes, silences
from sonde_lab.verdict.acts import ACTS
from sonde_lab.verdict.causes import Cause
from sonde_lab.verdict.codes import said_row
from sonde_lab.verdict.dials import DIALS, cause_of_note, is_refused_upgrade
from sonde_lab.verdict.gathering import CLOSE_FRAME, Case, gather
from sonde_lab.verdict.verdicts import Certainty, Evidence, Found, Verdict, said
from sonde_lab.wording import one_line, seconds
from sonde_protocol.codes import close_name

MAX_EVIDENCE: Final = 8
_LOOK_BACK_ROWS: Final = 5_000  # from a state row to what it is about
_REFUSED_RESUMES: Final = frozenset({"resume_refused", "session_lost"})
_BACK: Final = {"resumed": "and resumed its session", "ready": "with a new session"}

Rule = Callable[[Case], Found | None]
# In order. All rules of one step are asked; the first step with an answer decides.
STEPS: Final[tuple[tuple[Rule, ...], ...]] = (
    DIALS,
    ACTS,
    (codes.contradicted,),
    (codes.moved, silences.own_stall),
    (silences.client_given_up, silences.gateway_given_up),
    (silences.server_not_reading, silences.bad_server_frames),
    (codes.own_code,),
    (codes.rfc_code,),
    (bare_ends.gateway_died,),
    (bare_ends.gateway_gone, bare_ends.gateway_restarted, bare_ends.network_gone),
    (bare_ends.behind,),
    (bare_ends.bare_end,),
    (bare_ends.proxy_ended,),
)


def has_reason(ring: Ring, row_id: int) -> bool:
    """Whether a row is about an end, or about a dial that came to nothing, so that `why` can be asked.

    Raises:
        KeyError: the row is not in the ring.
    """
    kind = ring.value("kind", row_id)
    if kind == Kind.STATE:
        return ring.payload(row_id).startswith((b"waiting", b"stopped"))
    if kind == Kind.NOTE:
        return cause_of_note(ring, row_id) is not None or ring.text("op", row_id) in _REFUSED_RESUMES
    if kind == Kind.FRAME:
        is_refused = ring.text("op", row_id) == "resume_failed" and not ring.value("protocol", row_id)
        return is_refused or bool(ring.value("opcode", row_id) == CLOSE_FRAME)
    return bool(kind == Kind.CLOSE) or is_refused_upgrade(ring, row_id)


def why(ring: Ring, row_id: int) -> Verdict:
    """Why the connection of a row ended, or never came about.

    Raises:
        KeyError: the row is not in the ring.
    """
    case = gather(ring, _subject(ring, row_id))
    for step in STEPS:
        found = _agreed(case, [each for rule in step if (each := rule(case)) is not None])
        if found is not None:
            return _verdict(case, found)
    return _verdict(case, Found(Cause.UNKNOWN, (), Certainty.OPEN))


def _agreed(case: Case, found: list[Found]) -> Found | None:
    """The one answer of a step; of different ones, none, and both are named."""
    if not found or len({each.cause for each in found}) == 1:
        return found[0] if found else None
    rows = tuple(row for each in found for row in each.evidence)
    return Found(Cause.UNKNOWN, rows, Certainty.OPEN, {"or": " ".join(each.cause for each in found)})


def latest(ring: Ring, conn: str) -> Verdict | None:
    """The verdict on the newest end or failed dial of a connection; `None` where the rows hold none."""
    number = ring.names.number(conn)
    ids = np.arange(max(ring.first_id, ring.next_id - _LOOK_BACK_ROWS), ring.next_id)
    places = ids - ring.first_id
    kinds = ring.column("kind")[places]
    told = (ring.column("conn")[places] == (-1 if number is None else number)) & np.isin(
        kinds, (Kind.CLOSE, Kind.NOTE)
    )
    row = next((row for row in ids[told][::-1].tolist() if _is_close_or_note(ring, row)), None)
    return None if row is None else why(ring, row)


# ---------------------------------------------------------------- which row it is about


def _subject(ring: Ring, row_id: int) -> int:
    """The row that the question is really about: of a state, the end or failure that led to it."""
    kind = ring.value("kind", row_id)
    if kind == Kind.STATE:
        return _behind(ring, row_id, (_is_close_or_note, _is_refused_resume, _is_close_frame))
    if kind == Kind.NOTE and ring.text("op", row_id) in _REFUSED_RESUMES:
        return _behind(ring, row_id, (_is_refused_resume,))
    if kind == Kind.CLOSE and ring.payload(row_id).startswith(b"refused with"):
        return _behind(ring, row_id, (_is_note,))
    return row_id


def _behind(ring: Ring, row_id: int, wanted: tuple[Callable[[Ring, int], bool], ...]) -> int:
    """Among the rows of the same connection since the state before: the newest of the first kind that is there."""
    ids = np.arange(max(ring.first_id, row_id - _LOOK_BACK_ROWS), row_id)
    places = ids - ring.first_id
    kinds, is_mine = ring.column("kind")[places], ring.column("conn")[places] == ring.value("conn", row_id)
    states = ids[is_mine & (kinds == Kind.STATE)]
    if ring.value("kind", row_id) == Kind.STATE and len(states):
        is_mine &= ids > states[-1]
    mine = ids[is_mine][::-1].tolist()
    for fits in wanted:
        found = next((row for row in mine if fits(ring, row)), None)
        if found is not None:
            return int(found)
    return row_id


def _is_close(ring: Ring, row_id: int) -> bool:
    return bool(ring.value("kind", row_id) == Kind.CLOSE)


def _is_note(ring: Ring, row_id: int) -> bool:
    return ring.value("kind", row_id) == Kind.NOTE and cause_of_note(ring, row_id) is not None


def _is_close_or_note(ring: Ring, row_id: int) -> bool:
    return _is_close(ring, row_id) or _is_note(ring, row_id)


def _is_refused_resume(ring: Ring, row_id: int) -> bool:
    return bool(ring.value("kind", row_id) == Kind.FRAME) and ring.text("op", row_id) == "resume_failed"


def _is_close_frame(ring: Ring, row_id: int) -> bool:
    return bool(ring.value("kind", row_id) == Kind.FRAME and ring.value("opcode", row_id) == CLOSE_FRAME)


# ---------------------------------------------------------------- the verdict


def _verdict(case: Case, found: Found) -> Verdict:
    known = found.cause is not Cause.UNKNOWN
    either = () if known else tuple(map(Cause, found.values.get("or", "").split())) or _between(case)
    rows = (*found.evidence, *said_row(case))
    if not rows or not known:
        rows = (*rows, *_seen(case)) or (case.row(f"The row itself: {case.says(case.row_id)}.", case.row_id),)
    sentence, by, advice = said(found)
    return Verdict(
        found.cause,
        f"{case.code} {close_name(case.code)}" if case.code else "closed",
        "Why it ended cannot be told: more than one cause fits." if either else sentence,
        by,
        advice,
        found.certainty,
        _once((*rows, *_aftermath(case)))[:MAX_EVIDENCE],
        tuple(said(Found(cause, (), Certainty.OPEN, codes.who(case)))[0] for cause in either),
        either,
        "" if known else _missing(case, bool(found.values.get("or"))),
    )


def _once(rows: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    """What came afterwards is said only where it was not evidence before."""
    known: dict[int, Evidence] = {}
    for row in rows:
        known.setdefault(row.row_id, row)
    return tuple(known.values())


def _between(case: Case) -> tuple[Cause, ...]:
    """Of a socket that ended without a goodbye, when nobody kept how."""
    is_bare = case.close_frame is None and case.bye is None and not case.code
    is_socket = case.ring.value("kind", case.row_id) == Kind.CLOSE and case.frames.any()
    return (Cause.RESET, Cause.CUT) if is_bare and is_socket and case.words.how is SocketEnd.UNKNOWN else ()


def _missing(case: Case, is_between: bool) -> str:
    if is_between:
        return "What would tell them apart: the gateway's log of that moment, or a second connection to it."
    if (
        case.ring.value("kind", case.row_id) != Kind.CLOSE
        and case.ring.value("opcode", case.row_id) != CLOSE_FRAME
    ):
        return "This row is not about an end, and none came with it."
    if case.words.is_proxied and not case.op_is("upgrade").any():
        return "No upgrade to a WebSocket was seen on it."
    if case.by in ("server", "client"):
        return "Its code says no more, and no other row does."
    return "How the socket ended was not kept: rows of an older version or of another tool do not hold it."


def _seen(case: Case) -> tuple[Evidence, ...]:
    """What there is to see where nothing is concluded from it."""
    rows = []
    for row, what in ((case.last_received, "received"), (case.last_sent, "sent")):
        if row is not None:
            name = one_line(case.ring.text("op", row), 40)
            rows.append(case.row(f"The last frame {what} ({name}) was {case.ago(row)} before the end.", row))
    waiting = case.sent[(case.pick("command", case.sent) >= 0) & np.isnan(case.pick("rtt_ms", case.sent))]
    if len(waiting) and not case.is_foreign:
        count = "1 command was" if len(waiting) == 1 else f"{len(waiting):,} commands were"
        rows.append(case.row(f"{count} never answered on this socket.", int(waiting[0])))
    return tuple(rows)


def _aftermath(case: Case) -> Iterator[Evidence]:
    """Whether it came back."""
    if case.ring.value("kind", case.row_id) != Kind.CLOSE:
        return
    came = case.after[
        case.op_is(*_BACK, ids=case.after) & (case.pick("direction", case.after) == Direction.IN)
    ]
    if len(came):
        row = int(came[0])
        how, later = _BACK[case.ring.text("op", row)], seconds((case.time(row) - case.at) * 1000)
        yield case.row(f"It was back {later} later {how}.", row)
        return
    failed = case.after[(case.pick("flags", case.after) & int(Flag.ERROR)) != 0]
    if len(failed):
        yield case.row(f"It has not come back: {case.says(int(failed[-1]))}.", int(failed[-1]))
