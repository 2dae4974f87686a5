"""How much each channel says."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab import channel_rates
from sonde_lab.channel_rates import MOST_POINTS, NO_CHANNEL, SECONDS, THE_REST, ChannelRates
from sonde_lab.records import Flag
from sonde_lab.ring import Ring
from support.records import row


def followed(ring: Ring, conn: str | None = None) -> ChannelRates:
    rates = ChannelRates(ring)
    rates.begin(conn)
    while not rates.follow():
        pass
    return rates


seen = st.lists(
    st.tuples(st.floats(0, 30), st.sampled_from(["", *(f"room:{n}" for n in range(9))]), st.integers(0, 900)),
    max_size=200,
)


@given(seen, st.booleans())
def test_sums_are_those_of_counting_row_by_row(rows: list[tuple[float, str, int]], in_bytes: bool) -> None:
    ring = Ring()
    for at, channel, size in sorted(rows):
        ring.append(row(at=at, channel=channel, payload=b"x" * size))
    stack = followed(ring).stack(0.0, 1_000.0, in_bytes=in_bytes)
    wanted: Counter[tuple[str, int]] = Counter()
    for at, channel, size in rows:
        wanted[channel or NO_CHANNEL, math.floor(at)] += size if in_bytes else 1
    sums = Counter()
    for (channel, _), amount in wanted.items():
        sums[channel] += amount
    told = dict(zip(stack.names, stack.values.sum(axis=1).tolist(), strict=True))
    rest = told.pop(THE_REST, 0.0)
    assert all(sums[name] == amount for name, amount in told.items())
    assert sum(told.values()) + rest == sum(sums.values())
    assert len(told) <= 6
    for name, line in zip(stack.names, stack.values, strict=True):
        if name != THE_REST:
            assert [wanted[name, math.floor(at)] for at in stack.at] == line.tolist()


def test_the_second_under_way_is_left_out() -> None:
    ring = Ring()
    ring.extend([row(at=5.0, channel="room:a"), row(at=6.1, channel="room:a")])
    assert followed(ring).stack(0.0, 6.5).at.tolist() == [5.5]


def test_other_connections_and_tapped_frames_are_not_counted() -> None:
    ring = Ring()
    ring.extend(
        [
            row(at=5.0, channel="room:a", conn="you"),
            row(at=5.1, channel="room:b", conn="you2"),
            row(at=5.2, channel="room:c", conn="you", flags=int(Flag.TAPPED)),
        ]
    )
    assert followed(ring, "you").stack(0.0, 9.0).names == ("room:a",)
    assert followed(ring, "nobody").stack(0.0, 9.0).names == ()


def test_more_channels_than_are_kept_are_one_line() -> None:
    ring = Ring()
    ring.extend(
        [row(at=1.0 + n / 1_000, channel=f"room:{n}") for n in range(channel_rates.MOST_CHANNELS + 30)]
    )
    stack = followed(ring).stack(0.0, 9.0)
    assert stack.names[-1] == THE_REST
    assert stack.values.sum() == channel_rates.MOST_CHANNELS + 30


def test_what_is_older_than_is_kept_goes_and_few_points_are_told() -> None:
    ring = Ring()
    ring.extend([row(at=float(at), channel="room:a") for at in range(2 * SECONDS)])
    stack = followed(ring).stack(0.0, 2.0 * SECONDS)
    assert len(stack.at) <= MOST_POINTS
    assert stack.at[0] >= SECONDS
    assert np.all(stack.values == 1.0)
