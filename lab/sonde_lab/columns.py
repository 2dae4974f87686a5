"""Columns that a person makes of fields: what a row says under a name of the filter language.

Owns the text of one cell: a field of the table (`seq`, `code`, `wire_bytes`) or the first value at a path inside
the message (`d.players.*.x`), cut to one short line. Works for the rows that somebody looks at only: messages are
decoded once and the latest kept. Refuses to look into messages over 64 KiB.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sonde_lab.filter import Filter, FilterError
from sonde_lab.filter.completion import Completion
from sonde_lab.filter.evaluation import longest_key, members_of, message_of, values_at
from sonde_lab.filter.expression import quoted
from sonde_lab.filter.fields import BY_NAME, FIELDS, Field, Holds
from sonde_lab.filter.terms import PathCompare
from sonde_lab.literals import filter_path
from sonde_lab.records import Kind
from sonde_lab.ring import Ring
from sonde_lab.wording import one_line, short

MAX_COLUMNS: Final = 16
MAX_NAME: Final = 200  # characters
MAX_DECODED_BYTES: Final = 64 << 10
CELL_CHARACTERS: Final = 120
MAX_TERM: Final = 300  # characters of a value that is still asked for by itself
TOO_LARGE: Final = "over 64 KB"
_CACHED_ROWS: Final = 2_048  # values found in messages; the row looked at longest ago goes
_SEEN_FRAMES: Final = 60  # newest frames that are opened to offer their paths
_SEEN_BYTES: Final = 16 << 10
_SEEN_DEPTH: Final = 5
_SEEN_PATHS: Final = 200
_SEEN_KEYS: Final = 20  # of one object
_OFFERS: Final = 12
_NUMBERS: Final = frozenset({Holds.NUMBER, Holds.DURATION_MS, Holds.DURATION_S, Holds.BYTES})
_NOTHING: Final = object()
_NEAR: Final = 3  # parts of a path that has no neighbours with a name of their own: d.hp, d.by.user
_ENVELOPE: Final = (("op",), ("ch",), ("type",), ("seq",), ("id",))  # fields of the table say these


class FieldColumn(NamedTuple):
    """A column by its name in the filter language: a `field`, or the `path` of a value inside the message."""

    name: str
    field: Field | None
    path: tuple[str, ...] = ()

    @property
    def says(self) -> str:
        """What it holds, for a tooltip."""
        if self.field is not None:
            return f"{self.field.name}: {self.field.says}"
        return f"The first value at {self.name} in the message"


class Cell(NamedTuple):
    """What stands in a column: its text, whether that is a number, and the filter term that asks for the same."""

    text: str
    is_number: bool = False
    term: str = ""


NO_CELL: Final = Cell("")


def column_of(name: str) -> FieldColumn:
    """The column that a field or a path is.

    Raises:
        FilterError: it is neither.
    """
    name = name.strip()
    if not name or len(name) > MAX_NAME:
        raise FilterError("name a field, such as seq, or a path, such as d.hp", 0)
    field = BY_NAME.get(name.lower())
    if field is not None:
        return FieldColumn(field.name, field)
    term = Filter(f"{name}:0").term if name.startswith("d.") else None
    if not isinstance(term, PathCompare) or ".".join(("d", *term.path)) != name:
        raise FilterError(f"there is no field “{one_line(name, 40)}”; a value inside is d.name", 0)
    return FieldColumn(name, None, term.path)


def names_at(message: Any, keys: Sequence[Any]) -> list[str]:
    """What the filter language calls a place in a message: that very place, then the same of all its neighbours.

    Empty where it has no name.
    """
    path = filter_path(message, keys)
    if not path:
        is_envelope = isinstance(message, dict) and "d" in message and tuple(keys) in _ENVELOPE
        return [keys[0]] if is_envelope else []
    parts = path.split(".")
    near = [".".join((*parts[:-2], "*", parts[-1]))] if len(parts) > _NEAR else []
    return [path, *near]


class ColumnTexts:
    """The cells of some columns over one ring."""

    def __init__(self, ring: Ring, columns: Iterable[FieldColumn] = ()) -> None:
        self._ring = ring
        self.columns = tuple(columns)[:MAX_COLUMNS]
        self._is_number: dict[str, bool] = {}  # as the first value that was found
        self._found: OrderedDict[int, tuple[Any, ...]] = OrderedDict()
        self._opens = any(_reads_message(column) for column in self.columns)

    def cells(self, row_id: int) -> tuple[Cell, ...]:
        """One cell a column.

        Raises:
            KeyError: the row is not in the ring.
        """
        if not self.columns:
            return ()
        values = self._values(row_id) if self._opens else (_NOTHING,) * len(self.columns)
        made = []
        for column, value in zip(self.columns, values, strict=True):
            is_field = column.field is not None
            cell = self._field_cell(column, row_id, value) if is_field else _value_cell(column, value)
            if cell.text:
                self._is_number.setdefault(column.name, cell.is_number)
            made.append(cell)
        return tuple(made)

    def is_numeric(self, place: int) -> bool:
        """Whether a column's cells are numbers; of a path, as the first value was that was found."""
        column = self.columns[place]
        if column.field is not None:
            return column.field.holds in _NUMBERS
        return self._is_number.get(column.name, False)

    def _values(self, row_id: int) -> tuple[Any, ...]:
        """What the message holds for each column; read once, because a payload never changes."""
        known = self._found.get(row_id)
        if known is not None:
            self._found.move_to_end(row_id)
            return known
        made = self._found[row_id] = self._read(row_id)
        while len(self._found) > _CACHED_ROWS:
            self._found.popitem(last=False)
        return made

    def _read(self, row_id: int) -> tuple[Any, ...]:
        ring, none = self._ring, (_NOTHING,) * len(self.columns)
        if ring.value("kind", row_id) != Kind.FRAME:
            return none
        if ring.value("stored", row_id) > MAX_DECODED_BYTES:
            return (TOO_LARGE,) * len(self.columns)
        payload = ring.payload(row_id).lower()
        words = [_word(column) for column in self.columns]
        wanted = [word is not None and word.encode() in payload for word in words]
        if not any(wanted):
            return none
        try:
            message = message_of(ring, row_id)
        except ValueError:
            return none
        found = zip(self.columns, wanted, strict=True)
        return tuple(_find(message, column) if is_there else _NOTHING for column, is_there in found)

    def _field_cell(self, column: FieldColumn, row_id: int, inside: Any) -> Cell:
        field, ring = column.field, self._ring
        assert field is not None
        if field.holds is Holds.NAME:
            text = _name(field, ring, row_id, inside if isinstance(inside, str) else "")
            return (
                Cell(one_line(text, CELL_CHARACTERS), term=f"{field.name}:{quoted(text)}")
                if text
                else NO_CELL
            )
        value = ring.value(field.column, row_id)
        if not _is_there(field.column, value, ring.value("kind", row_id)):
            return NO_CELL
        if field.holds is Holds.WORD:
            word = next((word for word, number in field.words if number == value), "")
            return Cell(word, term=f"{field.name}:{word}") if word else NO_CELL
        if field.holds is Holds.DURATION_S:
            since = value - ring.began_at
            return Cell(f"{since:.3f}", is_number=True, term=f"{field.name}>={since:.3f}")
        if field.holds is Holds.DURATION_MS:
            return Cell(f"{value:.1f} ms", is_number=True, term=f"{field.name}>={value:.1f}ms")
        shown = f"{value:,}" if field.holds is Holds.BYTES else str(value)
        return Cell(shown, is_number=True, term=f"{field.name}:{value}")


def _is_there(column: str, value: Any, kind: int) -> bool:
    """Whether a cell of the ring holds a value, not the one that stands for none."""
    if column == "rtt_ms":
        return not math.isnan(value)
    if column in ("code", "wire_bytes", "fragments"):
        return bool(value > 0)
    if column in ("seq", "command"):
        return bool(value >= 0)
    if column in ("size", "opcode"):
        return kind in (Kind.FRAME, Kind.HANDSHAKE) if column == "size" else kind == Kind.FRAME
    return True


def _name(field: Field, ring: Ring, row_id: int, inside: str) -> str:
    """A name: of the table's own column, but for `type` and `user`, which a message may say itself."""
    if field.name == "comment":
        return ring.comments.text(row_id)
    text = ring.text(field.column, row_id)
    if field.name == "type":
        return inside or text
    prefix = {"room": "room:", "user": "user:"}.get(field.name, "")
    return text[len(prefix) :] if text.startswith(prefix) else inside


def _reads_message(column: FieldColumn) -> bool:
    return column.field is None or column.field.name in ("type", "user")


def _word(column: FieldColumn) -> str | None:
    """What a payload must hold, in lower case, to be worth decoding; `None`: nothing is read of it."""
    if column.field is None:
        return longest_key(column.path).lower()
    return column.field.name if _reads_message(column) else None


def _find(message: Any, column: FieldColumn) -> Any:
    if column.field is None:
        return next(values_at(message, column.path), _NOTHING)
    if column.field.name == "type":
        return message.get("type", _NOTHING) if isinstance(message, dict) else _NOTHING
    return next((value for key, value in members_of(message) if key == "user"), _NOTHING)


def _value_cell(column: FieldColumn, value: Any) -> Cell:
    if value is _NOTHING:
        return NO_CELL
    if value is TOO_LARGE:
        return Cell(TOO_LARGE)
    if isinstance(value, str) and (len(value) > MAX_TERM or not value.isprintable()):
        return Cell(one_line(value, CELL_CHARACTERS), term=f"has:{column.name}")
    if isinstance(value, str):
        literal = f'"{value}"' if not set(value) & set('"\\') else quoted(value)
        return Cell(one_line(value, CELL_CHARACTERS), term=f"{column.name}:{literal}")
    if isinstance(value, bool) or value is None:
        word = {True: "true", False: "false", None: "null"}[value]
        return Cell(word, term=f"{column.name}:{word}")
    if isinstance(value, int | float):
        text = repr(value)[:CELL_CHARACTERS]
        return Cell(text, is_number=True, term=f"{column.name}:{text}")
    return Cell(one_line(short(value, 40), CELL_CHARACTERS), term=f"has:{column.name}")


# ---------------------------------------------------------------- what may be a column


def names_like(typed: str, ring: Ring) -> list[Completion]:
    """Fields, and paths of messages seen lately, that begin as `typed` does or hold it; at most a dozen."""
    wanted = typed.strip().lower()
    offers = [(field.name, field.says) for field in FIELDS]
    offers += [(name, one_line(short(value, 30), 40)) for name, value in _seen_paths(ring).items()]
    found = [(name, says) for name, says in offers if wanted in name.lower() and wanted != name.lower()]
    found.sort(key=lambda offer: not offer[0].lower().startswith(wanted))
    return [Completion(0, name, says) for name, says in found[:_OFFERS]]


def _seen_paths(ring: Ring) -> dict[str, Any]:
    """Names of values in the newest frames, each with the newest value; those of many like keys as `*`."""
    seen: dict[str, Any] = {}
    for row_id in range(ring.next_id - 1, max(ring.first_id, ring.next_id - _SEEN_FRAMES) - 1, -1):
        if ring.value("kind", row_id) != Kind.FRAME or ring.value("stored", row_id) > _SEEN_BYTES:
            continue
        try:
            message = message_of(ring, row_id)
        except ValueError:
            continue
        data = message["d"] if isinstance(message, dict) and "d" in message else message
        _gather(data, (), seen)
    return seen


def _gather(value: Any, path: tuple[str, ...], seen: dict[str, Any]) -> None:
    """Names of plain values inside, without those seen before. Objects of objects and lists are gone into once."""
    if len(path) >= _SEEN_DEPTH or len(seen) >= _SEEN_PATHS:
        return
    items = list(value.items())[:_SEEN_KEYS] if isinstance(value, dict) else []
    if path and items and all(isinstance(inner, dict) for _, inner in items):
        items = [("*", items[-1][1])]
    elif isinstance(value, list) and value:
        items = [("*", value[0])]
    for key, inner in items:
        below = (*path, str(key))
        if isinstance(inner, dict | list):
            _gather(inner, below, seen)
        elif any(part != "*" for part in below) and below not in _ENVELOPE:
            seen.setdefault(".".join(("d", *below)), inner)
