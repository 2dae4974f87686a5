"""One cell of a file that anybody may have made: a number within its bounds, a text, a value from JSON, or odd."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from sonde_lab.capture.schema import MAX_SNAPSHOT_BYTES

INT32: Final = (1 << 31) - 1
INT64: Final = (1 << 63) - 1
MAX_SECONDS: Final = 253_402_300_000.0  # the year 9999: what a calendar can show
NO_JSON: Final = object()


class Cells:
    """The cells of a row; `is_odd` once one of them is not what it should be."""

    def __init__(self, cells: tuple[Any, ...]) -> None:
        self._cells = cells
        self.is_odd = False

    def whole(self, index: int, most: int, otherwise: int) -> int:
        """An integer from 0 to `most`."""
        value = self._cells[index]
        if isinstance(value, int) and 0 <= value <= most:
            return value
        self.is_odd = True
        return otherwise

    def real(self, index: int, most: float) -> float:
        """A finite number from 0 to `most`."""
        value = self._cells[index]
        if isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= most:
            return float(value)
        self.is_odd = True
        return 0.0


def text_of(value: object, limit: int) -> str:
    """Text of a cell; SQLite's `substr` makes an empty blob NULL."""
    return value.decode("utf-8", "replace")[:limit] if isinstance(value, bytes) else ""


def json_of(value: object) -> object:
    """A value from JSON of a stranger; `NO_JSON` for what is none, too large or nested too deeply."""
    if not isinstance(value, bytes) or len(value) > MAX_SNAPSHOT_BYTES:
        return NO_JSON
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NO_JSON
