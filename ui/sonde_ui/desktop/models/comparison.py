"""Two rows compared, as lines that a list shows: what changed with its path, or line by line what was said.

Owns what is compared with what, and the words about it. Everything here may run on another thread: it is given
records and entries, and reads no ring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sonde_lab.decoders.own.answers import Answer
from sonde_lab.differing import (
    Change,
    Difference,
    Line,
    Sign,
    TextDifference,
    bytes_difference,
    difference,
    text_difference,
)
from sonde_lab.entries import Entry
from sonde_lab.looking_back import worked_out
from sonde_lab.records import Record
from sonde_lab.wording import number, short
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.payload import OPCODE_BINARY, read_decoded
from sonde_ui.desktop.models.plain import one_line
from sonde_ui.desktop.models.value_tree import value_text

TEXT_COMPARED: Final = 1 << 20  # characters of each side
VALUE_SHOWN: Final = 160  # characters of a value
PATH_SHOWN: Final = 120


class DiffLine(NamedTuple):
    """One line. `place` is a path or a line's number; of `before` and `after` one or both are told.

    `note` stands dim behind them, or alone: then the line says what is not shown.
    """

    sign: Sign
    place: str = ""
    before: str = ""
    after: str = ""
    note: str = ""
    is_text: bool = False

    @property
    def words(self) -> str:
        """The line for a screen reader and the clipboard."""
        parts = [self.place]
        if self.sign in (Sign.REMOVED, Sign.CHANGED):
            parts.append(f"− {self.before}")
        if self.sign in (Sign.ADDED, Sign.CHANGED):
            parts.append(f"+ {self.after}")
        if self.sign is Sign.SAME and self.is_text:
            parts.append(f"  {self.after}")
        return "  ".join(part for part in (*parts, self.note) if part)


@dataclass(slots=True, frozen=True)
class Comparison:
    """All lines. With `problem` there is nothing to compare, and why is said."""

    lines: tuple[DiffLine, ...] = ()
    problem: str = ""
    changes: int = 0


def compare_records(
    before: Record, after: Record, answers: tuple[Answer | None, Answer | None] = (None, None)
) -> Comparison:
    """One row with another: as trees where both are, else as lines of text, else as rows of bytes.

    `answers` are those of a person's own decoders.
    """
    old, new = read_decoded(before, answers[0]), read_decoded(after, answers[1])
    if not old.problem and not new.problem:
        return _of_values(difference(old.value, new.value))
    if OPCODE_BINARY in (before.opcode, after.opcode):
        return _of_lines(bytes_difference(before.payload, after.payload))
    texts = (record.payload.decode("utf-8", "replace")[:TEXT_COMPARED] for record in (before, after))
    return _of_lines(text_difference(*texts))


def compare_states(trail: Sequence[Entry]) -> Comparison:
    """A channel's state before the last of these entries with the state after it."""
    states = worked_out(list(trail))
    if states.problem:
        return Comparison(problem=states.problem)
    return _of_values(difference(states.before, states.after))


def _of_values(found: Difference) -> Comparison:
    lines = [_value_line(change) for change in found.changes]
    if found.is_cut:
        lines.append(DiffLine(Sign.SAME, note=f"More has changed; the first {len(lines):,} are shown."))
    if not lines:
        return Comparison((DiffLine(Sign.SAME, note="No change: every value is the same."),))
    if found.same:
        are = "value is" if found.same == 1 else "values and branches are"
        lines.append(DiffLine(Sign.SAME, note=f"{figures.count(found.same)} {are} unchanged."))
    return Comparison(tuple(lines), changes=len(found.changes))


def _value_line(change: Change) -> DiffLine:
    return DiffLine(
        change.sign,
        _path(change.path),
        "" if change.sign is Sign.ADDED else _shown(change.before),
        "" if change.sign is Sign.REMOVED else _shown(change.after),
        _step(change),
    )


def _step(change: Change) -> str:
    """By how much a number has grown or shrunk; nothing where only its type has changed."""
    step = change.step
    if not step:
        return ""
    is_whole = isinstance(change.before, int) and isinstance(change.after, int)
    return f"{'+' if step > 0 else '−'}{number(int(abs(step)) if is_whole else abs(step))}"


def _path(path: Sequence[Any]) -> str:
    return one_line(".".join(str(key) for key in path), PATH_SHOWN) or "the whole value"


def _shown(value: Any) -> str:
    is_container = isinstance(value, dict | list | tuple)
    return one_line(short(value) if is_container else value_text(value), VALUE_SHOWN)


def _of_lines(found: TextDifference) -> Comparison:
    if found.is_same:
        return Comparison((DiffLine(Sign.SAME, note="No change: every byte is the same."),))
    lines = [_text_line(line) for line in found.lines]
    if found.is_cut:
        lines.append(DiffLine(Sign.SAME, note="There is more; only the first part is compared."))
    changed = sum(line.sign is not Sign.SAME for line in found.lines)
    return Comparison(tuple(lines), changes=changed)


def _text_line(line: Line) -> DiffLine:
    if line.skipped:
        are = "line is" if line.skipped == 1 else "lines are"
        return DiffLine(Sign.SAME, note=f"{figures.count(line.skipped)} {are} unchanged.")
    text, place = one_line(line.text), figures.count(line.number)
    if line.sign is Sign.REMOVED:
        return DiffLine(line.sign, place, before=text, is_text=True)
    return DiffLine(line.sign, place, after=text, is_text=True)
