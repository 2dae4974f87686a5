"""The course of one connection: its rows in, in their order; its reconnects out.

Owns which row begins and ends which phase. Believes nothing: what does not fit the course changes nothing, and a
connection whose states no row tells (a proxied one) has no reconnect.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from sonde_lab import dials
from sonde_lab.anatomy import DETECT, DIAL, IDENTIFY, RESUME, TOKEN, WAIT, Ending, Outcome, Phase, Reconnect
from sonde_lab.wording import one_line
from sonde_protocol.states import ConnectionState as State

SHORTEST_TOKEN_S: Final = 0.001  # less is no waiting for a token
ACT_BEFORE_S: Final = 60.0
_BY: Final = re.compile(r"by the (server|client|network)\b")
_TRYING: Final = (State.WAITING, State.DIALING, State.HANDSHAKING)
_OVER: Final = {State.STOPPED: Ending.GIVEN_UP, State.CLOSING: Ending.LEFT, State.IDLE: Ending.LEFT}


class Moment(NamedTuple):
    """A row and its times."""

    row_id: int
    at: float
    wall: float


class _Ended(NamedTuple):
    """A close row."""

    moment: Moment
    code: int
    why: str


class Trail:
    """Follows one connection. `made` gets each reconnect as it begins."""

    def __init__(self, conn: str, made: Callable[..., Reconnect]) -> None:
        self.conn = conn
        self.heard: float | None = None  # when the peer's last frame came
        self.state: State | None = None
        self.now: Reconnect | None = None  # the one that is under way
        self._made = made
        self._close: _Ended | None = None
        self._cut_at: float | None = None  # when a person did something to it last
        self._under_way: tuple[str, float, int] | None = None  # a phase: name, began, row

    # ------------------------------------------------------------ rows

    def spoke(self) -> None:
        """A frame came that only a live connection gets: what was before its first row is known now."""
        if self.state is None:
            self.state = State.LIVE

    def act(self, row: Moment) -> None:
        """Somebody did something to this connection."""
        self._cut_at = row.at

    def closed(self, row: Moment, code: int, text: str) -> None:
        """A socket of it ended."""
        self._close = _Ended(row, code, short_why(text))
        self._finish(row, Outcome.FAILED, self._close.why)

    def became(self, row: Moment, state: State) -> None:
        """It has another state."""
        before, self.state = self.state, state
        if self.now is None and before is State.LIVE and state in _TRYING:
            self._begin(row)
        if state is State.LIVE:
            if self.now is not None:
                self._finish(row, Outcome.DONE)
                self._end(Ending.BACK)
            self._close = None
        elif state in _OVER:
            self._finish(row, Outcome.FAILED)
            self._end(_OVER[state])
        elif self.now is not None:
            self._try(row, state)

    def dialled(self, row: Moment, dial: dials.Dialled) -> None:
        """A dial has ended: its steps are phases, the last of them up to the row."""
        if self.now is None:
            return
        self._finish_before(max(self.now.ended, row.at - dial.total_ms / 1000), row)
        self.now.tries += 1
        steps = [(step.name, step.ms, Outcome.DONE) for step in dial.steps]
        if dial.cause:
            steps.append((dial.failed_at or DIAL, dial.failed_ms, Outcome.FAILED))
        began = self.now.ended
        for place, (name, ms, outcome) in enumerate(steps, 1):
            ended = max(began, row.at if place == len(steps) else min(row.at, began + ms / 1000))
            detail = dial.cause if outcome is Outcome.FAILED else ""
            self.now.add(Phase(name, began, ended, row.row_id, outcome, detail))
            began = ended

    def greeted(self, row: Moment, op: str) -> None:
        """The client said who it is; a second time when the first was refused."""
        if self.now is None:
            return
        self._finish(row, Outcome.REFUSED)
        self._under_way = (RESUME if op == "resume" else IDENTIFY, self.now.ended, row.row_id)

    def refused(self, row: Moment, cause: str) -> None:
        """The session could not be resumed."""
        self._finish(row, Outcome.REFUSED, cause)

    def answered(self, row: Moment, op: str) -> Reconnect | None:
        """The gateway knows it again; the reconnect that this ends."""
        self.state, self._close = State.LIVE, None
        ended = self.now
        self._finish(row, Outcome.DONE)
        self._end(Ending.RESUMED if op == "resumed" else Ending.NEW_SESSION)
        return ended

    def seen_until(self, at: float) -> None:
        """What is under way lasts at least until now."""
        if self.now is not None:
            self.now.seen_at = at

    def phases_until(self, at: float) -> list[Phase]:
        """The phases of the reconnect under way, the one that lasts included."""
        if self.now is None:
            return []
        if self._under_way is None:
            return list(self.now.phases)
        name, began, row_id = self._under_way
        return [*self.now.phases, Phase(name, began, max(began, at), row_id, Outcome.UNDER_WAY)]

    # ------------------------------------------------------------ phases

    def _begin(self, row: Moment) -> None:
        known = self._close
        end = row if known is None else known.moment
        marks = [at for at in (self.heard, self._cut_at) if at is not None and at <= end.at]
        if self._cut_at is not None and end.at - self._cut_at > ACT_BEFORE_S:
            marks = [at for at in marks if at != self._cut_at]
        began = max(marks, default=end.at)
        self.now = self._made(
            conn=self.conn,
            close_row=None if known is None else end.row_id,
            code=0 if known is None else known.code,
            why="" if known is None else known.why,
            began=began,
            closed_at=end.at,
            wall=end.wall,
            ended=began,
        )
        self.now.add(Phase(DETECT, began, end.at, end.row_id))
        self._under_way = None

    def _try(self, row: Moment, state: State) -> None:
        assert self.now is not None
        if state is State.HANDSHAKING:
            self._opened_unseen(row)
            return
        self._finish(row, Outcome.DONE if state is State.DIALING else Outcome.FAILED)
        name = WAIT if state is State.WAITING else TOKEN
        self._under_way = (name, self.now.ended, row.row_id)

    def _opened_unseen(self, row: Moment) -> None:
        """The socket is open, and no row told its steps: captures of older versions have none."""
        if self.now is not None and self._under_way is not None and self._under_way[0] == TOKEN:
            self._under_way = (DIAL, *self._under_way[1:])
            self._finish(row, Outcome.DONE)
            self.now.tries += 1

    def _finish_before(self, at: float, row: Moment) -> None:
        """End what is under way where the dial began."""
        self._finish(row._replace(at=at), Outcome.DONE)

    def _finish(self, row: Moment, outcome: Outcome, detail: str = "") -> None:
        under_way, self._under_way = self._under_way, None
        if self.now is None or under_way is None:
            return
        name, began, first_row = under_way
        ended = max(began, row.at)
        if name == TOKEN and ended - began < SHORTEST_TOKEN_S:
            return
        waited = name in (WAIT, TOKEN)
        outcome = Outcome.DONE if name == WAIT else outcome
        self.now.add(
            Phase(name, began, ended, first_row if waited else row.row_id, outcome, one_line(detail, 80))
        )

    def _end(self, ending: Ending) -> None:
        if self.now is not None:
            self.now.ending = ending
        self.now = self._under_way = None


def short_why(text: str) -> str:
    """`"4002 heartbeat lost, by the server"` of a close row's sentence."""
    head, _, tail = text.partition(" — ")
    by = _BY.match(tail)
    return one_line(head, 60) + (f", {by[0]}" if by else "")


class Verdicts(NamedTuple):
    """What a `resumed` says of its channels: those whose entries follow, and those that skip some.

    `is_known`: every channel has one of these two, so that what was lost can be counted.
    """

    replaying: frozenset[str] = frozenset()
    cut: frozenset[str] = frozenset()
    is_known: bool = False


def verdicts(message: Any) -> Verdicts:
    """Read strictly: what is not a verdict of the protocol makes the sum unknown."""
    told = message.get("channels") if isinstance(message, dict) else None
    if not isinstance(told, list):
        return Verdicts()
    each = [verdict if isinstance(verdict, dict) else {} for verdict in told]
    named = [verdict for verdict in each if isinstance(verdict.get("ch"), str)]
    cut = [verdict["ch"] for verdict in named if _is_cut(verdict)]
    replayed = [verdict for verdict in named if verdict.get("verdict") == "replay"]
    replaying = [verdict["ch"] for verdict in replayed if _has_entries(verdict)]
    return Verdicts(frozenset(replaying), frozenset(cut), len(cut) + len(replayed) == len(told))


def _is_cut(verdict: dict[str, Any]) -> bool:
    return verdict.get("verdict") == "snapshot" and verdict.get("cause") in ("trimmed", "too_far")


def _has_entries(verdict: dict[str, Any]) -> bool:
    """Whether some follow: gateways give the cursor itself as `from`."""
    first, last = verdict.get("from"), verdict.get("to")
    return isinstance(first, int) and isinstance(last, int) and first < last
