"""Captures for the tests of exports: a session with hostile payloads."""

from __future__ import annotations

from pathlib import Path

from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.records import Direction, Flag, Kind, Record
from support.records import row

HOSTILE = [
    b"nul \0 here",
    b"half a pair \xed\xa0\x80",
    b"<script>alert(1)</script><img src=x onerror=alert(1)>",
    b"```\n# not a heading\n````",
    b"=cmd|' /C calc'!A0",
    b"| cell | `code` [link](javascript:alert(1)) ![i](x)",
    b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    b"\xff\xfe\x00",
    "\u202ereversed\u2028next".encode(),
]


def session() -> list[Record]:
    """A connection with its upgrade, some hostile messages, a ping and its end; and a mark of nobody."""
    hello = b"GET /game?room=a HTTP/1.1\r\nHost: 127.0.0.1:9\r\nSec-WebSocket-Protocol: json"
    answer = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Protocol: json"
    made = [
        row("upgrade", 1.0, hello, kind=Kind.HANDSHAKE, direction=Direction.OUT, opcode=0),
        row("upgrade", 1.1, answer, kind=Kind.HANDSHAKE, opcode=0),
    ]
    for place, payload in enumerate(HOSTILE):
        opcode = 2 if payload.startswith(b"\xff") else 1
        made.append(row("text", 2.0 + place, payload, opcode=opcode, protocol="raw", rtt_ms=8.5))
    made.append(row("ping", 20.0, b"abc", opcode=9, flags=int(Flag.CONTROL)))
    made.append(row("close", 21.0, b"\x03\xf5why", opcode=8, code=1013, flags=int(Flag.CONTROL | Flag.ERROR)))
    made.append(row("mark", 22.0, b"here", kind=Kind.ACT, conn="", dial=0, direction=Direction.NONE))
    return made


def capture(path: Path, rows: list[Record]) -> Path:
    writer = CaptureWriter(path)
    writer.add(rows)
    writer.close()
    return path
