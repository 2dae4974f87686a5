"""What a client does wrong with its own socket on purpose, so that one sees what a gateway makes of it.

Owns the acts and what is lost on the way. The session knows nothing of them: it finds out as it would of the real thing.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import NamedTuple, Protocol, runtime_checkable

from sonde_client.carrier import Carrier
from sonde_client.errors import ConnectFailed, failure
from sonde_protocol.frames import ClientPing, ClientPong, Frame


@runtime_checkable
class Breakable(Carrier, Protocol):
    """A carrier whose socket can be broken: `sonde_client.connection.Socket`."""

    @property
    def is_broken(self) -> bool: ...
    def reset(self) -> None: ...
    def cut(self) -> None: ...
    def vanish(self, seconds: float) -> None: ...
    def stop_reading(self, seconds: float) -> None: ...
    def mend(self) -> None: ...


class Broken(NamedTuple):
    """What is still wrong on purpose. `kind`: `half_open`, `slow_consumer` or `no_heartbeat`.

    `until`: by the client's clock; infinite where it takes as many heartbeats as `times` says.
    """

    kind: str
    until: float
    times: int = 0


class Breaking:
    """Of one client. `reset` and what breaks raise `ConnectFailed` where there is no open socket."""

    def __init__(self, socket: Callable[[], Carrier | None], clock: Callable[[], float]) -> None:
        self._socket = socket
        self._now = clock
        self._broken: list[tuple[Breakable, Broken]] = []  # who gave one up has another
        self._beats_left = 0.0  # heartbeats that get lost
        self._beats_until = 0.0

    def reset(self) -> None:
        """RST."""
        self._open().reset()

    def cut(self) -> None:
        """FIN without a close frame."""
        self._open().cut()

    def half_open(self, seconds: float) -> None:
        """The socket stays, and whatever either side sends is lost; afterwards it is reset."""
        socket = self._open()
        socket.vanish(seconds)
        self._keep(socket, Broken("half_open", self._now() + seconds))

    def stop_reading(self, seconds: float) -> None:
        """Leave what the gateway sends in the kernel's buffers for a while, as a program that hangs does."""
        socket = self._open()
        socket.stop_reading(seconds)
        self._keep(socket, Broken("slow_consumer", self._now() + seconds))

    def lose_heartbeats(self, *, times: int = 0, seconds: float = 0.0) -> None:
        """Answer no `ping` of the gateway and send none, so often or for so long."""
        self._open()
        self._beats_left = times or inf
        self._beats_until = self._now() + (seconds or inf)

    def off(self) -> None:
        """Mend what can be mended; a half-open socket is reset."""
        self._beats_left = 0.0
        broken, self._broken = self._broken, []
        for socket, _what in broken:
            socket.mend()

    @property
    def under_way(self) -> tuple[Broken, ...]:
        """What is still wrong, sockets that were given up included."""
        self._broken = [each for each in self._broken if each[0].is_broken]
        found = [what for _socket, what in self._broken]
        if self._beats_left >= 1 and self._now() < self._beats_until:
            times = 0 if self._beats_left == inf else int(self._beats_left)
            found.append(Broken("no_heartbeat", self._beats_until, times))
        return tuple(found)

    def loses(self, frame: Frame) -> bool:
        """Whether this frame never leaves."""
        if self._beats_left < 1 or not isinstance(frame, ClientPing | ClientPong):
            return False
        if self._now() >= self._beats_until:
            self._beats_left = 0.0
            return False
        self._beats_left -= 1
        return True

    def _keep(self, socket: Breakable, what: Broken) -> None:
        """One thing of each socket: that it is half-open, else what it was told last."""
        still = [each for each in self._broken if each[0].is_broken]
        if what.kind != "half_open" and any(s is socket and w.kind == "half_open" for s, w in still):
            return
        self._broken = [*(each for each in still if each[0] is not socket), (socket, what)]

    def _open(self) -> Breakable:
        socket = self._socket()
        if not isinstance(socket, Breakable):
            raise ConnectFailed(failure("closed", "There is no open socket.", self._now()))
        return socket
