"""What a row of the traffic table says in each column, and what the columns are called.

Owns the words. Refuses to read rows: the model fills these cells, the painter and the clipboard show them.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from sonde_lab.columns import Cell
from sonde_lab.records import Direction, Flag, Kind
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.figures import Figure


class Column(enum.IntEnum):
    """The columns, in their first order."""

    NUMBER = 0
    TIME = 1
    STEP = 2
    DIRECTION = 3
    CONNECTION = 4
    TYPE = 5
    SUMMARY = 6
    SIZE = 7
    RTT = 8
    FLAGS = 9


HEADERS: Final = ("#", "Time", "Δ", "Dir", "Conn", "Type", "Summary", "Size", "RTT / Ack", "Flags")
HEADER_TIPS: Final = (
    "Number of the row; never used again",
    "Seconds since the first row",
    "Time since the row above",
    "▲ sent, ▼ received, ◆ act",
    "Connection",
    "What kind of frame or happening",
    "What happened",
    "Payload size",
    "Round trip, or time until the answer came",
    "Folded runs and what else is to be said",
)
RIGHT_ALIGNED: Final = frozenset({Column.NUMBER, Column.STEP, Column.SIZE, Column.RTT, Column.FLAGS})
# Plain integers: an enum's own arithmetic costs more than a cell.
FLAG_WORDS: Final = (
    (int(Flag.INJECTED), "injected"),
    (int(Flag.MARKED), "marked"),
    (int(Flag.REPLAY), "replayed"),
    (int(Flag.MALFORMED), "malformed"),
    (int(Flag.ERROR), "error"),
    (int(Flag.UNDECODED), "undecoded"),
    (int(Flag.TRUNCATED), "truncated"),
    (int(Flag.TAPPED), "tapped"),
    (int(Flag.FRAGMENT), "fragments"),
    (int(Flag.COMPRESSED), "deflated"),
)
NO_FIGURE: Final = Figure("", "")
NO_SIZE: Final = Figure(figures.NOTHING, "")
SIZED: Final = frozenset({int(Kind.FRAME), int(Kind.HANDSHAKE)})
DIRECTION_WORDS: Final[dict[int, str]] = {
    Direction.IN: "received",
    Direction.OUT: "sent",
    Direction.NONE: "here",
}


class RowCells(NamedTuple):
    """One visible row, every column as it is shown. `direction` and `kind` are values of the lab's enums."""

    row_id: int
    last_id: int
    number: str
    time: str
    step: Figure
    direction: int
    kind: int
    conn: str
    op: str
    summary: str
    size: Figure
    rtt: Figure
    flag_text: str
    flags: int
    folded: int
    wall: float
    comment: str = ""
    fields: tuple[Cell, ...] = ()  # of the columns that a person made of fields

    @property
    def is_close(self) -> bool:
        """A row that is drawn full width, in red."""
        return self.kind == Kind.CLOSE

    @property
    def is_act(self) -> bool:
        """A row that a person caused."""
        return self.kind == Kind.ACT

    def text(self, column: int) -> str:
        """One column as plain text; those made of fields come after `Column`."""
        if column >= len(HEADERS):
            return self.fields[column - len(HEADERS)].text
        return (
            self.number,
            self.time,
            str(self.step),
            DIRECTION_WORDS[self.direction],
            self.conn,
            self.op,
            self.summary,
            str(self.size),
            str(self.rtt) if self.rtt.unit else "",
            self.flag_text,
        )[column]


def flag_text(flags: int, folded: int) -> str:
    """What stands at the right end: the folded count first, then the words of the flags."""
    words = [f"×{folded:,} folded"] if folded > 1 else []
    words += [word for flag, word in FLAG_WORDS if flags & flag]
    return ", ".join(words)
