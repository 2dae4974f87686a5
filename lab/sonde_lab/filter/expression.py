"""A filter as one value: its text, the rows that it means, and what it says in words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sonde_lab.filter.evaluation import matching
from sonde_lab.filter.fields import COMMENT
from sonde_lab.filter.grammar import JOINS, parse
from sonde_lab.filter.terms import Both, Compare, Either, Everything, Has, Not, Term
from sonde_lab.filter.wording import in_words
from sonde_lab.ring import Ring
from sonde_lab.search import Mask


class Filter:
    """A filter that is understood. Two are equal when they mean the same by their terms."""

    __slots__ = ("reads_annotations", "term", "text")

    def __init__(self, text: str = "") -> None:
        """Understand `text`.

        Raises:
            FilterError: why it is not understood, and where.
        """
        self.text = text
        self.term = parse(text)
        # A row's round trip, flags and comment may come after it was filtered.
        self.reads_annotations = any(_reads_annotation(term) for term in _walk(self.term))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and other._says == self._says

    def __hash__(self) -> int:
        return hash(self._says)

    @property
    def _says(self) -> str:
        """Its terms in writing: for Python 1, 1.0 and True are equal, and here they are three values."""
        return repr(self.term)

    def __repr__(self) -> str:
        return f"Filter({self.text!r})"

    @property
    def is_empty(self) -> bool:
        """Whether it lets every row through because it says nothing."""
        return isinstance(self.term, Everything)

    @property
    def words(self) -> str:
        """What it asks for, in one line for people."""
        return in_words(self.term)

    def matching(self, ring: Ring, ids: range | None = None, wanted: Mask | None = None) -> Mask:
        """One boolean a row of `ids`, which must all be in the ring; of all rows without.

        Where `wanted` is not, the answer is no, and nothing is looked into for it.
        """
        return matching(self.term, ring, ring.ids if ids is None else ids, wanted)


def quoted(text: str) -> str:
    """A value as the language takes it, in quotes where it needs them."""
    plain = text and not any(letter.isspace() or letter in '()"' for letter in text)
    return text if plain else f'"{_escaped(text)}"'


def quoted_text(text: str) -> str:
    """A text to be searched for, in quotes where it would mean something else."""
    is_plain = re.fullmatch(r"\w+", text) is not None and text.lower() not in JOINS
    return text if is_plain else f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _walk(term: Term) -> Iterator[Term]:
    yield term
    if isinstance(term, Not):
        yield from _walk(term.term)
    elif isinstance(term, Both | Either):
        for each in term.terms:
            yield from _walk(each)


def _reads_annotation(term: Term) -> bool:
    if isinstance(term, Compare):
        return term.field.column in ("rtt_ms", COMMENT)
    return isinstance(term, Has) and not term.path and term.flag not in ("seq", "id", "close", "ch")
