"""A fault lab and one upgraded connection, without a socket, on a clock that is turned by hand."""

from __future__ import annotations

from sonde_lab.faults.effects import Do
from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.lab import FaultLab
from sonde_lab.records import Direction
from support.clocks import HandClock
from support.fault_rig import answer, request

IN, OUT = Direction.IN, Direction.OUT


class Bench:
    """A lab and one upgraded connection on a clock of its own."""

    def __init__(self, *rules: str, agrees: bytes = b"", seed: int = 7) -> None:
        self.clock = HandClock()
        self.lab = FaultLab(seed, now=self.clock.now)
        for rule in rules:
            self.lab.arm(parse_rule(rule))
        self.stream = self.lab.open(1, "127.0.0.1:5000")
        self.stream.on_accept(self.clock.now())
        self.stream.on_head(request(), self.clock.now())
        self.up(request())
        self.down(answer(agrees))
        self.take()

    def up(self, data: bytes) -> None:
        self.stream.receive(OUT, data, self.clock.now())

    def down(self, data: bytes) -> None:
        self.stream.receive(IN, data, self.clock.now())

    def take(self, direction: Direction = IN) -> bytes:
        """What has left in a direction."""
        effects, self.stream.effects = self.stream.effects, []
        return b"".join(each.data for each in effects if each.do is Do.WRITE and each.direction is direction)

    def did(self) -> list[Do]:
        effects, self.stream.effects = self.stream.effects, []
        return [each.do for each in effects if each.do is not Do.WRITE]

    def move(self, seconds: float) -> None:
        self.clock.move(seconds)
        self.lab.tick()
        self.stream.tick(self.clock.now())
