"""The table of what a filter can ask for: names, what they hold, their units and the words that they take.

Owns names and meanings; refuses to look at rows. The documentation's table is compared with this one by a test.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sonde_lab.records import Direction, Flag, Kind


class Holds(enum.Enum):
    """What kind of value a field has, and so which comparisons it takes."""

    NAME = "a text"
    WORD = "one of some words"
    NUMBER = "a number"
    DURATION_MS = "a duration"  # kept in milliseconds
    DURATION_S = "a time"  # kept in seconds
    BYTES = "a size"


@dataclass(slots=True, frozen=True)
class Field:
    """One field. `column` is the ring's; `words` maps what may be asked to the column's number."""

    name: str
    holds: Holds
    column: str
    says: str
    words: tuple[tuple[str, int], ...] = ()


COMMENT: Final = "comment"  # no column of the ring: its comments
_DIRECTIONS: Final = (
    ("in", Direction.IN), ("received", Direction.IN), ("out", Direction.OUT), ("sent", Direction.OUT),
    ("none", Direction.NONE),
)  # fmt: skip
_KINDS: Final = tuple((kind.name.lower(), int(kind)) for kind in Kind)
_OPCODES: Final = (("text", 1), ("binary", 2), ("close", 8), ("ping", 9), ("pong", 10))

ROW: Final = "row"  # no column of the ring: a row's number, counted from 1
FIELDS: Final[tuple[Field, ...]] = (
    Field("conn", Holds.NAME, "conn", "the connection's name: you, p1 …"),
    Field("dial", Holds.NUMBER, "dial", "which socket of the connection, from 1"),
    Field("dir", Holds.WORD, "direction", "which way it went", _DIRECTIONS),
    Field("kind", Holds.WORD, "kind", "what the row is about", _KINDS),
    Field("op", Holds.NAME, "op", "the frame's type, as in the column Type"),
    Field("type", Holds.NAME, "op", "the column Type, or the message's own type"),
    Field("ch", Holds.NAME, "channel", "the channel's whole name"),
    Field("room", Holds.NAME, "channel", "the channel's name behind room:"),
    Field("user", Holds.NAME, "channel", "a user: in the message, or the channel user:…"),
    Field("opcode", Holds.WORD, "opcode", "the WebSocket opcode", _OPCODES),
    Field(
        "protocol", Holds.NAME, "protocol", "the decoder of another server's message; empty for Sonde's own"
    ),
    Field("size", Holds.BYTES, "size", "the payload's bytes; B, KB, MB"),
    Field("rtt", Holds.DURATION_MS, "rtt_ms", "the round trip; us, ms, s, m"),
    Field("time", Holds.DURATION_S, "at", "since the first row, as in the column Time; ms, s, m"),
    Field("row", Holds.NUMBER, ROW, "the row's number, as in the column #"),
    Field("close", Holds.NUMBER, "code", "the close code"),
    Field("seq", Holds.NUMBER, "seq", "the entry's number in its channel"),
    Field("id", Holds.NUMBER, "command", "the command's number"),
    Field("wire_bytes", Holds.BYTES, "wire_bytes", "the bytes on the wire, with all framing; B, KB, MB"),
    Field("fragments", Holds.NUMBER, "fragments", "in how many WebSocket frames it came"),
    Field("comment", Holds.NAME, COMMENT, "what a person wrote about the row"),
)
ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {"channel": "ch", "direction": "dir", "code": "close", "t": "type", "connection": "conn", "command": "id"}
)
BY_NAME: Final[Mapping[str, Field]] = MappingProxyType(
    {field.name: field for field in FIELDS}
    | {alias: field for alias, name in ALIASES.items() for field in FIELDS if field.name == name}
)
# What `has:` takes. A path (has:d.hp) is taken as well.
FLAGS: Final[Mapping[str, tuple[Flag, str]]] = MappingProxyType(
    {
        "fault": (Flag.INJECTED, "a person made it happen"),
        "mark": (Flag.MARKED, "somebody marked it"),
        "error": (Flag.ERROR, "it refuses something or tells of a failure"),
        "malformed": (Flag.MALFORMED, "it is not what it claims to be"),
        "replay": (Flag.REPLAY, "it was sent again after a resume"),
        "tapped": (Flag.TAPPED, "it is somebody else's frame"),
        "truncated": (Flag.TRUNCATED, "only the first part was kept"),
        "fragments": (Flag.FRAGMENT, "it came in several frames"),
        "deflated": (Flag.COMPRESSED, "it was compressed on the wire"),
        "control": (Flag.CONTROL, "it is a ping, pong or close of RFC 6455"),
        "undecoded": (Flag.UNDECODED, "a decoder of your own failed at it"),
        "heartbeat": (Flag.HEARTBEAT, "it only says that somebody lives"),
    }
)
PRESENT: Final = ("rtt", "seq", "id", "close", "ch", "comment")  # has:rtt …: the column holds something
UNITS: Final[Mapping[Holds, Mapping[str, float]]] = MappingProxyType(
    {
        Holds.NUMBER: {"": 1.0},
        Holds.DURATION_MS: {"": 1.0, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3, "min": 60e3},
        Holds.DURATION_S: {"": 1.0, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0},
        Holds.BYTES: {"": 1.0, "b": 1.0, "kb": 1024.0, "k": 1024.0, "mb": 1024.0**2, "m": 1024.0**2},
    }
)
