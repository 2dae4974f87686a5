"""Swim lanes as plain values: who was how, from when to when, in rows that can be drawn over one time axis.

Owns how stretches of presence become lanes: one for each member, a user who comes back with another session on the
same lane where there is room. Stretches of a lane never overlap. Refuses to draw, to read rows, and more than
`MOST_LANES`.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from sonde_lab.spells import Spell

MOST_LANES: Final = 1_000
MOST_ELSEWHERE: Final = 20_000  # spells of other rooms that are looked through for who went there
MOVES_WITHIN_S: Final = 5.0  # who leaves a room and is in another by then has moved
GONE: Final = "left"  # the status of whoever is not there any more

# Every status that a lane can have, the calmest first: where pixels are shared, the last of them is shown.
STATUSES: Final = (
    "online", "live", "idle", "invisible", "away", "busy", "closing", "dialing", "greeting", "waiting", "reconnecting",
    "stopped", "fault", "unknown",
)  # fmt: skip
SEVERITY: Final[Mapping[str, int]] = {status: place for place, status in enumerate(STATUSES)}


class Stretch(NamedTuple):
    """Monotonic seconds; `ended` is `None` while it lasts. `how` it ended is told where nothing follows at once."""

    began: float
    ended: float | None
    status: str
    words: str = ""
    how: str = ""


class TickKind(enum.Enum):
    """What a tick stands for."""

    MARK = "mark"
    DROP = "drop"
    FAULT = "fault"


class Tick(NamedTuple):
    """Something that happened at a moment, and the row that tells of it."""

    at: float
    kind: TickKind
    words: str
    row_id: int


class LaneKind(enum.IntEnum):
    """What a lane is about; lanes stand in this order."""

    CONNECTION = 0
    FAULTS = 1
    MEMBER = 2


@dataclass(slots=True, frozen=True, eq=False, weakref_slot=True)
class Lane:
    """One row of the picture. `key` stays the same while the lane grows; names are as the peer gave them."""

    key: str
    kind: LaneKind
    name: str
    stretches: tuple[Stretch, ...] = ()
    ticks: tuple[Tick, ...] = ()
    sessions: tuple[str, ...] = ()
    user: str = ""
    node: str = ""
    channel: str = ""

    @property
    def status(self) -> str:
        """How it is at the end."""
        last = self.stretches[-1] if self.stretches else None
        return last.status if last is not None and last.ended is None else GONE

    def at(self, moment: float) -> Stretch | None:
        """The stretch that a moment lies in."""
        for stretch in reversed(self.stretches):
            if stretch.began <= moment:
                return stretch if stretch.ended is None or moment < stretch.ended else None
        return None

    def has(self, session: str) -> bool:
        """Whether the lane is, or was, a session's."""
        return session in self.sessions


class Grouping(enum.Enum):
    """What lanes and people are put together by."""

    NONE = "none"
    ROOM = "room"
    STATUS = "status"
    NODE = "node"


def member_lanes(
    spells: Iterable[Spell],
    channel: str,
    nodes: Mapping[str, str] | None = None,
    elsewhere: Mapping[str, Sequence[Spell]] | None = None,
) -> list[Lane]:
    """Lanes of the members of one room, by name.

    `nodes`: of sessions, as far as it is known. `elsewhere`: spells of other rooms by channel, to tell who moved there.
    """
    by_session: dict[str, list[Spell]] = defaultdict(list)
    for spell in spells:
        by_session[spell.session].append(spell)
    begun = _beginnings(elsewhere or {})
    stays = [_stay(session, found, begun) for session, found in by_session.items()]
    known = nodes or {}
    lanes = [_named(lane, channel, known) for lane in _shared(stay for stay in stays if stay.stretches)]
    lanes.sort(key=lambda lane: (lane.name.casefold(), lane.key))
    return lanes[:MOST_LANES]


def _stay(session: str, spells: list[Spell], begun: Mapping[str, list[tuple[float, str]]]) -> Lane:
    """One session's lane: in order, without overlaps, without stretches of no length."""
    spells.sort(key=lambda spell: spell.began)
    made: list[Stretch] = []
    for place, spell in enumerate(spells):
        following = spells[place + 1].began if place + 1 < len(spells) else None
        ended = _earlier(spell.ended, following)
        if ended is not None and ended <= spell.began:
            continue
        how = "" if ended == following and ended is not None else _how(spell, ended, begun.get(session, ()))
        made.append(Stretch(spell.began, ended, spell.status, spell.activity or "", how))
    last = spells[-1]
    user = last.user or session
    return Lane(session, LaneKind.MEMBER, last.name or user, tuple(made), sessions=(session,), user=user)


def _earlier(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _how(spell: Spell, ended: float | None, begun: Sequence[tuple[float, str]]) -> str:
    if ended is None:
        return ""
    near = [(abs(at - ended), channel) for at, channel in begun if abs(at - ended) <= MOVES_WITHIN_S]
    return f"moved to {min(near)[1]}" if near else spell.how or GONE


def _beginnings(
    elsewhere: Mapping[str, Sequence[Spell]],
) -> dict[str, list[tuple[float, str]]]:
    """When each session came into other rooms."""
    begun: dict[str, list[tuple[float, str]]] = defaultdict(list)
    left = MOST_ELSEWHERE
    for channel, spells in elsewhere.items():
        ended: dict[str, float | None] = {}
        for spell in sorted(spells[:left], key=lambda spell: spell.began):
            if spell.session not in ended or ended[spell.session] != spell.began:
                begun[spell.session].append((spell.began, channel))
            ended[spell.session] = spell.ended
        left -= min(left, len(spells))
    return begun


def _shared(stays: Iterable[Lane]) -> list[Lane]:
    """Sessions of one user that were not there at the same time, on one lane."""
    lanes: dict[str, list[Lane]] = defaultdict(list)
    for stay in sorted(stays, key=lambda stay: stay.stretches[0].began):
        of_user = lanes[stay.user]
        free = next((place for place, lane in enumerate(of_user) if _is_over(lane, stay)), None)
        if free is None:
            of_user.append(stay)
        else:
            before = of_user[free]
            of_user[free] = replace(
                stay,
                stretches=before.stretches + stay.stretches,
                sessions=before.sessions + stay.sessions,
            )
    return [lane for of_user in lanes.values() for lane in of_user]


def _is_over(lane: Lane, stay: Lane) -> bool:
    ended = lane.stretches[-1].ended
    return ended is not None and ended <= stay.stretches[0].began


def _named(lane: Lane, channel: str, nodes: Mapping[str, str]) -> Lane:
    node = next((nodes[session] for session in reversed(lane.sessions) if session in nodes), "")
    return replace(lane, key=f"{channel}\0{lane.sessions[0]}", channel=channel, node=node)


# ---------------------------------------------------------------- groups


class Group(NamedTuple):
    """Lanes under a heading; without grouping there is one with none."""

    heading: str
    lanes: tuple[Lane, ...]


def grouped(lanes: Iterable[Lane], by: Grouping) -> list[Group]:
    """Own connections and faults first and without a heading, then the members of each group."""
    ours: list[Lane] = []
    members: list[Lane] = []
    for lane in lanes:
        (members if lane.kind is LaneKind.MEMBER else ours).append(lane)
    ours.sort(key=lambda lane: lane.kind)
    groups = [Group("", tuple(ours))] if ours else []
    together: dict[str, list[Lane]] = defaultdict(list)
    for lane in members:
        together[heading_of(lane.channel, lane.status, lane.node, by)].append(lane)
    order = _BY_STATUS if by is Grouping.STATUS else {}
    names = sorted(together, key=lambda name: (order.get(name, len(order)), name.casefold()))
    return groups + [Group(name, tuple(together[name])) for name in names]


def heading_of(channel: str, status: str, node: str, by: Grouping) -> str:
    """What a member stands under."""
    if by is Grouping.ROOM:
        return channel
    if by is Grouping.STATUS:
        return status
    return (node or "node not known") if by is Grouping.NODE else ""


# Who needs to be looked at first.
_BY_STATUS: Final[Mapping[str, int]] = {
    name: place
    for place, name in enumerate(("reconnecting", "online", "busy", "away", "invisible", "unknown", GONE))
}


def matching(lanes: Iterable[Lane], text: str) -> list[Lane]:
    """Lanes whose name, user, node or status at the end holds `text`; own connections and faults stay."""
    wanted = text.strip().casefold()
    return [
        lane
        for lane in lanes
        if lane.kind is not LaneKind.MEMBER
        or wanted in " ".join((lane.name, lane.user, lane.node, lane.status)).casefold()
    ]
