"""Watching other people's frames: the taps of monitors.

Owns who watches what. A tap never slows anybody: what a slow monitor cannot take, or a tap may not show by its
rate, is left out, counted and told by `flow`; a tap's own frames are not tapped, secrets are masked before they
leave, and only connections that are watched pay for it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from sonde_protocol.codes import ErrorCode
from sonde_protocol.errors import MalformedFrame, Refused
from sonde_protocol.frames import Flow, Tapped
from sonde_protocol.redact import redact_value
from sonde_server.core.limits import TokenBucket

if TYPE_CHECKING:
    from sonde_server.core.connection import Connection
    from sonde_server.core.hub import Hub

Direction = Literal["in", "out"]
FLOW_CHANNEL: Final = "$taps"  # what `flow` names where tapped frames were left out
TELL_AFTER_S: Final = 1.0
_BURST_S: Final = 2.0  # of a tap's rate, at once
_UNENCODABLE: Final = (ValueError, TypeError, OverflowError, RecursionError)


class TapKey(NamedTuple):
    """What a tap selects; None selects all."""

    session: str | None
    ch: str | None
    user: str | None


class Tap:
    """One monitor's tap."""

    __slots__ = ("bytes", "frames", "key", "monitor", "sample")

    def __init__(self, monitor: Connection, key: TapKey, sample: float) -> None:
        """Args: sample: the share of frames that is wanted, (0, 1]."""
        config = monitor.hub.config
        self.monitor = monitor
        self.key = key
        self.sample = sample
        self.frames = TokenBucket(config.tap_frames_per_s, _BURST_S * config.tap_frames_per_s)
        self.bytes = TokenBucket(config.tap_bytes_per_s, _BURST_S * config.tap_bytes_per_s)

    def watches(self, connection: Connection) -> bool:
        """Whether this connection's frames may be wanted."""
        session = connection.session
        if session is None or connection is self.monitor:
            return False
        return self.key.session in (None, session.id) and self.key.user in (None, session.user)

    def has_room(self, size: int, now: float) -> bool:
        """Whether a frame is within the tap's rate and its monitor takes what it is sent.

        Half of what makes a consumer slow is left to what the monitor gets otherwise: its taps are shed first.
        """
        monitor = self.monitor
        if monitor.outbox is not None or monitor.wire.buffered() > monitor.hub.config.slow_bytes // 2:
            return False
        return self.frames.take(1, now) == 0 and self.bytes.take(size, now) == 0


class Taps:
    """All taps of this node."""

    __slots__ = ("_dropped", "_hub", "_taps")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._taps: list[Tap] = []
        self._dropped: dict[Connection, int] = {}  # that its monitor was not told of yet

    def __bool__(self) -> bool:
        return bool(self._taps)

    def add(self, tap: Tap) -> None:
        """Watch; a tap of the same selection is replaced.

        Raises:
            Refused: `limit_reached`.
        """
        kept = [other for other in self._taps if (other.monitor, other.key) != (tap.monitor, tap.key)]
        if len(kept) >= self._hub.config.max_taps:
            raise Refused(ErrorCode.LIMIT_REACHED, "too many taps")
        self._set([*kept, tap])

    def remove(self, monitor: Connection, key: TapKey) -> None:
        """Stop watching what `key` selected; a key of all None stops all of this monitor's taps."""
        every = key == TapKey(None, None, None)
        self._set([tap for tap in self._taps if tap.monitor is not monitor or not (every or tap.key == key)])

    def forget(self, monitor: Connection) -> None:
        """The monitor is gone."""
        self._dropped.pop(monitor, None)
        if any(tap.monitor is monitor for tap in self._taps):
            self._set([tap for tap in self._taps if tap.monitor is not monitor])

    def arm(self, connection: Connection) -> None:
        """Find out which taps watch a connection."""
        connection.taps = tuple(tap for tap in self._taps if tap.watches(connection)) or None

    def _set(self, taps: list[Tap]) -> None:
        self._taps = taps
        self._hub.metrics.taps = len(taps)
        for connection in self._hub.connections:
            self.arm(connection)

    def show(self, connection: Connection, direction: Direction, data: bytes) -> None:
        """Tell the monitors of one frame of a watched connection. Never raises."""
        session, taps = connection.session, connection.taps
        if session is None or taps is None:
            return
        wanted = [tap for tap in taps if tap.sample >= 1 or self._hub.entropy.uniform(0.0, 1.0) < tap.sample]
        if not wanted:
            return  # what nobody is shown is not even read
        frame = _read(connection, data)
        ch = frame.get("ch") if isinstance(frame, dict) else None
        now = self._hub.clock.now()
        ready = [tap for tap in wanted if tap.key.ch in (None, ch) and self._has_room(tap, len(data), now)]
        if not ready:
            return
        tapped = Tapped(
            session=session.id,
            user=session.user,
            dir=direction,
            time=self._hub.wall_ms(),
            size=len(data),
            frame=redact_value(frame),
        )
        for tap in ready:
            self._send(tap.monitor, tapped)

    def _send(self, monitor: Connection, tapped: Tapped) -> None:
        try:
            data = monitor.codec.encode(tapped)
        except _UNENCODABLE:  # what a peer sent need not fit into another subprotocol
            tapped.frame = None
            data = monitor.codec.encode(tapped)
        self._hub.metrics.tapped_total += 1
        monitor.write_untapped(data)

    # ------------------------------------------------------------ what is left out

    def _has_room(self, tap: Tap, size: int, now: float) -> bool:
        """Whether a frame is shown; one that is not is counted, and its monitor is told by `flow`."""
        if tap.has_room(size, now):
            return True
        monitor = tap.monitor
        self._hub.metrics.taps_dropped_total += 1
        if monitor not in self._dropped:
            self._dropped[monitor] = 0
            self._hub.agenda.at(now + TELL_AFTER_S, partial(self._tell, monitor))
        self._dropped[monitor] += 1
        return False

    def _tell(self, monitor: Connection) -> None:
        if monitor not in self._dropped:
            return  # it is gone
        if monitor.outbox is not None or monitor.wire.buffered() > self._hub.config.slow_bytes // 2:
            self._hub.agenda.at(self._hub.clock.now() + TELL_AFTER_S, partial(self._tell, monitor))
            return
        monitor.send(Flow(ch=FLOW_CHANNEL, dropped=self._dropped.pop(monitor), conflated=0))


def _read(connection: Connection, data: bytes) -> Any:
    """A frame as values; None for what is none."""
    try:
        return connection.codec.untyped(data)
    except MalformedFrame:
        return None
