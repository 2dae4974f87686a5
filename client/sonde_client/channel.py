"""One subscription as a script sees it. It goes on working over drops, resumes and new sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sonde_client.events import EntryArrived, EventStream, Overflow, selection
from sonde_client.store import ChannelView
from sonde_protocol.codes import DeliveryClass, ErrorCode
from sonde_protocol.cursor import Cursor
from sonde_protocol.errors import Refused
from sonde_protocol.frames import Delta, Event, History, Member, Patch, Publish, Sync
from sonde_protocol.states import ChannelState

if TYPE_CHECKING:
    from sonde_client.client import Client

_GONE = ChannelView("", ChannelState.ABSENT, None, {}, None, ())


class Channel:
    """A channel that the client is, or wants to be, subscribed to."""

    def __init__(self, client: Client, name: str) -> None:
        self.name = name
        self._client = client
        self._last = _GONE

    def __repr__(self) -> str:
        return f"<Channel {self.name} {self.status.value}>"

    # ------------------------------------------------------------ what is known

    @property
    def view(self) -> ChannelView:
        """All of the below at once; after `unsubscribe` it is empty."""
        return self._client.store.channel(self.name) or _GONE

    @property
    def status(self) -> ChannelState:
        """How current what is shown is."""
        return self.view.status

    @property
    def state(self) -> Any:
        """The document; `{}` before the first snapshot. Read-only."""
        return self.view.document

    @property
    def hash_ok(self) -> bool | None:
        """The last check against the gateway's hash; `None` before the first."""
        return self.view.hash_ok

    @property
    def members(self) -> tuple[Member, ...]:
        """Who is there; empty unless subscribed with `presence=True`."""
        return self.view.members

    @property
    def cursor(self) -> Cursor | None:
        """Position in the channel's log; `None` before the first snapshot or `live`."""
        return self.view.cursor

    # ------------------------------------------------------------ commands

    async def publish(
        self, type: str, data: Any = None, *, class_: str = "reliable", key: str | None = None
    ) -> int | None:
        """Append an event. Returns its seq; `None` for a volatile one, which may be lost.

        Raises:
            Refused: the gateway, or this client's own queue limit, said no: not applied.
            OutcomeUnknown: the session ended before an answer came.
        """
        frame = Publish(id=0, ch=self.name, type=type, d=data, class_=DeliveryClass(class_), key=key)
        return _seq(await self._client.command(frame))

    async def patch(self, patch: dict[str, Any], *, base: int | None = None) -> int:
        """Change the document by a merge patch (RFC 7396). Returns the seq of the tick that holds it.

        Raises:
            Refused: among others `conflict` when `base` is not the last delta; `data["seq"]` is the current one.
            OutcomeUnknown: the session ended before an answer came.
        """
        seq = _seq(await self._client.command(Patch(id=0, ch=self.name, d=patch, base=base)))
        if seq is None:
            raise Refused(ErrorCode.INTERNAL, "the gateway's reply to a patch has no seq")
        return seq

    async def history(self, after: int = 0, limit: int = 100) -> list[Event | Delta]:
        """Entries after a seq, oldest first, at most `limit`; several pages are asked for when one is too small."""
        entries: list[Event | Delta] = []
        while len(entries) < limit:
            wanted = History(id=0, ch=self.name, after=after, limit=limit - len(entries))
            page, top = _page(await self._client.command(wanted))
            entries += page
            if not page or page[-1].seq is None or page[-1].seq <= after or page[-1].seq >= top:
                break
            after = page[-1].seq
        return entries

    async def sync(self, *, presence: bool = False) -> None:
        """Ask for a fresh snapshot; it arrives as `StateChanged`, or `PresenceChanged`."""
        await self._client.command(Sync(id=0, ch=self.name, presence=presence))

    async def unsubscribe(self) -> None:
        """Leave the channel for good."""
        await self._client.unsubscribe(self.name)

    def events(
        self, type: str | None = None, *, limit: int = 1024, overflow: Overflow = Overflow.DROP_OLDEST
    ) -> EventStream[EntryArrived]:
        """This channel's entries from now on, each once and in order."""
        return self._client.bus.stream(EntryArrived, selection(ch=self.name, type=type), limit, overflow)


class _HistoryPage(msgspec.Struct):
    """Reply to `history`; `entries` are whole frames."""

    epoch: str
    first: int
    top: int
    entries: list[Event | Delta]


def _page(data: Any) -> tuple[list[Event | Delta], int]:
    try:
        page = msgspec.convert(data, _HistoryPage)
    except msgspec.ValidationError as error:
        raise Refused(ErrorCode.INTERNAL, f"the gateway's reply to history is not one: {error}") from None
    return page.entries, page.top


def _seq(data: Any) -> int | None:
    seq = data.get("seq") if isinstance(data, dict) else None
    return seq if isinstance(seq, int) else None
