"""A connection as its bytes pass, on a clock of its own: rows for verdicts, written by the recorder as in life."""

from __future__ import annotations

import json
from typing import Any

from websockets.frames import Frame, Opcode

from sonde_client.errors import failure
from sonde_client.status import Closed, SocketEnd
from sonde_lab.recorder import Recorder
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.stalls import STALL, stall_in_words
from sonde_lab.verdict import Verdict, why
from sonde_lab.watch import close_in_words

REQUEST = (
    b"GET /v1/ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: sonde.v1.json\r\n\r\n"
)
RESPONSE = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Protocol: sonde.v1.json\r\n\r\n"


class Story:
    """One connection of a ring; `beside` makes another of the same ring and clock."""

    def __init__(
        self, conn: str = "you", log: RowLog | None = None, *, node: str = "n1", beat_s: float = 4.0
    ) -> None:
        self.log = log or RowLog(Ring(), lambda: 0.0, lambda: 1_000.0)
        self.ring = self.log.ring
        self.conn, self.node, self.beat_s = conn, node, beat_s
        self.session = f"session-of-{conn}"
        self.recorder = Recorder(conn, self.log)
        self.at = 10.0
        self.dial = 0

    @classmethod
    def live(cls, **fields: Any) -> Story:
        """One that has been greeted."""
        story = cls(**fields)
        story.open()
        story.greet()
        return story

    def beside(self, conn: str, **fields: Any) -> Story:
        """Another connection, live as well."""
        other = Story(conn, self.log, **fields)
        other.at = self.at
        other.open()
        other.greet()
        self.at = other.at
        return other

    def open(self) -> None:
        self.dial += 1
        self.recorder.on_wire("out", REQUEST, self.at, self.dial)
        self.recorder.on_wire("in", RESPONSE, self.at, self.dial)

    def greet(self, **ready: Any) -> None:
        self.receive(
            op="hello", version=1, node=self.node, heartbeat_ms=int(self.beat_s * 1000), max_frame=65_536
        )
        self.send(op="identify", client={"name": "t", "version": ""})
        fields = {"session": self.session, "resume": "r", "resume_ttl_ms": 30_000, "user": {}} | ready
        self.receive(op="ready", **fields)

    def pass_(self, direction: str, data: bytes, opcode: Opcode = Opcode.TEXT, after_s: float = 0.1) -> int:
        self.at += after_s
        raw = Frame(opcode, data).serialize(mask=direction == "out")
        self.recorder.on_wire(direction, raw, self.at, self.dial)
        return self.newest

    def send(self, after_s: float = 0.1, **value: Any) -> int:
        return self.pass_("out", json.dumps(value).encode(), after_s=after_s)

    def receive(self, after_s: float = 0.1, **value: Any) -> int:
        return self.pass_("in", json.dumps(value).encode(), after_s=after_s)

    def event(self, after_s: float = 0.1, **value: Any) -> int:
        return self.receive(
            after_s, **{"op": "event", "ch": "room:a", "seq": 1, "type": "t", "d": {}} | value
        )

    def close_frame(self, direction: str, code: int, reason: str = "") -> int:
        return self.pass_(direction, code.to_bytes(2, "big") + reason.encode(), Opcode.CLOSE, 0.0)

    def goodbye(self, code: int, cause: str, after_s: float = 0.1) -> int:
        """`bye` and the close frame of a gateway, and the close row; its id."""
        self.receive(after_s, op="bye", code=code, cause=cause, resume=True, retry_ms=None)
        self.close_frame("in", code, cause)
        return self.end(code, "server", cause)

    def end(
        self, code: int | None = None, by: str = "network", cause: str = "", how: SocketEnd = SocketEnd.UNKNOWN, after_s: float = 0.0
    ) -> int:  # fmt: skip
        """The close as the workbench tells it; its row."""
        self.at += after_s
        self.recorder.on_lost(self.dial, self.at)
        closed = Closed(code, "", cause, by, True, None, self.at, how, self.dial)  # type: ignore[arg-type]
        text = close_in_words(closed, self.recorder.last_frame_at)
        return self.recorder.say(Kind.CLOSE, "close", text, self.at, code=code or 1006, dial=self.dial)

    def act(self, text: str, *, conn: str = "", injected: bool = True) -> int:
        flags = int(Flag.INJECTED) if injected else 0
        return self.log.add(
            Record(self.at, 0.0, conn or self.conn, 0, Direction.NONE, Kind.ACT, 0, "act", "", 0, text.encode(), flags=flags)
        )  # fmt: skip

    def fails(self, cause: str, detail: str = "It did.", after_s: float = 0.1) -> int:
        """A failure as the watch notes it."""
        self.at += after_s
        what = failure(cause, detail, self.at)
        return self.recorder.say(
            Kind.NOTE, cause, f"{what.title}: {what.detail}", self.at, flags=Flag.ERROR, dial=self.dial + 1
        )

    def state(self, text: str) -> int:
        return self.recorder.say(Kind.STATE, "state", text, self.at)

    def stall(self, lasted_s: float) -> int:
        """This process stood still until now."""
        self.at += lasted_s
        return self.recorder.say(Kind.NOTE, STALL, stall_in_words(lasted_s), self.at)

    @property
    def newest(self) -> int:
        self.log.flush()
        return self.ring.next_id - 1

    def why(self, row: int) -> Verdict:
        self.log.flush()
        return why(self.ring, row)


def said(verdict: Verdict, words: str) -> int:
    """The row behind the one sentence that holds `words`."""
    (found,) = [row for row in verdict.evidence if words in row.text]
    return found.row_id
