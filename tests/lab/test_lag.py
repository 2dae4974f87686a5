"""When the program itself was busy, and which waits that touches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.lag import MAX_STALLS, STALL_S, LagWatch, Stall, touched

moments = st.floats(0, 1_000, allow_nan=False)


@st.composite
def stalls_in_order(draw: st.DrawFn) -> list[Stall]:
    """Stretches as a loop makes them: one after the other, each with a length."""
    edges = sorted(draw(st.sets(moments, max_size=24)))
    return [Stall(began, ended) for began, ended in zip(edges[::2], edges[1::2], strict=False)]


@given(stalls_in_order(), st.lists(st.tuples(moments, moments), max_size=30))
def test_a_wait_is_touched_when_it_shares_a_moment_with_any_stall(
    stalls: list[Stall], pairs: list[tuple[float, float]]
) -> None:
    waits = [(min(pair), max(pair)) for pair in pairs]
    found = touched(stalls, [wait[0] for wait in waits], [wait[1] for wait in waits]).tolist()
    one_by_one = [
        any(stall.began < ended and began < stall.ended for stall in stalls) for began, ended in waits
    ]
    assert found == one_by_one


@given(st.lists(st.floats(0.001, 0.2), max_size=40))
def test_a_loop_that_is_away_longer_than_the_limit_has_stalled_for_just_that_long(gaps: list[float]) -> None:
    watch, now, wanted = LagWatch(), 100.0, []
    watch.beat(now)
    for gap in gaps:
        before, now = now, now + gap
        watch.beat(now)
        if now - before > STALL_S:
            wanted.append(Stall(before, now))
    assert list(watch.stalls) == wanted


def test_without_a_beat_nothing_is_known() -> None:
    watch = LagWatch()
    assert watch.touched([1.0], [2.0]).tolist() == [False]


def test_a_rest_is_no_stall() -> None:
    watch = LagWatch()
    watch.beat(1.0)
    watch.rest()
    assert watch.beat(60.0) is None
    assert watch.stalls == ()


def test_what_is_remembered_is_bounded() -> None:
    watch = LagWatch()
    for at in range(MAX_STALLS + 10):
        watch.beat(float(at))
    assert len(watch.stalls) == MAX_STALLS
    assert watch.stalls[-1].ended == MAX_STALLS + 9
