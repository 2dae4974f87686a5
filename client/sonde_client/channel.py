"""One subscription as a script sees it. It goes on working over drops, resumes and new sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sonde_protocol.frames import Delta, Event, Member
from sonde_protocol.states import ChannelState

if TYPE_CHECKING:
    from sonde_client.client import Client
    from sonde_protocol.cursor import Cursor


class Channel:
    """A channel that the client is, or wants to be, subscribed to."""

    name: str
    status: ChannelState
    state: Any  # the document; {} before the first snapshot. Treat as read-only
    hash_ok: bool | None  # the last check against the gateway's hash; None before the first
    members: tuple[Member, ...]
    cursor: Cursor | None

    def __init__(self, client: Client, name: str) -> None: ...
    async def publish(
        self, type: str, data: Any = None, *, class_: str = "reliable", key: str | None = None
    ) -> int | None: ...
    async def patch(self, patch: dict[str, Any], *, base: int | None = None) -> int: ...
    async def history(self, after: int = 0, limit: int = 100) -> list[Event | Delta]: ...
    async def sync(self) -> None: ...
    async def unsubscribe(self) -> None: ...
