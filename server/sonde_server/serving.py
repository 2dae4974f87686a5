"""One gateway as a process: loop, signals, the pipe to a parent, the ready line, and how it ends.

SIGTERM, SIGINT   drain within the window, exit 0; a second one ends at once
end of the pipe   the parent is gone: a short drain, exit 0
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Final

from sonde_server.app import App, Ready, World, listen_together, system_world
from sonde_server.endings import PARENT_GONE, Endings
from sonde_server.settings import Settings

log = logging.getLogger(__name__)

ORPHAN_WINDOW_S: Final = 0.5  # nobody is left who could wait for a long drain
DEFAULT_DESCRIPTORS: Final = 1_024


def raise_descriptor_limit() -> int:
    """Take as many descriptors as this process may have; how many that is."""
    try:
        import resource
    except ImportError:
        return DEFAULT_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 1 << 20
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted


def run(settings: Settings, parent_pipe: bool, *, shares_port: bool = False) -> int:
    """Serve until told to stop; the exit code. `shares_port`: with the other workers of this gateway.

    Raises:
        ConfigInvalid: the gateway cannot start like this.
    """
    world = system_world(raise_descriptor_limit())
    if shares_port:
        world = replace(world, listen=listen_together)
    return with_fastest_loop(_serve(settings, parent_pipe, world))


def with_fastest_loop(main: Coroutine[Any, Any, int]) -> int:
    """Run `main` on uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def _serve(settings: Settings, parent_pipe: bool, world: World) -> int:
    app = App(settings, world)
    endings = Endings()
    endings.watch_signals()
    try:
        if parent_pipe:
            await endings.watch_pipe()
        ready = await endings.unless_first(app.start())
        if ready is None:
            return 0
        _say_ready(ready)
        log.info("ready", extra={"url": ready.url, "admin": ready.admin, "node": ready.node})
        why = await endings.first()
        window_s = ORPHAN_WINDOW_S if why == PARENT_GONE else settings.drain_window_s
        log.info("draining", extra={"why": why, "window_s": window_s})
        await endings.or_again(app.drain(window_s))
        await app.stop()
        log.info("stopped")
        return 0
    finally:
        endings.close()


def _say_ready(ready: Ready) -> None:
    line = {"event": "ready", "url": ready.url, "admin": ready.admin, "node": ready.node, "pid": os.getpid()}
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stdout.flush()
