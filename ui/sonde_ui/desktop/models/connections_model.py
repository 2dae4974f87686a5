"""Own clients, and below them the sessions of the gateway: one list with two headed sections.

Owns the rows' words. Refuses to decide who is current: the workbench says so.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Qt

from sonde_client import ConnectionStatus
from sonde_lab.changes import ProxiedRow, SessionRow, TapRow
from sonde_lab.filter.expression import quoted, quoted_text
from sonde_protocol.codes import Role
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.guarded import guarded
from sonde_ui.desktop.models.keyed_list import KeyedListModel
from sonde_ui.desktop.models.plain import one_line, tool_tip

Index = QModelIndex | QPersistentModelIndex
DISPLAY: Final = int(Qt.ItemDataRole.DisplayRole)
TOOLTIP: Final = int(Qt.ItemDataRole.ToolTipRole)
ACCESSIBLE: Final = int(Qt.ItemDataRole.AccessibleTextRole)
LINK: Final = int(Qt.ItemDataRole.UserRole)
_STATE_WORDS: Final = {
    ConnectionState.IDLE: "not connected",
    ConnectionState.DIALING: "dialling",
    ConnectionState.HANDSHAKING: "saying hello",
    ConnectionState.LIVE: "",
    ConnectionState.WAITING: "waiting",
    ConnectionState.CLOSING: "closing",
    ConnectionState.STOPPED: "stopped",
}


class Shape(enum.Enum):
    """State by shape: a filled dot is live, a ring is on its way, a cross needs a person."""

    DOT = "dot"
    RING = "ring"
    HOLLOW = "hollow"
    CROSS = "cross"


@dataclass(slots=True, frozen=True)
class Link:
    """One row: an own client, a session of the gateway, the heading between them, or the offer of one more client.

    `subject` is what acts are about: the client's name, or the session.
    """

    key: str
    name: str
    note: str
    shape: Shape
    tone: str  # a token of the theme
    figure: str
    filter_text: str  # what selecting it writes into the filter
    tooltip: str = ""
    is_own: bool = False
    is_current: bool = False
    is_heading: bool = False
    is_adder: bool = False
    subject: str = ""
    can_tap: bool = False
    is_tapped: bool = False


CURRENT: Final = "current"
ADDER: Final = Link("adder", "Add a client", "", Shape.DOT, "accent", "", "", is_adder=True)


def is_monitor(status: ConnectionStatus) -> bool:
    """Whether a client is told of sessions and nodes now."""
    return status.state == ConnectionState.LIVE and Role.MONITOR in status.roles


def own_link(name: str, status: ConnectionStatus, is_current: bool, now: float) -> Link:
    """The row of an own client."""
    shape, tone = _look(status.state)
    note = _STATE_WORDS[status.state]
    if status.state == ConnectionState.WAITING and status.next_try_at is not None:
        note = f"retry in {figures.duration(status.next_try_at - now)}"
    elif status.state == ConnectionState.LIVE:
        note = CURRENT if is_current else ""
    parts = [_user_beside(name, status), note]
    live = status.state == ConnectionState.LIVE and status.rtt_ms is not None
    return Link(
        key=f"own:{name}",
        name=one_line(name, 80),
        note=" · ".join(part for part in parts if part),
        shape=shape,
        tone=tone,
        figure=str(figures.rounded_latency(status.rtt_ms))
        if live and status.rtt_ms is not None
        else figures.NOTHING,
        filter_text=f"conn:{quoted(name)}",
        tooltip=tool_tip(_own_tip(name, status)),
        is_own=True,
        is_current=is_current,
        subject=name,
    )


def _user_beside(name: str, status: ConnectionStatus) -> str:
    """Whom the gateway takes a client for, where that is not its name here already."""
    shown = status.name or status.user or ""
    return "" if name in (status.user, shown) else one_line(shown, 40)


def _look(state: ConnectionState) -> tuple[Shape, str]:
    if state == ConnectionState.LIVE:
        return Shape.DOT, "ok"
    if state == ConnectionState.STOPPED:
        return Shape.CROSS, "bad"
    if state == ConnectionState.IDLE:
        return Shape.HOLLOW, "dim"
    return Shape.RING, "warn"


def _own_tip(name: str, status: ConnectionStatus) -> str:
    lines = [f"{one_line(name, 80)} · {status.state.value}"]
    if status.user:
        roles = ", ".join(sorted(status.roles))
        lines.append(one_line(f"User {status.user} ({roles})", 120))
    if status.session:
        lines.append(f"Session {one_line(status.session, 8)}, generation {status.generation}")
    if status.last_close is not None:
        lines.append(
            f"Last close: {status.last_close.code or 'none'} {status.last_close.name}, by the {status.last_close.by}"
        )
    return "\n".join(lines)


def session_link(row: SessionRow, show_node: bool, is_fresh: bool, tap: TapRow | None = None) -> Link:
    """The row of a session of the gateway; its node where there are several, its tap where there is one."""
    detached = row.state != "connected"
    parts = [row.state if detached else "", row.node if show_node else "", "" if tap is None else share(tap)]
    return Link(
        key=f"session:{row.session}",
        name=one_line(row.name or row.user, 80),
        note=one_line(" · ".join(part for part in parts if part), 80),
        shape=(Shape.RING if detached else Shape.DOT) if is_fresh else Shape.HOLLOW,
        tone=("warn" if detached else "ok") if is_fresh else "dim",
        figure=str(figures.rounded_latency(row.rtt_ms)) if row.rtt_ms is not None else figures.NOTHING,
        filter_text=quoted_text(row.user) if tap is None or not tap.conn else f"conn:{quoted(tap.conn)}",
        tooltip=tool_tip(_session_tip(row)),
        subject=row.session,
        can_tap=True,
        is_tapped=tap is not None,
    )


def share(tap: TapRow) -> str:
    """How much of a session is shown, where it is not all."""
    return "" if tap.sample >= 1 else f"1 in {1 / tap.sample:.0f}"


def _session_tip(row: SessionRow) -> str:
    lines = [
        f"{one_line(row.name, 80)} · user {one_line(row.user, 60)}",
        f"Session {one_line(row.session, 8)}, generation {row.generation}, {row.channels} channels",
        f"From {one_line(row.peer, 60)} on {one_line(row.node, 40)}",
        one_line(" · ".join(part for part in (row.status, row.device, row.client) if part), 120),
    ]
    return "\n".join(line for line in lines if line)


def proxied_link(row: ProxiedRow) -> Link:
    """The row of a connection through the proxy; its figure is what passed, both ways."""
    sizes = f"{figures.size(row.out_bytes)} sent, {figures.size(row.in_bytes)} received"
    return Link(
        key=f"proxied:{row.name}",
        name=row.name,
        note=one_line(row.peer, 60) if row.is_open else "closed",
        shape=Shape.DOT if row.is_open else Shape.HOLLOW,
        tone="ok" if row.is_open else "dim",
        figure=str(figures.size(row.in_bytes + row.out_bytes)),
        filter_text=f"conn:{quoted(row.name)}",
        tooltip=tool_tip(
            f"{row.name} from {one_line(row.peer, 60)} since {figures.wall_stamp(row.since)}\n{sizes}"
        ),
    )


def _spoken(link: Link) -> str:
    """A row as a screen reader says it."""
    if link.is_adder or link.is_heading:
        return link.name
    current = CURRENT if link.is_current and CURRENT not in link.note else ""
    tapped = "tapped" if link.is_tapped else ""
    parts = (link.name, current, tapped, link.note or "live", link.figure)
    return ", ".join(part for part in parts if part not in ("", figures.NOTHING))


class LinksModel(KeyedListModel[Link]):
    """Rows that are links; headings cannot be chosen."""

    @guarded
    def flags(self, index: Index) -> Qt.ItemFlag:
        link = self.item(index.row())
        if link is None or link.is_heading:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren

    @guarded
    def data(self, index: Index, role: int = DISPLAY) -> Any:
        link = self.item(index.row())
        if link is None:
            return None
        if role == LINK:
            return link
        if role == DISPLAY:
            return link.name
        if role == ACCESSIBLE:
            return _spoken(link)
        return link.tooltip if role == TOOLTIP and link.tooltip else None


class ConnectionsModel(LinksModel):
    """Links as a list; rows are changed in place where the list stays the same."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._own: dict[str, ConnectionStatus] = {}
        self._sessions: tuple[SessionRow, ...] = ()
        self._proxied: tuple[ProxiedRow, ...] = ()
        self._taps: tuple[TapRow, ...] = ()
        self._current = ""
        self.can_add = False  # whether one more client is on offer

    def set_statuses(self, statuses: Mapping[str, ConnectionStatus], current: str) -> None:
        """Merge what changed of the own clients."""
        self._own.update(statuses)
        self._current = current

    def keep_only(self, names: Iterable[str]) -> None:
        """Forget own clients that the workbench no longer has, and put the others into its order."""
        self._own = {name: self._own[name] for name in names if name in self._own}

    def set_sessions(self, sessions: tuple[SessionRow, ...]) -> None:
        """The gateway's sessions; own ones stand above already."""
        self._sessions = sessions

    def set_taps(self, taps: tuple[TapRow, ...]) -> None:
        """Whose frames are shown."""
        self._taps = taps

    def _tap_of(self, row: SessionRow) -> TapRow | None:
        """The tap that shows a session, its own before one of many."""
        if not self._taps:
            return None
        fitting = [t for t in self._taps if t.session in ("", row.session) and t.user in ("", row.user)]
        return max(fitting, key=lambda tap: (tap.session, tap.user), default=None)

    def set_proxied(self, rows: tuple[ProxiedRow, ...]) -> None:
        """Connections through the proxy, newest first."""
        self._proxied = rows

    def row_about(self, filter_text: str) -> int | None:
        """The first row whose choice writes this filter."""
        about = (
            row
            for row in range(self.rowCount())
            if filter_text and self._items[row].filter_text == filter_text
        )
        return next(about, None)

    @property
    def own_count(self) -> int:
        """How many clients are ours, or come through our proxy now."""
        return len(self._own) + sum(row.is_open for row in self._proxied)

    @property
    def is_waiting(self) -> bool:
        """True while a countdown is shown."""
        return any(status.state == ConnectionState.WAITING for status in self._own.values())

    @property
    def _is_fresh(self) -> bool:
        """Whether a client is there to be told of sessions."""
        return any(map(is_monitor, self._own.values()))

    def rebuild(self, now: float) -> None:
        """Make the rows anew and tell Qt the least that it needs to know."""
        self.set_items(self._make(now))

    def _make(self, now: float) -> list[Link]:
        links = [own_link(name, status, name == self._current, now) for name, status in self._own.items()]
        links += [ADDER] if self.can_add and links else []
        links += map(proxied_link, self._proxied)
        others = sorted(
            (row for row in self._sessions if not row.own), key=lambda row: (row.name.casefold(), row.session)
        )
        if others:
            title = f"Sessions at the gateway · {len(others):,}{'' if self._is_fresh else ' · as last seen'}"
            show_node = len({row.node for row in self._sessions}) > 1
            fresh = self._is_fresh
            below = [session_link(row, show_node, fresh, self._tap_of(row)) for row in others]
            tapped = sum(link.is_tapped for link in below)
            figure = f"{tapped:,} tapped" if tapped else ""
            links += [Link("heading", title, "", Shape.DOT, "dim", figure, "", is_heading=True), *below]
        return links
