"""Rows that were looked at, to go back to and forward again, as pages in a browser."""

from __future__ import annotations

from typing import Final

REMEMBERED: Final = 200  # the oldest visit goes


class SelectionHistory:
    """Visits in order, and where in them one stands."""

    def __init__(self) -> None:
        self._visits: list[int] = []
        self._at = -1

    def visit(self, row_id: int) -> None:
        """A row was selected; what lay ahead is forgotten. The one where one stands is no new visit."""
        if 0 <= self._at < len(self._visits) and self._visits[self._at] == row_id:
            return
        self._visits = [*self._visits[: self._at + 1], row_id][-REMEMBERED:]
        self._at = len(self._visits) - 1

    def go(self, step: int) -> int | None:
        """The visit before (-1) or after (1), where one stands then; `None` at either end."""
        if not 0 <= self._at + step < len(self._visits):
            return None
        self._at += step
        return self._visits[self._at]

    def clear(self) -> None:
        """Other rows altogether."""
        self._visits, self._at = [], -1
