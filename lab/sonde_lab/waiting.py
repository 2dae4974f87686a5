"""The parent's end of holding: the messages that wait in a proxy as they were told last, and what is asked about them.

Owns their rows. What a message says is asked for only when somebody looks at it.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sonde_lab.changes import HeldContent, HeldRow, HeldRows
from sonde_lab.wording import one_line

Order = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


class Waiting:
    """Of one proxy at a time. `order` asks its process; what it raises comes through."""

    def __init__(self, order: Order) -> None:
        self.rows = HeldRows()
        self._order = order
        self._is_changed = False

    def take(self, text: str, at: float, base: int) -> bool:
        """What the lab has said; false when it is about something else. `base`: what its numbers of connections begin at."""
        try:
            told = json.loads(text)
            if "waiting" not in told:
                return False
            rows = tuple(_row(each, at, base) for each in told["waiting"])
            self._tell(HeldRows(rows, int(told["passed"])))
        except (ValueError, KeyError, TypeError):
            return False
        return True

    def forget(self) -> None:
        """The process is gone, and with it what it held."""
        if self.rows != HeldRows():
            self._tell(HeldRows())

    def take_rows(self) -> HeldRows | None:
        """The rows, when they have changed."""
        is_changed, self._is_changed = self._is_changed, False
        return self.rows if is_changed else None

    async def content(self, number: int) -> HeldContent:
        """What a message says."""
        told = (await self._order({"held": number}))["content"]
        text, digits = told.get("text"), told.get("hex")
        data = None if digits is None else binascii.unhexlify(digits)
        return HeldContent(number, text, data, bool(told.get("cut")))

    async def let_go(self, number: int, how: Mapping[str, Any]) -> None:
        """Let one go; `how` as for `faults.edits.going_of`."""
        await self._order({"let_go": number, **how})

    async def drop(self, number: int) -> None:
        """Let one never go."""
        await self._order({"drop": number})

    async def all_go(self) -> None:
        """Let everything go as it is."""
        await self._order({"all_go": True})

    def _tell(self, rows: HeldRows) -> None:
        self.rows = rows
        self._is_changed = True


def _row(told: dict[str, Any], at: float, base: int) -> HeldRow:
    return HeldRow(
        number=int(told["number"]),
        rule=int(told["rule"]),
        conn=f"p{int(told['connection']) + base}",
        peer=one_line(str(told["peer"]), 80),
        is_up=told["direction"] == "up",
        op=one_line(str(told["type"]), 64),
        is_binary=bool(told["binary"]),
        size=int(told["size"]),
        since=at - float(told["age_s"]),
        goes_at=at + float(told["goes_in_s"]),
    )
