"""The nodes of the gateway, and below them what they stand on: one list, the same rows as connections.

Owns the rows' words. Refuses to decide what may be done with a node: the workbench says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex

from sonde_lab.changes import FleetRow
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.connections_model import Link, LinksModel, Shape
from sonde_ui.desktop.models.plain import one_line, tool_tip

Index = QModelIndex | QPersistentModelIndex
NODE: Final = "node"

# How a state looks, and the word for it where the shape alone does not say enough.
_LOOKS: Final[Mapping[str, tuple[Shape, str, str]]] = MappingProxyType(
    {
        "ready": (Shape.DOT, "ok", ""),
        "live": (Shape.DOT, "ok", ""),
        "draining": (Shape.RING, "accent", "draining"),
        "starting": (Shape.RING, "accent", "starting"),
        "paused": (Shape.RING, "warn", "paused"),
        "dead": (Shape.CROSS, "bad", "dead"),
        "none": (Shape.HOLLOW, "dim", "not started"),
    }
)
_UNKNOWN: Final = (Shape.HOLLOW, "dim", "unknown")


def node_link(row: FleetRow, is_fresh: bool) -> Link:
    """A node, or a part that nodes stand on. The figure is how many sessions sit there."""
    shape, tone, word = _LOOKS.get(row.state, _UNKNOWN)
    if not is_fresh and not row.is_ours:
        shape, tone, word = Shape.HOLLOW, "dim", "as last seen"
    parts = [word, "carries you" if row.carries_you else ""]
    return Link(
        key=f"{row.kind}:{row.name}",
        name=one_line(row.name, 60),
        note=" · ".join(part for part in parts if part),
        shape=shape,
        tone=tone,
        figure="" if row.sessions is None else _sessions(row.sessions),
        filter_text=row.name if row.kind == NODE else "",
        tooltip=tool_tip(_tip(row)),
        is_own=row.is_ours,
        is_current=row.carries_you,
    )


def _sessions(number: int) -> str:
    return "1 session" if number == 1 else f"{figures.count(number)} sessions"


def _tip(row: FleetRow) -> str:
    lines = [f"{one_line(row.name, 60)} · {row.state}"]
    if row.sessions is not None and row.connections is not None:
        lines.append(f"{_sessions(row.sessions)}, {figures.count(row.connections)} connections")
    if row.since is not None:
        lines.append(f"Up since {figures.wall_clock(row.since)}")
    if row.is_ours and row.pid is not None:
        lines.append(f"Process {row.pid}, port {row.port}")
    return "\n".join(lines)


class NodesModel(LinksModel):
    """Rows of the fleet."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[FleetRow, ...] = ()
        self._is_fresh = False

    def set_rows(self, rows: tuple[FleetRow, ...]) -> None:
        """Become these."""
        self.rows = rows
        self._arrange()

    def set_fresh(self, is_fresh: bool) -> None:
        """Whether somebody tells us of changes."""
        if is_fresh != self._is_fresh:
            self._is_fresh = is_fresh
            self._arrange()

    def row_behind(self, index: Index) -> FleetRow | None:
        """The node or part of a row."""
        link = self.item(index.row())
        return next(
            (row for row in self.rows if link is not None and f"{row.kind}:{row.name}" == link.key), None
        )

    @property
    def living(self) -> int:
        """Nodes that serve."""
        return sum(row.kind == NODE and row.state in ("ready", "live") for row in self.rows)

    @property
    def nodes(self) -> int:
        """Nodes altogether."""
        return sum(row.kind == NODE for row in self.rows)

    def _arrange(self) -> None:
        nodes = [node_link(row, self._is_fresh) for row in self.rows if row.kind == NODE]
        others = [node_link(row, self._is_fresh) for row in self.rows if row.kind != NODE]
        heading = Link("heading", "What they stand on", "", Shape.DOT, "dim", "", "", is_heading=True)
        self.set_items([*nodes, *((heading, *others) if others else ())])
