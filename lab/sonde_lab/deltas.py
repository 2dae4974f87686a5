"""What a merge patch changed, in words: "players.ada x 41.2 → 42.0, y 9.8 → 9.9; players.bertil gone"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sonde_lab.wording import number, one_line, short

MISSING: Final = object()  # nothing is known of the value before
Before = Callable[[tuple[str, ...]], Any]

_SHOWN_LEAVES: Final = 4
_MAX_DEPTH: Final = 12


def leaves_of(patch: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every leaf of a patch with its path; an array and an empty object are leaves, `None` is a removal."""
    if isinstance(patch, dict) and patch and len(path) < _MAX_DEPTH:
        return [leaf for key, value in patch.items() for leaf in leaves_of(value, (*path, str(key)))]
    return [(path, patch)]


def value_at(document: Any, path: tuple[str, ...]) -> Any:
    """The value at `path`, or `MISSING`."""
    for key in path:
        if not isinstance(document, dict) or key not in document:
            return MISSING
        document = document[key]
    return document


def describe(patch: Any, before: Before) -> str:
    """The first few changes by parent, and how many more there are."""
    if not isinstance(patch, dict):
        return f"the whole document is {short(patch)}"
    leaves = leaves_of(patch)
    if leaves == [((), {})]:
        return "nothing"
    groups: dict[tuple[str, ...], list[str]] = {}
    for path, value in leaves[:_SHOWN_LEAVES]:
        groups.setdefault(path[:-1], []).append(_leaf(path, value, before(path)))
    text = "; ".join(_group(parent, changes) for parent, changes in groups.items())
    more = len(leaves) - _SHOWN_LEAVES
    return f"{text} · +{more:,} more" if more > 0 else text


def _group(parent: tuple[str, ...], changes: list[str]) -> str:
    name = one_line(".".join(parent), 64)
    return f"{name} {', '.join(changes)}" if name else ", ".join(changes)


def _leaf(path: tuple[str, ...], value: Any, before: Any) -> str:
    name = one_line(path[-1], 32) if path else ""
    if value is None:
        return f"{name} gone"
    after = _value(value)
    if before is MISSING or before is None or isinstance(before, dict):
        return f"{name} {after}"
    was = _value(before)
    return f"{name} {was} → {after}"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return one_line(value, 40)
    return number(value)
