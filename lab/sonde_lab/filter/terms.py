"""What a filter is once it is understood: a tree of plain values, compared and hashed by what they say.

Owns the shapes only. How they are written is in `grammar`, what they mean for rows in `evaluation`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sonde_lab.filter.fields import Field
from sonde_protocol.errors import SondeError

Scalar = str | int | float | bool | None


def is_number(value: object) -> bool:
    """Whether a value is a number; truth is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


class FilterError(SondeError):
    """A filter is not understood: why, and the character (from 0) where it goes wrong."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


@dataclass(slots=True, frozen=True)
class Everything:
    """An empty filter."""


@dataclass(slots=True, frozen=True)
class Text:
    """The row's text holds these characters, whatever their case."""

    text: str


@dataclass(slots=True, frozen=True)
class Pattern:
    """A line of the row's text matches an RE2 expression."""

    source: str
    ignores_case: bool = False


@dataclass(slots=True, frozen=True)
class Compare:
    """A column against a value. `relation` is one of `: != < <= > >= ~`."""

    field: Field
    relation: str
    value: Scalar


@dataclass(slots=True, frozen=True)
class PathCompare:
    """A value inside the decoded message against a value; `*` in the path is any key."""

    path: tuple[str, ...]
    relation: str
    value: Scalar


@dataclass(slots=True, frozen=True)
class Has:
    """Something is there: a flag by its word, or a path (then `flag` is empty)."""

    flag: str = ""
    path: tuple[str, ...] = ()


@dataclass(slots=True, frozen=True)
class Not:
    """Rows that the term does not match."""

    term: Term


@dataclass(slots=True, frozen=True)
class Both:
    """Rows that every term matches."""

    terms: tuple[Term, ...]


@dataclass(slots=True, frozen=True)
class Either:
    """Rows that at least one term matches."""

    terms: tuple[Term, ...]


Term = Everything | Text | Pattern | Compare | PathCompare | Has | Not | Both | Either
