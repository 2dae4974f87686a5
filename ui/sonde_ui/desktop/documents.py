"""Which channel's document is looked at, and as it was when: now, or at the moment that the cursor holds.

Owns the choice of the line (one channel of one connection) for every view that shows its document, and the one answer
to what it was. A document that is not known for certain is a sentence, never an older one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
from PySide6.QtCore import QObject, Signal

from sonde_lab.changes import Changes, Document
from sonde_lab.envelope import BINARY
from sonde_lab.moments import row_of, wall_of
from sonde_lab.timeline import READING, Line, StateThen, What
from sonde_lab.workbench import Workbench
from sonde_protocol.states import ConnectionState
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.endpoint_words import has_clients
from sonde_ui.desktop.time_cursor import TimeCursor

PATHS_TOLD: Final = 200  # changed on a step
LINES_EVERY_TICKS: Final = 5
MOST_STAMPED: Final = 1 << 20  # bytes of a message whose time stamp is looked for
_NOTHING_BEFORE: Final = "Nothing is known of this moment: all that is kept is younger."

Path = tuple[str, ...]


class Stood(NamedTuple):
    """A document, and since when it stood."""

    document: Any
    at: float


@dataclass(slots=True, frozen=True)
class Shown:
    """What is looked at. With a `problem` there is no document."""

    line: Line
    document: Any = None
    seq: int = -1
    row_id: int | None = None  # the row that changed it last
    at: float | None = None  # the moment (monotonic s); None: now
    wall: float | None = None  # the moment in unix s, where it is known
    problem: str = ""
    note: str = ""
    hash_ok: bool | None = None  # of live documents
    is_fresh: bool = True
    paths: tuple[Path, ...] = ()  # what changed since what was shown before; empty: perhaps all


class _Stamped(msgspec.Struct, gc=False):
    ts: Any = None


_JSON: Final = msgspec.json.Decoder(_Stamped)
_MSGPACK: Final = msgspec.msgpack.Decoder(_Stamped)


class Documents(QObject):
    """One for a window. `changed`: `shown` is another; `lines_changed`: the choice is another."""

    changed = Signal()
    lines_changed = Signal()
    line_changed = Signal()  # the document is another channel's, or of another connection
    diverged = Signal(object)  # `Divergence`: one began or ended

    def __init__(
        self, workbench: Workbench, bridge: Bridge, cursor: TimeCursor, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._cursor = cursor
        self._live: dict[str, Document] = {}  # of the current client
        self._picked: Line | None = None
        self._is_fresh = True
        self._ticks = 0
        self.lines: tuple[Line, ...] = ()
        self.line: Line | None = None
        self.shown: Shown | None = None
        bridge.changed.connect(self._on_changes)
        bridge.ticked.connect(self._on_tick)
        cursor.moved.connect(self._on_moved)

    def pick(self, line: Line) -> None:
        """Look at another channel."""
        self._picked = line
        self._choose()

    # -------------------------------------------------------------- more about what is shown

    def live(self, line: Line) -> Document | None:
        """The document that the current client has now, where the line is its."""
        return self._live.get(line.channel) if line.conn == self._workbench.current else None

    def now(self) -> Shown | None:
        """The document as it is now, also while a moment is held."""
        return None if self.line is None else self._now(self.line)

    def after(self) -> Stood | None:
        """The next document after the moment that is held, and when it came."""
        shown, ring = self.shown, self._workbench.ring
        if shown is None or shown.row_id is None or shown.row_id not in ring.ids:
            return None
        timeline = self._workbench.timeline
        row_id = timeline.step(shown.line, shown.row_id, 1, What.STATE)
        then = None if row_id is None else timeline.state_at(shown.line, row_id)
        if row_id is None or then is None or then.problem:
            return None
        return Stood(then.document, float(ring.value("at", row_id)))

    def before(self, length_s: float, most: int) -> Iterator[Stood]:
        """The documents before the one that is shown, the newest first: `length_s` back at most."""
        shown, ring = self.shown, self._workbench.ring
        if shown is None or shown.row_id is None or shown.at is None:
            return
        timeline, row_id = self._workbench.timeline, shown.row_id
        for _ in range(most):
            earlier = timeline.step(shown.line, row_id, -1, What.STATE)
            if earlier is None or earlier not in ring.ids:
                return
            at = float(ring.value("at", earlier))
            then = timeline.state_at(shown.line, earlier)
            if then.problem:
                return
            yield Stood(then.document, at)
            if at < shown.at - length_s:
                return
            row_id = earlier

    def since(self) -> float | None:
        """When the document that is shown came to be, monotonic s."""
        row_id = None if self.shown is None else self.shown.row_id
        known = row_id is not None and row_id in self._workbench.ring.ids
        return float(self._workbench.ring.value("at", row_id)) if known and row_id is not None else None

    def lag_ms(self) -> float | None:
        """From the gateway's stamp on the newest change to its arrival; `None` where the clocks are not known."""
        shown = self.shown
        client = None if shown is None else self._workbench.clients.get(shown.line.conn)
        offset_s = None if client is None else client.clock.offset_s
        row_id = None if shown is None else shown.row_id
        if shown is not None and row_id is None and not shown.problem:
            row_id = self._newest(shown.line).row_id
        if offset_s is None or row_id is None or row_id not in self._workbench.ring.ids:
            return None
        stamp = self._stamp(row_id)
        at = float(self._workbench.ring.value("at", row_id))
        return None if stamp is None else max(0.0, (at + offset_s - stamp) * 1000)

    def _stamp(self, row_id: int) -> float | None:
        ring = self._workbench.ring
        payload = ring.payload(row_id)
        if len(payload) > MOST_STAMPED:
            return None
        try:
            stamp = (_MSGPACK if ring.value("opcode", row_id) == BINARY else _JSON).decode(payload).ts
        except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
            return None
        return stamp / 1000 if isinstance(stamp, int | float) and not isinstance(stamp, bool) else None

    # -------------------------------------------------------------- batches

    def _on_changes(self, changes: Changes) -> None:
        if changes.is_fresh_start:
            self._forget()
        for divergence in changes.divergences:
            self.diverged.emit(divergence)
        status = changes.statuses.get(self._workbench.current)
        was_fresh = self._is_fresh
        if status is not None:
            self._is_fresh = status.state == ConnectionState.LIVE
        self._live.update(changes.documents)
        if changes.documents or changes.is_fresh_start:
            self._list_lines()
        is_told = self.line is not None and self.line.channel in changes.documents
        if self._cursor.is_live and (is_told or was_fresh != self._is_fresh) and self._is_own():
            assert self.line is not None
            told = changes.documents.get(self.line.channel)
            self._show(self._now(self.line, () if told is None else told.paths))

    def _forget(self) -> None:
        self._live.clear()
        self._picked = None
        self._is_fresh = True
        self._list_lines()

    def _on_tick(self, _now: float) -> None:
        self._ticks += 1
        if self._ticks % LINES_EVERY_TICKS == 0:
            self._list_lines()
        is_reading = self.shown is not None and self.shown.problem == READING
        if is_reading or (self._cursor.is_live and self.line is not None and not self._is_own()):
            self._look()

    def _is_own(self) -> bool:
        return self.line is not None and self.live(self.line) is not None

    def _list_lines(self) -> None:
        """The current client's channels first, then what rows told of others."""
        own = [Line(self._workbench.current, channel, has_state=True) for channel in sorted(self._live)]
        seen = {(line.conn, line.channel) for line in own}
        others = [
            line
            for line in self._workbench.timeline.lines()
            if line.has_state and (line.conn, line.channel) not in seen
        ]
        lines = (*own, *others)
        if lines != self.lines:
            self.lines = lines
            self.lines_changed.emit()
        self._choose()  # the same line may have been the current client's, and is rows of an earlier one now

    def _on_moved(self) -> None:
        if not self._choose():
            self._look()

    def _choose(self) -> bool:
        """What a person chose, while it is there; else a room of the current client, else what came first.

        While live at an endpoint of our own, rows of others are never chosen unasked: they may be of an earlier one.
        """
        lines = {(line.conn, line.channel): line for line in self.lines}
        picked = None if self._picked is None else lines.get((self._picked.conn, self._picked.channel))
        wants_own = self._cursor.is_live and has_clients(self._workbench.endpoint)
        offered = [line for line in self.lines if self.live(line) is not None or not wants_own]
        line = picked or min(
            offered,
            key=lambda each: (self.live(each) is None, not each.channel.startswith("room:")),
            default=None,
        )
        is_other = line is None or self.line is None or line[:2] != self.line[:2]
        self.line = line
        if is_other:
            self.shown = None
            self.line_changed.emit()
            if line is None:
                self.changed.emit()
            else:
                self._look()
        return is_other

    # -------------------------------------------------------------- looking

    def _look(self) -> None:
        """Work out anew what is shown."""
        if self.line is None:
            self._show(None)
        elif self._cursor.is_live:
            self._show(self._now(self.line))
        else:
            self._show(self._then(self.line))

    def _now(self, line: Line, paths: tuple[Path, ...] = ()) -> Shown:
        live = self.live(line)
        if live is not None:
            return Shown(
                line, live.state, live.seq, hash_ok=live.hash_ok, is_fresh=self._is_fresh, paths=paths
            )
        return self._newest(line)

    def _newest(self, line: Line) -> Shown:
        """As the rows tell it, up to the last of them."""
        ring = self._workbench.ring
        if not len(ring):
            return Shown(line, problem=_NOTHING_BEFORE)
        then = self._stood(line, ring.next_id - 1)
        return Shown(line, then.document, then.seq, then.row_id, problem=then.problem, note=then.note)

    def _stood(self, line: Line, row_id: int) -> StateThen:
        """What stood after a row, unless that would have to be waited for."""
        timeline = self._workbench.timeline
        return (
            timeline.state_at(line, row_id)
            if timeline.is_at_hand(line, row_id)
            else StateThen(problem=READING)
        )

    def _then(self, line: Line) -> Shown:
        moment, ring = self._cursor.moment, self._workbench.ring
        assert moment is not None
        row_id = row_of(ring, moment)
        if row_id is None:
            return Shown(line, at=moment.at, wall=wall_of(ring, moment), problem=_NOTHING_BEFORE)
        then, wall = self._stood(line, row_id), wall_of(ring, moment)
        return Shown(
            line, then.document, then.seq, then.row_id, moment.at, wall, then.problem, then.note,
            paths=self._stepped(line, then.row_id),
        )  # fmt: skip

    def _stepped(self, line: Line, row_id: int | None) -> tuple[Path, ...]:
        """What changed between the moment before and this one."""
        before = None if self.shown is None else self.shown.row_id
        if before is None or row_id is None or before == row_id or before not in self._workbench.ring.ids:
            return ()
        between = self._workbench.timeline.between(line, *sorted((before, row_id)))
        return tuple(change.path for change in between.values[:PATHS_TOLD])

    def _show(self, shown: Shown | None) -> None:
        before, self.shown = self.shown, shown
        is_same = (
            before is not None
            and shown is not None
            and shown.document is before.document
            and (shown.line[:2], shown.seq, shown.row_id, shown.at, shown.problem, shown.note)
            == (before.line[:2], before.seq, before.row_id, before.at, before.problem, before.note)
            and (shown.hash_ok, shown.is_fresh) == (before.hash_ok, before.is_fresh)
        )
        if not is_same and not (before is None and shown is None):
            self.changed.emit()
