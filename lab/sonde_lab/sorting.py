"""Which rows concern which channel of which connection: picked by columns, without a look at a payload.

Owns the ops that tell of state and presence, and those that end a connection or leave a channel.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sonde_lab.names import MAX_NAMES
from sonde_lab.records import Direction, Kind
from sonde_lab.ring import Ring

STATE, ROSTER, LEFT, ENDED = 1, 2, 3, 4
_OPS: Final = {
    "snapshot": STATE,
    "delta": STATE,
    "event": STATE,
    "live": STATE,
    "presence": ROSTER,
    "unsubscribed": LEFT,
    "unsubscribe": LEFT,
    "close": ENDED,
}
_SENT: Final = "unsubscribe"  # the one of them that the client says
_NO_NAME, _OTHER = 0, 1  # numbers that stand for no text, and for more than one


class Group(NamedTuple):
    """Rows of one kind of one channel of one connection, by the ring's numbers of their names, in order."""

    conn: int
    channel: int
    what: int
    ids: NDArray[np.int64]


class Sorter:
    """Sorts rows of a ring."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._codes = np.zeros(MAX_NAMES, np.int8)
        self._known = 0  # ops whose number is known

    def groups(self, ids: range) -> list[Group]:
        """The rows among `ids` that tell of a channel, or end a connection."""
        ring = self._ring
        self._learn()
        codes = self._codes[ring.column("op", ids)]
        places = np.flatnonzero(codes)
        if not len(places):
            return []
        what = codes[places].astype(np.int64)
        conn, channel = (ring.column(name, ids)[places].astype(np.int64) for name in ("conn", "channel"))
        channel[what == ENDED] = _NO_NAME
        is_ours = self._is_ours(ids, places, what, channel) & (conn != _OTHER)
        places, what, conn, channel = places[is_ours], what[is_ours], conn[is_ours], channel[is_ours]
        key = (conn << 24 | channel) << 3 | what
        order = np.argsort(key, kind="stable")
        key = key[order]
        cuts = np.flatnonzero(np.diff(key)) + 1
        found = []
        for part in np.split(order, cuts) if len(order) else ():
            first = part[0]
            rows = places[part].astype(np.int64) + max(ids.start, ring.first_id)
            found.append(Group(int(conn[first]), int(channel[first]), int(what[first]), rows))
        return sorted(found, key=lambda group: int(group.ids[0]))

    def _is_ours(
        self,
        ids: range,
        places: NDArray[np.int64],
        what: NDArray[np.int64],
        channel: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Frames of Sonde's protocol on their right way, and ends of connections of any."""
        ring = self._ring
        kind = ring.column("kind", ids)[places]
        is_frame = (kind == Kind.FRAME) & (ring.column("protocol", ids)[places] == 0)
        sent = ring.names.number(_SENT)
        goes_out = np.zeros(len(places), np.bool_) if sent is None else ring.column("op", ids)[places] == sent
        way = np.where(goes_out, Direction.OUT, Direction.IN)
        is_told = is_frame & (ring.column("direction", ids)[places] == way) & (channel > _OTHER)
        is_end = (what == ENDED) & ((kind == Kind.CLOSE) | (kind == Kind.FRAME))
        chosen: NDArray[np.bool_] = np.where(what == ENDED, is_end, is_told)
        return chosen

    def _learn(self) -> None:
        if self._known == len(_OPS):
            return
        numbers = {op: self._ring.names.number(op) for op in _OPS}
        self._known = sum(number is not None for number in numbers.values())
        for op, number in numbers.items():
            if number is not None:
                self._codes[number] = _OPS[op]
