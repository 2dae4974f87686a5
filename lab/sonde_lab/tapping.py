"""Taps of other people's sessions: which ones a person wants, and the rows that their frames become.

A tapped frame is one row: that of the connection that it belongs to, `~ada`, flagged, with its direction as that
client sees it, its own payload and its true size. What came around it on the own connection makes no second row.
Owns the names of tapped connections and puts taps back after a reconnect, since a gateway forgets them with the
connection. It believes nothing of what it is shown.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Final, NamedTuple

from sonde_client import Client, ConnectFailed, NotSent, OutcomeUnknown, Refused
from sonde_lab.changes import TapRow
from sonde_lab.envelope import BINARY, peek_tapped
from sonde_lab.recorder import Recorder
from sonde_lab.records import Direction, Flag
from sonde_lab.rowlog import RowLog
from sonde_lab.wire_items import MessageSeen
from sonde_lab.wording import identity, one_line
from sonde_protocol.codes import Role
from sonde_protocol.states import ConnectionState

MAX_NAMES: Final = 512  # tapped sessions with a name of their own; the one unheard of longest is forgotten
MARK: Final = "~"  # before a user's name: it stands in the filter as it is, and no own client begins with it
_MAX_USER: Final = 40
logger = logging.getLogger(__name__)


class _Selection(NamedTuple):
    session: str
    user: str
    ch: str

    @property
    def fields(self) -> dict[str, str | None]:
        """As a command has them: what is empty selects all."""
        return {name: value or None for name, value in self._asdict().items()}


class Tapping:
    """Taps of one workbench, by what they select."""

    def __init__(self, log: RowLog) -> None:
        self._log = log
        self._wanted: dict[_Selection, tuple[str, float]] = {}  # the client that watches, the share of frames
        self._recorders: OrderedDict[str, Recorder] = OrderedDict()
        self._changed = False

    def __len__(self) -> int:
        return len(self._wanted)

    def take(self) -> tuple[TapRow, ...] | None:
        """The taps in the order of their coming, where that has changed since the last call."""
        if not self._changed:
            return None
        self._changed = False
        return tuple(
            TapRow(key.session, key.user, key.ch, sample, name, self._conn(key.session))
            for key, (name, sample) in self._wanted.items()
        )

    def _conn(self, session: str) -> str:
        known = self._recorders.get(session)
        return "" if known is None else known.conn

    # ------------------------------------------------------------ what is wanted

    async def tap(
        self, name: str, client: Client, session: str, user: str, ch: str, sample: float, owner: str = ""
    ) -> None:
        """Watch through this client; a tap of the same selection is replaced. `owner`: the session's user.

        Raises:
            SondeError: the gateway refused it, or the connection was lost.
        """
        key = _Selection(session, user, ch)
        await client.tap(**key.fields, sample=sample)
        if session and owner:
            self._recorder(session, owner)  # it has its name before its first frame
        self._wanted[key] = (name, sample)
        self._changed = True

    async def untap(
        self, clients: dict[str, Client], session: str = "", user: str = "", ch: str = ""
    ) -> None:
        """Watch no more what the same words selected; without any, nothing at all."""
        key = _Selection(session, user, ch)
        gone = [each for each in self._wanted if key in (each, _Selection("", "", ""))]
        for each in gone:
            name, _sample = self._wanted.pop(each)
            self._changed = True
            client = clients.get(name)
            if client is not None and client.status.state is ConnectionState.LIVE:  # else it is gone already
                await client.untap(**each.fields)

    def forget(self, name: str) -> None:
        """A client is gone, and its taps with it."""
        kept = {key: tap for key, tap in self._wanted.items() if tap[0] != name}
        self._changed |= len(kept) != len(self._wanted)
        self._wanted = kept

    def clear(self) -> None:
        """Another endpoint: nothing of the old one is tapped, and names begin anew."""
        self._changed |= bool(self._wanted)
        self._wanted = {}
        self._recorders.clear()

    async def place_again(self, name: str, client: Client) -> None:
        """The client has a new connection. What the gateway refuses now is tapped no more."""
        if Role.MONITOR not in client.status.roles:
            self.forget(name)
            return
        for key, (holder, sample) in tuple(self._wanted.items()):
            if holder != name:
                continue
            try:
                await client.tap(**key.fields, sample=sample)
            except Refused as refusal:
                logger.info("a tap was not put back: %s", refusal)
                self._changed |= self._wanted.pop(key, None) is not None
            except (NotSent, OutcomeUnknown, ConnectFailed) as error:
                logger.info("a tap waits for the next connection: %s", error)

    # ------------------------------------------------------------ what is shown

    def on_tapped(self, item: MessageSeen) -> bool:
        """Write a tapped frame as a row of its own connection; False: it is none, or not whole."""
        told = None if item.truncated else peek_tapped(item.payload, item.opcode == BINARY)
        if told is None:
            return False
        recorder = self._recorder(told.session, told.user)
        side = Direction.OUT if told.is_from_client else Direction.IN
        frame = MessageSeen(
            item.opcode,
            told.frame,
            fragments=0,  # how it went over that client's wire is not told
            compressed=False,
            control=False,
            size=told.size,
            wire_bytes=0,
            truncated=False,
            odd="",
            at=item.at,
        )
        recorder.on_message(frame, side)
        return True

    def _recorder(self, session: str, user: str) -> Recorder:
        known = self._recorders.get(session)
        if known is not None:
            self._recorders.move_to_end(session)
            return known
        if len(self._recorders) >= MAX_NAMES:
            self._recorders.popitem(last=False)
        made = self._recorders[session] = Recorder(self._name(session, user), self._log, flags=Flag.TAPPED)
        return made

    def _name(self, session: str, user: str) -> str:
        """`~ada`; a second session of the same user is `~ada-2`."""
        base = f"{MARK}{one_line(user, _MAX_USER) or identity(session)}"
        taken = {recorder.conn for recorder in self._recorders.values()}
        numbered = (base if number == 1 else f"{base}-{number}" for number in range(1, MAX_NAMES + 2))
        return next(name for name in numbered if name not in taken)


def tapping_in_words(verb: str, session: str, user: str, ch: str, sample: float) -> str:
    """`"tap user ada, 1 frame in 10"`."""
    named = (("session", identity(session) if session else ""), ("user", user), ("channel", ch))
    parts = [f"{word} {one_line(value, 64)}" for word, value in named if value]
    share = f", 1 frame in {1 / sample:.0f}" if 0 < sample < 1 else ""
    return f"{verb} {', '.join(parts) or 'everybody'}{share}"
