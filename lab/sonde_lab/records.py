"""One record a frame or happening: what every table, plot and export of the lab is made of.

Owns the record and its vocabularies. A record of kind `FRAME` or `HANDSHAKE` carries the bytes that were on
the wire (a handshake: its text with the secrets masked); every other kind carries its sentence for people as
UTF-8 in `payload`, so that all rows can be searched the same way.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Final

NO_RTT: Final = math.nan
NO_SEQ: Final = -1
NO_COMMAND: Final = -1


class Kind(enum.IntEnum):
    """What a row is about."""

    FRAME = 0  # one WebSocket message or control frame
    HANDSHAKE = 1  # the upgrade's request or response
    STATE = 2  # a connection changed its state
    CLOSE = 3  # a connection ended: code, name, cause, by whom
    ACT = 4  # somebody did something here: drop, kick, refuse, send, mark
    NOTE = 5  # something that the lab has to say: a failure, bytes that are no frame


class Direction(enum.IntEnum):
    """Which way bytes went, seen from the client."""

    IN = 0  # received ▼
    OUT = 1  # sent ▲
    NONE = 2  # no bytes at all


class Flag(enum.IntFlag):
    """What else is to be said about a row; several may be set."""

    CONTROL = 1  # ping, pong or close of RFC 6455
    FRAGMENT = 2  # came in more than one WebSocket frame
    REPLAY = 4  # an entry sent again after a resume
    INJECTED = 8  # a person made this happen
    MARKED = 16  # a person marked it
    MALFORMED = 32  # not what it claims to be
    TRUNCATED = 64  # only the first part of the payload is kept
    COMPRESSED = 128  # was deflated on the wire
    HEARTBEAT = 256  # ping or pong, of the protocol below or of our own
    TAPPED = 512  # somebody else's frame
    ERROR = 1024  # refuses something, or tells of a failure
    UNDECODED = 16384  # a person's own decoder failed at it


@dataclass(slots=True)
class Record:
    """One row.

    `at` is monotonic seconds, `wall` Unix seconds; `size` is the payload's bytes before the WebSocket framing
    and after inflating; `code` is a close code (0: none); `seq` and `command` are -1 where a frame has none.
    `protocol` names the decoder that a message was read with (`sonde_lab.decoders`); it is empty for Sonde's own.
    `wire_bytes` is what it took on the wire with all framing, `fragments` in how many WebSocket frames it came;
    both are 0 where there was no frame.
    """

    at: float
    wall: float
    conn: str
    dial: int
    direction: Direction
    kind: Kind
    opcode: int
    op: str
    channel: str
    size: int
    payload: bytes = b""
    code: int = 0
    rtt_ms: float = NO_RTT
    flags: int = 0
    seq: int = NO_SEQ
    command: int = NO_COMMAND
    protocol: str = ""
    wire_bytes: int = 0
    fragments: int = 0
