"""How long phases are drawn: in proportion, and the longest cut so that the others can be seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_ui.desktop.models.phase_scale import spans

DURATIONS = st.lists(st.floats(0, 1e7, allow_subnormal=False), min_size=1, max_size=40)


def test_phases_of_like_length_are_in_proportion() -> None:
    drawn = spans([10.0, 20.0, 10.0])
    assert [span.width for span in drawn] == [0.25, 0.5, 0.25]
    assert [span.begin for span in drawn] == [0.0, 0.25, 0.75]
    assert not any(span.is_cut for span in drawn)


def test_twenty_seconds_of_detection_leave_room_for_milliseconds() -> None:
    detect, resume, fresh = spans([20_000.0, 4.0, 6.0])
    assert detect.is_cut
    assert not fresh.is_cut
    assert resume.width > 0.1


@given(DURATIONS)
def test_phases_fill_the_width_one_after_the_other(durations: list[float]) -> None:
    drawn = spans(durations)
    edge = 0.0
    for span in drawn:
        assert span.begin == pytest.approx(edge, abs=1e-9)
        edge = span.begin + span.width
    assert edge == pytest.approx(1.0 if any(durations) else 0.0)


@given(DURATIONS)
def test_a_longer_phase_is_never_drawn_shorter(durations: list[float]) -> None:
    widths = [span.width for span in spans(durations)]
    for longer, shorter in zip(
        sorted(durations, reverse=True), sorted(durations, reverse=True)[1:], strict=False
    ):
        assert widths[durations.index(longer)] >= widths[durations.index(shorter)] - 1e-12


@given(DURATIONS)
def test_all_that_are_not_cut_share_one_scale(durations: list[float]) -> None:
    scales = {round(span.per_ms, 15) for span in spans(durations) if not span.is_cut}
    assert len(scales) <= 1
