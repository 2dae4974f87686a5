"""What a watched client's round trips and gauges become: in figures, or told only."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonde_client import Client
from sonde_client.events import EntryArrived, RttMeasured
from sonde_lab.capture.sampling import Sampler
from sonde_lab.capture.taken import RoundTrip
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.changes import Changes, RttSample
from sonde_lab.endpoints import capture
from sonde_lab.lag import LagWatch
from sonde_lab.notices import NoticeBoard
from sonde_lab.promises import PromiseMeter, Tally
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.watch import ClientWatch
from sonde_lab.workbench import Workbench, WorkbenchConfig
from sonde_protocol.frames import Delta
from support.records import row

NOW = 500.0


class Watched:
    """A client that never connects, its watch, and what that counts."""

    def __init__(self) -> None:
        self.lag, self.tally = LagWatch(), Tally()
        log = RowLog(Ring(), lambda: NOW, lambda: 1_790_000_000.0)
        self.client = Client("ws://127.0.0.1:1/", clock=lambda: NOW)
        self.watch = ClientWatch("you", self.client, log, NoticeBoard(lambda at: at), self.tally, self.lag)

    def measured(self, at: float, rtt_ms: float) -> None:
        self.client.bus.emit(RttMeasured(rtt_ms, at))


@pytest.fixture
def watched() -> Iterator[Watched]:
    made = Watched()
    yield made
    made.watch.stop()


def stall(lag: LagWatch, began: float, ended: float) -> None:
    lag.rest()
    lag.beat(began)
    lag.beat(ended)
    lag.rest()


def test_a_round_trip_that_waited_for_this_program_is_told_but_in_no_promise(watched: Watched) -> None:
    watched.measured(100.0, 10.0)
    watched.measured(101.0, 400.0)
    stall(watched.lag, 100.7, 101.0)  # told after the answer was read, before it is judged
    assert [each.is_busy for each in watched.watch.take_rtt()] == [False, True]
    meter = PromiseMeter()
    meter.sample(102.0, watched.tally, None)
    promise = meter.promises(monitored=False).latency
    assert promise.now == 10.0
    assert promise.explanation == "mean of 1 round trips; 1 left out: the window itself was busy"


def test_what_is_remembered_for_later_knows_what_was_left_out(watched: Watched) -> None:
    stall(watched.lag, 100.0, 100.2)
    watched.measured(100.2, 150.0)
    watched.watch.take_rtt()
    assert list(watched.watch.past_rtt) == [RttSample(100.2, 150.0, is_busy=True)]


def test_without_a_clock_there_is_a_queue_but_no_age_and_no_offset(watched: Watched) -> None:
    frame = Delta(ch="room:a", seq=1, d={}, from_=None, ts=1_790_000_000_000)
    watched.client.bus.emit(EntryArrived("room:a", frame))
    gauges = watched.watch.gauge(NOW)
    assert (gauges.unsent, gauges.unanswered) == (0, 0)
    assert all(math.isnan(each) for each in (gauges.age_ms, gauges.offset_ms, gauges.error_ms))


def test_age_and_offset_are_by_the_gateways_clock(watched: Watched) -> None:
    watched.client.clock.add(NOW - 0.004, NOW, 1_790_000_000.0 + 0.098)  # 100 ms ahead, ± 2 ms
    fresh = Delta(ch="room:a", seq=1, d={}, from_=None, ts=1_790_000_000_070)
    again = Delta(ch="room:a", seq=0, d={}, from_=None, ts=1_789_999_000_000, replay=True)
    for frame in (fresh, again):
        watched.client.bus.emit(EntryArrived("room:a", frame))
    gauges = watched.watch.gauge(NOW + 1)
    assert gauges.offset_ms == pytest.approx(100.0, abs=0.01)
    assert gauges.error_ms == pytest.approx(2.0, abs=0.01)
    assert (gauges.entries, gauges.age_ms) == (1, pytest.approx(30.0, abs=0.01))
    assert watched.watch.gauge(NOW + 2).entries == 0


def test_a_capture_keeps_no_measurement_that_this_program_delayed() -> None:
    given: list[object] = []
    changes = Changes(measured={"you": [RttSample(1.0, 10.0), RttSample(2.0, 400.0, is_busy=True)]})
    Sampler(RowLog(Ring(), lambda: 0.0)).take(changes, 3.0, given.append)
    assert [each.rtt_ms for each in given if isinstance(each, RoundTrip)] == [10.0]


async def test_round_trips_of_an_opened_capture_are_told_once_by_connection(tmp_path: Path) -> None:
    writer = CaptureWriter(tmp_path / "measured.sonde")
    writer.on_rows(0, [row(at=1.0)])
    for at, conn in ((2.0, "you"), (3.0, "you2"), (1.0, "you")):
        writer.give(RoundTrip(at, 1_700_000_000 + at, conn, 10 * at))
    writer.close()
    workbench = Workbench(WorkbenchConfig(captures=tmp_path / "captures"))
    try:
        await workbench.open(capture(tmp_path / "measured.sonde"))
        await workbench.until_read()
        recorded = workbench.take_changes().recorded
        assert recorded == {
            "you": [RttSample(1.0, 10.0), RttSample(2.0, 20.0)],
            "you2": [RttSample(3.0, 30.0)],
        }
        assert workbench.take_changes().recorded == {}
    finally:
        await workbench.close()
