"""Where a client's token comes from: one for ever, a coroutine function that is asked, or none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

TokenSource = str | Callable[[], Awaitable[str]] | None


def token_getter(token: TokenSource) -> Callable[[], Awaitable[str]] | None:
    """What gives a token each time that it is asked; `None` where there is none."""
    if token is None or callable(token):
        return token

    async def get_fixed() -> str:
        return token

    return get_fixed
