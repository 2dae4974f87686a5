"""Who is followed: one player whom every view points out, or nobody.

Owns the choice and its announcement. Whoever shows players follows `changed` and points out `who`; nobody keeps a
choice of its own. Refuses to filter or draw.
"""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import QObject, Signal

from sonde_lab.changes import Changes
from sonde_lab.filter.expression import quoted
from sonde_ui.desktop.bridge import Bridge


class Followed(NamedTuple):
    """A player. The session may have ended since: the same user comes back with another one."""

    user: str
    session: str
    name: str

    def is_one(self, user: str, session: str = "") -> bool:
        """Whether a member is this player: the same user, or where no user is told the same session."""
        return user == self.user if user and self.user else bool(session) and session == self.session

    @property
    def filter(self) -> str:
        """What the one filter says for this player: rows that tell the name, or where that differs the user."""
        words = [word for word in (self.name, self.user) if word]
        if len(words) > 1 and words[0].casefold() in words[1].casefold():
            words.pop()  # rows with the user's id hold the name already
        return " or ".join(quoted(word) for word in words)


class Following(QObject):
    """One for a window. `changed`: it is somebody else, or nobody any more."""

    changed = Signal()

    def __init__(self, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._who: Followed | None = None
        bridge.changed.connect(self._on_changes)

    @property
    def who(self) -> Followed | None:
        """Who is followed; `None` while nobody is."""
        return self._who

    def follow(self, user: str, session: str, name: str) -> None:
        """Point this player out everywhere."""
        self._set(Followed(user, session, name))

    def end(self) -> None:
        """Follow nobody."""
        self._set(None)

    def _set(self, who: Followed | None) -> None:
        if who != self._who:
            self._who = who
            self.changed.emit()

    def _on_changes(self, changes: Changes) -> None:
        if changes.endpoint_changed:  # other people are there
            self.end()
