"""`python -m sonde_lab.players`: simulated players on real clients, in a process of their own.

Owns the shell around `arena.Player`: tokens, clients, and doing what a player decides. Ends when its standard
input ends (`--parent-pipe`), so that no player outlives the program that wanted it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from sonde_client import Channel, Client
from sonde_client.events import EntryArrived, StatusChanged
from sonde_lab.arena import Appear, Deed, Drop, Move, Player, Say, name_of
from sonde_lab.tokens import minted
from sonde_protocol.errors import SondeError
from sonde_protocol.frames import Event
from sonde_protocol.states import ConnectionState

logger = logging.getLogger(__name__)

SECRET_VARIABLE: Final = "SONDE_JWT_SECRET"  # noqa: S105 - the variable's name
STEP_S: Final = 0.2
MEASURE_EVERY_S: Final = 10.0  # each shows in everybody's presence
STAGGER_S: Final = 0.08  # between two players' first dials
TOKEN_LIFETIME_S: Final = 150.0  # short, so that refreshes in band are seen
GOODBYE_S: Final = 1.5
_HARD_EXIT_S: Final = 3.0


class PlayerShell:
    """One player's client, and the loop that makes it act."""

    def __init__(self, player: Player, urls: list[str], secret: str, codec: str, room: str) -> None:
        self.player = player
        self._room_name = room
        token = minted(secret, player.name, ["player"], player.name, TOKEN_LIFETIME_S)
        self.client = Client(
            urls, token, name="sonde-player", codec=codec, device="simulated", measure_every_s=5.0
        )
        self._waiting: list[Deed] = []
        self.client.on(EntryArrived, self._on_entry)

    async def run(self) -> None:
        """Play until cancelled, or until the gateway says to stop.

        Raises:
            ConnectFailed: the gateway said to stop.
        """
        loop = asyncio.get_running_loop()
        stopped: asyncio.Future[None] = loop.create_future()

        def on_status(event: StatusChanged) -> None:
            if event.status.state is ConnectionState.STOPPED and not stopped.done():
                stopped.set_result(None)

        self.client.on(StatusChanged, on_status)
        self.client.connect()
        playing = loop.create_task(self._play(), name=f"player {self.player.name}")
        try:
            await asyncio.wait([playing, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
        await self.client.wait_live(0.0)  # tells why it stopped

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        room = await self.client.subscribe(self._room_name, presence=True)
        before = loop.time()
        while True:
            now = loop.time()
            await self._step(room, now - before)
            before = now
            await asyncio.sleep(max(0.0, STEP_S - (loop.time() - now)))

    async def _step(self, room: Channel, dt_s: float) -> None:
        players = room.state.get("players") if isinstance(room.state, dict) else None
        others: dict[str, Any] = players if isinstance(players, dict) else {}
        mine = others.get(self.player.name)
        waiting, self._waiting = self._waiting, []
        deeds = [*waiting, *self.player.step(dt_s, others)]
        if not isinstance(mine, dict) or "name" not in mine:
            deeds.append(Move(self.player.whole()))  # first step, or the gateway has forgotten everything
        patch: dict[str, Any] = {}
        for deed in deeds:
            if isinstance(deed, Move):
                patch |= deed.patch
            else:
                await self._do(room, deed)
        if patch:
            await self._try(room.patch({"players": {self.player.name: patch}}))

    async def _do(self, room: Channel, deed: Deed) -> None:
        match deed:
            case Say(type, data, volatile):
                await self._try(room.publish(type, data, class_="volatile" if volatile else "reliable"))
            case Appear(status, activity):
                await self._try(self.client.set_presence(status, activity=activity))
            case Drop(away_s):
                if away_s > 0:
                    self.client.refuse_dials_for(away_s)
                self.client.drop()

    async def _try(self, command: Any) -> None:
        """A refusal, or an outcome that stays unknown over a drop, is part of a player's life."""
        try:
            await command
        except SondeError as error:
            logger.info("%s: %s", self.player.name, error)

    def _on_entry(self, entry: EntryArrived) -> None:
        frame = entry.frame
        if (
            not isinstance(frame, Event)
            or frame.type != "hit"
            or frame.replay
            or not isinstance(frame.d, dict)
        ):
            return
        damage = frame.d.get("damage")
        if frame.d.get("target") == self.player.name and isinstance(damage, int):
            self._waiting += self.player.on_hit(min(max(damage, 0), 100))


async def play(arguments: argparse.Namespace, secret: str, stop: asyncio.Event) -> int:
    """Run all players until `stop`; 1 when every one of them was told to stop by the gateway."""
    shells = [
        PlayerShell(
            Player(name_of(index), arguments.seed),
            _from(arguments.url, index),
            secret,
            arguments.codec,
            arguments.room,
        )
        for index in range(arguments.count)
    ]
    ready = {"event": "ready", "players": [shell.player.name for shell in shells], "pid": os.getpid()}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    playing = asyncio.create_task(_everybody(shells), name="players")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait([stopping, playing], return_when=asyncio.FIRST_COMPLETED)
    for task in (stopping, playing):
        task.cancel()
    await asyncio.gather(stopping, playing, return_exceptions=True)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*(shell.client.close() for shell in shells)), GOODBYE_S)
    return 0 if stop.is_set() else 1


def _from(urls: list[str], index: int) -> list[str]:
    """The addresses, beginning with another one for every player: a crowd spreads over the nodes."""
    start = index % len(urls)
    return [*urls[start:], *urls[:start]]


async def _everybody(shells: list[PlayerShell]) -> None:
    await asyncio.gather(*(_late(shell, index * STAGGER_S) for index, shell in enumerate(shells)))


async def _late(shell: PlayerShell, delay_s: float) -> None:
    await asyncio.sleep(delay_s)
    try:
        await shell.run()
    except SondeError as error:
        logger.error("%s cannot play: %s", shell.player.name, error)


def follow_parent(on_end: Callable[[], None], on_data: Callable[[bytes], None] = lambda _data: None) -> None:
    """Call `on_end` from another thread when standard input ends; leave by force when that does not help.

    `on_data` gets, on that thread, too, what comes before.
    """

    def wait_for_end() -> None:
        with contextlib.suppress(OSError):
            while data := os.read(0, 4_096):
                on_data(data)
        on_end()
        threading.Event().wait(_HARD_EXIT_S)
        os._exit(3)

    threading.Thread(target=wait_for_end, name="parent pipe", daemon=True).start()


def _tell(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(stop.set)


async def _serve(arguments: argparse.Namespace, secret: str) -> int:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    if arguments.parent_pipe:
        follow_parent(lambda: _tell(loop, stop))
    with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers on a loop
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
    return await play(arguments, secret, stop)


def main(argv: list[str] | None = None) -> int:
    """Parse arguments and play. Exit code 2 and a sentence on stderr when they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m sonde_lab.players", description=__doc__)
    parser.add_argument(
        "--url", required=True, action="append", help="ws://host:port/v1/ws; one for each node"
    )
    parser.add_argument("--count", type=int, default=6, help="how many players (6)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed walks the same ways")
    parser.add_argument("--room", default="room:arena", help="channel to play in")
    parser.add_argument("--codec", default="sonde.v1.json", help="subprotocol")
    parser.add_argument("--parent-pipe", action="store_true", help="end when standard input ends")
    arguments = parser.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    secret = os.environ.get(SECRET_VARIABLE, "")
    if not secret or not 1 <= arguments.count <= 1_000:
        sys.stderr.write(f"players: set {SECRET_VARIABLE}, and a count between 1 and 1000\n")
        return 2
    return asyncio.run(_serve(arguments, secret))


if __name__ == "__main__":
    sys.exit(main())
