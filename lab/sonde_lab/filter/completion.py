"""What may be typed next in a filter: fields, their words, and values that rows have had.

Owns the choice; refuses to draw. Names of peers are quoted where the language needs it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import numpy as np

from sonde_lab.filter.expression import quoted
from sonde_lab.filter.fields import COMMENT, FIELDS, FLAGS, PRESENT, Field, Holds
from sonde_lab.ring import Ring

LIMIT: Final = 12
_TERM: Final = re.compile(r'(?:^|[\s(])[-!]?((?:[A-Za-z][\w.*$-]*:)?(?:"[^"]*|[^\s()"]*))$')
_RECENT_ROWS: Final = 20_000  # among which seen values are looked for


class Completion(NamedTuple):
    """Text that would stand from character `start` up to the cursor, and what it means."""

    start: int
    text: str
    says: str


def completions(text: str, cursor: int, ring: Ring) -> list[Completion]:
    """What may stand at the cursor, the likeliest first; at most `LIMIT`."""
    typed = _TERM.search(text[:cursor])
    if typed is None:
        return []
    start, term = typed.start(1), typed[1]
    name, colon, value = term.partition(":")
    if not colon:
        return _fields(start, term.lower())
    if name.lower() == "has":
        offers = [(flag, says) for flag, (_, says) in FLAGS.items()] + [(each, "") for each in PRESENT]
    else:
        offers = _values(next((field for field in FIELDS if field.name == name.lower()), None), ring)
    wanted = value.lower().lstrip('"')
    found = [(word, says) for word, says in offers if wanted in word.lower() and word.lower() != wanted]
    found.sort(key=lambda offer: not offer[0].lower().startswith(wanted))
    return [Completion(start, f"{name}:{quoted(word)}", says) for word, says in found[:LIMIT]]


def _fields(start: int, typed: str) -> list[Completion]:
    if not typed:
        return []
    offers = [(f"{field.name}:", field.says) for field in FIELDS]
    offers += [("has:", "a flag or a value is there"), ("d.", "a value inside the message, as d.hp<=0")]
    return [Completion(start, word, says) for word, says in offers if word.startswith(typed)][:LIMIT]


def _values(field: Field | None, ring: Ring) -> list[tuple[str, str]]:
    if field is None:
        return []
    if field.holds is Holds.WORD:
        return [(word, "") for word, _ in field.words]
    if field.column == COMMENT:
        return [(text, "") for text in ring.comments.seen()]
    if field.holds is not Holds.NAME:
        return []
    prefix = {"room": "room:", "user": "user:"}.get(field.name, "")
    recent = range(max(ring.first_id, ring.next_id - _RECENT_ROWS), ring.next_id)
    numbers, counts = np.unique(ring.column(field.column, recent), return_counts=True)
    seen = [(ring.names.text(int(numbers[at])), int(counts[at])) for at in np.argsort(-counts, kind="stable")]
    return [
        (name[len(prefix) :], f"{count:,} rows lately")
        for name, count in seen
        if name.startswith(prefix) and len(name) > len(prefix)
    ]
