"""Folds that are kept, so that any moment is a few frames away from one of them.

Owns how many there are and what they hold in memory, and thins them out where that is too much: the lane that holds
most loses every second one, and makes them half as often from then on. None is ever dropped without a neighbour that
leads to the same moments.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from typing import Any, Final, Generic, TypeVar

MAX_KEYFRAMES: Final = 32_768
MAX_PINNED_BYTES: Final = 128 << 20
EVERY_ENTRIES: Final = 128  # at most so many are read again for a moment between two keyframes
EVERY_BYTES: Final = 128 << 10  # or so much payload
MAX_MEASURED: Final = 20_000  # values looked at to say what one holds; the rest is reckoned
THINNED_AT_ONCE: Final = 64  # of one lane before the fullest is looked for again

F = TypeVar("F")


class Keyframes(Generic[F]):
    """The kept folds of one lane, the oldest first. `first` is what all rows of the lane begin with."""

    __slots__ = ("_thin_at", "bytes", "every", "folds", "rows", "sizes")

    def __init__(self, first: F) -> None:
        self.rows = [-1]
        self.folds = [first]
        self.sizes = [0]
        self.bytes = 0
        self.every = 1  # how much rarer they are made than they could be
        self._thin_at = 1

    def __len__(self) -> int:
        return len(self.rows)

    def before(self, row_id: int) -> tuple[int, F]:
        """The newest that is not newer than a row, and its own row."""
        place = max(0, bisect_right(self.rows, row_id) - 1)
        return self.rows[place], self.folds[place]

    def add(self, row_id: int, fold: F, content: Any, before: Any) -> None:
        """Keep one more, newer than all. `content` is what it holds, `before` what the newest before holds."""
        size = own_bytes(content, before)
        self.rows.append(row_id)
        self.folds.append(fold)
        self.sizes.append(size)
        self.bytes += size

    def begin_at(self, row_id: int, fold: F) -> None:
        """Rows up to `row_id` are gone: what is older than it is replaced by `fold`, which stands there."""
        place = bisect_right(self.rows, row_id)
        self.rows[:place] = [row_id]
        self.folds[:place] = [fold]
        self.bytes -= sum(self.sizes[:place])
        self.sizes[:place] = [0]
        self._thin_at = max(1, self._thin_at - place + 1)

    def thin(self) -> bool:
        """Drop one, every second in turn; False when only the first and the newest are left."""
        if len(self.rows) <= 2:
            return False
        if self._thin_at >= len(self.rows) - 1:
            self._thin_at = 1
            self.every *= 2
        place = self._thin_at
        self.bytes -= self.sizes[place] // 2  # half of it lives on in the next, which shared it
        self.sizes[place + 1] += self.sizes[place] - self.sizes[place] // 2
        del self.rows[place], self.folds[place], self.sizes[place]
        self._thin_at += 1
        return True


class Budget:
    """What all lanes of a timeline may hold together."""

    def __init__(self, keyframes: int = MAX_KEYFRAMES, pinned_bytes: int = MAX_PINNED_BYTES) -> None:
        self.max_keyframes = keyframes
        self.max_bytes = pinned_bytes
        self.thinned = 0

    def keep(self, lanes: list[Keyframes[Any]], count: int, size: int) -> None:
        """Thin out until both are kept; `count` and `size` are what all lanes hold."""
        while count > self.max_keyframes or size > self.max_bytes:
            fullest = max(lanes, key=lambda each: each.bytes if size > self.max_bytes else len(each))
            held = fullest.bytes
            dropped = 0
            while dropped < THINNED_AT_ONCE and fullest.thin():
                dropped += 1
            if not dropped:
                return
            self.thinned += dropped
            count -= dropped
            size -= held - fullest.bytes


def own_bytes(value: Any, before: Any) -> int:
    """About what `value` takes in memory that `before` does not share with it."""
    total = seen = 0
    waiting = [(value, before)]
    while waiting:
        new, old = waiting.pop()
        if new is old:
            continue
        seen += 1
        total += sys.getsizeof(new)
        if seen >= MAX_MEASURED:
            return total + total // seen * len(waiting)
        if isinstance(new, dict):
            was = old if isinstance(old, dict) else {}
            waiting.extend((each, was.get(key)) for key, each in new.items())
        elif isinstance(new, list | tuple):
            waiting.extend((each, None) for each in new)
    return total
