"""One rule of the fault lab: what goes wrong, to whom, when, how often; and how far an armed one has come.

Owns what a rule may say, and its schedule. Refuses what contradicts itself. What a kind does is in its behaviour.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sonde_lab.faults.draws import Draw
from sonde_lab.faults.targets import Target
from sonde_lab.records import Direction
from sonde_protocol.errors import SondeError
from sonde_protocol.faults import FaultKind, Value

OFF_AFTER_S: Final = 600.0
MAX_S: Final = 86_400.0
MAX_COUNT: Final = 1_000_000
MAX_COUNTED: Final = 20_000  # pairs of connection and direction whose matches are counted
EVENTS: Final = ("connected", "upgraded", "closing")
DIRECTIONS: Final[Mapping[str, tuple[Direction, ...]]] = {
    "up": (Direction.OUT,),
    "down": (Direction.IN,),
    "both": (Direction.OUT, Direction.IN),
    "": (Direction.NONE,),
}


class RuleRefused(SondeError):
    """A rule that cannot be: why, and the character (from 0) of its text where it goes wrong, where there is one."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


@dataclass(frozen=True, slots=True)
class Rule:
    """What a person asks for. `values` holds every parameter of the kind.

    `at_s`: begins so long after it was armed. `after`: that many matches go by first, on each connection and
    direction. `on`: begins with an event of the connection. `for_s`: holds so long from its beginning. `count`: strikes
    so often at most, 0 for no limit. `every`: only each nth match. `off_after_s`: it is taken away then.
    """

    kind: FaultKind
    values: Mapping[str, Value]
    target: Target
    direction: str
    at_s: float = 0.0
    after: int = 0
    on: str = ""
    for_s: float = 0.0
    count: int = 0
    probability: float = 1.0
    every: int = 0
    seed: int | None = None
    label: str = ""
    off_after_s: float = OFF_AFTER_S
    text: str = ""

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions that it acts on."""
        return DIRECTIONS[self.direction]

    def number(self, name: str) -> float:
        """A parameter that is a number."""
        return float(self.values[name])

    def word(self, name: str) -> str:
        """A parameter that is a text."""
        return str(self.values[name])


class Phase(enum.Enum):
    """How far an armed rule has come."""

    WAITING = "waiting"  # for its time
    ARMED = "armed"  # has not struck yet
    FIRING = "firing"
    SPENT = "spent"  # has struck as often, or held as long, as it may
    EXPIRED = "expired"  # off by itself


@dataclass(slots=True)
class Armed:
    """A rule under a number, from its arming on. Times are monotonic seconds."""

    number: int
    rule: Rule
    at: float
    seed: int
    hits: int = 0
    ends_at: float = math.inf
    _matches: dict[tuple[int, Direction], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.rule.for_s and not self.rule.after and not self.rule.on:
            self.ends_at = self.starts_at + self.rule.for_s

    @property
    def starts_at(self) -> float:
        """When it may strike first."""
        return self.at + self.rule.at_s

    @property
    def expires_at(self) -> float:
        """When it is off by itself."""
        return self.at + self.rule.off_after_s

    def is_live(self, now: float) -> bool:
        """Whether it may strike now."""
        if not self.starts_at <= now < min(self.ends_at, self.expires_at):
            return False
        return not self.rule.count or self.hits < self.rule.count

    def is_over(self, now: float) -> bool:
        """Whether it will never strike again."""
        return now >= min(self.ends_at, self.expires_at) or bool(
            self.rule.count and self.hits >= self.rule.count
        )

    def phase(self, now: float) -> Phase:
        """In a word."""
        if now >= self.expires_at:
            return Phase.EXPIRED
        if self.is_over(now):
            return Phase.SPENT
        if now < self.starts_at:
            return Phase.WAITING
        return Phase.FIRING if self.hits else Phase.ARMED

    def left_s(self, now: float) -> float:
        """How long it may still hold."""
        return max(0.0, min(self.ends_at, self.expires_at) - now)

    def next_deadline(self, after: float) -> float:
        """When its phase changes by itself for the first time after `after`."""
        times = (self.starts_at, self.ends_at, self.expires_at)
        return min((at for at in times if at > max(after, self.at)), default=math.inf)

    def draw(self, connection: int, direction: Direction, ordinal: int) -> Draw:
        """Chance for one act."""
        return Draw(self.seed, self.number, connection, direction, ordinal)

    def admit(self, connection: int, direction: Direction, ordinal: int, now: float) -> Draw | None:
        """A match: the chance for its act, when the rule strikes."""
        if not self.is_live(now):
            return None
        key = connection, direction
        if key not in self._matches and len(self._matches) >= MAX_COUNTED:
            return None
        matches = self._matches[key] = self._matches.get(key, 0) + 1
        past = matches - self.rule.after
        if past <= 0 or (self.rule.every and past % self.rule.every):
            return None
        draw = self.draw(connection, direction, ordinal)
        if self.rule.probability < 1.0 and draw.unit() >= self.rule.probability:
            return None
        self.hits += 1
        if self.rule.for_s and math.isinf(self.ends_at):
            self.ends_at = now + self.rule.for_s
        return draw

    def forget(self, connection: int) -> None:
        """A connection is over: what was counted on it."""
        for direction in Direction:
            self._matches.pop((connection, direction), None)
