"""What a client does wrong with its own socket on purpose, so that one sees what a gateway makes of it.

Owns the acts and what is lost on the way. The session knows nothing of them: it finds out as it would of the real thing.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Protocol, runtime_checkable

from sonde_client.carrier import Carrier
from sonde_client.errors import ConnectFailed, failure
from sonde_protocol.frames import ClientPing, ClientPong, Frame


@runtime_checkable
class Breakable(Carrier, Protocol):
    """A carrier whose socket can be broken: `sonde_client.connection.Socket`."""

    def reset(self) -> None: ...
    def cut(self) -> None: ...
    def vanish(self, seconds: float) -> None: ...
    def stop_reading(self, seconds: float) -> None: ...
    def mend(self) -> None: ...


class Breaking:
    """Of one client. All but `off` raise `ConnectFailed` where there is no open socket."""

    def __init__(self, socket: Callable[[], Carrier | None], clock: Callable[[], float]) -> None:
        self._socket = socket
        self._now = clock
        self._broken: Breakable | None = None
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
        self._broken = self._open()
        self._broken.vanish(seconds)

    def stop_reading(self, seconds: float) -> None:
        """Leave what the gateway sends in the kernel's buffers for a while, as a program that hangs does."""
        self._broken = self._open()
        self._broken.stop_reading(seconds)

    def lose_heartbeats(self, *, times: int = 0, seconds: float = 0.0) -> None:
        """Answer no `ping` of the gateway and send none, so often or for so long."""
        self._open()
        self._beats_left = times or inf
        self._beats_until = self._now() + (seconds or inf)

    def off(self) -> None:
        """Mend what can be mended; a half-open socket is reset."""
        self._beats_left = 0.0
        broken, self._broken = self._broken, None
        if broken is not None:
            broken.mend()

    def loses(self, frame: Frame) -> bool:
        """Whether this frame never leaves."""
        if self._beats_left < 1 or not isinstance(frame, ClientPing | ClientPong):
            return False
        if self._now() >= self._beats_until:
            self._beats_left = 0.0
            return False
        self._beats_left -= 1
        return True

    def _open(self) -> Breakable:
        socket = self._socket()
        if not isinstance(socket, Breakable):
            raise ConnectFailed(failure("closed", "There is no open socket.", self._now()))
        return socket
