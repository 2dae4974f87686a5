"""All faults that are under way on this node: taken, begun, counted, told, ended.

Owns them by session, so that they outlive a connection: who comes back meets them again. Bounded; whatever was forgotten
ends by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sonde_protocol.codes import DeliveryClass, ErrorCode, ResumeCause
from sonde_protocol.errors import Refused
from sonde_server.core.agenda import Appointment
from sonde_server.core.commands.publishing import hand_out
from sonde_server.core.faults.armed import AT_ONCE, HOLDING, OFF_AFTER_S, Armed, Order
from sonde_server.core.faults.endings import ENDINGS
from sonde_server.core.faults.wire import FaultyWire
from sonde_server.core.metrics import count
from sonde_server.core.ports import BreakableWire
from sonde_server.core.records import NewEvent

if TYPE_CHECKING:
    from sonde_server.core.connection import Connection
    from sonde_server.core.hub import Hub
    from sonde_server.core.session import Session

log: Final = logging.getLogger("sonde.gateway")

CHANNEL: Final = "$faults"
MAX_ARMED: Final = 256
TOLD_STRIKES: Final = 10  # of one fault; its end tells how many there were
MAX_TAKEN: Final = 1_024  # commands whose numbers are remembered


class Faults:
    """Injected faults of one node."""

    __slots__ = ("_armed", "_hub", "_numbers", "_partings", "_taken")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._armed: dict[str, tuple[Armed, ...]] = {}  # by session
        self._partings: dict[
            str, Appointment
        ] = {}  # sessions without a connection: when nobody can resume them
        self._taken: dict[tuple[str, int], int] = {}  # by the asker's session and command: the fault's number
        self._numbers = 0

    # ------------------------------------------------------------ asked for

    def taken(self, asker: str, command: int) -> int | None:
        """The number that a command got before. Whoever breaks its own socket may miss the answer, and ask again."""
        return self._taken.get((asker, command))

    def take(self, order: Order, session: Session, asker: Session, command: int) -> Armed:
        """Look whether an order can be carried out. It is not begun yet.

        Raises:
            Refused: it cannot.
        """
        self._require(order, session)
        self._numbers += 1
        self._taken[asker.id, command] = self._numbers
        if len(self._taken) > MAX_TAKEN:
            del self._taken[next(iter(self._taken))]
        until_ms = self._hub.wall_ms() + round(order.over_s * 1000)
        return Armed(self._numbers, order, session.id, session.user, asker.user, until_ms)

    def _require(self, order: Order, session: Session) -> None:
        if sum(map(len, self._armed.values())) >= MAX_ARMED:
            raise Refused(ErrorCode.LIMIT_REACHED, f"at most {MAX_ARMED} faults are under way at once")
        connection = session.connection
        if connection is None:
            if order.kind.name != "resume_refused":
                raise Refused(ErrorCode.BAD_REQUEST, "this session has no connection now")
        elif not isinstance(connection.wire, FaultyWire | BreakableWire):
            raise Refused(ErrorCode.NOT_SUPPORTED, "this connection's socket cannot be broken")
        if order.kind.name == "permissions_changed" and order.text("channel") not in session.subscriptions:
            raise Refused(ErrorCode.BAD_REQUEST, f"the session is not in the channel {order.text('channel')}")

    def begin(self, armed: Armed) -> None:
        """Now, or when its time has come."""
        self._keep(armed)
        log.info(
            "fault injected",
            extra={"kind": armed.order.kind.name, "session": armed.session, "by": armed.by},
        )
        self._tell("armed", armed, _in_words(armed.order))
        if armed.order.wait_s:
            armed.end = self._later(armed.order.wait_s, partial(self._start, armed))
        else:
            self._start(armed)

    def off(self, session: str) -> int:
        """Take away what is under way on a session; how much it was. A half-open link is reset."""
        under_way = self._armed.get(session, ())
        for armed in under_way:
            self._end(armed)
        return len(under_way)

    # ------------------------------------------------------------ what others ask

    def on(self, session: str) -> tuple[Armed, ...]:
        """What has begun on a session."""
        return tuple(armed for armed in self._armed.get(session, ()) if armed.has_begun)

    def seated(self, session: Session, connection: Connection) -> None:
        """A session has a new connection: its faults go on there."""
        parting = self._partings.pop(session.id, None)
        if parting is not None:
            parting.cancel()
        under_way = self.on(session.id)
        if not under_way:
            return
        self._spoil(session.id, connection)
        for armed in under_way:
            if armed.order.kind.name == "flapping":
                self._flap(armed, connection)

    def parted(self, session: str) -> None:
        """A session has no connection: its faults wait for it as long as somebody may take it up again."""
        if session in self._armed and session not in self._partings:
            wait_s = self._hub.config.resume_ttl_s
            self._partings[session] = self._later(wait_s, partial(self.session_over, session))

    def session_over(self, session: str) -> None:
        """Nobody can take it up again. What is about one socket lasts as long as that."""
        self._partings.pop(session, None)
        for armed in self._armed.get(session, ()):
            if armed.wire is None:
                self._end(armed)

    def socket_gone(self, wire: FaultyWire) -> None:
        """What was about this socket alone is over."""
        for armed in self._armed.get(wire.session, ()):
            if armed.wire is wire:
                self._end(armed)

    def refusal(self, session: str) -> ResumeCause | None:
        """Why a resume of this session is to be refused, if it is."""
        for armed in self.on(session):
            if armed.order.kind.name == "resume_refused":
                cause = armed.order.text("cause")
                self.struck(armed, f"a resume was refused: {cause}")
                return ResumeCause(cause)
        return None

    def struck(self, armed: Armed, says: str) -> None:
        """It did what it is for: counted, told, and over when that was the last time."""
        armed.strikes += 1
        count(self._hub.metrics.faults_total, armed.order.kind.name)
        if armed.strikes <= TOLD_STRIKES:
            self._tell("struck", armed, says)
        if armed.is_spent:
            self._end(armed)

    # ------------------------------------------------------------ under way

    def _start(self, armed: Armed) -> None:
        if armed.is_over:
            return
        armed.has_begun = True
        name, session = armed.order.kind.name, self._hub.sessions.get(armed.session)
        connection = None if session is None else session.connection
        if session is None or connection is None:
            if name != "resume_refused":
                self._end(armed)
                return
            self._let_last(armed)
            return
        wire = self._spoil(armed.session, connection)
        if name in AT_ONCE:
            self._forget(armed)
            self.struck(armed, ENDINGS[name](session, connection, wire, armed.order))
            self._end(armed)
        elif name in HOLDING:
            self._hold(armed, wire)
        elif name == "half_open":
            self._half_open(armed, wire)
        else:
            self._let_last(armed)
            if name == "flapping":
                self._flap(armed, connection)

    def _let_last(self, armed: Armed) -> None:
        armed.end = self._later(armed.order.lasts_s or OFF_AFTER_S, partial(self._end, armed))

    def _hold(self, armed: Armed, wire: FaultyWire) -> None:
        order = armed.order
        wire.hold(up=order.goes("up"), down=order.goes("down"))
        armed.wire, armed.release = wire, wire.release
        armed.end = self._later(order.number("hold"), partial(self._end, armed))
        self.struck(armed, f"nothing passes for {order.number('hold'):g} s")

    def _half_open(self, armed: Armed, wire: FaultyWire) -> None:
        order = armed.order
        wire.vanish(up=order.goes("up"), down=order.goes("down"))
        armed.wire, armed.release = wire, wire.reset
        armed.end = self._later(order.lasts_s or OFF_AFTER_S, partial(self._end, armed))
        self.struck(armed, "bytes vanish, the socket stays")

    def _flap(self, armed: Armed, connection: Connection) -> None:
        if armed.cut is not None:
            armed.cut.cancel()  # it would keep the connection before this one
        armed.cut = self._later(armed.order.number("up"), partial(self._cut, armed, connection))

    def _cut(self, armed: Armed, connection: Connection) -> None:
        if armed.is_over or connection.is_closed or not isinstance(connection.wire, FaultyWire):
            return
        self.struck(armed, "the socket was cut without a close frame")
        connection.wire.cut()

    def _spoil(self, session: str, connection: Connection) -> FaultyWire:
        """Put a faulty wire between a connection and its socket."""
        wire = connection.wire
        if isinstance(wire, FaultyWire):
            return wire
        assert isinstance(wire, BreakableWire)
        connection.wire = connection.faulty = FaultyWire(wire, connection, session, self)
        return connection.faulty

    # ------------------------------------------------------------ ends

    def _keep(self, armed: Armed) -> None:
        self._armed[armed.session] = (*self._armed.get(armed.session, ()), armed)
        self._hub.metrics.faults += 1

    def _forget(self, armed: Armed) -> None:
        left = tuple(each for each in self._armed.get(armed.session, ()) if each is not armed)
        if len(left) < len(self._armed.get(armed.session, ())):
            self._hub.metrics.faults -= 1
        if left:
            self._armed[armed.session] = left
        else:
            self._armed.pop(armed.session, None)

    def _end(self, armed: Armed) -> None:
        if armed.is_over:
            return
        armed.is_over = True
        for appointment in (armed.end, armed.cut):
            if appointment is not None:
                appointment.cancel()
        self._forget(armed)
        if armed.release is not None:
            armed.release()
        self._tell("over", armed, f"struck {armed.strikes:,} time{'' if armed.strikes == 1 else 's'}")

    def _later(self, wait_s: float, act: Callable[[], None]) -> Appointment:
        return self._hub.agenda.at(self._hub.clock.now() + wait_s, act)

    # ------------------------------------------------------------ telling

    def _tell(self, what: str, armed: Armed, says: str) -> None:
        facts = {
            "number": armed.number,
            "session": armed.session,
            "user": armed.user,
            "kind": armed.order.kind.name,
            "by": armed.by,
            "node": self._hub.node,
            "until": armed.until_ms,
            "says": says,
        }
        self._hub.run(self._append(what, facts), "news of a fault")

    async def _append(self, what: str, facts: dict[str, Any]) -> None:
        hub = self._hub
        config = hub.config.namespaces.get(CHANNEL)
        if config is None:
            return
        event = NewEvent(what, facts, None, hub.wall_ms(), DeliveryClass.RELIABLE, None)
        appended = await hub.backend.log.append(CHANNEL, config.limits, event, None)
        if appended.entry is not None:
            await hand_out(hub, appended.epoch, appended.entry)


def _in_words(order: Order) -> str:
    """What was asked for: `"kick"`, `"half_open for 30 s"`."""
    said = [f"{name} {value}" for name, value in order.values.items() if value != ""]
    times = f"{order.count} times" if order.count > 1 else ""
    lasts = f"for {order.lasts_s:g} s" if order.lasts_s else ""
    return " ".join((order.kind.name, *said, *filter(None, (times, lasts))))
