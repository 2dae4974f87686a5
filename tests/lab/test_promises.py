"""The five promises: figures of the last minute and the session, honest when there is no data."""

from __future__ import annotations

from sonde_lab.changes import Promises
from sonde_lab.promises import PromiseMeter, Tally


def metered(
    *samples: tuple[float, Tally], connections: int | None = None, monitored: bool = True
) -> Promises:
    meter = PromiseMeter()
    for at, tally in samples:
        meter.sample(at, tally, connections)
    return meter.promises(monitored)


def test_without_data_every_figure_is_none_and_says_why() -> None:
    promises = metered((0.0, Tally()))
    for promise in (
        promises.connection_success,
        promises.delivery,
        promises.latency,
        promises.connections,
        promises.reconnection_success,
    ):
        assert (promise.now, promise.session, promise.met) == (None, None, None)
        assert (promise.now_text, promise.session_text) == ("–", "–")
        assert promise.explanation
        assert promise.target_text
    assert metered() == Promises()


def test_last_minute_forgets_what_the_session_remembers() -> None:
    bad = Tally(dials=2, dials_ok=1, entries=99, lost=1, rtt_sum_ms=200.0, rtts=2, not_back=1)
    later = Tally(dials=4, dials_ok=3, entries=199, lost=1, rtt_sum_ms=220.0, rtts=4, not_back=1, resumed=1)
    promises = metered((0.0, Tally()), (1.0, bad), (30.0, bad), (90.0, later))
    assert (promises.connection_success.now, promises.connection_success.session) == (100.0, 75.0)
    assert (promises.delivery.now, promises.delivery.session) == (100.0, 99.5)
    assert (promises.latency.now, promises.latency.session) == (10.0, 55.0)
    assert (promises.reconnection_success.now, promises.reconnection_success.session) == (100.0, 50.0)
    assert promises.reconnection_success.session_text == "1 / 2"
    assert promises.latency.now_text == "10.0 ms"
    assert promises.delivery.met


def test_session_is_judged_where_the_last_minute_has_no_data() -> None:
    bad = Tally(dials=2, dials_ok=1, rtt_sum_ms=200.0, rtts=2)
    promises = metered((0.0, Tally()), (1.0, bad), (200.0, bad))
    assert promises.connection_success.now is None
    assert promises.connection_success.met is False
    assert promises.latency.met is False


def test_single_loss_is_never_rounded_away() -> None:
    promises = metered((0.0, Tally()), (1.0, Tally(entries=999_999, lost=1)))
    assert promises.delivery.now_text == "99.99 %"
    assert promises.delivery.met


def test_what_was_refused_on_purpose_is_said_and_not_counted() -> None:
    promise = metered((0.0, Tally(dials=1, dials_ok=1, dials_refused_on_purpose=4))).connection_success
    assert promise.session == 100.0
    assert "4 refused on purpose" in promise.explanation


def test_return_with_a_new_session_counts_and_says_so() -> None:
    promise = metered((0.0, Tally(resumed=1, identified_anew=1))).reconnection_success
    assert promise.session == 100.0
    assert promise.explanation == "1 resumed, 1 back with a new session, 0 not back"


def test_connections_show_now_and_most_and_judge_nothing() -> None:
    meter = PromiseMeter()
    meter.sample(0.0, Tally(), 12)
    meter.sample(1.0, Tally(), 8)
    promise = meter.promises(True).connections
    assert (promise.now, promise.session, promise.met, promise.target_text) == (8, 12, None, "10,000")
    meter.sample(2.0, Tally(), None)
    assert "role monitor" in meter.promises(False).connections.explanation
    assert "waiting" in meter.promises(True).connections.explanation
