"""Who is in a channel as one connection was told it: a pure fold over presence rows.

Owns what is known for certain after each of them. The fold of one frame is the protocol's own; this one never changes
a roster in place, so that any of them can be kept.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sonde_lab.entries import Entry, presence_of
from sonde_protocol.frames import Member
from sonde_protocol.presence import Roster, RosterChange

UNTOLD: Final = "Who is here is not known: a roster begins with a snapshot, and none came before this row."
NOTHING: Final = RosterChange()


class RosterFold(NamedTuple):
    """After a frame. `change` is what the frame of `row_id` did; `problem` says why the members are not certain."""

    members: dict[str, Member] = {}  # noqa: RUF012 - nobody changes it
    number: int | None = None
    row_id: int = -1
    problem: str = UNTOLD
    change: RosterChange = NOTHING
    dial: int = 0  # of the row


def fold_roster(fold: RosterFold, entry: Entry) -> RosterFold:
    """One frame further."""
    if not entry.is_whole:
        return _unsure(
            fold, entry, "Only a part of a presence message was kept, so who is here is not known."
        )
    frame = presence_of(entry)
    if frame is None:
        return _unsure(fold, entry, "A presence message cannot be read, so who is here is not known.")
    if fold.problem and frame.kind != "snapshot":
        return fold
    roster = Roster()
    roster.members, roster.number = dict(fold.members), fold.number
    change = roster.apply(frame)
    if change.hole:
        return _unsure(
            fold, entry, f"Presence {frame.number:,} came after {fold.number:,}, so who is here is not known."
        )
    if frame.kind == "snapshot":
        return RosterFold(roster.members, roster.number, entry.row_id, "", change, entry.dial)
    if not change:
        return fold._replace(number=roster.number)
    return RosterFold(roster.members, roster.number, entry.row_id, "", change, entry.dial)


def _unsure(fold: RosterFold, entry: Entry, problem: str) -> RosterFold:
    """Unknown until the next snapshot."""
    if fold.problem:
        return fold
    return fold._replace(problem=problem, row_id=entry.row_id, change=NOTHING, dial=entry.dial)
