"""What happened, in words: one line for each record."""

from __future__ import annotations

from sonde_lab.ring import Ring


class Summaries:
    """Lazily made and cached summaries of a ring's rows."""

    def __init__(self, ring: Ring, cached: int = 4_096) -> None: ...
    def text(self, row_id: int) -> str: ...
