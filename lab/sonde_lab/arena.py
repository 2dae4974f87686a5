"""How a simulated player behaves: pure decisions from a seed and the time that passes.

Owns positions, moods and what to do next. Holds no socket and no clock: `step(dt_s)` returns acts, and the
shell in `players.py` does them on a real client.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any, Final, Literal

SIZE: Final = 100.0
_MARGIN: Final = 5.0
_SHORT_HALT_S: Final = 5.0  # not worth telling
_REACH: Final = 12.0  # how near another must be to be hit
FULL_HEALTH: Final = 100

Presence = Literal["online", "away", "busy"]

NAMES: Final = (
    "ada", "bertil", "chidi", "dalia", "emeka", "frida", "goro", "hana", "idris", "jana", "kofi", "lena",
    "mira", "nils", "oda", "petra", "quinn", "rosa", "sami", "tove", "uma", "vera", "wren", "yara", "zoe",
)  # fmt: skip

LINES: Final = (
    "anyone at the north gate?", "back at the gate", "on my way", "wait for me", "gg", "who has the key?",
    "careful, left side", "low on health", "nice one", "meet in the middle", "lag?", "one more round",
    "that was close", "following you", "door is open", "two of them behind the wall", "need a minute",
    "ready when you are", "over here", "did you see that?", "holding the bridge", "brb, tea", "all clear",
)  # fmt: skip
GREETINGS: Final = (
    "hi {other}",
    "{other}, over here",
    "thanks {other}",
    "nice shot, {other}",
    "{other}, cover me",
)
EMOTES: Final = ("wave", "dance", "cheer", "point", "sit")
AWAY: Final = ("idle", "getting tea", "on the phone")
BUSY: Final = ("in match", "trading", "in the menu")


def name_of(index: int) -> str:
    """The name of player number `index`: `"ada"`, and past the list `"ada-2"`."""
    round_, place = divmod(index, len(NAMES))
    return NAMES[place] if round_ == 0 else f"{NAMES[place]}-{round_ + 1}"


@dataclass(slots=True, frozen=True)
class Move:
    """Change the own part of the state document."""

    patch: dict[str, Any]


@dataclass(slots=True, frozen=True)
class Say:
    """Publish an event. `volatile`: nobody needs it later."""

    type: str
    data: dict[str, Any]
    volatile: bool = False


@dataclass(slots=True, frozen=True)
class Appear:
    """Change the presence."""

    status: Presence
    activity: str | None


@dataclass(slots=True, frozen=True)
class Drop:
    """Lose the socket, and stay away for so long (0: come back at once)."""

    away_s: float


Deed = Move | Say | Appear | Drop


class Player:
    """One player. `others` in `step` are the players' parts of the document, by id."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.health = FULL_HEALTH
        self._random = random.Random(f"{seed}/{name}")  # noqa: S311 - a simulation repeats itself by its seed
        self.x, self.y = self._spot()
        self._target = self._spot()
        self._speed = self._random.uniform(4.0, 9.0)  # units per second
        self._pause_s = 0.0
        self._gone_s = 0.0  # of being away or busy
        self._activity: str | None = None
        self._next = {
            "say": self._within(3, 30),
            "emote": self._within(10, 60),
            "hit": self._within(15, 50),
            "leave": self._within(25, 120),
            "drop": self._within(20, 90),
        }

    def whole(self) -> dict[str, Any]:
        """Everything that others see of this player."""
        return {"x": round(self.x, 1), "y": round(self.y, 1), "hp": self.health, "name": self.name}

    def step(self, dt_s: float, others: dict[str, Any]) -> list[Deed]:
        """What this player does after `dt_s` more seconds."""
        if self._gone_s > 0:
            return self._stay_gone(dt_s)
        deeds = self._walk(dt_s)
        due = [what for what in self._next if self._is_due(what, dt_s)]
        for what in due:
            deeds += getattr(self, f"_do_{what}")(others)
        return deeds + self._show_activity("resting" if self._pause_s > _SHORT_HALT_S else "walking")

    def on_hit(self, damage: int) -> list[Deed]:
        """Somebody hit this player."""
        self.health -= damage
        if self.health > 0:
            return [Move({"hp": self.health})]
        self.health = FULL_HEALTH
        self.x, self.y = self._spot()
        self._target = self._spot()
        return [Say("respawn", {"name": self.name}), Move(self.whole())]

    # ------------------------------------------------------------ walking

    def _spot(self) -> tuple[float, float]:
        low, high = _MARGIN, SIZE - _MARGIN
        return self._random.uniform(low, high), self._random.uniform(low, high)

    def _walk(self, dt_s: float) -> list[Deed]:
        if self._pause_s > 0:
            self._pause_s -= dt_s
            return []
        dx, dy = self._target[0] - self.x, self._target[1] - self.y
        distance = math.hypot(dx, dy)
        stride = min(distance, self._speed * min(dt_s, 1.0))
        if distance > 0:
            self.x += dx / distance * stride
            self.y += dy / distance * stride
        if distance - stride < 0.5:
            self._target = self._spot()
            self._speed = self._random.uniform(4.0, 9.0)
            self._pause_s = self._random.choice((0.0, 0.0, 1.0, 2.0, 12.0))
        return [Move({"x": round(self.x, 1), "y": round(self.y, 1)})]

    # ------------------------------------------------------------ now and then

    def _within(self, low_s: float, high_s: float) -> float:
        return self._random.uniform(low_s, high_s)

    def _is_due(self, what: str, dt_s: float) -> bool:
        self._next[what] -= dt_s
        return self._next[what] <= 0

    def _do_say(self, others: dict[str, Any]) -> list[Deed]:
        self._next["say"] = self._within(12, 40)
        names = [name for name in others if name != self.name]
        if names and self._random.random() < 0.3:
            line = self._random.choice(GREETINGS).format(other=self._random.choice(names))
        else:
            line = self._random.choice(LINES)
        return [Say("chat", {"text": line})]

    def _do_emote(self, _others: dict[str, Any]) -> list[Deed]:
        self._next["emote"] = self._within(30, 90)
        return [Say("emote", {"name": self._random.choice(EMOTES)}, volatile=True)]

    def _do_hit(self, others: dict[str, Any]) -> list[Deed]:
        self._next["hit"] = self._within(4, 20)
        near = [name for name, other in others.items() if name != self.name and self._is_near(other)]
        if not near:
            return []
        return [Say("hit", {"target": self._random.choice(near), "damage": self._random.randint(5, 30)})]

    def _is_near(self, other: Any) -> bool:
        x, y = (other.get("x"), other.get("y")) if isinstance(other, dict) else (None, None)
        if not isinstance(x, int | float) or not isinstance(y, int | float):
            return False
        return math.hypot(x - self.x, y - self.y) <= _REACH

    def _do_leave(self, _others: dict[str, Any]) -> list[Deed]:
        self._next["leave"] = self._within(60, 180)
        self._gone_s = self._within(8, 25)
        status: Presence = "away" if self._random.random() < 0.5 else "busy"
        self._activity = self._random.choice(AWAY if status == "away" else BUSY)
        return [Appear(status, self._activity)]

    def _do_drop(self, _others: dict[str, Any]) -> list[Deed]:
        self._next["drop"] = self._within(45, 150)
        return [Drop(self._random.choice((0.0, 0.0, 2.5, 6.0)))]

    def _stay_gone(self, dt_s: float) -> list[Deed]:
        self._gone_s -= dt_s
        return [] if self._gone_s > 0 else self._show_activity("walking")

    def _show_activity(self, activity: str) -> list[Deed]:
        """Tell a change of activity, but not each short halt."""
        if (
            self._gone_s > 0
            or activity == self._activity
            or (self._activity == "walking" and self._pause_s < 3.0)
        ):
            return []
        self._activity = activity
        return [Appear("online", activity)]
