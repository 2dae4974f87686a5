"""One own client, watched: its bytes, states, closes and failures become rows, notices and sums.

Owns the words for a connection's states and ends. Never steers the client.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Final

from sonde_client import Client, Closed, ConnectionStatus, Failure, Severity
from sonde_client.events import (
    DialEnded,
    EntryArrived,
    Failed,
    RttMeasured,
    StateDiverged,
    StateDoubted,
    StatusChanged,
)
from sonde_lab import dials
from sonde_lab.ages import Ages
from sonde_lab.changes import Gauges, RttSample, Throughput
from sonde_lab.divergence import Divergences
from sonde_lab.lag import LagWatch
from sonde_lab.notices import NoticeBoard
from sonde_lab.promises import Tally
from sonde_lab.recorder import Recorder
from sonde_lab.records import Flag, Kind
from sonde_lab.rowlog import RowLog
from sonde_lab.verdict.closes import WORDS_OF
from sonde_lab.wording import identity
from sonde_protocol.codes import CloseCode
from sonde_protocol.states import ConnectionState

MAX_RTT_SAMPLES: Final = 10_000  # between two batches; more are left out
REMEMBERED: Final = 3_600  # samples of each kind for whoever looks later; the oldest go
RATES_OVER_S: Final = 1.0
_CALM: Final = frozenset({CloseCode.NORMAL, CloseCode.GOING_AWAY})
_TOLD_BY_ROWS: Final = ("closed", "stopped", "state_diverged")  # causes that a row of their own tells already
_NOT_DIALED: Final = ("bad_url", "dial_injected")  # dials that came to no step at all


class ClientWatch:
    """Watches `client` under the name `conn` until `stop`. `on_live` is called each time that it becomes live.

    `lag` tells when this program itself was busy: round trips and entries that waited for it are in no figure.
    """

    def __init__(
        self,
        conn: str,
        client: Client,
        log: RowLog,
        board: NoticeBoard,
        tally: Tally,
        lag: LagWatch | None = None,
    ) -> None:
        self.conn = conn
        self.client = client
        self.recorder = Recorder(conn, log)
        self.rtt: list[RttSample] = []
        self.past_rtt: deque[RttSample] = deque(maxlen=REMEMBERED)
        self.past_throughput: deque[Throughput] = deque(maxlen=REMEMBERED)
        self.past_gauges: deque[Gauges] = deque(maxlen=REMEMBERED)
        self.on_live: Callable[[], None] | None = None
        self._lag = LagWatch() if lag is None else lag
        self._ages = Ages()
        self._clock_began_s = log.wall(0.0)  # this machine's clock minus the monotonic one
        self.divergences = Divergences(client, self.recorder, board)
        self._board = board
        self._tally = tally
        self._state = client.status.state
        self._close: Closed | None = None
        self._dropped = False  # was live, and is on its way back
        self._dial = 0  # the newest
        self._reached = ""  # by it
        self._session: str | None = None  # of the last live connection
        self._counted = (0, 0)  # entries and losses that are in the tally already
        client.on_wire = self.recorder.on_wire
        client.on_phase = self._on_phase
        self._subscriptions = [
            client.on(StatusChanged, self._on_status),
            client.on(Failed, self._on_failed),
            client.on(RttMeasured, self._on_rtt),
            client.on(DialEnded, self._on_dial),
            client.on(EntryArrived, self._on_entry),
            client.on(StateDoubted, self.divergences.on_doubted),
            client.on(StateDiverged, self.divergences.on_diverged),
        ]

    def stop(self) -> None:
        """Let go of the client."""
        self.client.on_wire = self.client.on_phase = None
        for unsubscribe in self._subscriptions:
            unsubscribe()

    def take_rtt(self) -> list[RttSample]:
        """Samples since the last call, judged: only now is it known whether the loop stalled before they were read."""
        taken, self.rtt = self.rtt, []
        if not taken:
            return taken
        touched = self._lag.touched(
            [each.at - each.rtt_ms / 1000 for each in taken], [each.at for each in taken]
        )
        judged = [each._replace(is_busy=busy) for each, busy in zip(taken, touched.tolist(), strict=True)]
        fair = [each.rtt_ms for each in judged if not each.is_busy]
        self._tally.rtts += len(fair)
        self._tally.rtt_sum_ms += sum(fair)
        self._tally.rtts_left_out += len(judged) - len(fair)
        self.past_rtt.extend(judged)
        return judged

    def measure(self, now: float) -> Throughput:
        """The rates of the last second; called once a second."""
        rates = self.client.metrics.rates(now, RATES_OVER_S)
        measured = Throughput(now, rates.in_msgs, rates.out_msgs, rates.in_bytes, rates.out_bytes)
        self.past_throughput.append(measured)
        return measured

    def gauge(self, now: float) -> Gauges:
        """What else is known of the client; called once a second."""
        clock, (unsent, unanswered) = self.client.clock, self.client.queue_depth
        age = self._ages.take(clock.offset_s, self._lag)
        offset_ms = error_ms = math.nan
        if clock.offset_s is not None and clock.error_s is not None:
            offset_ms, error_ms = (clock.offset_s - self._clock_began_s) * 1000, clock.error_s * 1000
        gauges = Gauges(
            now, unsent, unanswered, age.middle_ms, age.worst_ms, age.entries, offset_ms, error_ms
        )
        self.past_gauges.append(gauges)
        return gauges

    def count_entries(self) -> None:
        """Bring the sums of entries up to date."""
        counters = self.client.metrics.counters
        entries, lost = self._counted
        self._tally.entries += counters.entries - entries
        self._tally.lost += counters.lost - lost
        self._counted = (counters.entries, counters.lost)

    # ------------------------------------------------------------ what the client tells

    def _on_phase(self, phase: str, at: float, dial: int) -> None:
        if phase == "dialing":
            self._dial = dial
        if dial == self._dial and phase != "lost":
            self._reached = phase
        if phase == "upgraded":
            self._tally.dials += 1
            self._tally.dials_ok += 1
        elif phase == "lost":
            self.recorder.on_lost(dial, at)

    def _on_dial(self, event: DialEnded) -> None:
        """One row a dial: how long each step took, and which one failed."""
        told = dials.of_event(event)
        flags = 0 if told.is_open else Flag.ERROR
        if told.cause == "dial_injected":
            flags |= Flag.INJECTED
        self.recorder.say(
            Kind.STATE, dials.DIAL, dials.sentence(told), event.ended, flags=flags, dial=event.dial
        )

    def _on_rtt(self, event: RttMeasured) -> None:
        if len(self.rtt) < MAX_RTT_SAMPLES:
            self.rtt.append(RttSample(event.at, event.rtt_ms))

    def _on_entry(self, event: EntryArrived) -> None:
        if not event.frame.replay:
            self._ages.add(self.client.now(), event.frame.ts)

    def _on_failed(self, event: Failed) -> None:
        failure = event.failure
        self._board.add_failure(failure, self.conn)
        if failure.cause == "dial_injected":
            self._tally.dials_refused_on_purpose += 1
        elif _is_failed_dial(failure):
            self._tally.dials += 1
        if failure.cause in _TOLD_BY_ROWS:
            return
        flags = Flag.ERROR if failure.severity > Severity.INFO else 0
        text, dial = f"{failure.title}: {failure.detail}", None
        if _is_failed_dial(failure):
            dial = self._dial
            text += "" if failure.cause in _NOT_DIALED else f" The last step of the dial was {self._reached}."
        self.recorder.say(Kind.NOTE, failure.cause, text, failure.at, flags=flags, dial=dial)

    def _on_status(self, event: StatusChanged) -> None:
        status = event.status
        if status.last_close is not None and status.last_close is not self._close:
            self._close = status.last_close
            self._say_close(status.last_close)
        if status.state is not self._state:
            before, self._state = self._state, status.state
            self._count_return(before, status)
            flags = Flag.ERROR if status.state is ConnectionState.STOPPED else 0
            self.recorder.say(Kind.STATE, "state", state_in_words(status), status.since, flags=flags)
            if status.state is ConnectionState.LIVE and self.on_live is not None:
                self.on_live()

    def _say_close(self, close: Closed) -> None:
        text = close_in_words(close, self.recorder.last_frame_at)
        calm = close.code in _CALM and close.by != "network"
        self.recorder.say(
            Kind.CLOSE,
            "close",
            text,
            close.at,
            flags=0 if calm else Flag.ERROR,
            code=close.code or CloseCode.ABNORMAL,
            dial=close.dial or None,
        )

    def _count_return(self, before: ConnectionState, status: ConnectionStatus) -> None:
        """A drop is counted when it has an outcome: back, back with a new session, or given up."""
        if status.state is ConnectionState.LIVE:
            if self._dropped and status.session == self._session:
                self._tally.resumed += 1
            elif self._dropped:
                self._tally.identified_anew += 1
            self._session = status.session
            self._dropped = False
        elif before is ConnectionState.LIVE and status.state is ConnectionState.WAITING:
            self._dropped = True
        elif status.state is ConnectionState.STOPPED and self._dropped:
            self._tally.not_back += 1
            self._dropped = False
        elif status.state is ConnectionState.IDLE:
            self._dropped = False  # a person ended it: no promise was broken


def _is_failed_dial(failure: Failure) -> bool:
    return failure.cause.startswith(("dial_", "tls_", "http_", "not_websocket", "wrong_subprotocol"))


def close_in_words(close: Closed, last_frame_at: float | None) -> str:
    """`"4002 heartbeat lost — by the server, 22.5 s after the last frame received"`."""
    name = f"{close.code} {close.name}" if close.code is not None else close.name
    cause = f" ({close.cause})" if close.cause and close.cause != close.name else ""
    how = f", {WORDS_OF[close.how]}" if close.how in WORDS_OF else ""
    text = f"{name} — by the {close.by}{cause}{how}"
    if last_frame_at is not None and close.at >= last_frame_at:
        text += f", {close.at - last_frame_at:.1f} s after the last frame received"
    return text


_STATES: Final = (  # how the sentences of `state_in_words` begin
    (ConnectionState.DIALING, ("dialing ",)),
    (ConnectionState.HANDSHAKING, ("the socket is open, greeting",)),
    (ConnectionState.LIVE, ("live as ",)),
    (ConnectionState.WAITING, ("waiting ", "waiting:")),
    (ConnectionState.STOPPED, ("stopped:", "stopped.")),
    (ConnectionState.CLOSING, ("saying goodbye",)),
    (ConnectionState.IDLE, ("not connected",)),
)


def state_of(text: str) -> ConnectionState | None:
    """The state that such a sentence tells of; `None` for any other text."""
    if text in ("waiting", "stopped"):
        return ConnectionState(text)
    return next((state for state, starts in _STATES if text.startswith(starts)), None)


def state_in_words(status: ConnectionStatus) -> str:
    """What a connection does now, and why."""
    why = "" if status.failure is None else f": {status.failure.title}"
    match status.state:
        case ConnectionState.DIALING:
            again = f", try {status.attempts}" if status.attempts > 1 else ""
            return f"dialing {status.url}{again}"
        case ConnectionState.HANDSHAKING:
            return "the socket is open, greeting the gateway"
        case ConnectionState.LIVE:
            roles = ", ".join(sorted(status.roles))
            session = f", session {identity(status.session)}" if status.session else ""
            return f"live as {status.user} ({roles}){session}, generation {status.generation}"
        case ConnectionState.WAITING:
            if status.next_try_at is None:
                return f"waiting{why}"
            return f"waiting {max(0.0, status.next_try_at - status.since):.1f} s before the next try{why}"
        case ConnectionState.STOPPED:
            detail = "" if status.failure is None else f". {status.failure.detail}"
            return f"stopped{why}{detail}"
        case ConnectionState.CLOSING:
            return "saying goodbye"
        case ConnectionState.IDLE:
            return "not connected"
