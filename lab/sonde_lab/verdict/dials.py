"""Rules about what never became an open connection: failed dials, refused upgrades, refused greetings and resumes.

The client and the proxy have judged these already, in a note or a state row: the words are theirs. A refused upgrade
that nobody judged is read from its status.
"""

from __future__ import annotations

import re
from typing import Final

from sonde_client.errors import CAUSES as FAILURES
from sonde_lab.envelope import integer
from sonde_lab.records import Direction, Flag, Kind
from sonde_lab.ring import Ring
from sonde_lab.verdict.causes import Cause
from sonde_lab.verdict.gathering import Case
from sonde_lab.verdict.verdicts import Certainty, Evidence, Found
from sonde_lab.wording import one_line, seconds
from sonde_protocol.codes import ResumeCause

# Failures of the client that end a dial or a greeting; the others are about what goes on.
ENDING: Final = frozenset(
    {
        "bad_url", "dial_dns", "dial_refused", "dial_unreachable", "dial_timeout", "dial_reset", "dial_injected", "tls_failed",
        "tls_certificate", "not_websocket", "wrong_subprotocol", "http_unauthorized", "http_refused", "http_unavailable", "http_error",
        "token_source", "token_unchanged", "greeting_timeout", "wrong_version", "identify_refused",
    }
)  # fmt: skip
PROXY_NOTES: Final = frozenset({"foreign_host", "endless_head", "slow_handshake", "too_many"})
_BY_TITLE: Final = {title: cause for cause, (_, title, _) in FAILURES.items() if cause in ENDING}
_STATUS: Final = re.compile(r"HTTP/1\.[01] (\d{3})")
_WAITS: Final = frozenset({408, 425, 429, 503})


def cause_of_note(ring: Ring, row_id: int) -> Cause | None:
    """What a note says about a dial; `None` where it is about something else."""
    op = ring.text("op", row_id)
    return Cause(op) if op in ENDING else Cause.REFUSED_BY_PROXY if op in PROXY_NOTES else None


def cause_of_state(words: str) -> Cause | None:
    """What an old capture's state row says: there, failed dials had no row of their own."""
    if not words.startswith(("waiting", "stopped")):
        return None
    title = words.partition(": ")[2]
    known = next(
        (cause for name, cause in _BY_TITLE.items() if title == name or title.startswith(f"{name}. ")), None
    )
    return None if known is None else Cause(known)


def failed_dial(case: Case) -> Found | None:
    """A note of the client, or of the proxy."""
    if case.ring.value("kind", case.row_id) != Kind.NOTE:
        return None
    cause = cause_of_note(case.ring, case.row_id)
    if cause is None:
        return None
    words = one_line(case.text(case.row_id), 240).rstrip(". ")
    rows = (case.row(f"{words}.", case.row_id), *_answer(case), *_act(case, cause))
    return Found(cause, rows, Certainty.SHOWN, {"says": words})


def _act(case: Case, cause: Cause) -> tuple[Evidence, ...]:
    if cause is not Cause.DIAL_INJECTED:
        return ()
    done = next(
        (
            row
            for row, text in case.acts(3_600, since=0)
            if text.startswith(f"refuse the dials of {case.conn} ")
        ),
        None,
    )
    return () if done is None else (case.row(f"You asked for it {case.ago(done)} before.", done),)


def _answer(case: Case) -> tuple[Evidence, ...]:
    """What the server answered to the upgrade of the same dial."""
    rows = case.ids[(case.pick("kind") == Kind.HANDSHAKE) & (case.pick("direction") == Direction.IN)]
    if not len(rows):
        return ()
    row = int(rows[-1])
    return (case.row(f"It answered: {case.says(row)}.", row),)


def state_alone(case: Case) -> Found | None:
    """A state row whose dial left no other row."""
    if case.ring.value("kind", case.row_id) != Kind.STATE:
        return None
    words = case.text(case.row_id)
    cause = cause_of_state(words)
    return (
        None
        if cause is None
        else Found(cause, (case.row(f"{one_line(words, 200)}.", case.row_id),), Certainty.SHOWN)
    )


def refused_upgrade(case: Case) -> Found | None:
    """An answer to an upgrade that is no 101, seen on the wire or in another tool's file; also behind a close row."""
    answer = case.row_id
    if case.ring.value("kind", answer) == Kind.CLOSE:
        if case.frames.any() or case.close_frame is not None:
            return None
        answers = [row for row in case.ids[-20:].tolist() if is_refused_upgrade(case.ring, row)]
        answer = answers[-1] if answers else answer
    if not is_refused_upgrade(case.ring, answer):
        return None
    match = _STATUS.match(case.text(answer))
    if match is None:
        return None
    cause = _of_status(int(match[1]))
    return Found(cause, (case.row(f"It answered: {case.says(answer)}.", answer),), Certainty.SHOWN)


def is_refused_upgrade(ring: Ring, row_id: int) -> bool:
    """Whether a row is such an answer."""
    is_answer = (
        ring.value("kind", row_id) == Kind.HANDSHAKE and ring.value("direction", row_id) == Direction.IN
    )
    return (
        is_answer
        and bool(ring.value("flags", row_id) & int(Flag.ERROR))
        and ring.text("op", row_id) != "body"
    )


def _of_status(status: int) -> Cause:
    if status == 401:
        return Cause.HTTP_UNAUTHORIZED
    if status in _WAITS:
        return Cause.HTTP_UNAVAILABLE
    if status >= 500:
        return Cause.HTTP_ERROR
    return Cause.HTTP_REFUSED if status >= 400 and status not in (404, 405, 426) else Cause.NOT_WEBSOCKET


def refused_resume(case: Case) -> Found | None:
    """A session that could not be taken up again."""
    ring, row_id = case.ring, case.row_id
    if ring.value("kind", row_id) != Kind.FRAME or ring.text("op", row_id) != "resume_failed":
        return None
    cause = case.peek(row_id).cause
    named = one_line(cause, 40).replace("_", " ") if isinstance(cause, str) else "no cause given"
    refusal = case.row(f"The gateway answered: {case.says(row_id)}.", row_id)
    if cause == ResumeCause.SESSION_EXPIRED:
        away = _away(case)
        if away is not None:
            return Found(Cause.SESSION_EXPIRED, (refusal, away), Certainty.SHOWN)
    return Found(Cause.RESUME_REFUSED, (refusal,), Certainty.TOLD, {"says": named})


def _away(case: Case) -> Evidence | None:
    """That the session had been away for longer than `ready` promised to keep it."""
    ids = case.before[case.pick("conn", case.before) == case.ring.value("conn", case.row_id)]
    ready, live = ids[case.op_is("ready", ids=ids)], ids[case.op_is("ready", "resumed", ids=ids)]
    if not len(ready):
        return None
    closes = ids[(case.pick("kind", ids) == Kind.CLOSE) & (ids > live[-1])]
    if not len(closes):
        return None
    kept_s = integer(case.peek(int(ready[-1])).resume_ttl_ms, 0) / 1000
    left = int(closes[0])
    away_s = case.at - case.time(left)
    if kept_s <= 0 or away_s < kept_s:
        return None
    words = (
        f"The session had been away for {seconds(away_s * 1000)}, and is kept for {seconds(kept_s * 1000)}."
    )
    return case.row(words, left)


DIALS: Final = (failed_dial, state_alone, refused_upgrade, refused_resume)
