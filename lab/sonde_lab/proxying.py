"""The proxy behind a workbench: its process, its state, and one row for each connection that came through it.

Owns the names of connections over restarts (p1, p2 …, none given twice) and a bounded list of them. It has no
client of its own and changes nothing that passes.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from sonde_lab.arming import Arming
from sonde_lab.changes import GatewayState, GatewayStatus, ProxiedRow
from sonde_lab.endpoints import Endpoint
from sonde_lab.proxy_head import joined, parse_listen
from sonde_lab.proxy_options import ProxyFailed, ProxyOptions
from sonde_lab.proxy_process import ProxyProcess
from sonde_lab.proxy_recorder import ProxyRecorder
from sonde_lab.records import Direction
from sonde_lab.rowlog import RowLog
from sonde_lab.waiting import Waiting

MAX_ROWS: Final = 300
TELL_BYTES_EVERY_S: Final = 1.0


class Proxying:
    """At most one proxy. `on_change`: another state, or a connection came or went.

    `notify` gets what a person should know: cause, title, detail, advice.
    """

    def __init__(
        self,
        log: RowLog,
        clock: Callable[[], float],
        on_change: Callable[[], None],
        notify: Callable[[str, str, str, str], None],
    ) -> None:
        self.state = GatewayState.NONE
        self._endpoint: Endpoint | None = None
        self._log = log
        self._now = clock
        self._on_change = on_change
        self._notify = notify
        self._recorder = ProxyRecorder(log)
        self._process = ProxyProcess(self, self._died)
        self.arming = Arming(self._process.send)  # of the rules of its fault lab
        self.waiting = Waiting(self.arming.order)  # messages that a person holds
        self._open: dict[int, ProxiedRow] = {}
        self._ended: deque[ProxiedRow] = deque(maxlen=MAX_ROWS)
        self._base = 0  # the highest number before this process, whose own numbers begin at 1
        self._highest = 0
        self._is_changed = self._has_bytes = False
        self._told_at = -math.inf

    @property
    def url(self) -> str:
        """Where clients find it; empty before it was ready once."""
        return self._process.url if self._endpoint is not None else ""

    def status(self, endpoint: Endpoint) -> GatewayStatus:
        """What is known of the process."""
        return GatewayStatus(
            "proxy",
            self.state,
            self._process.pid,
            self.url,
            upstream=endpoint.upstream,
            proxied=len(self._open),
        )

    async def start(self, endpoint: Endpoint) -> None:
        """Start it, or start it again after its end: on the same port then, where clients look for it.

        That it does not come up is told, never raised.
        """
        listen = self._same_port(endpoint) if endpoint == self._endpoint else endpoint.listen
        if endpoint != self._endpoint:
            self._process.url = ""
        self._endpoint, self._base = endpoint, self._highest
        self._move(GatewayState.STARTING)
        options = ProxyOptions(
            listen,
            endpoint.upstream,
            insecure=endpoint.insecure,
            rewrite_host=endpoint.rewrite_host,
            orders=True,
        )
        try:
            await self._process.start(options)
        except ProxyFailed as error:
            await self._process.stop()
            self._move(GatewayState.DEAD)
            advice = "Choose another address or upstream, or free the port and press “Connect”."
            self._notify("proxy_failed", "The proxy did not start", str(error), advice)
        else:
            self._move(GatewayState.LIVE)

    async def stop(self) -> None:
        """End it and forget its connections; the next endpoint's begin with p1."""
        await self._process.stop()
        self.arming.forget()
        self.waiting.forget()
        self._end_all("the proxy was ended")
        self._endpoint = None
        self._ended.clear()
        self._base = self._highest = 0
        self.state = GatewayState.NONE

    def kill(self) -> None:
        """End it at once; it is told as a death."""
        self._process.kill()

    def take_rows(self, now: float) -> tuple[ProxiedRow, ...] | None:
        """The connections, newest first, when they have changed; sizes alone are told once a second."""
        is_due = self._has_bytes and now - self._told_at >= TELL_BYTES_EVERY_S
        if not self._is_changed and not is_due:
            return None
        self._is_changed = self._has_bytes = False
        self._told_at = now
        rows = sorted((*self._open.values(), *self._ended), key=lambda row: -row.number)
        return tuple(rows[:MAX_ROWS])

    # ------------------------------------------------------------ what the process tells

    def on_opened(self, number: int, peer: str, at: float) -> None:
        """A client has connected."""
        number += self._base
        self._highest = max(self._highest, number)
        self._open[number] = ProxiedRow(number, f"p{number}", peer, self._log.wall(at))
        self._recorder.on_opened(number, peer, at)
        self._changed()

    def on_bytes(self, number: int, direction: Direction, data: bytes, at: float) -> None:
        """Bytes that passed."""
        number += self._base
        row = self._open.get(number)
        if row is not None:
            size = len(data)
            self._open[number] = (
                dataclasses.replace(row, in_bytes=row.in_bytes + size)
                if direction is Direction.IN
                else dataclasses.replace(row, out_bytes=row.out_bytes + size)
            )
            self._has_bytes = True
        self._recorder.on_bytes(number, direction, data, at)

    def on_gap(self, number: int, missed_bytes: int, at: float) -> None:
        """Bytes that nobody could be shown in time."""
        self._recorder.on_gap(number + self._base, missed_bytes, at)

    def on_unseen(self, connections: int, at: float) -> None:
        """Connections that nobody could be shown in time."""
        self._recorder.on_unseen(connections, at)

    def on_trouble(self, number: int, cause: str, sentence: str, at: float) -> None:
        """The proxy has refused a connection."""
        self._recorder.on_trouble(number + self._base, cause, sentence, at)

    def on_act(
        self, number: int, direction: Direction, ordinal: int, says: str, is_done: bool, at: float
    ) -> None:
        """The proxy has injected a fault."""
        number = number + self._base if number else 0
        self._recorder.on_act(number, direction, ordinal, says, is_done, at)

    def on_told(self, text: str, at: float) -> None:
        """The fault lab has said something."""
        if not self.waiting.take(text, at, self._base):
            self.arming.take(text, at)

    def on_ended(self, number: int, how: str, at: float) -> None:
        """A connection has ended."""
        self._end(number + self._base, how, at)
        self._changed()

    # ------------------------------------------------------------ small things

    def _end(self, number: int, how: str, at: float) -> None:
        self._recorder.on_ended(number, how, at)
        row = self._open.pop(number, None)
        if row is not None:
            self._ended.append(dataclasses.replace(row, is_open=False))

    def _end_all(self, how: str) -> None:
        for number in tuple(self._open):
            self._end(number, how, self._now())
        self._changed()

    def _died(self, why: str) -> None:
        self.arming.forget()
        self.waiting.forget()
        self._end_all("the proxy has ended")
        self._move(GatewayState.DEAD)
        advice = "“Connect” starts it again on the same port; before the embedded gateway, “Put a proxy in front” does."
        self._notify("proxy_died", "The proxy has ended", why, advice)

    def _move(self, state: GatewayState) -> None:
        self.state = state
        self._changed()

    def _changed(self) -> None:
        self._is_changed = True
        self._on_change()

    def _same_port(self, endpoint: Endpoint) -> str:
        port = urlsplit(self.url).port if self.url else None
        return joined(parse_listen(endpoint.listen).host, port) if port else endpoint.listen
