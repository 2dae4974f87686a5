"""Smooth pictures out of jumpy state: the server's clock, and values between two known ones.

Owns the clock offset estimate and the interpolation buffer. Refuses to predict: past the last known value it
holds still, and says so. Times are seconds; `server` times are unix seconds, `local` ones monotonic.
"""

from __future__ import annotations

import bisect
from collections import deque
from dataclasses import dataclass
from typing import Final

CLOCK_SAMPLES: Final = 32
PATH_SAMPLES: Final = 64
MAX_PATHS: Final = 4_096
Path = tuple[str, ...]


class ServerClock:
    """Offset of the server's clock, after NTP (RFC 5905 section 8) with its minimum-delay filter.

    Of the newest samples the one with the shortest round trip is believed: its path was the least queued, and
    its error is at most half that round trip.
    """

    def __init__(self, samples: int = CLOCK_SAMPLES) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=samples)  # (round trip, offset)

    def add(self, sent_local: float, received_local: float, server: float) -> None:
        """A ping left at `sent_local`, was stamped `server` and came back at `received_local`."""
        round_trip = received_local - sent_local
        if round_trip >= 0.0:
            self._samples.append((round_trip, server - (sent_local + received_local) / 2.0))

    def reset(self) -> None:
        """Another node answers from now on: its clock is another."""
        self._samples.clear()

    @property
    def offset_s(self) -> float | None:
        """Server time minus local time; `None` before the first sample."""
        return min(self._samples)[1] if self._samples else None

    @property
    def error_s(self) -> float | None:
        """The most that `offset_s` can be off by."""
        return min(self._samples)[0] / 2.0 if self._samples else None

    def server_time(self, local: float) -> float | None:
        """The server's clock at a local time."""
        offset = self.offset_s
        return None if offset is None else local + offset


@dataclass(frozen=True, slots=True)
class Sampled:
    """A value for drawing. `stale_s` is how far the wanted time lies past the last known value; 0 if within."""

    value: float
    stale_s: float


class _Track:
    """Values of one path over server time, oldest first."""

    __slots__ = ("times", "values")

    def __init__(self) -> None:
        self.times: deque[float] = deque(maxlen=PATH_SAMPLES)
        self.values: deque[float] = deque(maxlen=PATH_SAMPLES)


class Interpolator:
    """Numbers of a state document, drawn `delay_s` in the past so that there is mostly a value on either side.

    Args:
        delay_s: two to three ticks of the channel hide one lost or late entry.
        gap_s: two values further apart are a jump (a teleport, a drop): the old one is held, then the new shown.
    """

    def __init__(self, delay_s: float = 0.15, gap_s: float = 2.0) -> None:
        self.delay_s = delay_s
        self.gap_s = gap_s
        self._tracks: dict[Path, _Track] = {}

    def __len__(self) -> int:
        return len(self._tracks)

    def add(self, path: Path, server_time: float, value: float) -> None:
        """A value became true at `server_time`. What is not newer than the last is ignored."""
        track = self._tracks.get(path)
        if track is None:
            if len(self._tracks) >= MAX_PATHS:
                self._tracks.pop(next(iter(self._tracks)))  # the oldest path makes room
            track = self._tracks[path] = _Track()
        if track.times and server_time <= track.times[-1]:
            return
        track.times.append(server_time)
        track.values.append(value)

    def forget(self, path: Path) -> None:
        """A path was removed, with everything under it."""
        for known in [known for known in self._tracks if known[: len(path)] == path]:
            del self._tracks[known]

    def at(self, path: Path, server_now: float) -> Sampled | None:
        """The value to draw now; `None` for an unknown path."""
        track = self._tracks.get(path)
        if track is None:
            return None
        wanted = server_now - self.delay_s
        times, values = track.times, track.values
        after = bisect.bisect_right(times, wanted)
        if after == 0:
            return Sampled(values[0], 0.0)
        if after == len(times):
            return Sampled(values[-1], wanted - times[-1])
        before = after - 1
        span = times[after] - times[before]
        if span > self.gap_s:
            return Sampled(values[before], 0.0)
        share = (wanted - times[before]) / span
        return Sampled(values[before] + (values[after] - values[before]) * share, 0.0)
