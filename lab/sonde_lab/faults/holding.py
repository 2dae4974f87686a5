"""Messages that wait for a person: at most so many, each until it is let go, dropped, or its time is over.

Owns them, their numbers, and the sentence of what became of each. Beyond the bounds nothing more is held: what a person
has before them never leaves by itself for something that came later. Where a message leaves again is its lane's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sonde_lab.faults.edits import EditRefused, Going, edit_in_words
from sonde_lab.faults.framing import Whole
from sonde_lab.faults.limits import MAX_LATER, MAX_OUTPUT_BYTES, MAX_WAITING, MAX_WAITING_BYTES
from sonde_lab.faults.rules import Armed
from sonde_protocol.errors import SondeError

if TYPE_CHECKING:
    from sonde_lab.faults.lane import Lane

_FULL: Final = (
    f"{MAX_WAITING} messages or {MAX_WAITING_BYTES >> 20} MiB are held already, so what came passed"
)


_TOO_MUCH: Final = (
    f"with what is on its way already, that would be more than {MAX_LATER:,} messages or {MAX_OUTPUT_BYTES >> 20} MiB: let it go "
    "fewer times, or at once"
)


class NotHeld(SondeError):
    """There is no such message any more, or nothing like that can be done to it. The text is a sentence."""


@dataclass(slots=True, eq=False)
class Held:
    """One of them. `number` is never given twice; `goes_at` is when it leaves by itself. Times are monotonic seconds."""

    number: int
    lane: Lane
    armed: Armed
    whole: Whole
    op: str
    since: float
    goes_at: float

    @property
    def size(self) -> int:
        """Bytes of it, inflated."""
        plain = self.whole.plain
        return sum(len(frame.payload) for frame in self.whole.frames) if plain is None else len(plain)


class Holding:
    """Those of one proxy, in the order of their coming."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.passed = 0  # that should have been held, since it is full
        self.version = 0  # grows with each change
        self._now = now
        self._held: dict[int, Held] = {}
        self._bytes = 0
        self._next = 1

    @property
    def all(self) -> list[Held]:
        """Oldest first."""
        return list(self._held.values())

    def take(self, lane: Lane, armed: Armed, whole: Whole, op: str, now: float) -> bool:
        """Hold a message; false when there is no room for it."""
        held = Held(self._next, lane, armed, whole, op, now, now + armed.rule.number("patience"))
        if len(self._held) >= MAX_WAITING or self._bytes + held.size > MAX_WAITING_BYTES:
            if not self.passed:  # once, until there is room again: a busy connection would write nothing else
                lane.note(armed, whole.ordinal, _FULL, is_done=False)
            self.passed += 1
            self.version += 1
            return False
        self._next += 1
        self._held[held.number] = held
        self._bytes += held.size
        self.version += 1
        lane.held.append(held)
        lane.note(armed, whole.ordinal, "a message is held")
        return True

    def one(self, number: int) -> Held:
        """The message of that number.

        Raises:
            NotHeld: it was let go or dropped, or never was.
        """
        held = self._held.get(number)
        if held is None:
            is_past = 0 < number < self._next
            raise NotHeld(
                f"message {number} is not held any more: it was let go or dropped, or its connection has ended"
                if is_past
                else f"no message was ever held under the number {number}"
            )
        return held

    # ------------------------------------------------------------ what a person does

    def let_go(self, number: int, how: Going | None = None) -> None:
        """Let a message go: as it is, or as a person wants.

        Raises:
            NotHeld: it is not held any more, or cannot be changed.
            EditRefused: it would be more than a direction holds back. As it came, and at once, it may always go.
        """
        held, now, how = self.one(number), self._now(), how or Going()
        plain = how.plain if how.plain != held.whole.plain else None
        if plain is not None and held.whole.plain is None:
            raise NotHeld("this message does not inflate, so it goes as it is or not at all")
        whole = held.whole if plain is None else held.whole.with_plain(plain)
        if (how.copies > 1 or how.delay_s > 0) and not held.lane.has_room(whole, how.copies):
            raise EditRefused(_TOO_MUCH)
        words = ["sent as it was" if plain is None else edit_in_words(held.whole, whole)]
        words += [f"{how.copies} times"] * (how.copies > 1)
        words += [f"{how.delay_s * 1000:,.0f} ms later"] * (how.delay_s > 0)
        self._take_out(held, ", ".join(words), now)
        for count in range(how.copies):
            held.lane.send_on(whole.copy() if count else whole, now + how.delay_s)
        held.lane.stream.wake()

    def drop(self, number: int) -> None:
        """Do not let it go at all.

        Raises:
            NotHeld: it is not held any more.
        """
        held = self.one(number)
        self._take_out(held, "dropped", self._now())
        held.lane.stream.wake()

    def let_all_go(self, why: str = "all were let go") -> int:
        """Everything goes as it is, in the order of its coming; how many there were."""
        held, now = self.all, self._now()
        for each in held:
            self._send(each, why, now)
        for stream in {each.lane.stream for each in held}:
            stream.wake()
        return len(held)

    # ------------------------------------------------------------ what happens by itself

    def let_go_of(self, lane: Lane, why: str, now: float, rule: int = 0) -> None:
        """What a lane holds goes, all of it or that of one rule."""
        for each in tuple(lane.held):
            if not rule or each.armed.number == rule:
                self._send(each, why, now)

    def expire(self, lane: Lane, now: float) -> None:
        """What nobody has decided about in time goes."""
        for each in tuple(lane.held):
            if each.goes_at <= now:
                self._send(each, "nobody has decided", now)

    def lose(self, lane: Lane) -> None:
        """Nothing goes that way any more."""
        now = self._now()
        for each in tuple(lane.held):
            self._take_out(each, "lost: the connection has ended", now)

    def _send(self, held: Held, why: str, now: float) -> None:
        self._take_out(held, f"sent as it was: {why}", now)
        held.lane.send_on(held.whole, now)

    def _take_out(self, held: Held, became: str, now: float) -> None:
        del self._held[held.number]
        held.lane.held.remove(held)
        self._bytes -= held.size
        self.passed = 0
        self.version += 1
        held.lane.note(held.armed, held.whole.ordinal, f"held {now - held.since:.1f} s, then {became}")
