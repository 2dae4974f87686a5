"""A channel whose state changes step by step, as rows of a ring and as the live document of a client."""

from __future__ import annotations

from sonde_lab.changes import Document
from sonde_lab.records import Record
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models import figures
from support.scripted_workbench import Script, ScriptedWorkbench

ARENA = "room:arena"
STEPS = 10


class Walk:
    """Ada stands at x 0 by a snapshot (seq 100) and takes ten steps of 1, a fifth of a second each.

    `rows` are the ids of the first connection's entries: the snapshot's, then each step's.
    """

    def __init__(
        self,
        bench: ScriptedWorkbench,
        bridge: Bridge,
        conns: tuple[str, ...] = ("you",),
        *,
        has_client: bool = True,
    ) -> None:
        self._bench = bench
        self.unix_offset_s = 1_795_000_000.0
        self.rows: list[int] = []
        for conn in conns:
            first = bench.ring.next_id
            bench.add(self._records(conn))
            self.rows = self.rows or [*range(first, bench.ring.next_id)]
        if has_client:
            bench.pending.documents = {ARENA: Document(state(STEPS), 100 + STEPS, True, ())}
        bridge.drain()

    def _records(self, conn: str) -> list[Record]:
        script = Script(conn=conn)
        records = [
            script.frame("snapshot", 200, epoch="e1", seq=100, d=state(0), ts=self._stamp(script, 200))
        ]
        for at in range(1, STEPS + 1):
            d = {"players": {"ada": {"x": float(at)}}}
            stamp = self._stamp(script, 200)
            records.append(script.frame("delta", 200, seq=100 + at, d=d, ts=stamp, **{"from": "ada"}))
        for at, record in enumerate(records):
            record.seq = 100 + at
        return records

    def _stamp(self, script: Script, after_ms: int) -> int:
        return round((script.at + after_ms / 1000 + self.unix_offset_s) * 1000)

    def at(self, step: int) -> float:
        """When a step came, monotonic s."""
        return float(self._bench.ring.value("at", self.rows[step]))

    def clock(self, step: int) -> str:
        """The time of day of a step, as titles tell it."""
        return figures.wall_clock_ms(float(self._bench.ring.value("wall", self.rows[step])))[:-2]


def state(x: float) -> dict[str, object]:
    """The document after so many steps."""
    return {"players": {"ada": {"x": float(x), "y": 2.0}}}
