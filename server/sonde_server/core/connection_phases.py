"""Where a connection of the core stands, as a table."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


class Phase(enum.Enum):
    """Where a connection stands."""

    OPEN = "open"  # upgraded; nobody has identified or resumed
    LIVE = "live"  # carries a session
    CLOSED = "closed"  # bye was said, or the socket is gone


class PhaseTrigger(enum.Enum):
    """What moves a connection."""

    SEATED = "seated"
    CLOSED = "closed"


PHASES: Final[Mapping[tuple[Phase, PhaseTrigger], Phase]] = MappingProxyType(
    {
        (Phase.OPEN, PhaseTrigger.SEATED): Phase.LIVE,
        (Phase.OPEN, PhaseTrigger.CLOSED): Phase.CLOSED,
        (Phase.LIVE, PhaseTrigger.CLOSED): Phase.CLOSED,
    }
)
