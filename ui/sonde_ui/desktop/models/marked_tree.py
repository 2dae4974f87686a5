"""Two documents as one tree: what was added, removed and changed is marked where it stands.

Pure. Owns the tree that is shown and its marks; what is different says the lab's comparison. What was removed is in the
tree as well: it is what a person looks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sonde_lab.differing import Change, Difference, Sign, difference

MAX_CHANGES: Final = 2_000

Path = tuple[str, ...]


class Mark(NamedTuple):
    """What happened to a value; a container that stayed has `inside`, how many changes are in it."""

    sign: Sign
    before: Any = None
    inside: int = 0


@dataclass(slots=True, frozen=True)
class MarkedTree:
    """The tree and its marks by path. `found` is the comparison."""

    value: Any
    marks: dict[Path, Mark]
    found: Difference

    def count(self, sign: Sign) -> int:
        """How many changes are of that sign."""
        return sum(change.sign is sign for change in self.found.changes)

    @property
    def words(self) -> str:
        """`3 changed, 1 added`."""
        told = {Sign.CHANGED: "changed", Sign.ADDED: "added", Sign.REMOVED: "removed"}
        parts = [f"{self.count(sign):,} {word}" for sign, word in told.items() if self.count(sign)]
        return (", ".join(parts) or "nothing has changed") + (" and more" if self.found.is_cut else "")


def marked(before: Any, after: Any, only_changed: bool) -> MarkedTree:
    """`after` with everything that differs from `before` marked, or only what differs."""
    found = difference(before, after, MAX_CHANGES)
    marks: dict[Path, Mark] = {}
    return MarkedTree(_merged(after, found.changes, (), only_changed, marks), marks, found)


def _merged(after: Any, changes: Sequence[Change], path: Path, only: bool, marks: dict[Path, Mark]) -> Any:
    """One container that stayed, or the whole; `changes` are those in it, their paths cut down to it."""
    if changes and not changes[0].path:  # the whole is another
        marks[path] = Mark(changes[0].sign, changes[0].before)
        return after
    marks[path] = Mark(Sign.SAME, inside=len(changes))
    inner: dict[Any, list[Change]] = {}
    merged: dict[str, Any] = {} if only or not isinstance(after, dict | list) else _items(after)
    for change in changes:
        key, rest = change.path[0], change.path[1:]
        if rest:
            inner.setdefault(key, []).append(Change(change.sign, rest, change.before, change.after))
            merged[str(key)] = None  # keeps its place; filled below
            continue
        is_gone_item = isinstance(after, list) and change.sign is Sign.REMOVED
        label = f"−{key}" if is_gone_item else str(key)  # its old place may be somebody else's now
        merged[label] = change.before if change.sign is Sign.REMOVED else change.after
        marks[(*path, label)] = Mark(change.sign, change.before)
    for key, some in inner.items():
        merged[str(key)] = _merged(after[key], some, (*path, str(key)), only, marks)
    return merged


def _items(container: Any) -> dict[str, Any]:
    if isinstance(container, list):
        return {str(at): item for at, item in enumerate(container)}
    return {str(key): item for key, item in container.items()}
