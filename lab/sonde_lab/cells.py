"""The cells of a ring's rows: numpy columns, and what a record puts into them.

Owns the room of each column and where it begins. Which rows are kept is the ring's: it says from which id on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sonde_lab.blocks import SEPARATOR
from sonde_lab.records import Flag, Record

NAMED: Final = frozenset({"conn", "op", "channel", "protocol"})
COLUMNS: Final[dict[str, Any]] = {
    "at": np.float64,
    "wall": np.float64,
    "conn": np.int32,
    "dial": np.int32,
    "direction": np.int8,
    "kind": np.int8,
    "opcode": np.int8,
    "op": np.int32,
    "channel": np.int32,
    "size": np.int64,
    "code": np.int32,
    "rtt_ms": np.float64,
    "flags": np.int32,
    "seq": np.int64,
    "command": np.int64,
    "offset": np.int64,  # of the kept payload in its block
    "stored": np.int64,  # bytes of the payload that are kept
    "protocol": np.int32,
    "wire_bytes": np.int64,
    "fragments": np.int32,
}


class Cells:
    """Columns in row order, with room for `capacity` rows and `spare` more.

    Room beyond the capacity lets rows slide: they are moved to the front once per that many appends. The system gives
    memory to what is written only, so cells that are not full cost what they hold.
    """

    def __init__(self, capacity: int, spare: int) -> None:
        self._room = capacity + spare
        self.by_name: dict[str, NDArray[Any]] = {
            name: np.zeros(self._room, kind) for name, kind in COLUMNS.items()
        }
        # The id at the front of each column. They differ, so that no two columns are moved at the same time.
        step = spare // len(COLUMNS)
        self.fronts = {name: -step * place for place, name in enumerate(COLUMNS)}

    def write(self, columns: Mapping[str, Any], first_id: int, next_id: int, count: int) -> None:
        """Put in the cells of `count` more rows."""
        for name, cells in columns.items():
            self.by_name[name][self.slot(name, first_id, next_id, count)] = cells

    def slot(self, name: str, first_id: int, next_id: int, count: int) -> slice:
        """The place for `count` more rows in a column that holds those from `first_id` to before `next_id`."""
        front, column, held = self.fronts[name], self.by_name[name], next_id - first_id
        if next_id + count - front > self._room:
            shift = first_id - front
            # In pieces that do not overlap: numpy would copy the whole first.
            for start in range(0, held, shift):
                stop = min(held, start + shift)
                column[start:stop] = column[start + shift : stop + shift]
            front = self.fronts[name] = first_id
        return slice(next_id - front, next_id - front + count)


def cells_of(
    batch: Sequence[Record], payloads: Sequence[bytes], offset: int, intern: Callable[[str], int]
) -> dict[str, Any]:
    """What records put into each column. Their payloads, cut perhaps, begin at `offset` of their block."""
    columns: dict[str, Any] = {}
    columns["at"] = [r.at for r in batch]
    columns["wall"] = [r.wall for r in batch]
    columns["conn"] = [intern(r.conn) for r in batch]
    columns["dial"] = [r.dial for r in batch]
    columns["direction"] = [r.direction for r in batch]
    columns["kind"] = [r.kind for r in batch]
    columns["opcode"] = [r.opcode for r in batch]
    columns["op"] = [intern(r.op) for r in batch]
    columns["channel"] = [intern(r.channel) for r in batch]
    columns["size"] = [r.size for r in batch]
    columns["code"] = [r.code for r in batch]
    columns["rtt_ms"] = [r.rtt_ms for r in batch]
    columns["seq"] = [r.seq for r in batch]
    columns["command"] = [r.command for r in batch]
    columns["protocol"] = [intern(r.protocol) for r in batch]
    columns["wire_bytes"] = [r.wire_bytes for r in batch]
    columns["fragments"] = [r.fragments for r in batch]
    cut = int(Flag.TRUNCATED)
    columns["flags"] = [
        r.flags if len(r.payload) == len(p) else r.flags | cut for r, p in zip(batch, payloads, strict=True)
    ]
    stored = np.fromiter(map(len, payloads), np.int64, len(payloads))
    columns["stored"] = stored
    ends = np.cumsum(stored + len(SEPARATOR))
    columns["offset"] = offset + ends - stored - len(SEPARATOR)
    return columns
