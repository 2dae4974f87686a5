"""`sonde cluster`: a cluster in a terminal, or below a script, broken by lines on standard input.

Owns the lines, the words for people (standard error, without secrets) and the ready line for programs (standard
output, one line of JSON, with the token and the secret that a script needs). Ends all of it in order.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable
from typing import Final

from sonde_lab import tokens
from sonde_lab.changes import Act
from sonde_lab.cluster import Cluster
from sonde_lab.cluster_acts import why_not
from sonde_lab.guarded import PartFailed, PartState, PartStatus
from sonde_lab.player_process import PlayerProcess

ROOM: Final = "room:arena"
LINES: Final = "kill n1 · start n1 · pause n1 · continue n1 · restart nats · restart redis · status · quit"
_ROLES: Final = ("player", "monitor", "admin")
_QUIT: Final = "quit"


class ActNotUnderstood(PartFailed):
    """A line that is no act. The message is a sentence."""


async def run(nodes: int, port: int, *, proxy: bool, players: int) -> int:
    """Start a cluster and serve lines until `quit`, Ctrl+C or the end of standard input; an exit code."""
    lines = _Lines()
    cluster = Cluster(lambda: None, nodes, port, proxy=proxy)
    crowd = PlayerProcess(lambda code: say(f"The players have ended with code {code}."))
    try:
        starting = asyncio.ensure_future(cluster.start(say))
        if not await _started(starting, lines):
            return 0
        if players:
            await crowd.start(cluster.urls, cluster.secret, players, 1, ROOM)
        await _announce(cluster)
        await _serve(cluster, lines)
    except (PartFailed, OSError) as error:
        say(f"sonde cluster: {error}")
        for line in getattr(error, "log_tail", ())[-8:]:
            say(f"  {line}")
        return 2
    finally:
        await crowd.stop()
        await cluster.stop()
    return 0


async def _started(starting: asyncio.Future[tuple[str, ...]], lines: _Lines) -> bool:
    """Whether it came up; `False` when somebody asked to quit before."""
    asked = asyncio.ensure_future(lines.quit_asked.wait())
    await asyncio.wait((starting, asked), return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return False
    starting.result()
    return True


async def _serve(cluster: Cluster, lines: _Lines) -> None:
    while (line := await lines.next()) != _QUIT:
        try:
            await act(cluster, line)
        except PartFailed as error:
            say(str(error))
        else:
            say(in_words(cluster.parts))


async def act(cluster: Cluster, line: str) -> None:
    """Do what a line asks for.

    Raises:
        PartFailed: it is no act, there is no such node, or a part did not come up again.
    """
    match line.split():
        case ["kill", name]:
            _may(Act.KILL_NODE, cluster, name)
            cluster.kill(name)
            await cluster.nodes[name].ended()
        case ["start", name]:
            _may(Act.START_NODE, cluster, name)
            await cluster.start_node(name)
        case ["pause", name]:
            _may(Act.PAUSE_NODE, cluster, name)
            cluster.pause(name)
        case ["continue", name]:
            _may(Act.CONTINUE_NODE, cluster, name)
            cluster.go_on(name)
        case ["restart", "nats"]:
            await cluster.restart_nats()
        case ["restart", "redis"]:
            await cluster.restart_redis()
        case ["status"] | []:
            pass
        case _:
            raise ActNotUnderstood(f"'{line[:60]}' is no act; there are: {LINES}")


def _may(act: Act, cluster: Cluster, name: str) -> None:
    if name not in cluster.nodes:
        raise ActNotUnderstood(f"There is no node '{name[:40]}'; there are {', '.join(cluster.nodes)}.")
    reason = why_not(act, cluster.parts, "", name)
    if reason is not None:
        raise ActNotUnderstood(reason)


def in_words(parts: tuple[PartStatus, ...]) -> str:
    """One line a part."""
    return "\n".join(_line(part) for part in parts)


def _line(part: PartStatus) -> str:
    process = f"pid {part.pid}" if part.pid else "no process"
    is_ended = part.state is PartState.DEAD and part.exit_code is not None
    end = f", ended with {part.exit_code}" if is_ended else ""
    return f"  {part.name:<8} {part.state.value:<9} port {part.port:<6} {process}{end}"


async def _announce(cluster: Cluster) -> None:
    say(in_words(cluster.parts))
    say(f"Clients go to {' or '.join(cluster.urls)}. The line below is for programs: it holds secrets.")
    say(f"Lines on standard input: {LINES}")
    ready = {
        "event": "ready",
        "urls": cluster.urls,
        "admins": cluster.admins,
        "redis": cluster.redis_url,
        "nats": cluster.nats_url,
        "pids": {part.name: part.pid for part in cluster.parts},
        "token": await tokens.minted(cluster.secret, "you", _ROLES)(),
        "secret": cluster.secret,
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()


def say(words: str) -> None:
    """Words for a person."""
    sys.stderr.write(f"{words}\n")


class _Lines:
    """Lines of standard input, read by a thread because a terminal, a pipe and a file wait differently."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self.quit_asked = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._take, _QUIT)
        if _says_something():
            threading.Thread(target=_read, args=(self._hand_over,), daemon=True).start()

    async def next(self) -> str:
        """The next line; `quit` at the end."""
        return await self._lines.get()

    def _hand_over(self, line: str) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take, line)

    def _take(self, line: str) -> None:
        if line == _QUIT:
            self.quit_asked.set()
        self._lines.put_nowait(line)


def _says_something() -> bool:
    """Whether standard input can bring lines: a service's /dev/null must not end the cluster at once."""
    return os.isatty(0) or not stat.S_ISCHR(os.fstat(0).st_mode)


def _read(take: Callable[[str], None]) -> None:
    rest = b""
    while chunk := os.read(0, 4096):
        *whole, rest = (rest + chunk).split(b"\n")
        rest = rest[-4096:]
        for line in whole:
            take(line.decode(errors="replace").strip())
    take(_QUIT)
