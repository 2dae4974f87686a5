"""Who is in a scenario: the clients that rows show, where they were, and what they did, counted.

Owns names that a scenario can bear and behaviours that send about as much. Refuses to guess: a channel that no stage
has, or traffic that no behaviour makes, is said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sonde_lab.records import Direction, Flag, Kind
from sonde_lab.ring import Ring
from sonde_lab.wording import one_line
from sonde_protocol.channels import CHANNEL_PATTERN

MAX_CAST: Final = 12
MAX_CHANNELS: Final = 8
LOOK_BACK_ROWS: Final = 200_000
LEAST_HZ: Final = 0.05
OTHERS: Final = "others"
_MOST_HZ: Final = 100.0
_WALKS_HZ: Final = 3.5  # what a walker does, about
_BEATS_AT_LEAST: Final = 3  # pings from which on their pace is known
_NOT_OURS: Final = re.compile(r"[^A-Za-z0-9_-]")
_JOINED: Final = ("subscribe", "snapshot", "live", "event", "delta", "publish", "patch")
Ids = NDArray[np.int64]


@dataclass(slots=True)
class Part:
    """One client. `notes` are comments; `conn` is what the rows call it, empty for those whom no row is of."""

    name: str
    conn: str
    channels: tuple[str, ...] = ()
    behaviour: str = "silent"
    measure_every_s: float | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def acts(self) -> bool:
        """Whether it sends something."""
        return self.behaviour != "silent"


def cast_of(ring: Ring, conns: Sequence[str], ids: range, *, is_silent: bool = False) -> list[Part]:
    """The clients called `conns`, by the rows `ids` before the drop, and `others` where entries came of nobody here.

    `is_silent`: nobody acts, since nothing passed for long.
    """
    names: dict[str, str] = {}
    for conn in conns[:MAX_CAST]:
        names[conn] = _name(conn, set(names.values()))
    parts = [_part(ring, conn, name, ids, is_silent=is_silent) for conn, name in names.items()]
    others = None if is_silent else _others(ring, parts, ids)
    if len(conns) > MAX_CAST:
        parts[0].notes.append(f"{len(conns) - MAX_CAST} more connections of the rows are left out")
    return [*parts, others] if others is not None else parts


def _name(conn: str, taken: set[str]) -> str:
    name = _NOT_OURS.sub("_", conn)[:24] or "client"
    name = name if name[0].isalpha() and name[0].isascii() else f"c{name}"
    name = f"{name}_" if name in ("witness", OTHERS) else name
    number, made = 1, name
    while made in taken:
        number += 1
        made = f"{name}-{number}"
    return made


def _part(ring: Ring, conn: str, name: str, ids: range, *, is_silent: bool) -> Part:
    rows = _rows_of(ring, conn, ids)
    part = Part(name, conn)
    if name != conn:
        part.notes.append(f"the rows call it “{one_line(conn, 60)}”")
    part.channels = _channels(ring, _rows_of(ring, conn, _all_before(ring, ids)), part)
    part.measure_every_s = _pace(ring, rows, part)
    if not part.channels:
        part.notes.append("no row names a channel that it was in")
    elif is_silent:
        part.notes.append("nothing passed for long before the end, so it is silent")
    else:
        _behave(ring, rows, part, _span_s(ring, ids))
    return part


def _all_before(ring: Ring, ids: range) -> range:
    """Whoever says nothing for a minute may have joined long before."""
    return range(max(ring.first_id, ids.stop - LOOK_BACK_ROWS), ids.stop)


# ---------------------------------------------------------------- where it was


def _channels(ring: Ring, rows: Ids, part: Part) -> tuple[str, ...]:
    """Channels that it was in at the end, the busiest first."""
    places = rows - ring.first_id
    spoken = rows[_ops(ring, rows, *_JOINED)]
    numbers, counts = np.unique(ring.column("channel")[spoken - ring.first_id], return_counts=True)
    told = [ring.names.text(int(number)) for number in numbers[np.argsort(-counts, kind="stable")]]
    gone = _left(ring, rows[_ops(ring, rows, "unsubscribe")], rows[_ops(ring, rows, "subscribe")])
    kept: list[str] = []
    for ch in (ch for ch in told if ch and ch not in gone and len(places)):
        channel = _playable(ch)
        if channel is None:
            part.notes.append(
                f"“{one_line(ch, 60)}” is left out: a scenario's gateway has no such channel for it"
            )
        elif channel not in kept and len(kept) < MAX_CHANNELS:
            kept.append(channel)
            if channel != ch:
                part.notes.append(
                    f"{channel} stands for {one_line(ch, 60)}: a scenario's gateway has rooms only"
                )
    return tuple(kept)


def _left(ring: Ring, leaves: Ids, joins: Ids) -> set[str]:
    last_join = {ring.text("channel", row): row for row in joins.tolist()}
    return {
        ring.text("channel", row)
        for row in leaves.tolist()
        if row > last_join.get(ring.text("channel", row), -1)
    }


def _playable(ch: str) -> str | None:
    namespace, _, key = ch.partition(":")
    if CHANNEL_PATTERN.fullmatch(ch) is None or namespace == "user":
        return None
    return f"room:{key}"


# ---------------------------------------------------------------- what it did


def _pace(ring: Ring, rows: Ids, part: Part) -> float:
    """Seconds between two pings that it sent."""
    sent = rows[_ops(ring, rows, "ping") & (ring.column("direction")[rows - ring.first_id] == Direction.OUT)]
    if len(sent) < _BEATS_AT_LEAST:
        part.notes.append("it did not measure its round trip")
        return 0.0
    every_s = float(np.median(np.diff(ring.column("at")[sent - ring.first_id])))
    part.notes.append(
        f"it sent {len(sent):,} pings (rows {ring.label(int(sent[0]))} to {ring.label(int(sent[-1]))})"
    )
    return min(600.0, max(0.2, round(every_s, 1)))


def _behave(ring: Ring, rows: Ids, part: Part, span_s: float) -> None:
    out = rows[ring.column("direction")[rows - ring.first_id] == Direction.OUT]
    patches, published = out[_ops(ring, out, "patch")], out[_ops(ring, out, "publish")]
    most = patches if len(patches) > len(published) else published
    if len(most) / span_s < LEAST_HZ:
        return
    rate_hz = len(most) / span_s
    what = "patches" if most is patches else "events"
    said = f"it sent {len(most):,} {what} in {span_s:.1f} s (rows {ring.label(int(most[0]))} to {ring.label(int(most[-1]))})"
    if most is patches:
        part.behaviour = "walker"
        faster = (
            f"; a walker sends {_WALKS_HZ:g} a second, it sent {rate_hz:.1f}"
            if abs(rate_hz - _WALKS_HZ) > 2
            else ""
        )
        part.notes.append(f"{said}{faster}")
        return
    part.behaviour = publisher(rate_hz)
    part.notes.append(said)


def publisher(rate_hz: float) -> str:
    """A publisher about as fast."""
    return f"publisher({min(_MOST_HZ, max(0.1, float(f'{rate_hz:.2g}'))):g})"


def _others(ring: Ring, parts: Sequence[Part], ids: range) -> Part | None:
    """Somebody who sends what came of nobody whom the rows show."""
    first = parts[0]
    if not first.channels:
        return None
    rows = _rows_of(ring, first.conn, ids)
    heard = rows[
        _ops(ring, rows, "event", "delta") & (ring.column("direction")[rows - ring.first_id] == Direction.IN)
    ]
    replayed = (ring.column("flags")[heard - ring.first_id] & int(Flag.REPLAY)) != 0
    heard = heard[~replayed]
    own = sum(_sent_into(ring, part, ids) for part in parts)
    span_s = _span_s(ring, ids)
    rate_hz = (len(heard) - own) / span_s
    if rate_hz < LEAST_HZ or not len(heard):
        return None
    rows_said = f"rows {ring.label(int(heard[0]))} to {ring.label(int(heard[-1]))}"
    note = f"{len(heard):,} entries came to {first.name} in {span_s:.1f} s ({rows_said}), {own:,} of them from those above"
    return Part(
        OTHERS, "", first.channels[:1], publisher(rate_hz), 0.0, [note, "who sent the rest is not told"]
    )


def _sent_into(ring: Ring, part: Part, ids: range) -> int:
    rows = _rows_of(ring, part.conn, ids)
    out = ring.column("direction")[rows - ring.first_id] == Direction.OUT
    return int((_ops(ring, rows, "publish", "patch") & out).sum())


# ---------------------------------------------------------------- rows


def _rows_of(ring: Ring, conn: str, ids: range) -> Ids:
    number = ring.names.number(conn)
    places = np.arange(ids.start, ids.stop) - ring.first_id
    mine = (ring.column("conn")[places] == number) & (ring.column("kind")[places] == Kind.FRAME)
    mine &= (ring.column("flags")[places] & int(Flag.TAPPED)) == 0
    found: Ids = places[mine] + ring.first_id
    return found


def _ops(ring: Ring, rows: Ids, *ops: str) -> NDArray[np.bool_]:
    numbers = [number for number in map(ring.names.number, ops) if number is not None]
    return np.isin(ring.column("op")[rows - ring.first_id], numbers)


def _span_s(ring: Ring, ids: range) -> float:
    if len(ids) < 2:
        return 1.0
    at = ring.column("at")
    return max(1.0, float(at[ids.stop - 1 - ring.first_id] - at[ids.start - ring.first_id]))
