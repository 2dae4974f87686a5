"""The garbage collector's policy."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from sonde_server.collector import FULL_AT_LEAST_EVERY_S, FULL_EVERY_S, YOUNG_OBJECTS, CollectorPolicy, Pauses


class Frames:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        return self.count


@pytest.fixture
def running() -> Iterator[tuple[CollectorPolicy, Frames]]:
    frames = Frames()
    policy = CollectorPolicy(frames)
    policy.start(0.0)
    yield policy, frames
    policy.stop()


def test_automatic_collections_are_off_between_start_and_stop() -> None:
    policy = CollectorPolicy(Frames())
    assert gc.isenabled()
    policy.start(0.0)
    assert not gc.isenabled()
    assert gc.get_freeze_count() > 0
    policy.stop()
    policy.stop()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert policy.pauses.on_collection not in gc.callbacks


def test_stop_without_a_start_changes_nothing() -> None:
    CollectorPolicy(Frames()).stop()
    assert gc.isenabled()


def test_many_young_objects_are_collected_at_the_next_turn(running: tuple[CollectorPolicy, Frames]) -> None:
    policy, _ = running
    before = policy.pauses.count
    kept = [[] for _ in range(YOUNG_OBJECTS + 1_000)]
    policy.consider(0.1)
    assert policy.pauses.count == before + 1
    policy.consider(0.2)
    assert policy.pauses.count == before + 1
    assert len(kept) > YOUNG_OBJECTS


def test_cycles_are_freed_although_nothing_is_automatic(running: tuple[CollectorPolicy, Frames]) -> None:
    import weakref

    class Knot:
        pass

    policy, _ = running
    knot = Knot()
    knot.self = knot  # type: ignore[attr-defined]
    gone = weakref.ref(knot)
    del knot
    assert gone() is not None
    policy.consider(6.0)
    assert gone() is None


def test_whole_heap_is_collected_when_the_gateway_is_quiet(running: tuple[CollectorPolicy, Frames]) -> None:
    policy, frames = running
    for second in range(int(FULL_EVERY_S) + 2):
        frames.count += 10
        policy.consider(float(second))
    assert policy.full_collections == 1


def test_busy_gateway_waits_long_for_a_full_collection_but_not_for_ever(
    running: tuple[CollectorPolicy, Frames],
) -> None:
    policy, frames = running
    for second in range(0, int(FULL_AT_LEAST_EVERY_S), 10):
        frames.count += 100_000
        policy.consider(float(second))
    assert policy.full_collections == 0
    frames.count += 100_000
    policy.consider(FULL_AT_LEAST_EVERY_S)
    assert policy.full_collections == 1


def test_pauses_are_counted_in_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 0.0015, 1.0, 1.3])
    monkeypatch.setattr("sonde_server.collector.time.perf_counter", lambda: next(times))
    pauses = Pauses()
    for _ in range(2):
        pauses.on_collection("start", {})
        pauses.on_collection("stop", {})
    assert (pauses.count, pauses.buckets) == (2, [0, 1, 1, 1, 1, 1, 1, 2])
    assert pauses.worst_s == pytest.approx(0.3)
    assert pauses.total_s == pytest.approx(0.3015)
