"""What a node does with what it hears over the bus: of other nodes, and of the user and authentication services.

Decides nothing: every message goes to the part whose matter it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sonde_server.core.hub import Hub
    from sonde_server.core.ports import PresenceNews
    from sonde_server.core.records import Entry, Revocation


class Hearing:
    """A `BusReceiver`."""

    __slots__ = ("_hub",)

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def on_entry(self, ch: str, epoch: str, entry: Entry) -> None:
        """Another node appended."""
        room = self._hub.rooms.get(ch)
        if room is not None:
            room.receive(epoch, entry)
        else:
            self._hub.opening.keep_entry(ch, epoch, entry)

    def on_presence(self, news: PresenceNews) -> None:
        """A member came, changed or left elsewhere. Who is connected here is not waiting, whatever others took them
        for while this node was not heard of.
        """
        self._hub.note_presence(news)
        here = self._hub.sessions.get(news.session)
        if here is not None and here.connection is not None and news.says_away:
            subscription = here.subscriptions.get(news.ch)
            if subscription is not None and subscription.since:
                self._hub.run(self._hub.attendance.join(subscription), "presence of a member that is here")

    def on_fence(self, session: str, generation: int) -> None:
        """A session moved to another node."""
        hub = self._hub
        hub.resuming.heard_fence(session, generation)
        here = hub.sessions.get(session)
        if here is not None and here.generation < generation:
            hub.lifecycle.supersede(here)

    def on_kick(self, session: str, code: int, cause: str) -> None:
        """Another node's admin, or a service."""
        here = self._hub.sessions.get(session)
        if here is not None:
            self._hub.lifecycle.kick(here, code, cause)

    def on_gap(self, ch: str | None = None) -> None:
        """Something may have been missed: open channels are compared with their logs and rosters."""
        self._hub.continuity.look_for_gaps(ch)

    def on_watch(self, ch: str) -> None:
        """Monitors listen to a system channel elsewhere."""
        self._hub.system.watched_elsewhere(ch)

    def on_user_updated(self, user: str, name: str) -> None:
        """A user has another name."""
        hub = self._hub
        for session in hub.sessions_of(user):
            session.name = name
            hub.run(hub.attendance.show(session), "presence of a renamed user")
            hub.run(hub.touch(session), "session touch")

    def on_revoked(self, revocation: Revocation) -> None:
        """Tokens were taken back: noted in the store too, since other nodes may have missed it."""
        hub = self._hub
        hub.run(hub.revoking.note(revocation), "note of a revocation")
        for session in hub.sessions_of(revocation.user):
            hub.revoking.end_if_covered(session, revocation)
