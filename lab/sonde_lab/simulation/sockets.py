"""What a simulated client dials with: a socket's calls and reports, without bytes.

Owns one dial from its start to its end. How long it takes, and whether it arrives, is the network's to say.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sonde_client.actions import DialFailure
from sonde_client.carrier import CLOSE_LIMIT_S, SocketOwner
from sonde_client.status import SocketEnd
from sonde_lab.simulation.links import Host, Link, Refusal
from sonde_lab.simulation.ways import Item, Sign

if TYPE_CHECKING:
    from sonde_lab.simulation.network import Network


class VirtualSocket:
    """A client's carrier of messages (`sonde_client.carrier.Carrier`)."""

    def __init__(self, network: Network, client: str, dial: int, owner: SocketOwner) -> None:
        self.dial = dial
        self.client = client
        self.under_way = "tcp"
        self.link: Link | None = None  # once it is open
        self._network = network
        self._owner = owner
        self._reports = True
        self._is_binary = False
        self._closed_with: tuple[int, str] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_gone = False

    @property
    def is_let_go(self) -> bool:
        """Nobody waits for what it still has to say."""
        return not self._reports

    # ------------------------------------------------------------ dialling

    def start(self, url: str, token: str | None, subprotocol: str, tls: ssl.SSLContext | None) -> None:
        """Dial."""
        self._is_binary = subprotocol.endswith("msgpack")
        host = urlsplit(url).hostname or ""
        self._network.dial(self, lambda: self._arrive(host, token, subprotocol))

    def _arrive(self, name: str, token: str | None, subprotocol: str) -> None:
        """The request is at the node."""
        if self._is_gone:
            return
        host = self._network.hosts.get(name)
        if host is None:
            self._later(self._fail, Refusal("dial_refused", f"{name} is not there."))
            return
        host.hear(lambda: self._ask(host, token, subprotocol))

    def _ask(self, host: Host, token: str | None, subprotocol: str) -> None:
        """The node reads the request."""
        if self._is_gone:
            return
        link = Link(self._network, self, host)
        link.down.stop()  # what the node sends follows its consent
        answer = host.admit(link.wire, token, subprotocol)
        if isinstance(answer, Refusal):
            self._later(self._fail, answer)
            return
        link.server = answer
        self._network.links.append(link)
        self._later(self._open, link)

    def _later(self, act: Callable[..., None], what: object) -> None:
        self._network.loop.call_later(self._network.delay_s(self._network.access(self.client)), act, what)

    def _open(self, link: Link) -> None:
        if self._is_gone:
            link.up.put(Item(sign=Sign.RESET))
            return
        self.link = link
        self._owner.on_reached(self.dial, "tcp")
        self.under_way = "upgraded"
        self._owner.on_reached(self.dial, "upgraded")
        if self._reports:
            self._owner.on_open(self.dial)
        link.down.go()

    def _fail(self, why: Refusal) -> None:
        if self._reports and not self._is_gone:
            self._reports = False
            self._owner.on_dial_failed(self.dial, DialFailure(why.cause, why.detail, why.status))
            self._owner.on_batch_end()
        self._end()

    def refuse(self, why: str) -> None:
        """The dial was turned away on the way."""
        self._later(self._fail, Refusal("dial_refused", why))

    # ------------------------------------------------------------ messages

    def send(self, data: bytes, binary: bool) -> None:
        """One message out."""
        if self.link is not None and not self._is_gone and self._closed_with is None:
            self.link.up.put(Item(data, binary))

    def send_ping(self, data: bytes, *, pong: bool = False) -> None:
        """Control frames are not carried here."""

    def receive(self, item: Item) -> None:
        """One message in."""
        if not self._reports or self._is_gone:
            return
        self._owner.on_message(self.dial, item.data, self._is_binary)
        if self._reports:
            self._owner.on_batch_end()

    # ------------------------------------------------------------ ends

    def end_by_peer(self, item: Item) -> None:
        """A close frame or a reset arrived."""
        if self._is_gone:
            return
        if item.sign is Sign.CLOSE and self._closed_with is None and self.link is not None:
            self.link.up.put(item)
        if self._closed_with is not None:
            self._lost(*self._closed_with, "client")
        elif item.sign is Sign.CLOSE:
            self._lost(item.code, item.reason, "server")
        else:
            self._lost(None, "", "network")

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, and wait a little for the answer."""
        if self.link is None:
            self.abort(reason)
            return
        if self._closed_with is None and not self._is_gone:
            self._closed_with = (code, reason)
            self.link.up.put(Item(sign=Sign.CLOSE, code=code, reason=reason))
            self._timer = self._network.loop.call_later(CLOSE_LIMIT_S, self.abort, "no close frame came")

    def let_go(self, code: int, reason: str) -> None:
        """As `close`, and say nothing more."""
        self._reports = False
        self.close(code, reason)

    def abort(self, why: str = "") -> None:
        """Cut."""
        if self._is_gone:
            return
        if self.link is None:
            self._fail(Refusal("dial_reset", why or "given up"))
            return
        self.link.up.put(Item(sign=Sign.RESET))
        code, reason = self._closed_with or (None, why)
        self._lost(code, reason, "client")

    def _lost(self, code: int | None, reason: str, by: str) -> None:
        if self._reports:
            self._reports = False
            ends = {"client": SocketEnd.ABORTED, "network": SocketEnd.RESET}
            how = SocketEnd.GOODBYE if code is not None else ends[by]
            self._owner.on_lost(self.dial, code, reason, by, how)
            self._owner.on_batch_end()
        self._end()

    def _end(self) -> None:
        if self._is_gone:
            return
        self._is_gone = True
        if self._timer is not None:
            self._timer.cancel()
        self._owner.on_gone(self)
