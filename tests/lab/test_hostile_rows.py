"""Rows that nobody can have written in good faith: whoever reads them says something or nothing, and never breaks."""

from __future__ import annotations

import math
import random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab import dials
from sonde_lab.channel_rates import ChannelRates
from sonde_lab.export.presence import history
from sonde_lab.happenings import Happenings
from sonde_lab.landmarks import Landmark, Landmarks
from sonde_lab.lane_bars import View, bars, pack
from sonde_lab.reconnecting import Reconnects
from sonde_lab.records import NO_COMMAND, NO_RTT, NO_SEQ, Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.rooms import room_story, rooms_of
from sonde_lab.row_trips import RowTrips
from sonde_lab.stepping import line_at
from sonde_lab.swim_lanes import Grouping, Lane, grouped, matching, member_lanes
from sonde_lab.timeline import Timeline
from sonde_lab.verdict import has_reason, latest, why

HUGE = 2**63 - 1
MOST_S = 1e11  # what a capture's reader lets through
NAMES = ["", "you", "node:n1", "room:a", "x" * 5_000, "\0", "\u202e", "a\nb", "🙂" * 300]
OPS = [
        "snapshot", "delta", "event", "live", "presence", "ready", "resumed", "resume_failed", "bye", "close", "identify",
        "resume", "dial", "state", "stall", "dial_refused", "upgrade", "body", "ping", "pong", "error", "publish", "act",
        "unsubscribed", "unsubscribe", "auth_required", "flow", "reconnect", "closed", "gateway_died", "foreign_host", "",
]  # fmt: skip
WORDS = [
    "dial 3 to 127.0.0.1:1: TCP 0.20 ms, upgrade 1.00 ms",
    "dial 999999999 to h:1: TCP 999999999.99 ms, upgrade failed after 999999999.99 ms (dial_refused)",
    "dial 1 to h:1: failed before it began (dial_injected)",
    "dial 1 to h:1: upgrade 1.00 ms, TCP 1.00 ms",
    "dial 0 to : ",
    "live as ada (member), session s1, generation 1",
    "waiting 0.5 s before the next try: The gateway refuses the connection",
    "waiting 1e999 s before the next try",
    "waiting",
    "stopped",
    "stopped: Bad address. No.",
    "dialing ws://x, try 99999999999999999999",
    "the socket is open, greeting the gateway",
    "saying goodbye",
    "not connected",
    "4002 heartbeat lost — by the server, 22.5 s after the last frame received",
    "refused with 401 — by the server",
    "1006 — by the network (cut), reset, 999999999999999999999999999999.9 s after the last frame received",
    "this window itself was not running for 999999999.9 s",
    "this window itself was not running for 1.0 s",
    "refuse the dials of you for 1e308 s",
    "refuse the dials of you for 99999999999999999999 s",
    "drop you",
    "HTTP/1.1 999999999999 No\r\n\r\n",
    "HTTP/1.1 401 Unauthorized",
    "HTTP/1.1 200 OK",
]
NUMBERS = [None, 0, 1, 2, -1, 10**18, 2**63, 1.5, math.inf, "1", True, [], {}]
TEXTS = ["", "s1", "s2", "e1", "replay", "snapshot", "trimmed", "diff", "x" * 2_000, None, 3, [], {}]
DEEP = b'{"d":' * 600 + b"{}" + b"}" * 600
COUNTS = (
    "seq",
    "prev",
    "part",
    "parts",
    "number",
    "count",
    "resume_ttl_ms",
    "heartbeat_ms",
    "in_ms",
    "retry_ms",
    "code",
)
SAYINGS = ("op", "epoch", "ch", "session", "cause", "hash", "verdict")
CONTENTS = [None, {}, {"a": 1}, {"a": None}, {"a": {"b": [10**18]}}, "part", [], 3]
ODD = [b"", DEEP, b"\xff" * 700, b"\x03\xe8bye", b"\x0f\xa2", b'{"seq":1e400}']


class Hostile:
    """Makes rows; the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._any = random.Random(seed)

    def rows(self) -> list[Record]:
        return [self._row() for _ in range(self._any.randint(1, 40))]

    def _of(self, *values: Any) -> Any:
        return self._any.choice(values)

    def _row(self) -> Record:
        payload = self._payload()
        return Record(
            at=self._of(0.0, 1e-300, MOST_S, *(self._any.uniform(990.0, 1_010.0) for _ in range(9))),
            wall=self._of(0.0, 1_700_000_000.0, MOST_S),
            conn=self._of("you", "you", *NAMES),
            dial=self._of(0, 1, 1, 1, 2, 2**31 - 1),
            direction=self._of(*Direction),
            kind=self._of(*Kind),
            opcode=self._of(0, 1, 1, 2, 2, 8, 9, 10, 15),
            op=self._of(*OPS),
            channel=self._of("room:a", "room:a", *NAMES),
            size=self._of(0, 5, HUGE),
            payload=payload,
            code=self._of(0, 1000, 1006, 4000, 4002, 4003, 4100, 4409, 65_535, 2**31 - 1),
            rtt_ms=self._of(NO_RTT, 0.0, 3.0, 1e12),
            flags=self._of(
                0, 0, 0, *(int(flag) for flag in Flag), int(Flag.INJECTED | Flag.ERROR), 2**31 - 1
            ),
            seq=self._of(NO_SEQ, 0, 1, 2, 3, 10**18, HUGE),
            command=self._of(NO_COMMAND, 0, 1, HUGE),
        )

    def _payload(self) -> bytes:
        which = self._any.randrange(8)
        if which < 3:
            return self._of(*WORDS).encode()
        if which == 3:
            return self._of(*ODD)
        fields = self._fields()
        return msgspec.json.encode(fields) if which < 6 else msgspec.msgpack.encode(fields)

    def _fields(self) -> dict[str, Any]:
        whole = {name: self._of(*NUMBERS) for name in COUNTS} | {name: self._of(*TEXTS) for name in SAYINGS}
        whole |= {name: self._people() for name in ("members", "joins", "updates", "leaves")}
        whole |= {
            "kind": self._of("snapshot", "diff", "", 1),
            "d": self._of(*CONTENTS),
            "from": self._of(*NUMBERS),
        }
        whole["channels"] = [self._of(None, dict(whole)) for _ in range(self._any.randrange(3))]
        return {name: value for name, value in whole.items() if self._any.random() < 0.8}

    def _people(self) -> list[Any]:
        asked = ("session", "user", "name", "status", "activity", "reason")
        like = {"session": "s1", "user": "ada", "name": "Ada", "status": "online"}
        return [
            self._of(like, {**like, "session": "s2"}, {name: self._of(*TEXTS) for name in asked})
            for _ in range(self._any.randrange(4))
        ]


def ring_of(rows: list[Record], capacity: int = 1_000) -> Ring:
    ring = Ring(capacity, 1 << 20)
    ring.extend(rows)
    return ring


def read_timeline(ring: Ring) -> None:
    timeline = Timeline(ring)
    for _ in range(1_000):
        if timeline.follow(1.0):
            break
    assert timeline.is_ready
    lines = timeline.lines()
    for line in lines:
        for row_id in ring.ids:
            timeline.state_at(line, row_id)
            timeline.roster_at(line, row_id)
            assert line_at(timeline, ring, row_id, "you") in (*lines, None)
        for row_id in (ring.first_id, ring.next_id - 1):
            for step in (1, -1):
                timeline.step(line, row_id, step)
        timeline.between(line, ring.first_id, ring.next_id - 1)
    stories = [
        room_story(channel, timeline.spells(line, -math.inf, math.inf), 0.0)
        for channel, line in rooms_of(lines, "you").items()
    ]
    for story in stories:
        story.curve(990.0, MOST_S)
        story.rates(1_000.0)
        assert story.peak >= 0
    of_lines = {line.channel: timeline.spells(line, 0.0, 2 * MOST_S) for line in lines if line.has_roster}
    for channel, spells in of_lines.items():
        draw(member_lanes(spells, channel, {}, of_lines))


def draw(lanes: list[Lane]) -> None:
    for grouping in Grouping:
        grouped(lanes, grouping)
    matching(lanes, "a")
    for since, until in ((0.0, 1_010.0), (990.0, MOST_S)):
        bars(pack(lanes), View(range(len(lanes)), since, until, MOST_S, 800.0))
    history(lanes, 0.0, MOST_S, lambda at: at)


def read_happenings(ring: Ring) -> None:
    happenings = Happenings(ring)
    while not happenings.follow():
        pass
    happenings.settle(MOST_S)
    draw(happenings.lanes())


def read_reconnects(ring: Ring) -> None:
    reconnects = Reconnects(ring)
    reconnects.update_all()
    for each in reconnects.kept:
        for phase in reconnects.phases(each, MOST_S):
            assert phase.ended >= phase.began


def read_verdicts(ring: Ring) -> None:
    for row_id in ring.ids:
        has_reason(ring, row_id)
        verdict = why(ring, row_id)
        assert verdict.evidence
        assert len(verdict.sentence) < 1_000
        assert all(len(row.text) < 1_000 for row in verdict.evidence)
    for conn in ("you", "nobody"):
        latest(ring, conn)


def read_figures(ring: Ring) -> None:
    for column in ("channel", "direction"):
        rates = ChannelRates(ring, column)
        rates.begin("you")
        while not rates.follow():
            pass
        rates.stack(0.0, MOST_S)
    trips = RowTrips(ring).take()
    assert all(np.isfinite(trip.rtt_ms) for trip in trips)
    landmarks = Landmarks(ring)
    for what in Landmark:
        landmarks.next(what, ring.first_id, 1)


READERS = [read_timeline, read_happenings, read_reconnects, read_verdicts, read_figures]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("seed", range(40))
def test_no_row_breaks_a_reader(read: Any, seed: int):
    read(ring_of(Hostile(seed).rows()))


@given(st.sampled_from(WORDS), st.integers(0, 80), st.binary(max_size=3))
def test_a_dial_that_is_almost_told_right_is_none_or_itself(words: str, place: int, instead: bytes):
    text = words[:place] + instead.decode("utf-8", "replace") + words[place + 1 :]
    read = dials.parse(text)
    assert read is None or dials.sentence(read) == text
