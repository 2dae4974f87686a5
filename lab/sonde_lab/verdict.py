"""Why a connection dropped: a few sentences, each with the row that it rests on.

Owns the reading of the rows around a close: what its code means, who sent it, what a person had done, how long it
had been silent, what was never answered, and whether the client came back. It looks at the ring only, and says
nothing that no row shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sonde_lab.records import Direction, Flag, Kind
from sonde_lab.ring import Ring
from sonde_lab.summary import summarize
from sonde_lab.wording import one_line, seconds
from sonde_protocol.codes import CloseCode, Reaction, close_name, reaction

LOOK_ROWS: Final = 20_000  # before and after the close
ACT_BEFORE_S: Final = 60.0  # an act that long ago may still be the reason: a half-open link takes its time
SILENCE_S: Final = 2.0
REFUSED_BEFORE_S: Final = 10.0
_CLOSE_FRAME: Final = 8
_BACK: Final = ("resumed", "ready", "resume_failed")

_MEANS: Final[Mapping[int, str]] = MappingProxyType(
    {
        CloseCode.NORMAL: "A proper goodbye: nothing went wrong.",
        CloseCode.GOING_AWAY: "The other side is leaving or shutting down.",
        CloseCode.ABNORMAL: "The socket ended without a goodbye, as when a network is cut or a process is killed.",
        CloseCode.NO_STATUS: "The close frame gave no code.",
        CloseCode.PROTOCOL_ERROR: "One side sent what the WebSocket protocol does not allow.",
        CloseCode.MESSAGE_TOO_BIG: "A message was larger than the other side takes.",
        CloseCode.SERVICE_RESTART: "The server is restarting.",
        CloseCode.TRY_AGAIN_LATER: "The server has too much to do and asks to try later.",
        CloseCode.DRAINING: "The node is being emptied: clients are asked to move to another.",
        CloseCode.HEARTBEAT_LOST: "The server heard nothing from this client for too long and gave it up.",
        CloseCode.SLOW_CONSUMER: "The client took its messages more slowly than they came, until the server's queue was full.",
        CloseCode.SERVER_ERROR: "Something failed inside the server.",
        CloseCode.INJECTED_FAULT: "The gateway was told to drop this connection.",
        CloseCode.TOKEN_EXPIRED: "The token ran out while the connection was open.",
        CloseCode.SESSION_EXPIRED: "The session was away for longer than it is kept.",
        CloseCode.OVERLOADED: "The server has too much to do.",
        CloseCode.RATE_LIMITED: "The client sent more than it may.",
        CloseCode.BAD_FRAME: "The server did not understand what the client sent.",
        CloseCode.AUTHENTICATION_FAILED: "The token was not accepted.",
        CloseCode.FORBIDDEN: "The token does not allow this.",
        CloseCode.IDENTIFY_TIMEOUT: "The client did not say who it is in time.",
        CloseCode.SUPERSEDED: "The same session was opened by another connection, which took it over.",
        CloseCode.KICKED: "Somebody with the right to do so ended this session.",
        CloseCode.CONNECTION_LIMIT: "This user has too many connections.",
        CloseCode.VERSION: "Client and server speak different versions of the protocol.",
        CloseCode.FRAME_TOO_LARGE: "A frame was larger than the server takes.",
        CloseCode.TOO_MANY_ERRORS: "The client made too many mistakes in a row.",
    }
)
_REACTIONS: Final = MappingProxyType(
    {
        Reaction.RESUME: "After this code a client comes back by itself and resumes its session.",
        Reaction.IDENTIFY: "After this code a client comes back by itself, with a new session.",
        Reaction.WAIT: "After this code a client waits as long as the server asked, then resumes its session.",
        Reaction.STOP: "After this code a client does not come back by itself.",
    }
)


class Finding(NamedTuple):
    """One sentence, and the row that shows it; `None` where it needs none."""

    text: str
    row_id: int | None = None


class Verdict(NamedTuple):
    """What is known of one close."""

    title: str
    findings: tuple[Finding, ...]


class _Rows(NamedTuple):
    """Rows of the closed socket before its close, as columns."""

    ring: Ring
    close_id: int
    closed_at: float
    ids: NDArray[Any]  # of the same connection and dial
    last_in: int | None  # the newest that was received, goodbyes not counted

    def pick(self, column: str, ids: NDArray[Any] | None = None) -> NDArray[Any]:
        """A column of some of the rows."""
        ids = self.ids if ids is None else ids
        picked: NDArray[Any] = self.ring.column(column)[ids - self.ring.first_id]
        return picked


def why(ring: Ring, close_id: int) -> Verdict:
    """Why the connection of the close row `close_id` ended.

    Raises:
        KeyError: the row is not in the ring.
    """
    rows = _rows_before(ring, close_id)
    goodbye = _first(rows.ids, rows.pick("opcode") == _CLOSE_FRAME)
    code = ring.value("code", close_id) or (0 if goodbye is None else ring.value("code", goodbye))
    findings = [
        Finding(
            _MEANS.get(code, "Its code is not one that this version knows.")
            if code
            else "It ended without a code."
        ),
        *_goodbye(rows, goodbye),
        *_acts(rows),
        *_silence(rows),
        *_unanswered(rows),
        *_refusals(rows),
        *_what_next(rows, code),
    ]
    return Verdict(f"{code} {close_name(code)}" if code else "closed", tuple(findings))


def _rows_before(ring: Ring, close_id: int) -> _Rows:
    conn, dial, at = (ring.value(name, close_id) for name in ("conn", "dial", "at"))
    ids = range(max(ring.first_id, close_id - LOOK_ROWS), close_id)
    same = (ring.column("conn", ids) == conn) & (ring.column("dial", ids) == dial)
    mine = np.flatnonzero(same) + ids.start
    rows = _Rows(ring, close_id, at, mine, None)
    heard = (rows.pick("direction") == Direction.IN) & (rows.pick("kind") == Kind.FRAME)
    heard &= (rows.pick("opcode") != _CLOSE_FRAME) & ~_is_op(rows, "bye")
    return rows._replace(last_in=_last(mine, heard))


def _is_op(rows: _Rows, *ops: str) -> NDArray[Any]:
    numbers = [number for number in map(rows.ring.names.number, ops) if number is not None]
    return np.isin(rows.pick("op"), numbers)


def _first(ids: NDArray[Any], where: NDArray[Any]) -> int | None:
    places = np.flatnonzero(where)
    return int(ids[places[0]]) if len(places) else None


def _last(ids: NDArray[Any], where: NDArray[Any]) -> int | None:
    places = np.flatnonzero(where)
    return int(ids[places[-1]]) if len(places) else None


def _before(rows: _Rows, row_id: int) -> str:
    return seconds((rows.closed_at - rows.ring.value("at", row_id)) * 1000)


def _said(ring: Ring, row_id: int) -> str:
    return one_line(summarize(ring.record(row_id)), 120)


def _goodbye(rows: _Rows, frame: int | None) -> Iterator[Finding]:
    farewell = _last(rows.ids, _is_op(rows, "bye"))
    if farewell is not None:
        yield Finding(f"The server said why: {_said(rows.ring, farewell)}.", farewell)
    if frame is not None:
        who = "server" if rows.ring.value("direction", frame) == Direction.IN else "client"
        yield Finding(f"The {who} sent the close frame first: {_said(rows.ring, frame)}.", frame)
    elif len(rows.ids):
        yield Finding("No close frame was seen from either side.")


def _acts(rows: _Rows) -> Iterator[Finding]:
    """What a person made happen shortly before, to whomever: it may have hit this connection."""
    ring = rows.ring
    ids = range(max(ring.first_id, rows.close_id - LOOK_ROWS), rows.close_id)
    injected = (ring.column("kind", ids) == Kind.ACT) & (
        (ring.column("flags", ids) & int(Flag.INJECTED)) != 0
    )
    injected &= ring.column("at", ids) >= rows.closed_at - ACT_BEFORE_S
    act = _last(np.arange(ids.start, ids.stop), injected)
    if act is not None:
        yield Finding(f"A person did something {_before(rows, act)} before: {_said(ring, act)}.", act)


def _silence(rows: _Rows) -> Iterator[Finding]:
    heard = rows.last_in
    if heard is None:
        yield Finding("Nothing was ever received on this socket.")
        return
    name = one_line(rows.ring.text("op", heard), 40)
    gap_s = rows.closed_at - rows.ring.value("at", heard)
    silence = "It had been silent: the" if gap_s >= SILENCE_S else "The"
    yield Finding(
        f"{silence} last frame received ({name}) came {_before(rows, heard)} before the end.", heard
    )
    after = rows.ids[rows.ids > heard]
    sent = after[(rows.pick("direction", after) == Direction.OUT) & (rows.pick("kind", after) == Kind.FRAME)]
    sent = sent[rows.pick("opcode", sent) != _CLOSE_FRAME]
    if not len(sent):
        return
    beats = int(((rows.pick("flags", sent) & int(Flag.HEARTBEAT)) != 0).sum())
    of_them = f", {beats} of them {'a heartbeat' if beats == 1 else 'heartbeats'}" if beats else ""
    frames = "1 frame was" if len(sent) == 1 else f"{len(sent):,} frames were"
    yield Finding(f"{frames} sent after that, and nothing came back{of_them}.", int(sent[0]))


def _unanswered(rows: _Rows) -> Iterator[Finding]:
    asked = (rows.pick("direction") == Direction.OUT) & (rows.pick("command") >= 0)
    asked &= np.isnan(rows.pick("rtt_ms"))
    waiting = rows.ids[asked]
    if len(waiting):
        number = rows.ring.value("command", int(waiting[0]))
        commands = f"Command #{number} was" if len(waiting) == 1 else f"{len(waiting):,} commands were"
        yield Finding(f"{commands} never answered on this socket.", int(waiting[0]))


def _refusals(rows: _Rows) -> Iterator[Finding]:
    wrong = (rows.pick("flags") & int(Flag.ERROR | Flag.MALFORMED)) != 0
    wrong &= (rows.pick("opcode") != _CLOSE_FRAME) & ~_is_op(rows, "bye")
    wrong &= rows.pick("at") >= rows.closed_at - REFUSED_BEFORE_S
    row = _last(rows.ids, wrong)
    if row is not None:
        yield Finding(f"Something had gone wrong {_before(rows, row)} before: {_said(rows.ring, row)}.", row)


def _what_next(rows: _Rows, code: int) -> Iterator[Finding]:
    ring, close_id = rows.ring, rows.close_id
    if not rows.pick("protocol").any():  # another server's codes are not ours to explain
        yield Finding(_REACTIONS[reaction(code or None)])
    ids = range(close_id + 1, min(ring.next_id, close_id + 1 + LOOK_ROWS))
    after = np.arange(ids.start, ids.stop)
    mine = ring.column("conn", ids) == ring.value("conn", close_id)
    numbers = [number for number in map(ring.names.number, _BACK) if number is not None]
    back = _first(after, mine & np.isin(ring.column("op", ids), numbers))
    if back is not None:
        wait = seconds((ring.value("at", back) - rows.closed_at) * 1000)
        how = {"resumed": "and resumed its session", "ready": "with a new session"}.get(
            ring.text("op", back), "but its session could not be resumed"
        )
        yield Finding(f"It was back {wait} later {how}.", back)
        return
    failed = _last(after, mine & ((ring.column("flags", ids) & int(Flag.ERROR)) != 0))
    if failed is not None:
        yield Finding(f"It has not come back: {_said(ring, failed)}.", failed)
    else:
        yield Finding("It has not come back, as far as these rows tell.")
