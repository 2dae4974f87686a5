"""Faults of messages: left out, late, again, in another order, changed, held.

Owns one small class a kind. Each gets a whole message, inflated where it was compressed, and says what goes on in its
place. Close frames, pings and pongs are the frame layer's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sonde_lab.faults.behaviour import Makers, Strike
from sonde_lab.faults.framing import Whole
from sonde_lab.faults.limits import MAX_OUTPUT_BYTES
from sonde_lab.faults.rules import Rule

if TYPE_CHECKING:
    from sonde_lab.faults.subject import Subject

_FULL: Final = "too much is held back already, so it passed"


class OnMessages:
    """What most of them have in common: they are about messages, not control frames."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def wants(self, subject: Subject) -> bool:
        """Whether a message is of its sort."""
        return not subject.whole.is_control


class Drop(OnMessages):
    """Not passed on."""

    says = "a message was not passed on"

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """See the class."""
        strike.note(self.says)
        return []


class Delay(OnMessages):
    """Later; others overtake it."""

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """See the class."""
        wait = strike.draw.around(self.rule.number("delay"), float(self.rule.values.get("jitter", 0.0)))
        if not strike.lane.hold_back(whole, strike.now + wait, strike.attached.order):
            strike.cannot(_FULL)
            return [whole]
        strike.note(f"a message comes {wait * 1000:,.0f} ms later")
        return []


class Reorder(OnMessages):
    """Behind those that follow it."""

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """One place more, since the message itself is counted as it passes."""
        places, at = int(self.rule.number("places")), strike.now + self.rule.number("patience")
        if not strike.lane.hold_back(whole, at, strike.attached.order, places + 1):
            strike.cannot(_FULL)
            return [whole]
        strike.note(
            f"a message comes behind the next {places}" if places > 1 else "a message comes behind the next"
        )
        return []


class Copies(OnMessages):
    """Again, right behind itself."""

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """As often as may be: the sum of it is bounded."""
        copies = int(self.rule.number("copies"))
        most = max(1, MAX_OUTPUT_BYTES // max(1, len(whole.plain or b"")))
        strike.note(f"a message was sent {min(copies, most):,} times more")
        return [whole, *(whole.copy() for _ in range(min(copies, most)))]


class StaleReplay(OnMessages):
    """Now, and again later."""

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """See the class."""
        delay = self.rule.number("delay")
        if not strike.lane.hold_back(whole.copy(), strike.now + delay, strike.attached.order):
            strike.cannot(_FULL)
            return [whole]
        strike.note(f"a message comes again after {delay:g} s")
        return [whole]


class Corrupt(OnMessages):
    """One value is another: at its path where the message has one, else one byte of it."""

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """See the class."""
        value, path = strike.subject.value(), self.rule.word("field").split(".")
        if replaced(value, path, self.rule.word("value")):
            strike.note(f"the value of {self.rule.word('field')} was changed")
            return [whole.with_plain(strike.subject.encode(value))]
        plain = bytearray(whole.plain or b"")
        if not plain:
            strike.cannot("an empty message has nothing to change")
            return [whole]
        place = int(strike.draw.unit() * len(plain))
        plain[place] = (plain[place] ^ 1) if plain[place] < 0x80 else 0x3F  # a text stays UTF-8 in most cases
        strike.note(f"byte {place + 1:,} of a message was changed, since it has no {self.rule.word('field')}")
        return [whole.with_plain(bytes(plain))]


class Truncate(OnMessages):
    """Only its beginning."""

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """Cut between two characters of a text."""
        plain = (whole.plain or b"")[: int(self.rule.number("bytes"))]
        if whole.is_text:
            plain = plain.decode(errors="ignore").encode()
        strike.note(f"a message was cut to {len(plain):,} bytes")
        return [whole.with_plain(plain)]


class Hold(OnMessages):
    """Not before a person says so; those behind it that are not meant pass."""

    def wants(self, subject: Subject) -> bool:
        """Not what only says that somebody lives: whoever misses it would end the connection."""
        is_message = super().wants(subject)
        return is_message and (self.rule.word("heartbeats") == "wait" or not subject.is_heartbeat)

    def act(self, whole: Whole, strike: Strike) -> list[Whole]:
        """See the class."""
        holding = strike.lane.stream.lab.holding
        is_held = holding.take(strike.lane, strike.attached.armed, whole, strike.subject.op, strike.now)
        return [] if is_held else [whole]


def replaced(value: Any, path: list[str], new: Any) -> bool:
    """Put `new` at a path of keys and places in lists; false when there is no such place."""
    for key in path[:-1]:
        value = _inside(value, key)
    last = path[-1]
    if isinstance(value, dict) and last in value:
        value[last] = new
        return True
    if isinstance(value, list) and last.isdecimal() and int(last) < len(value):
        value[int(last)] = new
        return True
    return False


def _inside(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
        return value[int(key)]
    return None


MESSAGE_BEHAVIOURS: Final[Makers] = {
    "drop": Drop,
    "delay": Delay,
    "duplicate": Copies,
    "reorder": Reorder,
    "corrupt": Corrupt,
    "truncate": Truncate,
    "stale_replay": StaleReplay,
    "flood": Copies,
    "hold": Hold,
}
