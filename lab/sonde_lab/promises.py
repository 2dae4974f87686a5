"""The five promises of a real-time service, measured: connection success, delivery, latency, size, reconnection.

Owns the sums and the window of one minute. A figure without data is `None` with a sentence why, never a guess:
what a person refused on purpose is left out and said.
"""

from __future__ import annotations

from collections import deque
from dataclasses import astuple, dataclass
from typing import Final

from sonde_lab.changes import Promise, Promises

WINDOW_S: Final = 60.0
TARGET_CONNECTION: Final = 99.9
TARGET_DELIVERY: Final = 99.99
TARGET_LATENCY_MS: Final = 50.0
TARGET_CONNECTIONS: Final = 10_000
TARGET_RECONNECTION: Final = 95.0


@dataclass(slots=True)
class Tally:
    """Sums since the endpoint was opened, over own clients."""

    dials: int = 0  # finished ones, without those refused on purpose
    dials_ok: int = 0
    dials_refused_on_purpose: int = 0
    entries: int = 0
    lost: int = 0
    rtt_sum_ms: float = 0.0
    rtts: int = 0
    rtts_left_out: int = 0  # measured while this program itself was busy: they say nothing of the way
    resumed: int = 0
    identified_anew: int = 0  # back, but with a new session
    not_back: int = 0  # given up after a drop

    def minus(self, earlier: Tally) -> Tally:
        """What came since `earlier`."""
        return Tally(*(now - then for now, then in zip(astuple(self), astuple(earlier), strict=True)))


class PromiseMeter:
    """Keeps a sample of the tally each second for a minute. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Tally]] = deque()
        self._connections: int | None = None
        self._peak: int | None = None

    def sample(self, at: float, tally: Tally, connections: int | None) -> None:
        """Take the sums of this moment in. `connections`: open ones by the gateway's own figures."""
        self._samples.append((at, Tally(*astuple(tally))))
        while len(self._samples) > 1 and self._samples[1][0] <= at - WINDOW_S:
            self._samples.popleft()
        self._connections = connections
        if connections is not None:
            self._peak = max(connections, self._peak or 0)

    def promises(self, monitored: bool) -> Promises:
        """The five figures. `monitored`: the gateway's own figures can be read."""
        if not self._samples:
            return Promises()
        total = self._samples[-1][1]
        recent = total.minus(self._samples[0][1]) if len(self._samples) > 1 else total
        return Promises(
            connection_success=_connection(recent, total),
            delivery=_delivery(recent, total),
            latency=_latency(recent, total),
            connections=self._size(monitored),
            reconnection_success=_reconnection(recent, total),
        )

    def _size(self, monitored: bool) -> Promise:
        target = f"{TARGET_CONNECTIONS:,}"
        if self._connections is None:
            why = "waiting for the gateway's figures" if monitored else "needs a token with the role monitor"
            return Promise(None, None, TARGET_CONNECTIONS, None, why, unit="", target_text=target)
        return Promise(
            now=float(self._connections),
            session=float(self._peak or 0),
            target=TARGET_CONNECTIONS,
            met=None,  # a quiet evening breaks no promise: what a gateway can hold shows a load test
            explanation="open now and at most; the target is what one gateway must hold",
            unit="",
            now_text=f"{self._connections:,}",
            session_text=f"{self._peak or 0:,}",
            target_text=target,
        )


def _share(
    now: tuple[int, int], session: tuple[int, int], target: float, explanation: str, nothing: str
) -> Promise:
    """A share of successes; each pair is (good, all)."""
    recent, total = _percent(*now), _percent(*session)
    judged = recent if recent is not None else total
    return Promise(
        now=recent,
        session=total,
        target=target,
        met=None if judged is None else judged >= target,
        explanation=explanation if total is not None else nothing,
        now_text=_percent_text(recent),
        session_text=_percent_text(total),
        target_text=f"{target:g} %",
    )


def _percent(good: int, all_: int) -> float | None:
    return 100.0 * good / all_ if all_ > 0 else None


def _percent_text(value: float | None) -> str:
    """Never rounded up to 100: a single loss must be seen."""
    if value is None:
        return "–"
    if value == 100.0:
        return "100 %"
    return f"{int(value * 100) / 100:.2f} %"


def _connection(recent: Tally, total: Tally) -> Promise:
    left_out = total.dials_refused_on_purpose
    explanation = f"{total.dials_ok:,} of {total.dials:,} dials of your own clients"
    explanation += f"; {left_out:,} refused on purpose are not counted" if left_out else ""
    return _share(
        (recent.dials_ok, recent.dials),
        (total.dials_ok, total.dials),
        TARGET_CONNECTION,
        explanation,
        "no dial has ended yet",
    )


def _delivery(recent: Tally, total: Tally) -> Promise:
    return _share(
        (recent.entries, recent.entries + recent.lost),
        (total.entries, total.entries + total.lost),
        TARGET_DELIVERY,
        f"{total.entries:,} entries received, {total.lost:,} missing by their numbers",
        "no entry has come yet",
    )


def _latency(recent: Tally, total: Tally) -> Promise:
    now = recent.rtt_sum_ms / recent.rtts if recent.rtts else None
    session = total.rtt_sum_ms / total.rtts if total.rtts else None
    judged = now if now is not None else session
    return Promise(
        now=now,
        session=session,
        target=TARGET_LATENCY_MS,
        met=None if judged is None else judged < TARGET_LATENCY_MS,
        explanation=_of_round_trips(total),
        unit="ms",
        now_text="–" if now is None else f"{now:.1f} ms",
        session_text="–" if session is None else f"{session:.1f} ms",
        target_text=f"{TARGET_LATENCY_MS:g} ms",
    )


def _of_round_trips(total: Tally) -> str:
    left_out = (
        f"; {total.rtts_left_out:,} left out: the window itself was busy" if total.rtts_left_out else ""
    )
    return (f"mean of {total.rtts:,} round trips" if total.rtts else "no round trip measured yet") + left_out


def _reconnection(recent: Tally, total: Tally) -> Promise:
    def back(tally: Tally) -> tuple[int, int]:
        came = tally.resumed + tally.identified_anew
        return came, came + tally.not_back

    explanation = f"{total.resumed:,} resumed, {total.identified_anew:,} back with a new session, {total.not_back:,} not back"
    promise = _share(back(recent), back(total), TARGET_RECONNECTION, explanation, "nothing has dropped yet")
    good, all_ = back(total)
    if all_:
        promise = Promise(
            promise.now, promise.session, promise.target, promise.met, promise.explanation,
            now_text=promise.now_text, session_text=f"{good:,} / {all_:,}", target_text=promise.target_text,
        )  # fmt: skip
    return promise
