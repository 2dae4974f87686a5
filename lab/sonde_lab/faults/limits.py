"""Bounds of the fault engine: what it holds, for whom, and how much of it."""

from __future__ import annotations

from typing import Final

MAX_RULES: Final = 64
MAX_QUEUED_BYTES: Final = 1 << 20  # of a direction; beyond, its sender is not read
RESUME_BYTES: Final = MAX_QUEUED_BYTES // 4
MAX_LATER: Final = 1_000  # messages of a direction that are held back one by one
MAX_LATER_BYTES: Final = 8 << 20
MAX_WAITING: Final = 200  # messages of all connections that wait for a person
MAX_WAITING_BYTES: Final = 16 << 20
MAX_EDIT_BYTES: Final = 256 << 10  # of a message that a person writes anew
MAX_EXPANDED_BYTES: Final = 16 << 20  # of one compressed message
MAX_OUTPUT_BYTES: Final = 32 << 20  # what one message may become by floods and copies
LINGER_S: Final = 2.0  # how long a peer that was sent a close frame may take to go
MAX_OUTAGES: Final = 1_000  # hosts that have no network at the same time
MAX_EXTRA_LEGS: Final = 64  # zombies and shadows that are open at the same time
