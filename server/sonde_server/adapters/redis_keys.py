"""The names of keys. All keys of one channel, session or user share a hash tag, so that a script never needs two slots
of a cluster; no text of a peer can leave its place.
"""

from __future__ import annotations

import re
from typing import Final

PREFIX: Final = "sonde:v1:"
LEASES: Final = f"{PREFIX}{{leases}}:until"
CLAIMED: Final = f"{PREFIX}{{leases}}:claimed"  # lives whose lease was claimed, by when
PENDING: Final = f"{PREFIX}{{leases}}:pending"  # lost life → the life that is taking its members over

_OUTSIDE: Final = re.compile(rb"[^A-Za-z0-9_.$-]")


def escaped(text: str) -> str:
    """A text as one part of a key: everything but letters, digits and `_ . $ -` as %XX."""
    raw = text.encode("utf-8", "surrogatepass")
    return _OUTSIDE.sub(lambda found: b"%%%02X" % found[0][0], raw).decode("ascii")


class ChannelKeys:
    """The keys of one channel's log."""

    __slots__ = ("checkpoint", "log", "meta", "stem")

    def __init__(self, ch: str) -> None:
        self.stem = f"{PREFIX}{{c:{escaped(ch)}}}:"
        self.meta = f"{self.stem}meta"
        self.log = f"{self.stem}log"
        self.checkpoint = f"{self.stem}checkpoint"

    def answers(self, session: str) -> str:
        """What one session's commands were answered with in this channel."""
        return f"{self.stem}answers:{escaped(session)}"


def session_key(session: str) -> str:
    """A session's record."""
    return f"{PREFIX}{{s:{escaped(session)}}}:record"


def sessions_key(user: str) -> str:
    """A user's sessions, by when they were made."""
    return f"{PREFIX}{{u:{escaped(user)}}}:sessions"


def revoked_key(user: str) -> str:
    """What was revoked of a user."""
    return f"{PREFIX}{{u:{escaped(user)}}}:revoked"


def seats_key(ch: str) -> str:
    """A channel's members."""
    return f"{PREFIX}{{p:{escaped(ch)}}}:seats"


def version_key(ch: str) -> str:
    """The version of the newest change of a channel's members."""
    return f"{PREFIX}{{p:{escaped(ch)}}}:version"


def kept_key(life: str) -> str:
    """Channels in which a node may answer for members."""
    return f"{PREFIX}{{n:{escaped(life)}}}:kept"
