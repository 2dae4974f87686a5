"""Why a connection dropped, from rows that the recorder wrote from bytes of the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from sonde_client.status import Closed
from sonde_lab.recorder import Recorder
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.verdict import Verdict, why
from sonde_lab.watch import close_in_words

REQUEST = b"GET /v1/ws HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Protocol: sonde.v1.json\r\n\r\n"
RESPONSE = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Protocol: sonde.v1.json\r\n\r\n"


class Story:
    """A connection as its bytes pass, on a clock of its own."""

    def __init__(self) -> None:
        self.ring = Ring()
        self.log = RowLog(self.ring, lambda: 0.0, lambda: 1_000.0)
        self.recorder = Recorder("you", self.log)
        self.at = 10.0
        self.dial = 0
        self.open()

    def open(self) -> None:
        self.dial += 1
        self.recorder.on_wire("out", REQUEST, self.at, self.dial)
        self.recorder.on_wire("in", RESPONSE, self.at, self.dial)

    def pass_(self, direction: str, data: bytes, opcode: Opcode = Opcode.TEXT, after_s: float = 0.1) -> None:
        self.at += after_s
        raw = Frame(opcode, data).serialize(mask=direction == "out")
        self.recorder.on_wire(direction, raw, self.at, self.dial)

    def send(self, after_s: float = 0.1, **value: Any) -> None:
        self.pass_("out", json.dumps(value).encode(), after_s=after_s)

    def receive(self, after_s: float = 0.1, **value: Any) -> None:
        self.pass_("in", json.dumps(value).encode(), after_s=after_s)

    def act(self, text: str) -> None:
        self.log.add(
            Record(self.at, 0.0, "you", 0, Direction.NONE, Kind.ACT, 0, "act", "", 0, text.encode(), flags=int(Flag.INJECTED))
        )  # fmt: skip

    def end(self, code: int | None, by: str = "server", cause: str = "", after_s: float = 0.0) -> int:
        """The close as the workbench tells it; its row."""
        self.at += after_s
        closed = Closed(code, "", cause, by, True, None, self.at)  # type: ignore[arg-type]
        text = close_in_words(closed, self.recorder.last_frame_at)
        return self.recorder.say(Kind.CLOSE, "close", text, self.at, code=code or 1006)

    def why(self, close_id: int) -> Verdict:
        self.log.flush()
        return why(self.ring, close_id)


def said(verdict: Verdict, words: str) -> int | None:
    """The row behind the one sentence that holds `words`."""
    (found,) = [finding for finding in verdict.findings if words in finding.text]
    return found.row_id


def test_a_lost_heartbeat_shows_the_silence_and_what_was_never_answered() -> None:
    story = Story()
    story.receive(op="event", ch="room:arena", seq=7, type="chat", d={})
    story.act("half_open client:you 30 s")
    story.send(op="ping", t=1)
    story.send(op="publish", ch="room:arena", id=214, type="chat", d={})
    story.receive(22.3, op="bye", code=4002, cause="heartbeat lost")
    story.pass_("in", b"\x0f\xa2", Opcode.CLOSE, 0.0)
    verdict = story.why(story.end(4002, cause="heartbeat lost"))
    assert verdict.title == "4002 heartbeat lost"
    assert verdict.findings[0].text.startswith("The server heard nothing from this client")
    assert said(verdict, "last frame received (event) came 22.5 s before") == 2
    assert said(verdict, "2 frames were sent after that, and nothing came back, 1 of them a heartbeat") == 4
    assert said(verdict, "Command #214 was never answered") == 5
    assert said(verdict, "A person did something 22.5 s before: half_open client:you 30 s") == 3
    assert said(verdict, "The server said why") == 6
    assert said(verdict, "The server sent the close frame first: 4002 heartbeat lost") == 7
    assert said(verdict, "has not come back") is None


def test_a_cut_socket_has_no_close_frame_and_the_return_is_told() -> None:
    story = Story()
    story.receive(op="delta", ch="room:arena", seq=7, d={})
    story.act("cut the socket of you")
    close = story.end(None, by="network")
    story.at += 0.9
    story.open()
    story.send(op="resume", session="s")
    story.receive(op="resumed", session="s", channels=[])
    verdict = story.why(close)
    assert verdict.title == "1006 closed without a close frame"
    assert said(verdict, "No close frame was seen") is None
    assert said(verdict, "A person did something 0 ms before: cut the socket of you") == 3
    assert said(verdict, "It was back 1.1 s later and resumed its session") == 8
    assert not any("never answered" in finding.text for finding in verdict.findings)


def test_a_refusal_before_a_kick_is_evidence() -> None:
    story = Story()
    story.receive(op="error", code="rate_limited", message="too many", id=None)
    story.pass_("in", b"\x11\x3a", Opcode.CLOSE)
    verdict = story.why(story.end(4410))
    assert said(verdict, "Something had gone wrong 100 ms before") == 2
    assert said(verdict, "does not come back by itself") is None


def test_rows_of_another_connection_or_an_earlier_socket_are_no_evidence() -> None:
    story = Story()
    story.receive(op="error", code="forbidden", message="old socket", id=None)
    story.end(None)
    story.open()
    other = Recorder("p1", story.log)
    other.on_wire("out", REQUEST, story.at, 1)
    other.say(Kind.NOTE, "x", "of another", story.at, flags=Flag.ERROR)
    verdict = story.why(story.end(None))
    assert said(verdict, "Nothing was ever received on this socket") is None
    assert not any("gone wrong" in finding.text for finding in verdict.findings)


@pytest.mark.parametrize("code", [0, 1005, 4002, 4999, 65_535])
def test_any_close_alone_in_memory_has_a_verdict(code: int) -> None:
    ring = Ring()
    ring.append(Record(1.0, 2.0, "", 0, Direction.NONE, Kind.CLOSE, 0, "close", "", 0, b"\xff", code=code))
    verdict = why(ring, 0)
    assert verdict.title
    assert all(finding.text.endswith(".") for finding in verdict.findings)
