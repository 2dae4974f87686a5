"""The newest message of each kind: one entry for each connection, direction, channel, type and key.

Owns counts, rates and which row is the newest, kept up incrementally over a ring and for one filter. Refuses words:
a summary is made by `summary` when somebody looks. At most `max_keys` entries; the one that changed longest ago
leaves first.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sonde_lab.envelope import BINARY
from sonde_lab.filter import Filter
from sonde_lab.filter.expression import quoted, quoted_text
from sonde_lab.records import Direction, Kind
from sonde_lab.ring import Ring

MAX_KEYS: Final = 2_000
MAX_TYPES: Final = 4_095  # so that a number fits twelve bits; later ones are all (other)
BATCH_ROWS: Final = 4_096
RATE_OVER_S: Final = 5
LATE_ROWS: Final = 8_192  # how far back a row may still come to match by what is learnt later
_MAX_WORD: Final = 64
_OTHER: Final = ("(other)", "")
_TYPED: Final = ("event", "publish")  # frames that bear a type of their own
_WAYS: Final = {Direction.IN: "in", Direction.OUT: "out", Direction.NONE: "none"}
Ints = NDArray[np.int64]


class _Named(msgspec.Struct, gc=False):
    type: Any = None
    key: Any = None


_JSON: Final = msgspec.json.Decoder(_Named)
_MSGPACK: Final = msgspec.msgpack.Decoder(_Named)


@dataclass(slots=True)
class Newest:
    """The newest message of one kind. `number` is its identity, never used again; `at` is monotonic s."""

    number: int
    conn: str
    direction: Direction
    channel: str
    op: str
    type: str  # of an event or a publish; else empty
    key: str
    count: int = 0
    row_id: int = -1
    at: float = 0.0
    wall: float = 0.0
    size: int = 0
    seconds: deque[list[int]] = field(default_factory=lambda: deque(maxlen=RATE_OVER_S + 1))

    def rate(self, now: float) -> float:
        """Messages per second over the last five."""
        last = int(now // 1)
        recent = sum(count for second, count in self.seconds if last - RATE_OVER_S < second <= last)
        return recent / (RATE_OVER_S - 1 + max(now - last, 0.2))

    @property
    def filter_text(self) -> str:
        """A filter that shows the messages of this kind."""
        parts = [f"conn:{quoted(self.conn)}"] if self.conn else []
        parts += [f"dir:{_WAYS[self.direction]}"]
        parts += [f"ch:{quoted(self.channel)}"] if self.channel else []
        parts += [f"op:{quoted(self.op)}"] + ([f"type:{quoted(self.type)}"] if self.type else [])
        return " ".join(parts + ([quoted_text(self.key)] if self.key else []))


class Latest:
    """The newest of each kind among the rows that a filter lets through."""

    def __init__(self, ring: Ring, wanted: Filter | None = None, max_keys: int = MAX_KEYS) -> None:
        self.ring = ring
        self.forgotten = 0
        self._max_keys = max_keys
        self._filter = wanted or Filter()
        self._numbers = 0
        self._types: dict[tuple[str, str], int] = {("", ""): 0}
        self._start_over()

    def _start_over(self) -> None:
        self._entries: OrderedDict[int, Newest] = OrderedDict()
        self._seen = self.ring.first_id
        self._cleared_at = self._seen - self.ring.evicted  # another one says that the ring was cleared
        self._touches = self.ring.touches
        self._taken: set[int] = set()  # of the last rows, where a filter may change its mind
        self._clock = float("-inf")

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Newest]:
        return iter(self._entries.values())

    @property
    def now(self) -> float:
        """The moment of the newest row looked at, monotonic s."""
        return self._clock

    def set_filter(self, wanted: Filter) -> None:
        """Count again, only rows that `wanted` means."""
        if wanted != self._filter:
            self._filter = wanted
            self._start_over()

    def update(self, max_rows: int = BATCH_ROWS) -> bool:
        """Take in at most `max_rows` new rows; whether more are waiting."""
        ring = self.ring
        if self._cleared_at != ring.first_id - ring.evicted:
            self._start_over()
        self._seen = max(self._seen, ring.first_id)
        ids = range(self._seen, min(ring.next_id, self._seen + max(1, max_rows)))
        if self._filter.reads_annotations:
            self._ask_again()
        if ids:
            self._seen = ids.stop
            self._clock = max(self._clock, float(ring.column("at", ids).max()))
            mask = ring.column("kind", ids) == Kind.FRAME
            if not self._filter.is_empty:
                mask = mask & self._filter.matching(ring, ids)
            self._take(ids, np.flatnonzero(mask))
        return self._seen < ring.next_id

    def _ask_again(self) -> None:
        """Rows that match only by an answer that came later. One that stops to match stays counted."""
        ring = self.ring
        touched = ring.touched_since(self._touches)
        self._touches = ring.touches
        oldest = max(ring.first_id, self._seen - LATE_ROWS)
        self._taken = {row for row in self._taken if row >= oldest}
        for row in sorted(set(touched) - self._taken):
            ids = range(row, row + 1)
            if oldest <= row < self._seen and self._filter.matching(ring, ids)[0]:
                is_frame = ring.value("kind", row) == Kind.FRAME
                self._take(ids, np.array([0] if is_frame else [], np.int64))

    # ------------------------------------------------------------ how

    def _take(self, ids: range, places: Ints) -> None:
        if not len(places):
            return
        ring = self.ring
        at = np.maximum.accumulate(ring.column("at", ids)[places])
        if self._filter.reads_annotations:
            self._taken.update((places + ids.start).tolist())
        seconds = np.floor(at).astype(np.int64)
        keys = self._keys(ids, places)
        order = np.lexsort((places, seconds, keys))
        keys, seconds, places = keys[order], seconds[order], places[order]
        is_last = np.ones(len(places), np.bool_)
        is_last[:-1] = (keys[1:] != keys[:-1]) | (seconds[1:] != seconds[:-1])
        lasts = np.flatnonzero(is_last)
        counts = np.diff(lasts, prepend=-1)
        rows = (places[lasts] + ids.start).tolist()
        for key, second, count, row in zip(
            keys[lasts].tolist(), seconds[lasts].tolist(), counts.tolist(), rows, strict=True
        ):
            self._count(key, second, count, row)

    def _count(self, key: int, second: int, count: int, row_id: int) -> None:
        entry = self._entries.get(key)
        if entry is None:
            entry = self._new(key, row_id)
        self._entries.move_to_end(key)
        ring = self.ring
        entry.count += count
        if entry.seconds and entry.seconds[-1][0] == second:
            entry.seconds[-1][1] += count
        else:
            entry.seconds.append([second, count])
        if row_id > entry.row_id:
            entry.row_id, entry.size = row_id, ring.value("size", row_id)
            entry.at, entry.wall = ring.value("at", row_id), ring.value("wall", row_id)

    def _new(self, key: int, row_id: int) -> Newest:
        if len(self._entries) >= self._max_keys:
            self._entries.popitem(last=False)
            self.forgotten += 1
        ring, (type_name, word) = self.ring, self._named(row_id)
        self._numbers += 1
        entry = self._entries[key] = Newest(
            self._numbers,
            ring.text("conn", row_id),
            Direction(ring.value("direction", row_id)),
            ring.text("channel", row_id),
            ring.text("op", row_id),
            type_name,
            word,
        )
        return entry

    def _keys(self, ids: range, places: Ints) -> Ints:
        """One number for what an entry is of: 2 bits of direction, 16 each of names, 12 of types."""
        ring = self.ring
        key: Ints = ring.column("direction", ids)[places].astype(np.int64)
        for column in ("conn", "channel", "op"):
            key = (key << 16) | ring.column(column, ids)[places]
        types = np.zeros(len(places), np.int64)
        for index in np.flatnonzero(self._is_typed(ids)[places]).tolist():
            types[index] = self._type_number(self._named(ids.start + int(places[index])))
        return (key << 12) | types

    def _is_typed(self, ids: range) -> NDArray[np.bool_]:
        op = self.ring.column("op", ids)
        numbers = [number for number in map(self.ring.names.number, _TYPED) if number is not None]
        found: NDArray[np.bool_] = np.isin(op, numbers) & (self.ring.column("protocol", ids) == 0)
        return found

    def _type_number(self, named: tuple[str, str]) -> int:
        number = self._types.get(named)
        if number is None:
            named = named if len(self._types) < MAX_TYPES else _OTHER
            number = self._types.setdefault(named, len(self._types))
        return number

    def _named(self, row_id: int) -> tuple[str, str]:
        """The type and key that a message bears."""
        ring = self.ring
        if ring.text("op", row_id) not in _TYPED or ring.value("protocol", row_id):
            return "", ""
        decoder = _MSGPACK if ring.value("opcode", row_id) == BINARY else _JSON
        try:
            named = decoder.decode(ring.payload(row_id))
        except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
            return "", ""
        return _word(named.type), _word(named.key)


def _word(value: Any) -> str:
    return value[:_MAX_WORD] if isinstance(value, str) else ""
