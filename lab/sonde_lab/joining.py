"""How an own client comes to an endpoint: made, watched, connected, and put into the channels that are shown.

Owns what every own client is told about itself and which channels it joins. It keeps no list of clients.
"""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from sonde_client import Client, ConnectFailed, NotSent, OutcomeUnknown, Refused
from sonde_lab import monitoring
from sonde_lab.collecting import Collector
from sonde_lab.lag import LagWatch
from sonde_lab.notices import NoticeBoard
from sonde_lab.rowlog import RowLog
from sonde_lab.tapping import Tapping
from sonde_lab.tokens import TokenCall
from sonde_lab.watch import ClientWatch
from sonde_protocol.codes import Role

logger = logging.getLogger(__name__)

PROGRAM: Final = "sonde"
VERSION: Final = importlib.metadata.version("sonde")

Spawn = Callable[[Coroutine[Any, Any, None], str], None]  # the work, and its name


class Joiner:
    """Makes clients whose rows go to `log` and whose changes go to `collector`."""

    def __init__(
        self,
        log: RowLog,
        board: NoticeBoard,
        collector: Collector,
        tapping: Tapping,
        spawn: Spawn,
        clock: Callable[[], float],
        *,
        room: str,
        codec: str,
        measure_every_s: float,
        lag: LagWatch | None = None,
    ) -> None:
        self._log = log
        self._board = board
        self._collector = collector
        self._tapping = tapping
        self._spawn = spawn
        self._now = clock
        self._room = room
        self._codec = codec
        self._measure_every_s = measure_every_s
        self._lag = lag

    def join(self, name: str, url: str | Sequence[str], token: str | TokenCall) -> Client:
        """A new client that is on its way to `url`; its rows bear `name`."""
        client = Client(
            url,
            token,
            name=PROGRAM,
            version=VERSION,
            codec=self._codec,
            device="desktop",
            measure_every_s=self._measure_every_s,
            clock=self._now,
        )
        watch = ClientWatch(name, client, self._log, self._board, self._collector.tally, self._lag)
        watch.recorder.on_tapped = self._tapping.on_tapped
        watch.on_live = lambda: self._spawn(self._take_up(name, client), f"subscribe {name}")
        self._collector.watch(watch)
        client.connect()
        return client

    async def _take_up(self, name: str, client: Client) -> None:
        """Join what is shown, where it does not come back by itself, and put taps back."""
        await self._subscribe(client)
        await self._tapping.place_again(name, client)

    async def _subscribe(self, client: Client) -> None:
        logger.info("live at %s", client.status.url)
        wanted = [self._room]
        if Role.MONITOR in client.status.roles:
            wanted += monitoring.CHANNELS
        for ch in wanted:
            if ch in client.channels:
                continue
            try:
                await client.subscribe(ch, presence=ch == self._room)
            except (Refused, NotSent, OutcomeUnknown, ConnectFailed) as error:
                logger.info("no subscription to %s: %s", ch, error)  # the client has told it as a failure
