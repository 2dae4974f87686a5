"""Where a proxied connection is, from its request to its end, as a table."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final


class Phase(enum.Enum):
    """Where a proxied connection is."""

    HEAD = "reads the request's head"
    DIALING = "dials the upstream"
    PASSING = "passes bytes on"
    ANSWERING = "says why not"
    GONE = "gone"


class Step(enum.Enum):
    """What moves it on."""

    HEAD_READ = "head read"
    DIALED = "dialed"
    REFUSED = "refused"
    LOST = "lost"


TRANSITIONS: Final[Mapping[tuple[Phase, Step], Phase]] = {
    (Phase.HEAD, Step.HEAD_READ): Phase.DIALING,
    (Phase.HEAD, Step.REFUSED): Phase.ANSWERING,
    (Phase.HEAD, Step.LOST): Phase.GONE,
    (Phase.DIALING, Step.DIALED): Phase.PASSING,
    (Phase.DIALING, Step.REFUSED): Phase.ANSWERING,
    (Phase.DIALING, Step.LOST): Phase.GONE,
    (Phase.PASSING, Step.LOST): Phase.GONE,
    (Phase.ANSWERING, Step.LOST): Phase.GONE,
}
