"""What stands beside the rows is kept at its pace, and every file begins with what is known."""

from __future__ import annotations

from typing import Any

import pytest

from sonde_lab.capture import sampling
from sonde_lab.capture.sampling import Sampler
from sonde_lab.capture.taken import Roster, RoundTrip, Snapshot
from sonde_lab.changes import Changes, Document, RttSample
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog


@pytest.fixture
def sampler() -> Sampler:
    return Sampler(RowLog(Ring(), lambda: 0.0, lambda: 1_000.0))


@pytest.fixture
def given() -> list[RoundTrip | Roster | Snapshot]:
    return []


def doc(state: Any, hash_ok: bool | None = None) -> Changes:
    return Changes(documents={"room:a": Document(state, 3, hash_ok, ())})


def test_round_trips_of_every_client_are_kept_once_with_their_time_of_day(
    sampler: Sampler, given: list[Any]
) -> None:
    measured = {"you": [RttSample(5.0, 8.5)], "other": [RttSample(5.5, 9.5)]}
    sampler.take(Changes(measured=measured, rtt=[RttSample(1.0, 7.5)]), 6.0, given.append)
    assert given == [RoundTrip(5.0, 1_005.0, "you", 8.5), RoundTrip(5.5, 1_005.5, "other", 9.5)]


def test_a_roster_is_kept_at_change_and_once_a_second_and_the_last_one_is_not_lost(
    sampler: Sampler, given: list[Any]
) -> None:
    for tick in range(12):  # twelve changes in 1.1 s
        sampler.take(Changes(presence={"room:a": (tick,)}), tick / 10, given.append)
    assert [(item.at, item.members) for item in given] == [(0.0, (0,)), (1.0, (10,))]
    sampler.take(Changes(), 2.0, given.append)
    sampler.take(Changes(), 9.0, given.append)
    assert [(item.at, item.members) for item in given[2:]] == [(2.0, (11,))]


def test_a_document_is_kept_at_first_sight_and_then_every_five_seconds_where_it_changed(
    sampler: Sampler, given: list[Any]
) -> None:
    first, second = {"hp": 1}, {"hp": 2}
    sampler.take(doc(first), 0.0, given.append)
    sampler.take(doc(first), 6.0, given.append)
    assert [item.at for item in given] == [0.0]
    sampler.take(doc(first, True), 7.0, given.append)
    sampler.take(doc(second, True), 8.0, given.append)
    sampler.take(Changes(), 12.0, given.append)
    assert [(item.at, item.hash_ok, item.document) for item in given[1:]] == [
        (7.0, True, first),
        (12.0, True, second),
    ]


def test_a_channel_that_is_catching_up_is_kept_when_it_has_caught_up(
    sampler: Sampler, given: list[Any]
) -> None:
    sampler.take(Changes(documents={"room:a": Document({}, 0, None, (), "catching_up")}), 0.0, given.append)
    sampler.take(doc({"hp": 1}), 0.1, given.append)
    assert [(item.at, item.document) for item in given] == [(0.1, {"hp": 1})]


def test_a_file_begins_with_what_was_known_before_it_and_ends_with_what_waited(
    sampler: Sampler, given: list[Any]
) -> None:
    sampler.take(doc({"hp": 1}), 0.0, None)
    sampler.take(Changes(presence={"room:a": ()}), 0.0, None)
    sampler.begin()
    sampler.take(Changes(), 0.1, given.append)
    assert {type(item) for item in given} == {Roster, Snapshot}
    sampler.take(doc({"hp": 2}), 0.2, given.append)
    sampler.finish(0.3, given.append)
    assert [item.document for item in given if isinstance(item, Snapshot)] == [{"hp": 1}, {"hp": 2}]
    sampler.begin()
    sampler.take(Changes(endpoint_changed=True), 0.4, given.append)
    assert len(given) == 3


def test_channels_beyond_the_limit_are_left_out_and_counted(
    sampler: Sampler, given: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "MAX_CHANNELS", 1)
    sampler.take(Changes(presence={f"room:{number}": () for number in range(5)}), 0.0, given.append)
    assert (len(given), sampler.left_out) == (2, 3)
