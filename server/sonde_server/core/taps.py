"""Watching other people's frames: the taps of monitors.

Owns who watches what. A tap never slows anybody: what a slow monitor cannot take is dropped, a tap's own frames
are not tapped, secrets are masked before they leave, and only connections that are watched pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sonde_protocol.codes import ErrorCode
from sonde_protocol.errors import MalformedFrame, Refused
from sonde_protocol.frames import Tapped
from sonde_protocol.redact import redact_value

if TYPE_CHECKING:
    from sonde_server.core.connection import Connection
    from sonde_server.core.hub import Hub

Direction = Literal["in", "out"]


class TapKey(NamedTuple):
    """What a tap selects; None selects all."""

    session: str | None
    ch: str | None
    user: str | None


class Tap(NamedTuple):
    """One monitor's tap."""

    monitor: Connection
    key: TapKey
    sample: float  # share of frames, (0, 1]

    def watches(self, connection: Connection) -> bool:
        """Whether this connection's frames may be wanted."""
        session = connection.session
        if session is None or connection is self.monitor:
            return False
        return self.key.session in (None, session.id) and self.key.user in (None, session.user)


class Taps:
    """All taps of this node."""

    __slots__ = ("_hub", "_taps")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._taps: list[Tap] = []

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
        """Tell the monitors of one frame of a watched connection."""
        session = connection.session
        if session is None or connection.taps is None:
            return
        try:
            frame: Any = connection.codec.untyped(data)
        except MalformedFrame:
            frame = None
        ch = frame.get("ch") if isinstance(frame, dict) else None
        wanted = [tap for tap in connection.taps if self._wants(tap, ch)]
        if not wanted:
            return
        tapped = Tapped(
            session=session.id,
            user=session.user,
            dir=direction,
            time=self._hub.wall_ms(),
            size=len(data),
            frame=redact_value(frame),
        )
        for tap in wanted:
            self._send(tap.monitor, tapped)

    def _wants(self, tap: Tap, ch: Any) -> bool:
        if tap.key.ch is not None and tap.key.ch != ch:
            return False
        return tap.sample >= 1 or self._hub.entropy.uniform(0.0, 1.0) < tap.sample

    def _send(self, monitor: Connection, tapped: Tapped) -> None:
        if monitor.outbox is not None or monitor.wire.buffered() > self._hub.config.slow_bytes:
            self._hub.metrics.taps_dropped_total += 1
            return
        self._hub.metrics.tapped_total += 1
        monitor.write_untapped(monitor.codec.encode(tapped))
