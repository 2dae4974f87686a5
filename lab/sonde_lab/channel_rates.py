"""How much each channel says, or each direction: messages and bytes a second, counted as the rows come.

Owns one cell a group and second, over the last two hours. Pure numpy over the ring's columns: a batch of rows costs
the same whether it is of one channel or of many. Refuses frames of others that are only tapped.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sonde_lab.names import MAX_NAMES
from sonde_lab.records import Flag, Kind
from sonde_lab.ring import Ring

SECONDS: Final = 7_200
MOST_CHANNELS: Final = 64  # with a line of their own; later ones are counted together
CHUNK_ROWS: Final = 16_384  # taken in at once: about a millisecond
MOST_POINTS: Final = 600  # told at once
NO_CHANNEL: Final = "no channel"
THE_REST: Final = "the rest"
_REST: Final = MOST_CHANNELS
_UNKNOWN: Final = -1

Floats = NDArray[np.float64]


class Stack(NamedTuple):
    """Rates of channels over the same times, the busiest first. `values` has a line a channel.

    `order` tells when each was seen first among its like: what is drawn keeps its colour while others overtake it.
    """

    at: Floats  # the middle of each second, monotonic
    names: tuple[str, ...]
    values: Floats
    order: tuple[int, ...] = ()


_NO_STACK: Final = Stack(np.zeros(0), (), np.zeros((0, 0)))


class ChannelRates:
    """Follows one connection of a ring, or all of them. `column`: what rows are grouped by."""

    def __init__(self, ring: Ring, column: str = "channel") -> None:
        self._ring = ring
        self._column = column
        self._conn: str | None = None
        self.begin(None)

    def begin(self, conn: str | None) -> None:
        """Forget everything, and count this connection's rows that the ring still has; `None`: of all."""
        self._conn = conn
        self._next_id = self._ring.first_id
        self._slots: NDArray[np.int16] = np.full(MAX_NAMES, _UNKNOWN, np.int16)
        self._channels: list[int] = []  # number of the name by slot
        self._messages: NDArray[Any] = np.zeros((MOST_CHANNELS + 1, SECONDS))
        self._bytes: NDArray[Any] = np.zeros((MOST_CHANNELS + 1, SECONDS))
        self._oldest = self._newest = -1  # second
        self._kept: tuple[tuple[int, ...], Stack] | None = None

    def follow(self) -> bool:
        """Take in some of the rows that came since; True when none is left."""
        ring = self._ring
        begin = max(self._next_id, ring.first_id)
        ids = range(begin, min(ring.next_id, begin + CHUNK_ROWS))
        self._next_id = max(begin, ids.stop)
        if ids:
            self._count(ids)
        return self._next_id >= ring.next_id

    def _count(self, ids: range) -> None:
        self._kept = None if self._is_late(ids) else self._kept
        ring = self._ring
        wanted = (ring.column("kind", ids) == Kind.FRAME) & (
            (ring.column("flags", ids) & int(Flag.TAPPED)) == 0
        )
        if self._conn is not None:
            number = ring.names.number(self._conn)
            wanted &= ring.column("conn", ids) == (_UNKNOWN if number is None else number)
        seconds = np.floor(ring.column("at", ids)[wanted]).astype(np.int64)
        if not len(seconds):
            return
        self._turn(int(seconds.max()))
        self._oldest = min(self._oldest, int(seconds.min()))
        kept = seconds > self._newest - SECONDS
        channels, sizes = ring.column(self._column, ids)[wanted][kept], ring.column("size", ids)[wanted][kept]
        cells = self._slots_of(channels).astype(np.int64) * SECONDS + seconds[kept] % SECONDS
        places, inverse = np.unique(cells, return_inverse=True)
        self._messages.reshape(-1)[places] += np.bincount(inverse)
        self._bytes.reshape(-1)[places] += np.bincount(inverse, weights=sizes)

    def _is_late(self, ids: range) -> bool:
        """Whether rows change a second that was told already."""
        return bool((self._ring.column("at", ids) < self._newest).any())

    def _turn(self, newest: int) -> None:
        """Empty the cells of seconds that begin now."""
        if self._newest >= 0:
            skipped = np.arange(max(self._newest + 1, newest - SECONDS + 1), newest + 1) % SECONDS
            self._messages[:, skipped] = 0.0
            self._bytes[:, skipped] = 0.0
        else:
            self._oldest = newest
        self._newest = max(self._newest, newest)

    def _slots_of(self, channels: NDArray[np.int32]) -> NDArray[np.int16]:
        slots = self._slots[channels]
        if (slots == _UNKNOWN).any():
            for number in np.unique(channels[slots == _UNKNOWN]).tolist():
                has_room = len(self._channels) < MOST_CHANNELS
                self._slots[number] = len(self._channels) if has_room else _REST
                self._channels += [number] if has_room else []
            slots = self._slots[channels]
        return slots

    @property
    def newest_s(self) -> float:
        """The end of the newest second that is over, as far as rows tell; 0 without any."""
        return float(max(0, self._newest))

    def stack(
        self, since: float, until: float, most: int = 6, *, in_bytes: bool = False, whole: bool = False
    ) -> Stack:
        """The busiest channels between two moments, and the others together. The second under way is left out.

        The same object again while nothing has changed. `whole`: every second, however many; else neighbours are joined until few are left.
        """
        seconds = self._seconds(since, until)
        if not len(seconds):
            return _NO_STACK
        key = (int(seconds[0]), int(seconds[-1]), self._newest, most, in_bytes, whole)
        if self._kept is None or self._kept[0] != key:
            self._kept = key, self._stacked(seconds, most, in_bytes=in_bytes, whole=whole)
        return self._kept[1]

    def _stacked(self, seconds: NDArray[np.int64], most: int, *, in_bytes: bool, whole: bool) -> Stack:
        table = (self._bytes if in_bytes else self._messages)[:, seconds % SECONDS]
        sums = table.sum(axis=1)
        order = [slot for slot in np.argsort(-sums, kind="stable").tolist() if slot != _REST and sums[slot]]
        top, others = order[:most], [*order[most:], _REST]
        lines, names = [table[slot] for slot in top], [self._name(slot) for slot in top]
        rest = table[others].sum(axis=0)
        if rest.any():
            lines.append(rest)
            names.append(THE_REST)
        points = SECONDS if whole else MOST_POINTS
        at, values = _thinned(seconds + 0.5, np.array(lines).reshape(len(lines), len(seconds)), points)
        return Stack(at, tuple(names), values, tuple(top))

    def totals(
        self, number: int, since: float, until: float, *, whole: bool = False
    ) -> tuple[Floats, Floats, Floats]:
        """Of one group by its number in the column: times, messages a second, bytes a second."""
        seconds = self._seconds(since, until)
        slot = int(self._slots[number])
        pair = np.array([cells[slot, seconds % SECONDS] for cells in (self._messages, self._bytes)])
        points = SECONDS if whole else MOST_POINTS
        at, values = _thinned(seconds + 0.5, pair * (slot != _UNKNOWN), points)
        return at, values[0], values[1]

    def _seconds(self, since: float, until: float) -> NDArray[np.int64]:
        """Whole seconds of a stretch that are kept; the one under way is left out."""
        if self._newest < 0:
            return np.zeros(0, np.int64)
        first = max(int(np.floor(since)), self._newest - SECONDS + 1, self._oldest)
        return np.arange(first, min(int(np.floor(until)), self._newest + 1))

    def _name(self, slot: int) -> str:
        return self._ring.names.text(self._channels[slot]) or NO_CHANNEL


def _thinned(at: NDArray[Any], values: Floats, points: int) -> tuple[Floats, Floats]:
    """Neighbouring seconds joined to their mean until few enough are left."""
    share = -(-len(at) // points)
    if share <= 1:
        return at, values
    edges = np.arange(0, len(at), share)
    sizes = np.diff(np.append(edges, len(at)))
    return np.add.reduceat(at, edges) / sizes, np.add.reduceat(values, edges, axis=1) / sizes
