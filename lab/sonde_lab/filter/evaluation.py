"""What a filter means for the rows of a ring: one boolean a row, worked out over columns.

Owns the order of work: cheap columns first, text next, decoding last and only for rows that may still match. It
believes nothing of a payload: what cannot be decoded has no values.
"""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np

from sonde_lab.decoders.choosing import by_name
from sonde_lab.envelope import BINARY, value_of
from sonde_lab.filter.fields import BY_NAME, COMMENT, FLAGS, ROW, Holds
from sonde_lab.filter.grammar import Expression, compiled
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
    is_number,
)
from sonde_lab.records import Direction, Kind
from sonde_lab.ring import Ring
from sonde_lab.search import Mask, rows_matching

MAX_DECODED_BYTES: Final = 1 << 20
MAX_VALUES: Final = 10_000  # of one message that are looked at for a path with *
_ORDER: Final[Mapping[str, Callable[[Any, Any], Any]]] = MappingProxyType(
    {
        ":": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
    }
)
_COSTS: Final = MappingProxyType({Text: 1, Pattern: 2, PathCompare: 3})
_USER: Final = "user"
_TYPE: Final = "type"


class Rows(NamedTuple):
    """Which rows are asked about: those of `ids`, all in the ring; only where `wanted` need the answer be right."""

    ring: Ring
    ids: range
    wanted: Mask


def matching(term: Term, ring: Ring, ids: range, wanted: Mask | None = None) -> Mask:
    """Which of the rows `ids` (all of them in the ring), of those `wanted`, a filter matches."""
    wanted = np.ones(len(ids), np.bool_) if wanted is None else wanted
    return _mask(term, Rows(ring, ids, wanted)) & wanted


def _mask(term: Term, rows: Rows) -> Mask:
    answer: Mask = _MEANINGS[type(term)](term, rows)
    return answer


def cost(term: Term) -> int:
    """How dear a term is: 0 columns, 1 text, 2 expression, 3 decoding."""
    if isinstance(term, Not):
        return cost(term.term)
    if isinstance(term, Both | Either):
        return max(map(cost, term.terms))
    if isinstance(term, Has):
        return 3 if term.path else 0
    if isinstance(term, Compare):
        return 3 if term.field.name in (_USER, _TYPE) else 0
    return _COSTS.get(type(term), 0)


# ---------------------------------------------------------------- joins


def _everything(_term: Everything, rows: Rows) -> Mask:
    return np.ones(len(rows.ids), np.bool_)


def _not(term: Not, rows: Rows) -> Mask:
    return ~_mask(term.term, rows)


def _both(term: Both, rows: Rows) -> Mask:
    wanted = rows.wanted.copy()
    for each in sorted(term.terms, key=cost):
        if not wanted.any():
            break
        wanted &= _mask(each, rows._replace(wanted=wanted))
    return wanted


def _either(term: Either, rows: Rows) -> Mask:
    found = np.zeros(len(rows.ids), np.bool_)
    for each in sorted(term.terms, key=cost):
        found |= _mask(each, rows._replace(wanted=rows.wanted & ~found))
    return found


# ---------------------------------------------------------------- text


def _text(term: Text, rows: Rows) -> Mask:
    return rows_matching(rows.ring, [term.text.lower()], rows.ids)


def _pattern(term: Pattern, rows: Rows) -> Mask:
    expression, ring, ids = compiled(term.source, term.ignores_case), rows.ring, rows.ids
    fits = _matches(expression)
    found = _named(rows, "op", fits) | _named(rows, "channel", fits) | _named(rows, "conn", fits)
    blocks = list(ring.blocks(ids.start))
    ends = [block.first_id for block in blocks[1:]] + [ring.next_id]
    for block, end in zip(blocks, ends, strict=True):
        inside = range(max(block.first_id, ids.start), min(end, ids.stop))
        part = slice(inside.start - ids.start, inside.stop - ids.start)
        if inside and (rows.wanted[part] & ~found[part]).any():
            found[part] |= _expression_hits(expression, block.part(0, block.size), ring, inside)
    return found


def _expression_hits(expression: Expression, data: bytes, ring: Ring, ids: range) -> Mask:
    """Search a block from hit to hit: after one, go on with the next row."""
    starts = ring.column("offset", ids).tolist()
    stop = starts[-1] + ring.value("stored", ids[-1])
    hits = np.zeros(len(ids), np.bool_)
    at = starts[0]
    while (found := expression.search(data, at, stop)) is not None:
        row = bisect_right(starts, found.start()) - 1
        hits[row] = True
        if row + 1 == len(starts):
            break
        at = starts[row + 1]
    return hits


# ---------------------------------------------------------------- columns


def _compare(term: Compare, rows: Rows) -> Mask:
    if term.field.holds is Holds.NAME:
        return _name(term, rows)
    if term.relation == "!=":
        return ~_compare(Compare(term.field, ":", term.value), rows)
    if term.field.column == ROW:
        numbers: Mask = _ORDER[term.relation](rows.ring.numbers(rows.ids) + 1, term.value)
        return numbers
    column = rows.ring.column(term.field.column, rows.ids)
    value = term.value
    if term.field.name == "time":
        column = column - rows.ring.began_at
    found: Mask = _ORDER[term.relation](column, value)
    return found & _holds_something(term.field.column, rows)


def _holds_something(column: str, rows: Rows) -> Mask:
    """Where a column has a value of its own, not the one that stands for none."""
    there: Mask = np.ones(len(rows.ids), np.bool_)
    if column == COMMENT:
        return _commented(rows, bool)
    kind = rows.ring.column("kind", rows.ids)
    values = rows.ring.column(column, rows.ids)
    if column in ("code", "channel", "wire_bytes", "fragments"):
        there = values > 0
    elif column in ("seq", "command"):
        there = values >= 0
    elif column == "rtt_ms":
        there = ~np.isnan(values)
    elif column == "size":
        there = (kind == Kind.FRAME) | (kind == Kind.HANDSHAKE)
    elif column == "opcode":
        there = kind == Kind.FRAME
    return there


def _name(term: Compare, rows: Rows) -> Mask:
    if term.relation == "!=":
        return ~_name(Compare(term.field, ":", term.value), rows)
    fits = _text_test(term.relation, str(term.value))
    if term.field.column == COMMENT:
        return _commented(rows, fits)
    prefix = {"room": "room:", _USER: "user:"}.get(term.field.name, "")
    found = _named(
        rows, term.field.column, lambda text: text.startswith(prefix) and fits(text[len(prefix) :])
    )
    if term.field.name in (_USER, _TYPE):
        rest = rows._replace(wanted=rows.wanted & ~found)
        found = found | _decoded_hits(
            rest, term.field.name, lambda value: _has_name(value, term.field.name, fits)
        )
    return found


def _commented(rows: Rows, fits: Callable[[str], bool]) -> Mask:
    """Where a person's comment fits."""
    found = np.zeros(len(rows.ids), np.bool_)
    comments = rows.ring.comments
    for row_id in comments.rows_in(rows.ids):
        found[row_id - rows.ids.start] = fits(comments.text(row_id))
    return found


def _named(rows: Rows, column: str, fits: Callable[[str], bool]) -> Mask:
    """Where a column's name fits. Only names that these rows bear are asked: peers choose up to 65,536 of them."""
    names, numbers = rows.ring.names, rows.ring.column(column, rows.ids)
    wanted = np.zeros(len(names), np.bool_)
    for number in np.flatnonzero(np.bincount(numbers)).tolist():
        text = names.text(number)
        wanted[number] = bool(text) and fits(text)
    found: Mask = wanted[numbers]
    return found


def _has_name(message: Any, key: str, fits: Callable[[str], bool]) -> bool:
    """Whether the message says so: its own type, or a user at any depth."""
    if key == _TYPE:
        return isinstance(message, dict) and isinstance(message.get(key), str) and fits(message[key])
    return any(isinstance(value, str) and fits(value) for name, value in members_of(message) if name == key)


def _text_test(relation: str, value: str) -> Callable[[str], bool]:
    if relation == "~":
        return _matches(compiled(value))
    folded = value.casefold()
    return lambda text: text.casefold() == folded


def _matches(expression: Expression) -> Callable[[str], bool]:
    return lambda text: expression.search(text.encode("utf-8", "replace")) is not None


def _has(term: Has, rows: Rows) -> Mask:
    if term.path:
        return _decoded_hits(
            rows, longest_key(term.path), lambda value: any(True for _ in values_at(value, term.path))
        )
    if term.flag in FLAGS:
        wanted: Mask = (rows.ring.column("flags", rows.ids) & int(FLAGS[term.flag][0])) != 0
        return wanted
    return _holds_something(BY_NAME[term.flag].column, rows)


# ---------------------------------------------------------------- inside the message


def _path(term: PathCompare, rows: Rows) -> Mask:
    if term.relation == "!=":
        return ~_path(PathCompare(term.path, ":", term.value), rows)
    fits = _value_test(term.relation, term.value)
    return _decoded_hits(
        rows,
        longest_key(term.path),
        lambda message: any(fits(value) for value in values_at(message, term.path)),
    )


def longest_key(path: tuple[str, ...]) -> str:
    """The longest key of a path: what the payload must hold to be worth decoding. Places in lists are no text."""
    return max((key for key in path if key != "*" and not key.isdecimal()), key=len, default="")


def _decoded_hits(rows: Rows, word: str, fits: Callable[[Any], bool]) -> Mask:
    """Which of the wanted rows hold `word` and a message that fits."""
    ring, ids = rows.ring, rows.ids
    candidates = rows.wanted & (ring.column("kind", ids) == Kind.FRAME)
    candidates &= ring.column("stored", ids) <= MAX_DECODED_BYTES
    if word and candidates.any():
        candidates &= rows_matching(ring, [word.lower()], ids)
    found = np.zeros(len(ids), np.bool_)
    for index in np.flatnonzero(candidates).tolist():
        try:
            found[index] = fits(message_of(ring, ids.start + index))
        except ValueError:
            continue
    return found


def message_of(ring: Ring, row_id: int) -> Any:
    """A row's message, decoded as it was when it was recorded.

    Raises:
        ValueError: it has no values.
    """
    payload, is_binary = ring.payload(row_id), ring.value("opcode", row_id) == BINARY
    protocol = ring.text("protocol", row_id)
    if not protocol:
        return value_of(payload, is_binary)
    decoder = by_name(protocol)
    direction = Direction(ring.value("direction", row_id))
    decoded = decoder and decoder.decode(payload, is_binary, direction, len(payload))
    if not decoded or not decoded.is_whole:
        raise ValueError(f"no {protocol}")
    return decoded.value


def values_at(message: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Values at a path of the message's data: its member `d` where it has one, else the whole message."""
    data = message["d"] if isinstance(message, dict) and "d" in message else message
    values, left = [data], MAX_VALUES
    for key in path:
        values = [inner for value in values for inner in _inside(value, key)][:left]
    yield from values


def _inside(value: Any, key: str) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values()) if key == "*" else [value[key]] if key in value else []
    if isinstance(value, list):
        if key == "*":
            return value
        if key.isdecimal() and len(key) <= 6 and int(key) < len(value):
            return [value[int(key)]]
    return []


def members_of(message: Any) -> Iterator[tuple[Any, Any]]:
    """Every member of every object inside, without recursion."""
    pending, left = [message], MAX_VALUES
    while pending and left > 0:
        value = pending.pop()
        inner = list(value.items()) if isinstance(value, dict) else []
        yield from inner
        children = [each for _, each in inner] if inner else value if isinstance(value, list) else []
        left -= len(children)
        pending.extend(children[:left] if left > 0 else [])


def _value_test(relation: str, wanted: Scalar) -> Callable[[Any], bool]:
    if relation == "~":
        fits = _text_test("~", str(wanted))
        return lambda value: isinstance(value, str | int | float) and fits(_plain(value))
    if relation != ":" and is_number(wanted):
        compare = _ORDER[relation]
        return lambda value: is_number(value) and bool(compare(value, wanted))
    return lambda value: (
        _equals(value, wanted) or (isinstance(value, list) and any(_equals(each, wanted) for each in value))
    )


def _equals(value: Any, wanted: Scalar) -> bool:
    if isinstance(wanted, str):
        return isinstance(value, str) and value.casefold() == wanted.casefold()
    if isinstance(wanted, bool) or wanted is None:
        return value is wanted
    return (is_number(value) and value == wanted) or (isinstance(value, str) and value == _written(wanted))


def _written(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else f"{value}"


_MEANINGS: Final[Mapping[type, Callable[[Any, Rows], Mask]]] = MappingProxyType(
    {
        Everything: _everything, Text: _text, Pattern: _pattern, Compare: _compare, PathCompare: _path, Has: _has,
        Not: _not, Both: _both, Either: _either,
    }
)  # fmt: skip
