"""Hand-made rows of connections that drop and come back, on a clock of their own."""

from __future__ import annotations

import json
from typing import Any

from sonde_lab.records import Direction, Flag, Kind, Record
from support.records import row

FAST = "TCP 0.20 ms, upgrade 1.00 ms"


class Teller:
    """Makes the rows that a watched client `conn` leaves behind. `later` (ms) passes before each."""

    def __init__(self, conn: str = "you", at: float = 100.0) -> None:
        self.conn, self.at, self.dial = conn, at, 1
        self.rows: list[Record] = []

    def live(self) -> Teller:
        """Live for the first time, with a frame of its channel."""
        return (
            self.state("dialing ws://h:9", 1).dialled().greeted("identify").answered("ready").delta(3, seq=1)
        )

    def state(self, text: str, later: float = 0.1) -> Teller:
        return self._add(later, "state", text, Kind.STATE)

    def close(
        self, text: str = "1006 abnormal closure — by the network", later: float = 0.5, code: int = 1006
    ) -> Teller:
        return self._add(later, "close", text, Kind.CLOSE, flags=int(Flag.ERROR), code=code)

    def waiting(self, later: float = 0.1) -> Teller:
        return self.state("waiting 0.0 s before the next try: The connection ended", later)

    def dialling(self, later: float = 0.1) -> Teller:
        self.dial += 1
        return self.state("dialing ws://h:9, try 2", later)

    def dialled(self, steps: str = FAST, later: float = 1.2) -> Teller:
        return self._add(later, "dial", f"dial {self.dial} to h:9: {steps}", Kind.STATE)

    def act(self, text: str = "cut the socket of you", later: float = 2.0) -> Teller:
        return self._add(later, "act", text, Kind.ACT, flags=int(Flag.INJECTED))

    def greeted(self, op: str = "resume", later: float = 0.3) -> Teller:
        self.state("the socket is open, greeting the gateway", 0.0)
        return self.frame(op, later, Direction.OUT)

    def answered(self, op: str = "resumed", later: float = 2.0, **fields: Any) -> Teller:
        self.frame(op, later, **({"channels": []} | fields if op == "resumed" else fields))
        return self.state("live as you (player), session s1, generation 2", 0.1)

    def back(self) -> Teller:
        """A dial that succeeds, a resume, and the first fresh state."""
        return self.dialling().dialled().greeted().answered().frame("live", 1.0, channel="room:arena", seq=9)

    def dropped(self) -> Teller:
        return self.close().waiting()

    def delta(self, later: float = 1.0, *, seq: int, replay: bool = False) -> Teller:
        flags = int(Flag.REPLAY) if replay else 0
        return self.frame("delta", later, channel="room:arena", seq=seq, flags=flags)

    def frame(self, op: str, later: float, direction: Direction = Direction.IN, **known: Any) -> Teller:
        columns = {name: known.pop(name) for name in ("channel", "seq", "flags") if name in known}
        body = json.dumps({"op": op, **known}).encode()
        self.at += later / 1000
        self.rows.append(
            row(op, self.at, body, conn=self.conn, dial=self.dial, direction=direction, **columns)
        )
        return self

    def _add(self, later: float, op: str, text: str, kind: Kind, **columns: Any) -> Teller:
        self.at += later / 1000
        self.rows.append(
            row(
                op, self.at, text.encode(), kind=kind, conn=self.conn, dial=self.dial, direction=Direction.NONE,
                opcode=0, **columns,
            )
        )  # fmt: skip
        return self


def merged(*tellers: Teller) -> list[Record]:
    """The rows of several, in order of time."""
    return sorted((each for teller in tellers for each in teller.rows), key=lambda record: record.at)
