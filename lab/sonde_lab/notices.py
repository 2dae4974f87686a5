"""What a person should know, newest last: equal causes in a row are one notice with a count. Bounded."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable
from typing import Final

from sonde_client import Failure, Severity
from sonde_lab.changes import Notice

MAX_NOTICES: Final = 500
_NAMES: Final = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.ERROR: "error"}


class NoticeBoard:
    """Takes failures in, gives out what is new or was counted up. `wall` turns monotonic into Unix seconds."""

    def __init__(self, wall: Callable[[float], float]) -> None:
        self._wall = wall
        self._all: deque[Notice] = deque(maxlen=MAX_NOTICES)
        self._fresh: dict[int, Notice] = {}
        self._made = 0

    def __len__(self) -> int:
        return len(self._all)

    def add_failure(self, failure: Failure, conn: str) -> None:
        """Take a client's failure in."""
        self.add(
            failure.cause,
            failure.severity,
            failure.title,
            failure.detail,
            failure.advice,
            at=failure.at,
            conn=conn,
        )

    def add(
        self,
        cause: str,
        severity: Severity,
        title: str,
        detail: str,
        advice: str,
        *,
        at: float,
        conn: str = "",
    ) -> None:
        """Take something in; a repeat of the newest one raises its count and takes the newer words."""
        last = self._all[-1] if self._all else None
        if last is not None and (last.cause, last.conn) == (cause, conn):
            self._all.pop()
            number, count = last.number, last.count + 1
        else:
            self._made += 1
            number, count = self._made, 1
        notice = Notice(
            number, at, self._wall(at), _NAMES[severity], cause, title, detail, advice, conn, count
        )
        self._all.append(notice)
        self._fresh[number] = notice
        while len(self._fresh) > MAX_NOTICES:
            del self._fresh[next(iter(self._fresh))]

    def take(self) -> list[Notice]:
        """What is new or counted up since the last call, each in its latest form, oldest first."""
        fresh, self._fresh = self._fresh, {}
        return [dataclasses.replace(notice) for notice in fresh.values()]
