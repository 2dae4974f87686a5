"""Figures, each against an independent calculation."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_client.metrics import RTT_SAMPLES, Metrics


@given(st.lists(st.floats(0.01, 5_000), min_size=1, max_size=300))
def test_percentiles_and_mean_are_numpys(samples: list[float]):
    metrics = Metrics()
    for n, rtt_ms in enumerate(samples):
        metrics.pong(rtt_ms, 100.0 + n * 0.01)
    figures = metrics.rtt(105.0)
    assert figures.samples == len(samples)
    assert figures.p50_ms == pytest.approx(np.quantile(samples, 0.5))
    assert figures.p95_ms == pytest.approx(np.quantile(samples, 0.95))
    assert figures.p99_ms == pytest.approx(np.quantile(samples, 0.99))
    assert figures.mean_ms == pytest.approx(sum(samples) / len(samples))
    assert figures.last_ms == samples[-1]


@given(st.lists(st.floats(0.01, 5_000), min_size=1, max_size=100))
def test_jitter_is_rfc_3550s(samples: list[float]):
    metrics = Metrics()
    expected = 0.0
    for n, rtt_ms in enumerate(samples):
        metrics.pong(rtt_ms, float(n))
        if n:  # section 6.4.1: J(i) = J(i-1) + (|D(i-1,i)| - J(i-1))/16
            expected = expected + (abs(rtt_ms - samples[n - 1]) - expected) / 16
    assert metrics.jitter_ms == pytest.approx(expected)


def test_only_samples_of_the_window_count():
    metrics = Metrics()
    metrics.pong(1000.0, 10.0)
    metrics.pong(10.0, 65.0)
    metrics.pong(30.0, 70.0)
    assert metrics.rtt(75.0, window_s=60).p50_ms == 20.0
    assert metrics.rtt(75.0, window_s=100).samples == 3


def test_loss_is_the_share_of_pings_without_an_answer():
    metrics = Metrics()
    for n in range(8):
        metrics.pong(5.0, float(n))
    metrics.ping_lost(8.0)
    metrics.ping_lost(9.0)
    assert metrics.rtt(10.0).loss == pytest.approx(0.2)
    assert metrics.rtt(10.0).samples == 8


def test_nothing_measured_is_nan_and_no_error():
    figures = Metrics().rtt(10.0)
    assert figures.samples == 0
    assert math.isnan(figures.p50_ms)
    assert math.isnan(figures.loss)


def test_the_ring_of_round_trips_is_bounded():
    metrics = Metrics()
    for n in range(RTT_SAMPLES + 100):
        metrics.pong(float(n), 50.0)
    figures = metrics.rtt(51.0)
    assert figures.samples == RTT_SAMPLES
    assert figures.mean_ms == pytest.approx(np.mean(np.arange(100, RTT_SAMPLES + 100)))


@pytest.mark.parametrize("window_s", [0.1, 1.0, 7.3, 59.0])
def test_rates_are_what_happened_in_whole_tenths_of_a_second(window_s: float):
    chance = random.Random(3)
    metrics = Metrics()
    happened: list[tuple[float, str, int]] = []
    at = 1000.0
    while at < 1100.0:
        at += chance.choice([0.001, 0.02, 0.3, 4.0])
        size = chance.randint(1, 999)
        if chance.random() < 0.5:
            metrics.frame_in(size, at)
            happened.append((at, "in", size))
        else:
            metrics.frame_out(size, at)
            happened.append((at, "out", size))
    now = at + 0.55
    rates = metrics.rates(now, window_s)
    tenths = round(window_s * 10)
    last = int(now / 0.1)
    inside = [h for h in happened if last - tenths <= int(h[0] / 0.1) < last]
    span = tenths / 10
    assert rates.in_msgs == pytest.approx(sum(h[1] == "in" for h in inside) / span)
    assert rates.out_msgs == pytest.approx(sum(h[1] == "out" for h in inside) / span)
    assert rates.in_bytes == pytest.approx(sum(h[2] for h in inside if h[1] == "in") / span)
    assert rates.out_bytes == pytest.approx(sum(h[2] for h in inside if h[1] == "out") / span)


def test_rates_fall_to_zero_when_nothing_happens_for_long():
    metrics = Metrics()
    metrics.frame_in(10, 100.0)
    assert metrics.rates(100.15).in_msgs == pytest.approx(1.0)
    assert metrics.rates(5_000.0, 60).in_msgs == 0.0


def test_rates_of_nothing_are_zero():
    assert Metrics().rates(10.0).in_msgs == 0.0


def test_counters_add_up():
    metrics = Metrics()
    metrics.frame_in(10, 1.0)
    metrics.frame_in(5, 2.0)
    metrics.frame_out(7, 2.0)
    counters = metrics.counters
    assert (counters.frames_in, counters.bytes_in, counters.frames_out, counters.bytes_out) == (2, 15, 1, 7)
