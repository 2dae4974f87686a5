"""Model methods whose exceptions are never lost.

Qt calls `data()` from C++; an exception there is printed and forgotten, thousands of times. A guarded method
logs the first of each kind and answers with nothing, so that one bad row never takes the table with it.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

log = logging.getLogger(__name__)
P = ParamSpec("P")
S = TypeVar("S")
_said: set[tuple[str, str]] = set()


def guarded(method: Callable[Concatenate[S, P], Any]) -> Callable[Concatenate[S, P], Any]:
    """Wrap a method that Qt calls: failures are logged (once a kind and place) and give `None`."""

    @functools.wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the last Python frame before C++, which would drop it
            _say(method.__qualname__, error)
            return None

    return call


def _say(place: str, error: Exception) -> None:
    kind = (place, f"{type(error).__name__}: {error}"[:200])
    if kind in _said or len(_said) > 200:
        return
    _said.add(kind)
    log.error("%s failed", place, exc_info=error)
