"""A rule as a line of text: `latency 200ms ±50ms direction=down for=30s target="path:/game"`.

    rule = kind {value | "±" value | name "=" value}

Values without a name are the kind's parameters in their order. Owns reading, and sentences with a place for what is
not understood; a line may come from a file or over a socket.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sonde_lab.faults.rules import EVENTS, MAX_COUNT, MAX_S, OFF_AFTER_S, Rule, RuleRefused
from sonde_lab.faults.targets import Target, target_of
from sonde_lab.filter import FilterError
from sonde_protocol.errors import excerpt
from sonde_protocol.faults import BY_NAME, FaultKind, Parameter, Scope, Unit, Value

MAX_CHARACTERS: Final = 4_000
_TOKEN: Final = re.compile(r'(?:([a-z_]+)=)?(?:"((?:[^"\\]|\\.)*)"|(\S+))(?=\s|$)')
_SPACE: Final = re.compile(r"\s*")
_NUMBER: Final = re.compile(r"([+-]?\d+(?:\.\d+)?(?:e[+-]?\d{1,2})?)\s*([A-Za-zµ%/]*)", re.IGNORECASE)
_SECONDS: Final = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0}
_SIZES: Final = {"": 1.0, "b": 1.0, "kb": 1024.0, "k": 1024.0, "mb": 1024.0**2}
_RATES: Final = {
    "b/s": 1.0, "kb/s": 1e3, "mb/s": 1e6, "kbit/s": 125.0, "mbit/s": 125_000.0, "kbps": 125.0, "mbps": 125_000.0,
}  # fmt: skip
_UNITS: Final[Mapping[Unit, Mapping[str, float]]] = {
    Unit.SECONDS: _SECONDS,
    Unit.BYTES: _SIZES,
    Unit.RATE: _RATES,
    Unit.SHARE: {"": 1.0, "%": 0.01},
    Unit.NUMBER: {"": 1.0},
}


class _Field(NamedTuple):
    """A field of a rule beside its kind's parameters: how it is read, and what it is called in `Rule`."""

    parameter: Parameter
    attribute: str


def _seconds(name: str, attribute: str, says: str, low: float = 0.0) -> _Field:
    return _Field(Parameter(name, Unit.SECONDS, 0.0, low, MAX_S, says), attribute)


def _number(name: str, says: str, low: float = 0, high: float = MAX_COUNT) -> _Field:
    return _Field(Parameter(name, Unit.NUMBER, 0.0, low, high, says), name)


FIELDS: Final[Mapping[str, _Field]] = {
    "target": _Field(Parameter("target", Unit.TEXT, "", high=MAX_CHARACTERS, says="whom it is about: a filter"), "target"),
    "direction": _Field(Parameter("direction", Unit.WORD, "", words=("up", "down", "both"), says="which way"), "direction"),
    "at": _seconds("at", "at_s", "begins so long after it was armed"),
    "after": _number("after", "so many matches go by first, on each connection and direction", 1),
    "on": _Field(Parameter("on", Unit.WORD, "", words=EVENTS, says="begins with this event of a connection"), "on"),
    "for": _seconds("for", "for_s", "holds so long", 0.001),
    "count": _number("count", "strikes so often at most; 0: no limit"),
    "probability": _Field(Parameter("probability", Unit.SHARE, 1.0, 0.0, 1.0, "strikes with this chance"), "probability"),
    "every": _number("every", "strikes at each nth match", 1),
    "seed": _number("seed", "of its draws; else the proxy's", 0, 2**53),
    "label": _Field(Parameter("label", Unit.TEXT, "", high=60, says="what people call it"), "label"),
    "off": _seconds("off", "off_after_s", f"is taken away then ({OFF_AFTER_S / 60:g} min)", 0.001),
}  # fmt: skip


class _Said(NamedTuple):
    """One value of a rule: its name, its text, and where it begins."""

    name: str
    text: str
    position: int


def parse_rule(text: str) -> Rule:
    """Read a line.

    Raises:
        RuleRefused: it is not understood, or contradicts itself: why and where.
    """
    if len(text) > MAX_CHARACTERS:
        raise RuleRefused(f"a rule has at most {MAX_CHARACTERS:,} characters", MAX_CHARACTERS)
    words = _words(text)
    if not words:
        raise RuleRefused("a rule begins with what goes wrong, such as latency", 0)
    first = words[0]
    if first.name:
        raise RuleRefused("a rule begins with what goes wrong, such as latency", first.position)
    kind = _kind(first.text, first.position)
    return _rule(kind, _named(kind, words[1:]), text)


def said_in(text: str) -> dict[str, str]:
    """Each value of a line as it was written, by its name; those without a name have got theirs.

    Raises:
        RuleRefused: as above.
    """
    rule, (_kind_said, *said) = parse_rule(text), _words(text)
    return {name: each.text for name, each in _named(rule.kind, said).items()}


def rule_of(value: Any) -> Rule:
    """Read a rule as JSON: `{"kind": …, "parameters": {…}, "target": …, …}`; values are numbers or texts with units.

    Raises:
        RuleRefused: as above, without a place.
    """
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise RuleRefused("a rule is an object with the member kind")
    parameters = value.get("parameters", {})
    if not isinstance(parameters, dict):
        raise RuleRefused("the member parameters is an object")
    kind = _kind(value["kind"], None)
    said = []
    for name, given in (
        *parameters.items(),
        *((n, v) for n, v in value.items() if n not in ("kind", "parameters")),
    ):
        if not isinstance(given, str | int | float) or isinstance(given, bool):
            raise RuleRefused(f"“{excerpt(str(name), 40)}” is a text or a number")
        if not name:
            raise RuleRefused("a member of a rule has a name")
        said.append(_Said(str(name), str(given), -1))
    overlapping = set(parameters) & set(value)
    if overlapping:
        raise RuleRefused(f"“{excerpt(min(overlapping), 40)}” is said twice")
    return _rule(kind, _named(kind, said), "")


# ---------------------------------------------------------------- words


def _words(text: str) -> list[_Said]:
    at, words = _skip(text, 0), []
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise RuleRefused("this quote is never closed, or something stands right behind it", at)
        quoted = found[2] is not None
        value = re.sub(r'\\(["\\])', r"\1", found[2]) if quoted else found[3]
        words.append(_Said(found[1] or "", value, found.start(2) if quoted else found.start(3)))
        at = _skip(text, found.end())
    return words


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _kind(name: str, position: int | None) -> FaultKind:
    known = BY_NAME.get(name.lower().replace("-", "_"))
    if known is None:
        raise RuleRefused(f"there is no fault “{excerpt(name, 40)}”{_nearest(name, list(BY_NAME))}", position)
    return known


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, 1)
    return f"; the nearest is “{near[0]}”" if near else ""


def _named(kind: FaultKind, words: list[_Said]) -> dict[str, _Said]:
    """Give every value its name."""
    said: dict[str, _Said] = {}
    free = [each.name for each in kind.parameters if not each.is_spread]
    for word in words:
        name, text, position = word
        if not name and text.startswith(("±", "+-")):
            name, text, position = _spread_of(kind, position), text.lstrip("±+-"), position + 1
        elif not name:
            name = _next_free(kind, free, said, position)
        if kind.parameter(name) is None and name not in FIELDS:
            names = [*(each.name for each in kind.parameters), *FIELDS]
            where = None if position < 0 else position - len(name) - 1
            raise RuleRefused(
                f"“{kind.name}” has no field “{excerpt(name, 40)}”{_nearest(name, names)}", where
            )
        if name in said:
            raise RuleRefused(f"“{name}” is said twice", _place(position))
        said[name] = _Said(name, text, position)
    return said


def _spread_of(kind: FaultKind, position: int) -> str:
    for each in kind.parameters:
        if each.is_spread:
            return each.name
    raise RuleRefused(f"nothing of “{kind.name}” varies, so ± means nothing here", position)


def _next_free(kind: FaultKind, free: list[str], said: dict[str, _Said], position: int) -> str:
    while free and free[0] in said:
        free.pop(0)
    if not free:
        count = sum(not each.is_spread for each in kind.parameters)
        takes = "no value" if not count else f"{count} value" + ("s" if count > 1 else "")
        raise RuleRefused(f"“{kind.name}” takes {takes} without a name; write name=value", position)
    return free.pop(0)


def _place(position: int) -> int | None:
    return None if position < 0 else position


# ---------------------------------------------------------------- values


def _rule(kind: FaultKind, said: dict[str, _Said], text: str) -> Rule:
    values: dict[str, Value] = {
        each.name: _value(each, said[each.name]) if each.name in said else each.default
        for each in kind.parameters
    }
    own = {each.name for each in kind.parameters}
    given: dict[str, Any] = {
        FIELDS[name].attribute: _value(FIELDS[name].parameter, word)
        for name, word in said.items()
        if name not in own and name != "target"
    }
    for name in ("after", "count", "every", "seed"):
        if name in given:
            given[name] = int(given[name])
    _refuse_contradictions(kind, said)
    given.setdefault("direction", kind.direction)
    if "for_s" not in given and "count" not in given:
        given["for_s"], given["count"] = kind.lasts_s, kind.times
    return Rule(kind, values, _target(kind, said.get("target")), text=text, **given)


def _value(parameter: Parameter, word: _Said) -> Value:
    text, place = word.text, _place(word.position)
    if parameter.unit is Unit.TEXT:
        if len(text) > parameter.high:
            raise RuleRefused(f"“{parameter.name}” has at most {parameter.high:g} characters", place)
        return text
    if parameter.unit is Unit.WORD:
        if text not in parameter.words:
            raise RuleRefused(
                f"“{parameter.name}” is {_listed(parameter.words)}{_nearest(text, list(parameter.words))}",
                place,
            )
        return text
    return _quantity(parameter, text, place)


def _quantity(parameter: Parameter, text: str, place: int | None) -> float:
    found, units = _NUMBER.fullmatch(text), _UNITS[parameter.unit]
    if found is None:
        raise RuleRefused(
            f"“{parameter.name}” is {parameter.unit.value}, and “{excerpt(text, 40)}” is none", place
        )
    unit = found[2].lower()
    value = float(found[1])
    if unit not in units and not (not unit and value == 0):
        known = _listed(tuple(each for each in units if each)) if any(units) else "no unit"
        raise RuleRefused(
            f"“{parameter.name}” takes {known}, not “{excerpt(text, 40)}”",
            None if place is None else place + len(found[1]),
        )
    value *= units.get(unit, 1.0)
    if not parameter.low <= value <= parameter.high:
        raise RuleRefused(
            f"“{parameter.name}” is between {parameter.low:g} and {parameter.high:g}"
            f"{' s' if parameter.unit is Unit.SECONDS else ''}",
            place,
        )
    if parameter.unit is Unit.NUMBER and not value.is_integer():
        raise RuleRefused(f"“{parameter.name}” is a whole number", place)
    return value


def _listed(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _target(kind: FaultKind, word: _Said | None) -> Target:
    if word is None:
        return target_of(kind, "")
    try:
        return target_of(kind, word.text)
    except FilterError as error:
        place = None if word.position < 0 else word.position + error.position
        sees = _SEES if kind.scope is not Scope.FRAME and "no field" in error.message else ""
        raise RuleRefused(f"target: {error.message}{sees}", place) from None


_SEES: Final = "; a fault of connections or bytes is aimed by conn, number, peer, path and subprotocol, since it sees no messages"


def _refuse_contradictions(kind: FaultKind, said: dict[str, _Said]) -> None:
    for first, second, why in _CONTRADICTIONS:
        if (
            first in said
            and second in said
            and kind.parameter(first) is None
            and kind.parameter(second) is None
        ):
            raise RuleRefused(
                f"{first} and {second} contradict each other: {why}", _place(said[second].position)
            )
    if "on" in said and kind.scope is Scope.DIAL:
        raise RuleRefused(
            f"“{kind.name}” is about dials, which no event comes before", _place(said["on"].position)
        )
    if "direction" in said and not kind.direction:
        raise RuleRefused(f"“{kind.name}” has no direction", _place(said["direction"].position))
    if "direction" in said and kind.name in ONE_WAY and said["direction"].text != kind.direction:
        raise RuleRefused(
            f"“{kind.name}” goes {kind.direction} only: it is about what the {_SENDER[kind.direction]} sends",
            _place(said["direction"].position),
        )


ONE_WAY: Final = frozenset(
    {
        "sequence_gap", "missing_reply", "rate_limit", "missing_identify", "late_identify", "invalid_token",
        "permissions_changed", "resume_refused", "clock_skew", "ghost", "duplicate_session",
    }
)  # fmt: skip
_SENDER: Final = {"up": "client", "down": "server"}
_CONTRADICTIONS: Final = (
    ("probability", "every", "say how likely, or which"),
    ("for", "count", "say how long, or how often"),
    ("at", "after", "it begins at a time, or after some matches"),
    ("at", "on", "it begins at a time, or with an event"),
    ("after", "on", "it begins after some matches, or with an event"),
)
