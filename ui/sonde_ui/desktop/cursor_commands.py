"""What the actions about time do: hold, go back to live, step from change to change, mark what is looked at.

Owns the one door to a row: whoever names one (a finding, a reason, the latest, a notice by its time) holds the window
there. Refuses to know what changed: that says the lab.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sonde_lab.changes import Act
from sonde_lab.landmarks import Landmark, Landmarks
from sonde_lab.stepping import line_at
from sonde_lab.then import Line
from sonde_lab.workbench import Workbench
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import one_line

if TYPE_CHECKING:
    from sonde_ui.desktop.views import Views
    from sonde_ui.desktop.windows.view_host import ViewHost

LANDMARKS: Final = {
    "next_mark": (Landmark.MARK, 1),
    "previous_mark": (Landmark.MARK, -1),
    "next_fault": (Landmark.FAULT, 1),
    "previous_fault": (Landmark.FAULT, -1),
    "next_close": (Landmark.CLOSE, 1),
    "previous_close": (Landmark.CLOSE, -1),
}
CATCH_UP_S: Final = 0.01  # for the timeline, where somebody asks for a change before it has taken in all rows
CHANGES: Final = {"next_change": 1, "previous_change": -1}
WORDS: Final = {
    Landmark.MARK: "marked or commented row",
    Landmark.FAULT: "injected fault",
    Landmark.CLOSE: "close",
}
_OF_NOW: Final = frozenset({Act.MARK, Act.NEXT_CLIENT})  # these touch nobody else


class CursorCommands:
    """A part of `Commands`. `say` puts a sentence into the status bar."""

    def __init__(self, say: Callable[[str], None], workbench: Workbench) -> None:
        self._say = say
        self._workbench = workbench
        self._landmarks = Landmarks(workbench.ring)
        self._views: Views | None = None
        self._host: ViewHost | None = None

    def take_hold_of(self, views: Views, host: ViewHost) -> None:
        """The pieces that these act on; until then they do nothing."""
        self._views, self._host = views, host

    # ------------------------------------------------------------ the two modes

    def toggle_hold(self) -> None:
        """Hold when live, go live when held."""
        if self._views is not None:
            self._views.traffic.pointer.toggle()

    def release(self) -> None:
        """Back to live; in a capture, to its end."""
        if self._views is not None:
            self._views.cursor.release()

    def mark(self) -> None:
        """Mark the row that is looked at; while live, this moment."""
        if self._views is None or self._views.cursor.is_live:
            self._workbench.mark()
            return
        row_id = self._views.cursor.row_id
        if row_id is None:
            self._say(self.why_not("mark") or "")
            return
        self._workbench.mark(row_id=row_id)
        self._views.traffic.select_row_id(row_id)  # a row of a run stands alone once it is marked
        self._say(f"Marked {self._named(row_id)}, the row at {self._views.cursor.time_of_day()}.")

    # ------------------------------------------------------------ steps

    def step(self, where: str) -> None:
        """Hold at the next or the previous of something, as `LANDMARKS` and `CHANGES` name it."""
        if where in CHANGES:
            self._workbench.timeline.follow(CATCH_UP_S)
        row_id = self._change(CHANGES[where]) if where in CHANGES else self._landmark(where)
        if row_id is None:
            self._say(self.why_not(where) or "Rows are still being taken in: try again in a moment.")
        else:
            self.show_row(row_id)

    def _change(self, step: int) -> int | None:
        line = self._line()
        return None if line is None else self._workbench.timeline.step(line, self._here(), step)

    def _line(self) -> Line | None:
        """Whose changes are stepped through: of the row that was pointed at, where it was one."""
        bench = self._workbench
        row_id = None if bench.moment is None else bench.moment.row_id
        return line_at(bench.timeline, bench.ring, row_id, bench.current)

    def _landmark(self, where: str) -> int | None:
        what, step = LANDMARKS[where]
        return self._landmarks.next(what, self._here(), step)

    def _here(self) -> int:
        """The row to step from: the cursor's; while live, the end."""
        ring = self._workbench.ring
        if self._views is None or self._views.cursor.is_live:
            return ring.next_id
        row_id = self._views.cursor.row_id
        return ring.first_id - 1 if row_id is None else row_id

    # ------------------------------------------------------------ the door

    def show_row(self, row_id: int) -> bool:
        """Hold at a row of the ring and show it; what keeps it from the table, or from memory, is said."""
        if self._views is None or self._host is None:
            return False
        if row_id not in self._workbench.ring.ids:
            self._say(f"Row {self._named(row_id)} has left memory: the oldest go when it is full.")
            return False
        traffic = self._views.traffic
        if self._host.is_open("traffic") and not traffic.isVisible():
            self._host.show_view("traffic")
        if not traffic.select_row_id(row_id):
            self._views.cursor.hold_at_row(row_id)
            self._views.detail.show_row(row_id)
            self._say(self._why_hidden(row_id))
        return True

    def show_time(self, at: float) -> None:
        """Hold at a moment (monotonic s) that has no row; a capture knows no moments of this window."""
        if self._views is not None and self._views.cursor.has_live:
            self._views.cursor.hold(at)

    def _why_hidden(self, row_id: int) -> str:
        is_cleared = self._views is not None and row_id < self._views.traffic.model.cleared_before
        why = "was cleared from the table" if is_cleared else "is hidden by the filter"
        return (
            f"{self._named(row_id)} {why}, and shown in the detail only; the line in the table is its place."
        )

    def _named(self, row_id: int) -> str:
        """A row's number as the table shows it."""
        return f"#{figures.count(self._workbench.ring.label(row_id))}"

    # ------------------------------------------------------------ what is possible

    def why_not(self, what: str) -> str | None:
        """Why something that an action needs is not possible now, in words; `None` when it is."""
        if self._views is None:
            return None
        cursor = self._views.cursor
        match what:
            case "hold":
                return None if cursor.has_live else "A capture is open: it has no live to go to."
            case "release" if not cursor.has_live:
                return "A capture is open: it has no live. End goes to its last row."
            case "release":
                return "Everything shows what is now." if cursor.is_live else None
            case "mark" if cursor.is_live:
                return self._workbench.can(Act.MARK)
            case "mark":
                return None if cursor.row_id is not None else "All rows that are kept are younger."
        return self._why_no_step(what)

    def _why_no_step(self, where: str) -> str | None:
        if where in CHANGES:
            return self._why_no_change(CHANGES[where])
        what, step = LANDMARKS[where]
        if self._landmark(where) is not None:
            return None
        return f"There is no {WORDS[what]} {'after' if step > 0 else 'before'} this moment."

    def _why_no_change(self, step: int) -> str | None:
        if not self._workbench.timeline.is_ready:
            return None  # asking would take long, and what is not taken in yet may tell: the act itself asks
        line = self._line()
        if line is None:
            return "No row tells of state or presence."
        if self._change(step) is not None:
            return None
        after = "after" if step > 0 else "before"
        return f"Neither state nor presence of {one_line(line.channel, 40)} changed {after} this moment."

    def note(self, act: Act | None, what: str) -> str:
        """What a tooltip adds while held: that an act acts now all the same, or which row is marked."""
        if self._views is None or self._views.cursor.is_live:
            return ""
        cursor = self._views.cursor
        if what == "mark" and cursor.row_id is not None:
            return f"Marks {self._named(cursor.row_id)}, the row at {cursor.time_of_day()}."
        if act is None or act in _OF_NOW:
            return ""
        return f"Acts now, not at {cursor.time_of_day()}."
