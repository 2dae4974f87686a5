"""A filter in words, for a tooltip and for who reads a scenario: "received, and not of type ping"."""

from __future__ import annotations

from typing import Final

from sonde_lab.filter.fields import FLAGS, Holds
from sonde_lab.filter.terms import (
    Both,
    Compare,
    Either,
    Everything,
    Has,
    Not,
    PathCompare,
    Pattern,
    Scalar,
    Term,
    Text,
)
from sonde_lab.wording import number, one_line

_RELATIONS: Final = {
    ":": "is", "!=": "is not", "<": "is under", "<=": "is at most", ">": "is over", ">=": "is at least",
    "~": "matches",
}  # fmt: skip
_NAMES: Final = {
    "conn": "connection", "dial": "socket number", "dir": "direction", "op": "type", "ch": "channel",
    "rtt": "round trip", "close": "close code", "seq": "sequence number", "id": "command number", "row": "row number",
    "wire_bytes": "size on the wire",
}  # fmt: skip
_WHOLE: Final = 2.0**53
_UNITS: Final = {Holds.DURATION_MS: " ms", Holds.DURATION_S: " s", Holds.BYTES: " bytes"}


def in_words(term: Term) -> str:
    """One line for people."""
    match term:
        case Everything():
            return "every row"
        case Text(text):
            return f"holds “{one_line(text, 60)}”"
        case Pattern(source, ignores_case):
            return f"matches /{one_line(source, 60)}/" + (" in any case" if ignores_case else "")
        case Compare(field, relation, value):
            return f"{_NAMES.get(field.name, field.name)} {_RELATIONS[relation]} {_value(value, field.holds, dict(field.words))}"
        case PathCompare(path, relation, value):
            return f"{one_line('.'.join(path), 60)} {_RELATIONS[relation]} {_value(value)}"
        case Has(flag, path):
            return f"has {one_line('.'.join(path), 60)}" if path else _flag(flag)
        case Not(inner):
            return (
                f"not ({in_words(inner)})" if isinstance(inner, Both | Either) else f"not: {in_words(inner)}"
            )
        case Both(terms):
            return ", and ".join(_part(each, Either) for each in terms)
        case Either(terms):
            return ", or ".join(_part(each, Both) for each in terms)


def _part(term: Term, needs_brackets: type) -> str:
    return f"({in_words(term)})" if isinstance(term, needs_brackets) else in_words(term)


def _flag(flag: str) -> str:
    return FLAGS[flag][1] if flag in FLAGS else f"has a {_NAMES.get(flag, flag)}"


def _value(value: Scalar, holds: Holds | None = None, words: dict[str, int] | None = None) -> str:
    if holds is Holds.WORD and words:
        return next(word for word, meant in words.items() if meant == value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        whole = isinstance(value, int) or (value.is_integer() and abs(value) < _WHOLE)
        return f"{number(int(value) if whole else value)}{_UNITS.get(holds, '') if holds else ''}"
    return (
        f"“{one_line(value, 60)}”"
        if isinstance(value, str)
        else {True: "true", False: "false", None: "null"}[value]
    )
