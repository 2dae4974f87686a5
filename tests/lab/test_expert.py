"""The judge of traffic: each rule told as a story of a few rows, and that batches make no difference."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_lab.blocks import ReadyRows
from sonde_lab.expert import KINDS, Expert, Severity
from sonde_lab.expert.findings import MAX_ROWS, Findings, Told
from sonde_lab.filter import Filter
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from support.records import row

DOCUMENT = Path(__file__).parents[2] / "docs" / "expert.md"
OUT = Direction.OUT
ERROR, MALFORMED = int(Flag.ERROR), int(Flag.MALFORMED)
BEAT = int(Flag.HEARTBEAT)
ARENA = "room:arena"


def frame(op: str, at: float = 0.0, *, fields: dict[str, Any] | None = None, **columns: Any) -> Record:
    """A row and the JSON that it stands for."""
    body: dict[str, Any] = {"op": op, **(fields or {})}
    for name, key in (("channel", "ch"), ("seq", "seq"), ("command", "id")):
        if name in columns:
            body[key] = columns[name]
    return row(op, at, json.dumps(body).encode(), **columns)


def entry(seq: int, at: float = 0.0, **columns: Any) -> Record:
    return frame("event", at, channel=ARENA, seq=seq, **columns)


def steer(op: str, at: float = 0.0, seq: int = 1, epoch: str = "e1", **columns: Any) -> Record:
    return frame(op, at, fields={"epoch": epoch}, channel=ARENA, seq=seq, **columns)


def hello(at: float = 0.0, **columns: Any) -> Record:
    return frame("hello", at, fields={"heartbeat_ms": 15_000, "max_frame": 1_000}, **columns)


def closed(at: float = 0.0, text: str = "the end", code: int = 0, flags: int = 0, **columns: Any) -> Record:
    return row(
        "close", at, text.encode(), kind=Kind.CLOSE, direction=Direction.NONE, code=code, flags=flags, **columns
    )  # fmt: skip


def close_frame(code: int, at: float = 0.0, **columns: Any) -> Record:
    return row("close", at, code.to_bytes(2, "big"), opcode=8, code=code, flags=int(Flag.CONTROL), **columns)


def resumed(verdict: str, at: float = 0.0, dial: int = 2) -> Record:
    return frame("resumed", at, fields={"channels": [{"ch": ARENA, "verdict": verdict}]}, dial=dial)


def tick(at: float) -> Record:
    """Somebody else's row: time goes on."""
    return row("event", at, conn="other")


def second(at: float, frames: int) -> list[Record]:
    return [row("event", at) for _ in range(frames)]


def judged(rows: list[Record], batch: int = 8_192) -> Expert:
    ring = Ring(capacity=16_384)
    ring.extend(rows)
    expert = Expert(ring)
    while expert.update(batch):
        pass
    return expert


def told(rows: list[Record]) -> list[tuple[str, int, int]]:
    """Kind, count and newest row of each finding, by their rows."""
    found = sorted(judged(rows).findings, key=lambda finding: (finding.last_row, finding.kind.name))
    return [(finding.kind.name, finding.count, finding.last_row) for finding in found]


CALM_LIFE = [
    hello(),
    frame("identify", direction=OUT, rtt_ms=8.0),
    frame("ready", 0.1),
    frame("subscribe", 0.1, direction=OUT, channel=ARENA, command=1, rtt_ms=3.0),
    steer("snapshot", 0.2, seq=41),
    steer("live", 0.2, seq=41),
    *[entry(42 + at, 0.3 + at / 10) for at in range(20)],
    frame("ping", 3.0, flags=BEAT),
    frame("pong", 3.1, direction=OUT, flags=BEAT),
    frame("publish", 4.0, direction=OUT, channel=ARENA, command=2, rtt_ms=12.0),
    close_frame(1000, 5.0),
    closed(5.0, "1000 normal — by this client", 1000),
    tick(60.0),
]

STORIES: dict[str, tuple[list[Record], list[tuple[str, int, int]]]] = {
    "a calm life is no finding": (CALM_LIFE, []),
    # sequence
    "a missing number is a gap": ([entry(1), entry(2), entry(5)], [("sequence_gap", 1, 2)]),
    "numbers begin anywhere": ([entry(100), entry(101)], []),
    "two channels do not mix": ([entry(1), row("event", channel="room:b", seq=9), entry(2)], []),
    "two connections do not mix": ([entry(1), entry(7, conn="p1"), entry(2), entry(8, conn="p1")], []),
    "a declared jump is no gap": (
        [entry(1), frame("event", fields={"prev": 1}, channel=ARENA, seq=9)],
        [],
    ),
    "a jump declared from further on is a gap": (
        [entry(1), frame("event", fields={"prev": 4}, channel=ARENA, seq=9)],
        [("sequence_gap", 1, 1)],
    ),
    "the same number again is a duplicate": ([entry(1), entry(2), entry(2)], [("duplicate", 1, 2)]),
    "an entry after later ones is out of order": (
        [entry(1), entry(3), entry(2), entry(2)],
        [("sequence_gap", 1, 1), ("out_of_order", 1, 2), ("duplicate", 1, 3)],
    ),
    "a snapshot begins anew": ([entry(1), steer("snapshot", seq=50), entry(51)], []),
    "a live over missing entries is a gap": (
        [steer("live", seq=4), steer("live", seq=9), entry(10)],
        [("sequence_gap", 1, 1)],
    ),
    "a live of another epoch is none": ([steer("live", seq=4), steer("live", seq=9, epoch="e2")], []),
    "without state a live may jump": (
        [
            frame("subscribe", fields={"state": False}, direction=OUT, channel=ARENA, command=1, rtt_ms=1.0),
            steer("live", seq=4),
            steer("live", seq=9),
        ],
        [],
    ),
    "subscribing again begins anew": (
        [entry(1), frame("subscribe", direction=OUT, channel=ARENA, command=1, rtt_ms=1.0), entry(9)],
        [],
    ),
    "a replay goes on where the last dial ended": (
        [entry(1), entry(2), resumed("replay"), entry(3, dial=2), entry(4, dial=2)],
        [],
    ),
    "a replay that leaves something out is a gap": (
        [entry(1), entry(2), resumed("replay"), entry(4, dial=2)],
        [("sequence_gap", 1, 3)],
    ),
    "a replay of what was seen already is a duplicate": (
        [entry(1), entry(2), resumed("replay"), entry(2, dial=2, flags=int(Flag.REPLAY))],
        [("duplicate", 1, 3)],
    ),
    "a resume by snapshot begins anew": ([entry(1), resumed("snapshot"), entry(9, dial=2)], []),
    "a new session begins anew": ([entry(7), frame("ready", dial=2), entry(1, dial=2)], []),
    "other protocols have no numbers": ([row(seq=1, protocol="json"), row(seq=9, protocol="json")], []),
    # heartbeat
    "silence beyond heartbeat and grace is missed": (
        [hello(), entry(1, 1.0), tick(20.9), tick(21.1)],
        [("missed_heartbeat", 1, 1)],
    ),
    "silence within it is not": ([hello(), entry(1, 1.0), tick(20.9), entry(2, 20.95), tick(40.0)], []),
    "a silence that ends is told once": (
        [hello(), entry(1, 1.0), tick(30.0), entry(2, 31.0)],
        [("missed_heartbeat", 1, 1)],
    ),
    "a closed connection may be silent": ([hello(), close_frame(1000, 1.0), closed(1.0), tick(90.0)], []),
    "a new dial takes the place of the last": (
        [hello(), hello(9.0, dial=2), entry(1, 21.0, dial=2), tick(40.0)],
        [],
    ),
    "without an announced heartbeat silence is no matter": ([entry(1), entry(2, 600.0)], []),
    "a ping without a pong is missed": (
        [frame("ping", 1.0, flags=BEAT), tick(6.1)],
        [("missed_heartbeat", 1, 0)],
    ),
    "a pong in time settles it": (
        [frame("ping", 1.0, flags=BEAT), frame("pong", 5.9, flags=BEAT, direction=OUT), tick(9.0)],
        [],
    ),
    "a pong too late does not": (
        [frame("ping", 1.0, flags=BEAT), frame("pong", 6.5, flags=BEAT, direction=OUT), tick(9.0)],
        [("missed_heartbeat", 1, 0)],
    ),
    "a pong of the protocol below answers another ping": (
        [
            frame("ping", 1.0, flags=BEAT),
            row("pong", 1.1, opcode=10, flags=BEAT | Flag.CONTROL, direction=OUT),
            tick(9.0),
        ],
        [("missed_heartbeat", 1, 0)],
    ),
    "an own ping without an answer is missed": (
        [frame("ping", 1.0, flags=BEAT, direction=OUT), tick(6.1)],
        [("missed_heartbeat", 1, 0)],
    ),
    "the gateway's 4002 is one as well": (
        [entry(1), closed(1.0, "4002 heartbeat lost", 4002, ERROR)],
        [("missed_heartbeat", 1, 1)],
    ),
    # questions
    "a command without an answer": (
        [frame("publish", 1.0, direction=OUT, command=7), tick(6.1)],
        [("unanswered", 1, 0)],
    ),
    "a command answered late": (
        [frame("publish", 1.0, direction=OUT, command=7, rtt_ms=6_000.0)],
        [("unanswered", 1, 0)],
    ),
    "a command whose time is not over": ([frame("publish", 1.0, direction=OUT, command=7), tick(5.9)], []),
    "a connection takes its questions with it": (
        [frame("publish", 1.0, direction=OUT, command=7), close_frame(1001, 2.0), closed(2.0), tick(9.0)],
        [],
    ),
    "a greeting without an answer": ([frame("identify", direction=OUT), tick(6.0)], [("unanswered", 1, 0)]),
    "a Socket.IO event without its acknowledgement": (
        [row("move", command=3, protocol="socket.io", direction=OUT), tick(6.0)],
        [("unanswered", 1, 0)],
    ),
    "an acknowledgement is no question": ([row("ack", command=3, protocol="socket.io"), tick(6.0)], []),
    "a Phoenix heartbeat without a reply": (
        [row("heartbeat", command=3, protocol="phoenix", direction=OUT, flags=BEAT), tick(6.0)],
        [("missed_heartbeat", 1, 0)],
    ),
    "numbers of unknown protocols ask nothing": (
        [row("get", command=3, protocol="json", direction=OUT), tick(6.0)],
        [],
    ),
    # slow, large, much
    "what the gateway dropped": (
        [
            frame("flow", fields={"dropped": 3, "conflated": 0}, channel=ARENA),
            frame("flow", fields={"dropped": 1, "conflated": 9}, channel=ARENA),
        ],
        [("slow_consumer", 2, 1)],
    ),
    "a close for slowness": (
        [entry(1), closed(1.0, "4003 slow consumer", 4003, ERROR)],
        [("slow_consumer", 1, 1)],
    ),
    "more than 64 KiB received": ([row(size=70_000)], [("oversize", 1, 0)]),
    "more than was announced is sent": (
        [hello(), row("publish", direction=OUT, size=1_001), row("event", size=1_001)],
        [("oversize", 1, 1)],
    ),
    "only the beginning was kept": ([row(flags=int(Flag.TRUNCATED))], [("oversize", 1, 0)]),
    "several frames": ([row(flags=int(Flag.FRAGMENT), fragments=3)], [("fragments", 1, 0)]),
    "a burst": (
        [each for at in range(6) for each in second(at + 0.5, 5)]
        + second(6.5, 201)
        + [row("event", 7.5)],
        [("rate_burst", 1, 30)],
    ),
    "much from the start is no burst": (
        [each for at in range(3) for each in second(at + 0.5, 300)] + [row("event", 4.0)],
        [],
    ),
    "what a resume sends again is no burst": (
        [each for at in range(6) for each in second(at + 0.5, 5)]
        + [row("event", 6.5, flags=int(Flag.REPLAY))] * 250
        + [row("event", 7.5)],
        [],
    ),
    # tokens
    "a token is wanted": ([frame("auth_required", fields={"by_ms": 60_000})], [("token_expiring", 1, 0)]),
    "a token has ended": (
        [entry(1), closed(1.0, "4010 token expired", 4010, ERROR)],
        [("token_expired", 1, 1)],
    ),
    # ends
    "an own close that was wrong": (
        [entry(1), closed(1.0, "4410 kicked — by the server", 4410, ERROR)],
        [("unclean_close", 1, 1)],
    ),
    "a proxied end without a close frame": ([row(conn="p1"), closed(conn="p1")], [("unclean_close", 1, 1)]),
    "a proxied end after a calm close frame": (
        [row(conn="p1"), close_frame(1000, conn="p1"), closed(conn="p1")],
        [],
    ),
    "a proxied end after a bad one": (
        [row(conn="p1"), close_frame(1011, conn="p1"), closed(conn="p1")],
        [("unclean_close", 1, 2)],
    ),
    "what never was a WebSocket has no unclean close": ([closed(conn="p1")], []),
    "a refused upgrade": (
        [row("upgrade", payload=b"HTTP/1.1 401 Unauthorized\r\n", kind=Kind.HANDSHAKE, flags=ERROR)],
        [("upgrade_refused", 1, 0)],
    ),
    # broken and refused
    "a malformed frame": ([row("text", payload=b"][", flags=MALFORMED)], [("malformed", 1, 0)]),
    "garbage": (
        [row("garbage", kind=Kind.NOTE, flags=MALFORMED, payload=b"no frame: ff ff")],
        [("malformed", 1, 0)],
    ),
    "a document that is not the gateway's": (
        [
            row("state_diverged", kind=Kind.NOTE, flags=ERROR, channel=ARENA, seq=96, payload=b"hash a instead of b"),
            row("state_repaired", kind=Kind.NOTE, flags=ERROR, channel=ARENA, seq=97, payload=b"1 path differed: x"),
        ],
        [("state_diverged", 1, 0)],
    ),
    "bytes that nobody read": (
        [row("gap", kind=Kind.NOTE, flags=MALFORMED, payload=b"12 bytes passed unread")],
        [("unread", 1, 0)],
    ),
    "what was not read is neither silent nor badly ended": (
        [
            hello(conn="p1"),
            frame("publish", direction=OUT, command=7, conn="p1"),
            row("gap", kind=Kind.NOTE, flags=MALFORMED, conn="p1"),
            tick(60.0),
            closed(61.0, conn="p1"),
        ],
        [("unread", 1, 2)],
    ),
    "refusals are grouped by their code": (
        [
            frame("error", fields={"code": "forbidden", "message": "no"}, flags=ERROR, command=1),
            frame("error", fields={"code": "conflict", "message": "no"}, flags=ERROR, command=2),
            frame("error", fields={"code": "forbidden", "message": "no"}, flags=ERROR, command=3),
        ],
        [("refused", 1, 1), ("refused", 2, 2)],
    ),
    "an error of another protocol": (
        [row("connect_error", protocol="socket.io", flags=ERROR)],
        [("refused", 1, 0)],
    ),
    "a resume that was refused": (
        [frame("resume_failed", fields={"cause": "session_expired"}, flags=ERROR)],
        [("resume_refused", 1, 0)],
    ),
    "an error that says nothing readable": ([row("error", payload=b"{", flags=ERROR)], [("refused", 1, 0)]),
}  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_a_story_tells_its_findings_and_no_other(story: str) -> None:
    rows, expected = STORIES[story]
    assert told(rows) == expected


def test_every_kind_is_told_by_some_story() -> None:
    assert {kind for _, findings in STORIES.values() for kind, *_ in findings} == set(KINDS)


def test_a_finding_says_what_where_and_when() -> None:
    [finding] = judged([entry(1, 4.0), entry(5, 5.0), entry(9, 6.5)]).findings
    assert finding.severity is Severity.ERROR
    assert (finding.conn, finding.channel) == ("you", ARENA)
    assert finding.sentence == "3 entries, 6 to 8, never came before this row"
    assert (finding.first_row, finding.last_row, finding.rows, finding.count) == (1, 2, [1, 2], 2)
    assert (finding.at, finding.wall) == (6.5, 1_700_000_006.5)


def test_an_answer_that_comes_after_its_question_was_judged_is_waited_for() -> None:
    ring = Ring()
    expert = Expert(ring)
    asked = ring.append(frame("publish", 1.0, direction=OUT, command=7))
    expert.update_all()
    ring.annotate(asked, rtt_ms=900.0)
    ring.append(tick(9.0))
    expert.update_all()
    assert len(expert.findings) == 0


def test_rows_that_left_before_they_were_judged_make_no_gap() -> None:
    ring = Ring(capacity=64)
    expert = Expert(ring)
    ring.extend([entry(seq) for seq in range(10)])
    expert.update_all()
    ring.extend([entry(seq) for seq in range(10, 500)])
    expert.update_all()
    assert len(expert.findings) == 0
    assert expert.missed > 0


def test_after_clearing_rows_of_an_earlier_time_are_judged_by_their_own() -> None:
    ring = Ring()
    expert = Expert(ring)
    ring.extend([hello(500.0), entry(1, 500.0), entry(9, 501.0)])
    expert.update_all()
    ring.clear()
    ring.extend([hello(1.0), entry(1, 2.0), frame("publish", 3.0, direction=OUT, command=7)])
    expert.update_all()
    assert len(expert.findings) == 0
    ring.append(tick(9.0))
    expert.update_all()
    assert [finding.kind.name for finding in expert.findings] == ["unanswered"]


# ------------------------------------------------------------------ batches


def _whole(rows: list[Record], cuts: list[int]) -> set[tuple[Any, ...]]:
    ring = Ring(capacity=16_384)
    expert = Expert(ring)
    start = 0
    for end in [*cuts, len(rows)]:
        ring.extend(rows[start:end])
        start = max(start, end)
        expert.update_all()
    return {
        (each.kind.name, each.conn, each.channel, each.sentence, each.count, tuple(each.rows), each.at)
        for each in expert.findings
    }


@st.composite
def lives(draw: st.DrawFn) -> list[Record]:
    """Traffic of two connections with everything that rules look at, in order of time."""
    at, rows = 0.0, [hello(), hello(conn="p1")]
    dials = {"you": 1, "p1": 1}
    for _ in range(draw(st.integers(0, 40))):
        at += draw(st.sampled_from([0.0, 0.1, 0.9, 4.0, 6.0, 16.0, 40.0]))
        conn = draw(st.sampled_from(["you", "p1"]))
        kind = draw(st.integers(0, 11))
        rtt = draw(st.sampled_from([math.nan, 5.0, 7_000.0]))
        seq = draw(st.integers(1, 9))
        where: dict[str, Any] = {"conn": conn, "dial": dials[conn]}
        if kind <= 3:
            rows.append(entry(seq, at, **where))
        elif kind <= 5:
            op = draw(st.sampled_from(["snapshot", "live"]))
            rows.append(steer(op, at, seq, draw(st.sampled_from(["e1", "e2"])), **where))
        elif kind == 6:
            op = draw(st.sampled_from(["publish", "subscribe", "identify"]))
            rows.append(frame(op, at, direction=OUT, channel=ARENA, command=seq, rtt_ms=rtt, **where))
        elif kind == 7:
            way = draw(st.sampled_from([Direction.IN, OUT]))
            rows.append(
                frame(draw(st.sampled_from(["ping", "pong"])), at, flags=BEAT, direction=way, **where)
            )
        elif kind == 8:
            rows.append(closed(at, "gone", draw(st.sampled_from([0, 1000, 4003])), **where))
            dials[conn] += 1
        elif kind == 9:
            rows += [row("event", at, **where)] * draw(st.sampled_from([1, 1, 1, 250]))
        elif kind == 10:
            rows.append(resumed(draw(st.sampled_from(["replay", "snapshot"])), at, dial=dials["you"]))
        else:
            rows.append(frame("error", at, fields={"code": "forbidden"}, flags=ERROR, **where))
    return rows


@settings(max_examples=60, deadline=None)
@given(lives(), st.data())
def test_judging_in_any_batches_tells_the_same_as_judging_at_once(
    rows: list[Record], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=8)))
    assert _whole(rows, cuts) == _whole(rows, [])


odd_rows = st.builds(
    row,
    st.sampled_from(["hello", "event", "live", "snapshot", "resumed", "error", "flow", "ping", "pong", "gap", "close", "upgrade", "publish", "auth_required", "resume_failed", ""]),
    st.floats(0, 100),
    st.sampled_from([b"", b"{", b"[]", b"\xff", b'{"epoch":5,"channels":[1,{"ch":[]}],"prev":"x","code":[],"heartbeat_ms":-1,"max_frame":1e9,"dropped":"y","by_ms":null}']),
    kind=st.sampled_from(list(Kind)),
    direction=st.sampled_from(list(Direction)),
    opcode=st.integers(0, 15),
    channel=st.sampled_from(["", ARENA]),
    flags=st.integers(0, 2_047),
    seq=st.integers(-1, 5),
    command=st.integers(-1, 5),
    code=st.sampled_from([0, 1000, 4003, 65_535]),
    size=st.integers(0, 2**40),
    dial=st.integers(0, 3),
    protocol=st.sampled_from(["", "socket.io", "phoenix", "json"]),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(odd_rows, max_size=15), st.integers(1, 5))
def test_no_row_however_odd_stops_the_judge(rows: list[Record], batch: int) -> None:
    for finding in judged(rows, batch).findings:
        assert 0 <= finding.first_row <= finding.last_row < len(rows)
        assert Filter(finding.filter_text(Ring()))
        assert finding.sentence


# ------------------------------------------------------------------ findings


def happening(
    at: int, kind: str = "duplicate", conn: str = "you", detail: str = "", sentence: str = "again"
) -> Told:
    return Told(kind, conn, "", detail, at, float(at), float(at), sentence)


def test_of_too_many_findings_the_calmest_leave_first() -> None:
    findings = Findings(limit=20)
    findings.tell(happening(0, "unclean_close"))
    findings.tell(happening(1, "fragments"))
    for at in range(2, 40):
        findings.tell(happening(at, detail=str(at)))
    assert len(findings) <= 20
    kinds = [finding.kind.name for finding in findings]
    assert "unclean_close" in kinds
    assert "fragments" not in kinds
    assert findings.forgotten == 40 - len(findings)


def test_a_finding_remembers_its_newest_rows() -> None:
    findings = Findings()
    for at in range(MAX_ROWS + 5):
        findings.tell(happening(at))
    [finding] = findings
    assert (finding.count, finding.first_row, finding.rows[0]) == (MAX_ROWS + 5, 0, 5)


def test_the_filter_of_a_finding_shows_its_rows_and_no_other() -> None:
    expert = judged([entry(1), entry(1), entry(1), entry(2), entry(2)])
    [finding] = expert.findings
    text = finding.filter_text(expert.ring)
    assert text == "row:2..3 or row:5"
    assert Filter(text).matching(expert.ring).tolist() == [False, True, True, False, True]


def test_rows_of_a_file_are_filtered_by_their_numbers_there() -> None:
    ring = Ring()
    columns = {"at": np.zeros(3), "offset": np.arange(3), "flags": np.array([0, MALFORMED, MALFORMED])}
    ring.extend_ready(ReadyRows(columns, ("",), bytearray(b"\n\n\n"), np.array([7, 40, 41])))
    expert = Expert(ring)
    expert.update_all()
    [finding] = expert.findings
    text = finding.filter_text(ring)
    assert text == "row:41..42"
    assert Filter(text).matching(ring).tolist() == [False, True, True]


def test_a_finding_of_too_many_rows_is_filtered_by_its_stretch() -> None:
    rows = [frame("error", fields={"code": "conflict"}, flags=ERROR) if at % 2 else row() for at in range(80)]
    expert = judged(rows)
    [finding] = expert.findings
    text = finding.filter_text(expert.ring)
    assert text == "conn:you has:error row:2..80"
    assert int(Filter(text).matching(expert.ring).sum()) == 40


def test_every_kind_is_in_the_document_with_its_words() -> None:
    page = DOCUMENT.read_text()
    for kind in KINDS.values():
        line = f"| {kind.title} | {kind.severity.name.lower()} | {kind.says} | {kind.advice} |"
        assert line in page, kind.name
