"""What is different between two values, and between two texts or runs of bytes, for people to read.

Owns the comparison and its bounds: so many changes, so many levels, so many values looked at; beyond them a branch
is one change as a whole. Applying the changes to the first value gives the second. Refuses to guess that something
was moved or renamed.
"""

from __future__ import annotations

import difflib
import enum
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

MAX_CHANGES: Final = 500
MAX_DEPTH: Final = 24
MAX_VALUES: Final = 200_000  # looked at, before the rest is compared as a whole
MAX_LINES: Final = 600  # on each side, behind what both begin and end with
LINE_LIMIT: Final = 400  # characters of a line
CONTEXT: Final = 2  # lines that stay around a change
BYTES_A_ROW: Final = 16

Path = tuple[Any, ...]  # keys, and places in lists as integers


class Sign(enum.Enum):
    """What happened to a value or line."""

    ADDED = "+"
    REMOVED = "−"
    CHANGED = "±"
    SAME = " "


@dataclass(slots=True, frozen=True)
class Change:
    """One place. `before` means nothing when it was added, `after` nothing when it was removed.

    A list's places are those of `before` for what was removed, of `after` for what was added; the two never meet
    in one list.
    """

    sign: Sign
    path: Path
    before: Any = None
    after: Any = None

    @property
    def step(self) -> float | None:
        """By how much a number has grown; `None` for what is no number."""
        if self.sign is not Sign.CHANGED or not (_is_number(self.before) and _is_number(self.after)):
            return None
        try:
            step = float(self.after - self.before)
        except OverflowError:
            return None
        return step if math.isfinite(step) else None


@dataclass(slots=True, frozen=True)
class Difference:
    """All that is different. `same` counts values and whole branches that are not; `is_cut`: there is more."""

    changes: tuple[Change, ...]
    same: int
    is_cut: bool = False


@dataclass(slots=True, frozen=True)
class Line:
    """A line of a comparison of texts. `number` is its own in its text, from 1; `SAME` lines are of the second.

    A run of same lines that is left out is one line with `skipped` lines in it.
    """

    sign: Sign
    text: str
    number: int
    skipped: int = 0


@dataclass(slots=True, frozen=True)
class TextDifference:
    """Lines in their order. `is_cut`: the texts are longer than what was compared."""

    lines: tuple[Line, ...]
    is_same: bool
    is_cut: bool = False


def difference(before: Any, after: Any, max_changes: int = MAX_CHANGES) -> Difference:
    """What turns `before` into `after`. `1`, `1.0` and `True` are three values, and NaN is equal to itself."""
    work = _Comparison(max_changes)
    work.compare(before, after, ())
    return Difference(tuple(work.changes), work.same, work.is_cut)


@dataclass(slots=True)
class _Comparison:
    max_changes: int
    changes: list[Change] = field(default_factory=list)
    same: int = 0
    looked_at: int = 0
    is_cut: bool = False

    def compare(self, before: Any, after: Any, path: Path) -> None:
        self.looked_at += 1
        is_open = len(path) < MAX_DEPTH and self.looked_at < MAX_VALUES
        if is_open and isinstance(before, dict) and isinstance(after, dict):
            self._objects(before, after, path)
        elif is_open and isinstance(before, list) and isinstance(after, list):
            self._lists(before, after, path)
        elif is_same(before, after):
            self.same += 1
        else:
            self._add(Sign.CHANGED, path, before, after)

    def _objects(self, before: dict[Any, Any], after: dict[Any, Any], path: Path) -> None:
        if not before and not after:
            self.same += 1
        for key, value in before.items():
            if key not in after:
                self._add(Sign.REMOVED, (*path, key), value, None)
            elif value is after[key]:
                self.same += 1
            else:
                self.compare(value, after[key], (*path, key))
        for key, value in after.items():
            if key not in before:
                self._add(Sign.ADDED, (*path, key), None, value)

    def _lists(self, before: list[Any], after: list[Any], path: Path) -> None:
        """What both begin and end with is the same; of the rest, places are compared one by one."""
        start, end = _common(before, after)
        self.same += start + end + (not before and not after)
        old, new = before[start : len(before) - end], after[start : len(after) - end]
        shared = min(len(old), len(new))
        for at in range(shared):
            self.compare(old[at], new[at], (*path, start + at))
        for at in range(shared, len(old)):
            self._add(Sign.REMOVED, (*path, start + at), old[at], None)
        for at in range(shared, len(new)):
            self._add(Sign.ADDED, (*path, start + at), None, new[at])

    def _add(self, sign: Sign, path: Path, before: Any, after: Any) -> None:
        if len(self.changes) < self.max_changes:
            self.changes.append(Change(sign, path, before, after))
        else:
            self.is_cut = True


def _common(before: Sequence[Any], after: Sequence[Any]) -> tuple[int, int]:
    """How many items both begin with, and how many of the rest both end with."""
    shared = min(len(before), len(after))
    start = 0
    while start < shared and is_same(before[start], after[start]):
        start += 1
    end = 0
    while end < shared - start and is_same(before[-1 - end], after[-1 - end]):
        end += 1
    return start, end


def is_same(left: Any, right: Any) -> bool:
    """Equality that tells `1`, `1.0` and `True` apart at any depth; two values nested too deeply differ."""
    try:
        return _same(left, right)
    except RecursionError:
        return False


def _same(left: Any, right: Any) -> bool:
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_same(item, right[key]) for key, item in left.items())
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, float) and math.isnan(left):
        return math.isnan(right)
    return bool(left == right)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def applied(value: Any, changes: Sequence[Change]) -> Any:
    """`value` after `changes`, as `difference` gives them; its input stays as it was."""
    if not changes:
        return value
    children: dict[Any, list[Change]] = {}
    for change in changes:
        if not change.path:
            return change.after
        inner = Change(change.sign, change.path[1:], change.before, change.after)
        children.setdefault(change.path[0], []).append(inner)
    result = list(value) if isinstance(value, list) else dict(value)
    gone = []
    for key, inner_changes in children.items():
        last = inner_changes[0]
        if last.path or last.sign is Sign.CHANGED:
            result[key] = applied(result[key], inner_changes)
        elif last.sign is Sign.REMOVED:
            gone.append(key)
        elif isinstance(result, list):
            result.insert(key, last.after)
        else:
            result[key] = last.after
    for key in reversed(gone):
        del result[key]
    return result


def text_difference(before: str, after: str) -> TextDifference:
    """Line by line, with what is the same left out but for a little around each change."""
    return _line_difference(before.split("\n"), after.split("\n"), before == after)


def bytes_difference(before: bytes, after: bytes) -> TextDifference:
    """As `text_difference`, of rows of sixteen bytes in hex."""
    return _line_difference(_rows(before), _rows(after), before == after)


def _rows(data: bytes) -> list[str]:
    kept = data[: (1 << 20)]
    return [kept[at : at + BYTES_A_ROW].hex(" ") for at in range(0, len(kept), BYTES_A_ROW)]


def _line_difference(old: list[str], new: list[str], is_same_text: bool) -> TextDifference:
    if is_same_text:
        return TextDifference((), is_same=True)
    start, end = _common_lines(old, new)
    begin = max(0, start - CONTEXT)
    middle_old, middle_new = old[begin : len(old) - end + CONTEXT], new[begin : len(new) - end + CONTEXT]
    is_cut = max(len(middle_old), len(middle_new)) > MAX_LINES
    lines = _matched(middle_old[:MAX_LINES], middle_new[:MAX_LINES], begin)
    if begin:
        lines.insert(0, Line(Sign.SAME, "", 1, skipped=begin))
    left = 0 if is_cut else max(0, end - CONTEXT)
    if left:
        lines.append(Line(Sign.SAME, "", len(new) - left + 1, skipped=left))
    return TextDifference(tuple(lines), is_same=False, is_cut=is_cut)


def _common_lines(before: list[str], after: list[str]) -> tuple[int, int]:
    """As `_common`, by comparing whole stretches: a million lines take a moment."""
    shared = min(len(before), len(after))
    start = bisect_left(range(1, shared + 1), 1, key=lambda count: before[:count] != after[:count])
    rest = range(1, shared - start + 1)
    end = bisect_left(rest, 1, key=lambda count: before[len(before) - count :] != after[len(after) - count :])
    return start, end


def _matched(old: list[str], new: list[str], offset: int) -> list[Line]:
    lines: list[Line] = []
    for kind, old_from, old_to, new_from, new_to in difflib.SequenceMatcher(None, old, new).get_opcodes():
        if kind == "equal":
            lines += _kept(new, new_from, new_to, offset)
            continue
        lines += [Line(Sign.REMOVED, old[at][:LINE_LIMIT], offset + at + 1) for at in range(old_from, old_to)]
        lines += [Line(Sign.ADDED, new[at][:LINE_LIMIT], offset + at + 1) for at in range(new_from, new_to)]
    return lines


def _kept(lines: list[str], begin: int, end: int, offset: int) -> list[Line]:
    """Same lines; of a long run only those beside changes."""
    shown = [Line(Sign.SAME, lines[at][:LINE_LIMIT], offset + at + 1) for at in range(begin, end)]
    if len(shown) <= 2 * CONTEXT + 1:
        return shown
    gap = Line(Sign.SAME, "", offset + begin + CONTEXT + 1, skipped=len(shown) - 2 * CONTEXT)
    return [*shown[:CONTEXT], gap, *shown[-CONTEXT:]]
