"""What a decoder makes of one message, whatever protocol it is of.

Owns the shape of that answer and the limits of what is read. Refuses to believe a peer: a field of a wrong type
is a missing field, and bytes that are not of the protocol are `None`, never an exception.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from sonde_lab.records import Direction
from sonde_lab.wording import one_line, short
from sonde_protocol.redact import redact_value

MAX_DECODED_BYTES: Final = 64 * 1024  # a larger message is only peeked, unless somebody opens it
MAX_WORD: Final = 64  # characters of a type, and of a reference that is matched
MAX_CHANNEL: Final = 128
HEARTBEATS: Final = frozenset({"ping", "pong", "heartbeat"})
BROKEN: Final = (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError, TypeError, OverflowError)


class Part(enum.Enum):
    """What a message does in a round trip."""

    NONE = 0
    ASKS = 1
    ANSWERS = 2


@dataclass(slots=True)
class Decoded:
    """One message, read.

    `op` is the type that a table shows, `command` the number of a question or answer (-1: none). A question and
    its answer bear the same `key`; which of them it is says `part`. `value` is the whole message for a tree, and
    `None` where it was too large to be read whole (`is_whole` is then false). `lead` and `body`, without the
    member `named_by`, are what a line of text tells.
    """

    protocol: str
    op: str
    channel: str = ""
    command: int = -1
    part: Part = Part.NONE
    key: Hashable = None
    is_heartbeat: bool = False
    is_error: bool = False
    value: Any = None
    is_whole: bool = True
    lead: str = ""
    body: Any = None
    named_by: str = ""
    attachments: int = 0  # binary messages that follow and belong to this one

    @property
    def words(self) -> str:
        """The message on one line, its secrets masked. Made when it is asked for: rows are many."""
        body = redact_value(self.body)
        if self.named_by and isinstance(body, dict):
            body = {key: item for key, item in body.items() if key != self.named_by}
        told = "" if body is None else short(body)
        return one_line(" ".join(part for part in (self.lead, told) if part), 240)


class Decoder(Protocol):
    """One protocol's reader. It keeps nothing between messages, so that a row can be read again at any time."""

    name: str

    def decode(
        self, payload: bytes, is_binary: bool, direction: Direction, max_bytes: int = MAX_DECODED_BYTES
    ) -> Decoded | None:
        """Read a message; of one over `max_bytes` only its outside. `None`: it is not of this protocol."""
        ...


def word(value: Any) -> str:
    """`value` when it is a short text, else nothing."""
    return value if isinstance(value, str) and len(value) <= MAX_WORD else ""


def channel_word(value: Any) -> str:
    """`value` when a channel may be called so, else nothing."""
    return value if isinstance(value, str) and len(value) <= MAX_CHANNEL else ""
