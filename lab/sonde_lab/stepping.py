"""Whose changes a person steps through at a moment: the channel that the row is about, else one of the client's.

Owns the choice. What a step leads to says the timeline.
"""

from __future__ import annotations

from sonde_lab.ring import Ring
from sonde_lab.then import Line
from sonde_lab.timeline import Timeline

_ROOM = "room:"  # where people are and things move: what a step means where the row says nothing else


def line_at(timeline: Timeline, ring: Ring, row_id: int | None, conn: str) -> Line | None:
    """The line of a row, where it has state or people; else the room, else the first line, of `conn`, else of any."""
    lines = [line for line in timeline.lines() if line.has_state or line.has_roster]
    row_conn = channel = ""
    if row_id is not None and row_id in ring.ids:
        row_conn, channel = ring.text("conn", row_id), ring.text("channel", row_id)

    def far(line: Line) -> tuple[bool, ...]:
        of_row = line.conn == row_conn
        return (
            not (of_row and line.channel == channel),
            not of_row,
            line.conn != conn,
            not line.channel.startswith(_ROOM),
        )

    return min(lines, key=far, default=None)
