"""How long who was there as what: stretches of one member between two changes, for swim lanes.

Owns the words for how a stretch ended. It knows what one connection was told, and no more: while that was away,
nobody is known to have come or gone, and a snapshot that lacks somebody ends the stretch there.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter
from typing import Final, NamedTuple

from sonde_lab.roster_fold import RosterFold
from sonde_protocol.frames import Member

MAX_SPELLS: Final = 20_000  # that have ended, of one line; the older half goes
CHANGED: Final = "changed"
GONE_WHILE_AWAY: Final = "gone while away"
GONE_UNSEEN: Final = "gone unseen"


class Spell(NamedTuple):
    """One session as it was for a while. Times are monotonic seconds; `ended` is `None` while it lasts.

    `how` it ended: the reason of the leave (`left`, `timeout`, `kicked`, `node_lost`), `changed` where the same
    session goes on as something else, `gone while away` or `gone unseen` where only a later snapshot lacks it.
    """

    session: str
    user: str
    name: str
    status: str
    activity: str | None
    began: float
    ended: float | None = None
    how: str = ""


class Spells:
    """The stretches of one line, fed with every change of its roster in order."""

    __slots__ = ("_dial", "_ended", "open")

    def __init__(self) -> None:
        self.open: dict[str, Spell] = {}
        self._ended: list[Spell] = []
        self._dial = -1

    def take(self, fold: RosterFold, at: float) -> None:
        """One change of the roster, told at `at`."""
        if fold.problem:
            return
        unseen = GONE_UNSEEN if fold.dial == self._dial else GONE_WHILE_AWAY
        self._dial = fold.dial
        for leave in fold.change.leaves:
            self._end(leave.session, at, leave.reason or unseen)
        for member in (*fold.change.joins, *fold.change.updates):
            before = self.open.get(member.session)
            if before is not None and _looks(before) == _looks(member):
                continue
            self._end(member.session, at, CHANGED)
            self.open[member.session] = _begun(member, at)

    def _end(self, session: str, at: float, how: str) -> None:
        spell = self.open.pop(session, None)
        if spell is None:
            return
        self._ended.append(spell._replace(ended=at, how=how))
        if len(self._ended) > MAX_SPELLS:
            del self._ended[: MAX_SPELLS // 2]

    def overlapping(self, since: float, until: float) -> list[Spell]:
        """Those that lasted at some time between two, in order of their beginning."""
        place = bisect_left(self._ended, since, key=attrgetter("ended"))
        found = [spell for spell in self._ended[place:] if spell.began <= until]
        found += [spell for spell in self.open.values() if spell.began <= until]
        return sorted(found, key=attrgetter("began"))

    def drop_before(self, at: float) -> None:
        """Forget what had ended before `at`."""
        del self._ended[: bisect_left(self._ended, at, key=attrgetter("ended"))]


def _looks(member: Member | Spell) -> tuple[str, str, str | None]:
    return member.name, member.status, member.activity


def _begun(member: Member, at: float) -> Spell:
    return Spell(member.session, member.user, member.name, member.status, member.activity, at)
