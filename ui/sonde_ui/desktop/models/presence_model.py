"""The people of a room, or of all rooms, as a Qt list: sorted, searched, grouped, and kept in place while they change.

Owns the order, the headings and what a member's second line says. A batch that only changes members is `dataChanged`; rows
are only inserted and removed for people who came and went.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Qt

from sonde_lab.swim_lanes import Grouping, heading_of
from sonde_protocol.codes import Status
from sonde_protocol.frames import Member
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.figures import Figure
from sonde_ui.desktop.models.guarded import guarded
from sonde_ui.desktop.models.keyed_list import KeyedListModel
from sonde_ui.desktop.models.plain import one_line, tool_tip

Index = QModelIndex | QPersistentModelIndex
DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
TOOLTIP: Final = int(Qt.ItemDataRole.ToolTipRole)
ACCESSIBLE: Final = int(Qt.ItemDataRole.AccessibleTextRole)
PERSON: Final = int(Qt.ItemDataRole.UserRole)
NAMELESS: Final = "(no name)"
GRACE_S: Final = 15.0  # protocol section 5: how long a dropped member stays before it leaves
STATUS_ORDER: Final = {
    Status.RECONNECTING.value: 0,
    Status.ONLINE.value: 1,
    Status.BUSY.value: 2,
    Status.AWAY.value: 3,
    Status.INVISIBLE.value: 4,
}


@dataclass(slots=True, frozen=True)
class Heading:
    """A line above those who are together. `name` is safe to show."""

    key: str
    name: str
    is_heading: bool = True


@dataclass(slots=True)
class Person:
    """One member as it is drawn."""

    session: str
    user: str
    name: str
    initials: str
    hue: int  # 0..359, of the user's id: the same person has the same colour everywhere
    status: str
    activity: str
    device: str
    rtt: Figure
    tooltip: str
    is_self: bool
    status_since: float  # monotonic s when this status was first seen here
    channel: str = ""
    node: str = ""

    def second_line(self, now: float, is_then: bool = False) -> str:
        """online · walking; reconnecting · 2.1 s of 15 s, but for a moment of then, of which that is not known."""
        if self.status == Status.RECONNECTING and not is_then:
            waited = min(max(0.0, now - self.status_since), 3600.0)
            return f"reconnecting · {waited:.1f} s of {GRACE_S:.0f} s"
        return f"{self.status} · {self.activity}" if self.activity else self.status

    @property
    def key(self) -> str:
        """A member is a session in a room."""
        return f"{self.channel}\0{self.session}"

    @property
    def order(self) -> tuple[bool, str, str]:
        """Oneself first, then by name."""
        return (not self.is_self, self.name.casefold(), self.session)


def initials(name: str) -> str:
    """Two letters for an avatar: Ad, Yo; of the first two words where there are two."""
    words = name.replace("_", " ").replace("-", " ").split()
    letters = [word[0] for word in words[:2] if word[0].isalnum()] if len(words) > 1 else []
    if len(letters) < 2:
        letters = [character for character in name if character.isalnum()][:2]
    if not letters:
        return "?"
    return letters[0].upper() + "".join(letters[1:]).lower()


def hue_of(ident: str) -> int:
    """A stable hue for an id."""
    return zlib.adler32(ident.encode("utf-8", "replace")) * 47 % 360


class PresenceModel(KeyedListModel[Person | Heading]):
    """Members of one channel or several, with headings where they are put together."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._everyone: dict[str, Person] = {}
        self._sources: dict[str, Member] = {}
        self._search = ""
        self._grouping = Grouping.NONE
        self.now = 0.0
        self.is_fresh = True  # False while nobody tells us of changes
        self.is_then = False  # they are as they were at a moment

    # -------------------------------------------------------------- content

    @property
    def total(self) -> int:
        """Members before the search."""
        return len(self._everyone)

    def person(self, row: int) -> Person | None:
        """The member at a row; `None` for a heading and outside."""
        item = self.item(row)
        return item if isinstance(item, Person) else None

    def set_rosters(
        self, rosters: Mapping[str, Iterable[Member]], own_session: str | None, now: float
    ) -> None:
        """Take over whole rosters by channel; people who stayed keep their row where their place allows it."""
        self.now = now
        incoming = {
            f"{channel}\0{member.session}": (channel, member)
            for channel, members in rosters.items()
            for member in members
        }
        for key in [key for key in self._everyone if key not in incoming]:
            del self._everyone[key], self._sources[key]
        for key, (channel, member) in incoming.items():
            before, is_self = self._everyone.get(key), member.session == own_session
            if before is not None and self._sources[key] == member and before.is_self == is_self:
                continue
            self._sources[key] = member
            self._everyone[key] = _person(member, before, is_self, now, channel)
        self._arrange()

    def set_search(self, text: str) -> None:
        """Show only those whose name, id, status, activity or device holds `text`."""
        self._search = text.strip().casefold()
        self._arrange()

    def set_grouping(self, grouping: Grouping) -> None:
        """Put people together under headings."""
        self._grouping = grouping
        self._arrange()

    def set_fresh(self, is_fresh: bool) -> None:
        """Say whether what is shown is kept up to date."""
        if is_fresh != self.is_fresh:
            self.is_fresh = is_fresh
            self.touch(range(len(self._items)))

    def set_then(self, is_then: bool) -> None:
        """Say whether what is shown is how it was."""
        if is_then != self.is_then:
            self.is_then = is_then
            self.touch(range(len(self._items)))

    def tick(self, now: float) -> None:
        """Let running seconds run."""
        self.now = now
        if self.is_fresh and not self.is_then:
            self.touch([
                row for row, person in enumerate(self._items)
                if isinstance(person, Person) and person.status == Status.RECONNECTING
            ])  # fmt: skip

    def _arrange(self) -> None:
        found = sorted((p for p in self._everyone.values() if self._matches(p)), key=self._order)
        if self._grouping is Grouping.NONE:
            self.set_items(found)
            return
        items: list[Person | Heading] = []
        counts: dict[str, int] = {}
        for person in found:
            heading = self._heading(person)
            counts[heading] = counts.get(heading, 0) + 1
        for person in found:
            heading = self._heading(person)
            if heading in counts:
                words = f"{one_line(heading, 60)} · {figures.count(counts.pop(heading))}"
                items.append(Heading(f"heading {heading}", words))
            items.append(person)
        self.set_items(items)

    def _heading(self, person: Person) -> str:
        return heading_of(person.channel, person.status, person.node, self._grouping)

    def _matches(self, person: Person) -> bool:
        if not self._search:
            return True
        return (
            self._search
            in " ".join((person.name, person.user, person.status, person.activity, person.device)).casefold()
        )

    def _order(self, person: Person) -> tuple[Any, ...]:
        by_status = self._grouping is Grouping.STATUS
        rank = STATUS_ORDER.get(person.status, 9) if by_status else 0
        return (rank, self._heading(person), *person.order)

    # -------------------------------------------------------------- Qt

    @guarded
    def flags(self, index: Index) -> Qt.ItemFlag:
        """A heading is read, not chosen."""
        is_heading = isinstance(self.item(index.row()), Heading)
        return Qt.ItemFlag.ItemIsEnabled if is_heading else super().flags(index)

    @guarded
    def data(self, index: Index, role: int = DISPLAY) -> Any:
        person = self.item(index.row())
        if person is None:
            return None
        if isinstance(person, Heading):
            return {PERSON: person, DISPLAY: person.name, ACCESSIBLE: person.name}.get(role)
        if role == PERSON:
            return person
        if role == DISPLAY:
            return person.name
        if role == ACCESSIBLE:
            rtt = f", round trip {person.rtt}" if person.rtt.unit else ""
            as_of = "" if self.is_fresh else ", as last seen"
            return f"{person.name}, {person.second_line(self.now, self.is_then)}{rtt}{as_of}"
        if role == TOOLTIP:
            return person.tooltip
        return None


def _person(member: Member, before: Person | None, is_self: bool, now: float, channel: str) -> Person:
    name = one_line(member.name.strip() or member.user, 80) or NAMELESS
    same_status = before is not None and before.status == member.status
    device = one_line(member.device or "", 60)
    device_line = f"\nDevice {device}" if device else ""
    return Person(
        session=member.session,
        user=member.user,
        name=name,
        initials=initials(name),
        hue=hue_of(member.user),
        status=one_line(member.status, 20),
        activity=one_line(member.activity or "", 80),
        device=device,
        rtt=figures.rounded_latency(member.rtt_ms)
        if member.rtt_ms is not None
        else Figure(figures.NOTHING, ""),
        tooltip=tool_tip(
            f"{name} · user {one_line(member.user, 60)}\nSession {one_line(member.session, 8)} on {one_line(member.node, 40)}"
            f"{device_line}\nThere since {figures.wall_clock(member.since / 1000)}"
        ),
        is_self=is_self,
        status_since=before.status_since if before is not None and same_status else now,
        channel=channel,
        node=one_line(member.node, 40),
    )
