"""What a person wrote about rows: at most one short line a row, kept as long as the ring keeps the row.

Owns the texts and their bound. When there are too many, the comment of the oldest row goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sonde_lab.wording import one_line

MAX_COMMENTS: Final = 10_000
MAX_CHARACTERS: Final = 300


class Comments:
    """Row id to text."""

    __slots__ = ("_limit", "_texts")

    def __init__(self, limit: int = MAX_COMMENTS) -> None:
        self._limit = limit
        self._texts: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[tuple[int, str]]:
        """Row ids and texts, in no order."""
        return iter(self._texts.items())

    def rows_in(self, ids: range) -> list[int]:
        """Which of these rows have a comment, in no order; the fewer of both are looked through."""
        if len(ids) < len(self._texts):
            return [row for row in ids if row in self._texts]
        return [row for row in self._texts if row in ids]

    def text(self, row_id: int) -> str:
        """The comment on a row; empty when there is none."""
        return self._texts.get(row_id, "")

    def put(self, row_id: int, text: str) -> None:
        """Comment on a row; an empty text takes the comment away."""
        line = comment_line(text)
        if not line:
            self._texts.pop(row_id, None)
            return
        self._texts[row_id] = line
        if len(self._texts) > self._limit:
            del self._texts[min(self._texts)]

    def seen(self) -> list[str]:
        """Every text once, the last written first."""
        return list(dict.fromkeys(reversed(self._texts.values())))

    def forget_before(self, first_id: int) -> None:
        """Let go of rows that have left the ring."""
        if self._texts and min(self._texts) < first_id:
            self._texts = {row: text for row, text in self._texts.items() if row >= first_id}


def comment_line(text: str) -> str:
    """Any text as a comment is kept: one line, without what cannot be shown, cut where it is long."""
    return one_line(text.strip().encode("utf-8", "replace").decode(), MAX_CHARACTERS)
