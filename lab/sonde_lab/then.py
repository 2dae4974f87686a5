"""What a timeline answers: the document and the people of a moment, and what differs between two moments.

Owns these values and the comparison of two moments. Documents and members are shared with whoever keeps them: they
are read, and never changed.
"""

from __future__ import annotations

import enum
from typing import Any, Final, NamedTuple

from sonde_protocol import merge
from sonde_protocol.errors import NotCanonical
from sonde_protocol.frames import Member

MAX_PATHS: Final = 4_096  # between two moments
MISSING: Final = type("Missing", (), {"__repr__": lambda _: "MISSING"})()  # a value that is not there


class What(enum.Enum):
    """What a step goes to."""

    STATE = "state"
    ROSTER = "roster"
    EITHER = "either"


class Line(NamedTuple):
    """One channel of one connection. `has_state`, `has_roster`: rows told of them."""

    conn: str
    channel: str
    has_state: bool = False
    has_roster: bool = False


class StateThen(NamedTuple):
    """A document as it stood after a row. `row_id` is the row that changed it last.

    `problem`: why it cannot be known; the document is `None` then. `note`: how far it is to be believed.
    """

    document: Any = None
    seq: int = -1
    row_id: int | None = None
    problem: str = ""
    note: str = ""


class RosterThen(NamedTuple):
    """Who was there after a row; the fields are those of `StateThen`."""

    members: tuple[Member, ...] = ()
    row_id: int | None = None
    problem: str = ""
    note: str = ""


class Changed(NamedTuple):
    """A value at two moments; `MISSING` where there was none."""

    path: tuple[str, ...]
    before: Any
    after: Any


class Between(NamedTuple):
    """What differs between two moments. `is_cut`: more values than are told."""

    values: tuple[Changed, ...] = ()
    came: tuple[Member, ...] = ()
    went: tuple[Member, ...] = ()
    changed: tuple[tuple[Member, Member], ...] = ()  # before, after
    state_problem: str = ""
    roster_problem: str = ""
    is_cut: bool = False


def differing(states: tuple[StateThen, StateThen], rosters: tuple[RosterThen, RosterThen]) -> Between:
    """What differs between the earlier and the later of two moments."""
    state_problem = states[0].problem or states[1].problem
    roster_problem = rosters[0].problem or rosters[1].problem
    values: tuple[Changed, ...] = ()
    is_cut = False
    if not state_problem:
        values, is_cut = _changed_values(states[0].document, states[1].document)
    before, after = ({each.session: each for each in roster.members} for roster in rosters)
    if roster_problem:
        before = after = {}
    return Between(
        values,
        tuple(each for session, each in after.items() if session not in before),
        tuple(each for session, each in before.items() if session not in after),
        tuple((before[s], each) for s, each in after.items() if s in before and before[s] != each),
        state_problem,
        roster_problem,
        is_cut,
    )


def _changed_values(before: Any, after: Any) -> tuple[tuple[Changed, ...], bool]:
    try:
        paths = merge.changed_paths(merge.diff(before, after))
    except NotCanonical:
        return (), True
    found = tuple(Changed(path, _value(before, path), _value(after, path)) for path in paths[:MAX_PATHS])
    return found, len(paths) > MAX_PATHS


def _value(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(document, dict) or key not in document:
            return MISSING
        document = document[key]
    return document
