"""A proxy for a test: between any client and any WebSocket server, with the fault lab behind it.

Owns one proxy on the test's own thread (it is there in milliseconds, and needs no process), its story and its rows.
What goes wrong is the fault lab's: this class only says it in words.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.lab import FaultLab
from sonde_lab.faults.presets import preset, presets
from sonde_lab.faults.rules import Armed
from sonde_lab.faults.telling import act_told
from sonde_lab.intercepting import hold_line
from sonde_lab.proxy import Proxy
from sonde_lab.proxy_head import Address, parse_upstream
from sonde_lab.proxy_options import started
from sonde_lab.proxy_recorder import ProxyRecorder
from sonde_lab.records import Direction
from sonde_lab.testing.held import HeldMessage
from sonde_lab.testing.home import PLAYER, Home
from sonde_lab.testing.recording import Happening, Story
from sonde_lab.testing.thread import LoopThread, NotMet, act, until
from sonde_lab.tokens import TokenCall
from sonde_lab.wording import one_line
from sonde_protocol.codes import CloseCode
from sonde_protocol.errors import SondeError

if TYPE_CHECKING:
    from sonde_lab.testing.stand import Stand

_UPGRADED: Final = b"HTTP/1.1 101 "
_MAX_ACTS: Final = 10_000


class ProxyRefused(SondeError):
    """A proxy, or an act on one, that cannot be. The message is a sentence."""


class Passing(NamedTuple):
    """One open connection: its number, where its client is, and what passed so far."""

    number: int
    peer: str
    is_upgraded: bool
    up_bytes: int
    down_bytes: int


class TestProxy(ProxyRecorder):
    """Clients connect to `url`. Rules and networks are those of `docs/faults.md`."""

    __test__ = False  # pytest collects what is called Test…

    def __init__(self, stand: Stand, name: str, upstream: str, home: Home | None, seed: int) -> None:
        super().__init__(stand.recording.log, name)
        self.name = name
        self.story = Story("the proxy")
        self.lab = FaultLab(seed)
        self._stand = stand
        self._home = home
        self._open: dict[int, Passing] = {}
        self._names = re.compile(rf"{re.escape(name)}\d+")
        try:
            at = parse_upstream(upstream)
        except ValueError as error:
            raise ProxyRefused(str(error)) from None
        self._proxy = Proxy(Address("127.0.0.1", 0), at, self, lab=self.lab)

    def __repr__(self) -> str:
        return f"<proxy {self.name} in front of {self._proxy.upstream}, {len(self._open)} connections>"

    # ------------------------------------------------------------ what is known

    @property
    def thread(self) -> LoopThread:
        """Where it lives."""
        return self._stand.thread

    @property
    def stand(self) -> Stand:
        """Whose test it is."""
        return self._stand

    @property
    def url(self) -> str:
        """Where clients connect."""
        return self._proxy.url

    @property
    def urls(self) -> tuple[str, ...]:
        """The same, as a gateway says it."""
        return (self.url,)

    @property
    def passing(self) -> tuple[Passing, ...]:
        """What is open, oldest first."""
        return tuple(self._open.values())

    @property
    def is_live(self) -> bool:
        """Whether anybody is connected to the server through it."""
        return any(each.is_upgraded for each in self.passing)

    @property
    def acts(self) -> list[dict[str, Any]]:
        """What the rules did so far: `rule`, `kind`, `connection`, `says` and more, as the control interface tells it."""
        return [act_told(each) for each in self.lab.ledger.after(0, _MAX_ACTS)]

    @property
    def held(self) -> tuple[HeldMessage, ...]:
        """Messages that wait, oldest first."""
        return tuple(HeldMessage(self, each) for each in self.lab.holding.all)

    def token_source(self, user: str, roles: Sequence[str] = PLAYER) -> TokenCall | None:
        """What makes tokens for the gateway behind it; `None` where that is not ours."""
        return None if self._home is None else self._home.token_source(user, roles)

    def is_mine(self, conn: str) -> bool:
        """Whether a row's connection is one of these."""
        return self._names.fullmatch(conn) is not None

    # ------------------------------------------------------------ acts

    @act
    async def arm(self, rule: str) -> int:
        """Arm a rule such as `latency 200ms ±50ms`, or a network by its name; the number to disarm it by.

        Raises:
            RuleRefused: it is not understood, or cannot be.
        """
        return self._arm(rule)[-1].number

    @act
    async def disarm(self, number: int) -> None:
        """Take one rule away."""
        self.lab.disarm(number)

    @act
    async def reset(self) -> None:
        """Take everything away that is armed."""
        self.lab.reset()

    @act
    async def hits(self, number: int) -> int:
        """How often a rule has struck."""
        return next((armed.hits for armed in self.lab.rules if armed.number == number), 0)

    @act
    async def drop(self) -> int:
        """Reset every open connection, as a network does that goes away; how many there were."""
        return self._strike("reset", 1.0)

    @act
    async def cut(self) -> int:
        """End every open connection without a close frame; how many there were."""
        return self._strike("cut", 1.0)

    @act
    async def half_open(self, seconds: float = 60.0, direction: str = "both") -> int:
        """Let bytes vanish while the sockets stay open; `up`, `down` or `both`. The rule's number."""
        return self._arm(f"half_open direction={direction} for={_ms(seconds)}")[0].number

    @act
    async def refuse(self, seconds: float = 10.0) -> int:
        """Let no new connection in for a while. The rule's number."""
        return self._arm(f"refuse for={_ms(seconds)}")[0].number

    @act
    async def handover(self, outage: float = 2.0) -> int:
        """Move every open connection to another network, with an outage between; how many there were."""
        return self._strike(f"handover outage={_ms(outage)}", outage + 1.0)

    @act
    async def hold(self, target: str = "", direction: str = "both") -> int:
        """Let messages wait that a filter names, `up`, `down` or both ways. The rule's number."""
        return self._arm(hold_line(target, direction))[0].number

    @act
    async def wait_held(self, type: str = "", within: float = 10.0) -> HeldMessage:
        """The oldest message that is held, or that of a type; it is waited for.

        Raises:
            NotMet: none came; it says what is held.
        """
        found = await until(
            lambda: next((each for each in self.held if type in ("", each.type)), None), within
        )
        if found is None:
            there = ", ".join(each.type for each in self.held) or "nothing"
            raise NotMet(
                f"no {type or 'message'} was held within {within:g} s; held is {one_line(there, 200)}"
            )
        return found

    @act
    async def release_all(self) -> int:
        """Let everything go that is held, as it came; how much it was. The rules stay."""
        return self.lab.holding.let_all_go()

    def _arm(self, text: str) -> list[Armed]:
        """The one place where faults are armed."""
        self._stand.recording.say(f"arm {text}", injected=True)
        if text.casefold().strip() in {name.casefold() for name in presets()}:
            return self.lab.arm_all(preset(text).rules())
        return [self.lab.arm(parse_rule(text))]

    def _strike(self, rule: str, off_s: float) -> int:
        """Strike what is open now. What is not struck soon, as it never sends, is let go: later ones are not meant."""
        count = len(self._open)
        if not count:
            raise ProxyRefused(
                f"nothing is connected to the proxy at {self.url}, so there is nothing to drop"
            )
        self._arm(f"{rule} count={count} off={_ms(off_s)}")
        return count

    # ------------------------------------------------------------ its life, on the thread

    async def begin(self) -> None:
        """Listen."""
        await started(self._proxy)

    async def end(self) -> None:
        """Let go of everybody."""
        await self._proxy.stop()

    # ------------------------------------------------------------ what passes

    def on_opened(self, number: int, peer: str, at: float) -> None:
        """A client has connected."""
        self._open[number] = Passing(number, peer, False, 0, 0)
        super().on_opened(number, peer, at)

    def on_bytes(self, number: int, direction: Direction, data: bytes, at: float) -> None:
        """Bytes that passed."""
        known = self._open.get(number)
        if known is not None:
            self._open[number] = self._more(known, direction, data, at)
        super().on_bytes(number, direction, data, at)

    def on_ended(self, number: int, how: str, at: float) -> None:
        """A connection has ended."""
        known = self._open.pop(number, None)
        super().on_ended(number, how, at)
        if known is not None and known.is_upgraded and not self._said_goodbye(number):
            self.story.tell(Happening("lost", time.monotonic(), f"{self.name}{number}", words=how))

    def _said_goodbye(self, number: int) -> bool:
        """Whether a side left on purpose: nobody comes back after that."""
        codes = self._stand.recording.close_codes(lambda conn: conn == f"{self.name}{number}", 0)
        return any(code in (CloseCode.NORMAL, CloseCode.GOING_AWAY) for _, code in codes)

    def _more(self, known: Passing, direction: Direction, data: bytes, at: float) -> Passing:
        if direction is Direction.OUT:
            return known._replace(up_bytes=known.up_bytes + len(data))
        is_answer = not known.down_bytes and data.startswith(_UPGRADED)
        if is_answer:
            self.story.tell(Happening("live", at, f"{self.name}{known.number}"))
        return known._replace(
            down_bytes=known.down_bytes + len(data), is_upgraded=known.is_upgraded or is_answer
        )


def _ms(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
