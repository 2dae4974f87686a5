"""A node that only listens to a bus, and writes down what it hears."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sonde_server.core.ports import PresenceNews
from sonde_server.core.records import Entry, Revocation


class Listener:
    """A `BusReceiver`. `on_each` is called at each entry."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self.on_each: Callable[[], None] | None = None

    def on_entry(self, ch: str, epoch: str, entry: Entry) -> None:
        self.heard.append(("entry", ch, epoch, entry.seq, entry.d))
        if self.on_each is not None:
            self.on_each()

    def on_presence(self, news: PresenceNews) -> None:
        self.heard.append(("presence", news))

    def on_fence(self, session: str, generation: int) -> None:
        self.heard.append(("fence", session, generation))

    def on_kick(self, session: str, code: int, cause: str) -> None:
        self.heard.append(("kick", session, code, cause))

    def on_gap(self, ch: str | None = None) -> None:
        self.heard.append(("gap", ch))

    def on_watch(self, ch: str) -> None:
        self.heard.append(("watch", ch))

    def on_user_updated(self, user: str, name: str) -> None:
        self.heard.append(("updated", user, name))

    def on_revoked(self, revocation: Revocation) -> None:
        self.heard.append(("revoked", revocation))
