"""Which rows of the ring a table shows: filter, quick toggles and folded runs, kept up incrementally."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sonde_lab.ring import Ring


@dataclass(slots=True, frozen=True)
class FilterError:
    """Why a filter is not understood; `position` is the character where it goes wrong."""

    message: str
    position: int


class ViewChange(NamedTuple):
    """What an update did, in this order: rows left at the front, rows came at the end, rows changed in place.

    `reset`: forget everything, read `len(view)` again. Else the first `evicted_front` rows went, `appended`
    came at the end, and rows from `changed_from` (numbered after both) may look different; `None`: none did.
    """

    reset: bool = False
    appended: int = 0
    changed_from: int | None = None
    evicted_front: int = 0


class VisibleRow(NamedTuple):
    """One row of the table. `row_id` is the first record of a folded run, `last_id` the newest."""

    row_id: int
    folded_count: int  # 1: not folded
    delta_ms: float  # since the row above; nan for the first
    last_id: int
    last_at: float  # monotonic s of the newest record of the run


class View:
    """An incremental view over a ring."""

    fold: bool

    def __init__(self, ring: Ring) -> None: ...

    def set_filter(self, text: str) -> FilterError | None: ...

    def set_toggles(
        self, *, received: bool = True, sent: bool = True, control: bool = True, errors_only: bool = False
    ) -> None: ...

    def update(self) -> ViewChange: ...

    def __len__(self) -> int: ...

    def row(self, index: int) -> VisibleRow: ...

    def index_of(self, row_id: int) -> int | None:
        """Where the row that shows `row_id` stands, or `None` when it is not visible."""
