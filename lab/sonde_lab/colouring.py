"""Colour rules: which rows a person wants to see in which colour, the first rule that matches wins.

Owns the rules as plain values and the colour of a row. Refuses looks: a colour is a name from a small palette, and
what it looks like is the window's. Only rows that somebody looks at are asked about, many at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sonde_lab.filter import Filter, FilterError
from sonde_lab.ring import MAX_REMEMBERED_TOUCHES, Ring

COLOURS: Final = ("blue", "teal", "amber", "pink", "grey")
MAX_RULES: Final = 32
_CACHED_ROWS: Final = 8_192  # the row learnt first goes
_MAX_SPAN: Final = 1_024  # rows with others between them that are still asked about at once
_MAX_SPAN_BYTES: Final = 1 << 20


@dataclass(slots=True, frozen=True)
class ColourRule:
    """Rows that `filter` means get `colour`, one of `COLOURS`, while the rule is `on`."""

    filter: str
    colour: str = COLOURS[0]
    on: bool = True


def why_wrong(text: str) -> FilterError | None:
    """Why a rule's filter colours nothing: it is not understood, or empty."""
    try:
        Filter(text)
    except FilterError as error:
        return error
    return None if text.strip() else FilterError("an empty filter colours nothing", 0)


class Colouring:
    """The colours of a ring's rows by some rules. A rule that is not understood colours nothing."""

    def __init__(self, ring: Ring, rules: Iterable[ColourRule] = ()) -> None:
        self._ring = ring
        self.rules = tuple(rules)[:MAX_RULES]
        self._filters = [
            (Filter(rule.filter), rule.colour)
            for rule in self.rules
            if rule.on and rule.colour in COLOURS and why_wrong(rule.filter) is None
        ]
        self._known: OrderedDict[int, str] = OrderedDict()
        self._touches = ring.touches

    def colours(self, row_ids: Sequence[int]) -> list[str]:
        """The colour of each row; empty for one that no rule means, or that has left the ring."""
        if not self._filters:
            return [""] * len(row_ids)
        self._forget_touched()
        missing = sorted({row for row in row_ids if row not in self._known and row in self._ring.ids})
        for part in self._parts(missing):
            self._learn(part)
        found = [self._known.get(row, "") for row in row_ids]
        while len(self._known) > _CACHED_ROWS:
            self._known.popitem(last=False)
        return found

    def _forget_touched(self) -> None:
        """A round trip, a mark or a comment came: the row is asked again."""
        if self._ring.touches == self._touches:
            return
        if self._ring.touches - self._touches > MAX_REMEMBERED_TOUCHES:
            self._known.clear()
        for row in self._ring.touched_since(self._touches):
            self._known.pop(row, None)
        self._touches = self._ring.touches

    def _learn(self, rows: list[int]) -> None:
        ids = range(rows[0], rows[-1] + 1)
        wanted = np.zeros(len(ids), np.bool_)
        wanted[np.array(rows) - ids.start] = True
        for row in rows:
            self._known[row] = ""
        for wish, colour in self._filters:
            hits = wish.matching(self._ring, ids, wanted)
            for place in np.flatnonzero(hits).tolist():
                self._known[ids.start + place] = colour
            wanted = wanted & ~hits
            if not wanted.any():
                return

    def _parts(self, rows: list[int]) -> list[list[int]]:
        """Ascending rows in stretches that are worth one question each: what lies between is searched as well."""
        parts: list[list[int]] = []
        for row in rows:
            if parts and self._are_near(parts[-1][0], row):
                parts[-1].append(row)
            else:
                parts.append([row])
        return parts

    def _are_near(self, first: int, row: int) -> bool:
        if row - first >= _MAX_SPAN:
            return False
        return bool(self._ring.column("stored", range(first, row + 1)).sum() <= _MAX_SPAN_BYTES)
