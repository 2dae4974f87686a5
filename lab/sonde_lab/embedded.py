"""The embedded gateway: a child process with a secret of its own, on a port that survives a restart.

Owns starting (with a time limit), the ready line, the port, killing and restarting. A gateway that dies is told
to `on_change` with its last log lines; nothing is restarted by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from sonde_lab.changes import GatewayState
from sonde_lab.child import Child
from sonde_lab.child_life import ChildFailed, ChildLife, said

START_LIMIT_S: Final = 15.0
STOP_PATIENCE_S: Final = 3.0
TICK_S: Final = 0.2  # calm enough for a person to follow
NODE: Final = "embedded"
_SECRET_BYTES: Final = 48


class GatewayFailed(ChildFailed):
    """The gateway did not come up."""


class EmbeddedGateway(ChildLife[GatewayState]):
    """Starts, watches and ends one gateway process at a time. `on_change` is called at each change of `state`.

    `settings`: more variables of its environment, such as `SONDE_HEARTBEAT_S`.
    """

    def __init__(self, on_change: Callable[[], None], settings: Mapping[str, str] | None = None) -> None:
        super().__init__(GatewayState.NONE, on_change, STOP_PATIENCE_S)
        self.secret = secrets.token_urlsafe(_SECRET_BYTES)
        self.url = ""
        self.admin = ""
        self.starts = 0
        self._settings = dict(settings or {})
        self._ready: asyncio.Future[dict[str, Any] | None] | None = None  # None: ended before it was ready

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._child.pid if self._child is not None and self._child.is_running else None

    async def start(self, limit_s: float = START_LIMIT_S) -> str:
        """Start it, on the port of the last run if there was one; its WebSocket address.

        Raises:
            GatewayFailed: it cannot be started, ended at once, or was not ready within `limit_s`.
        """
        port = urlsplit(self.url).port or 0 if self.url else 0
        self._ready = asyncio.get_running_loop().create_future()
        self._begin(GatewayState.STARTING)
        try:
            self._child = await Child.start(
                "sonde_server",
                "gateway",
                *("--port", str(port), "--admin-port", "0", "--node", NODE, "--faults", "--parent-pipe"),
                env={
                    "SONDE_JWT_SECRET": self.secret,
                    "SONDE_NAMESPACES": json.dumps({"room": {"tick_s": TICK_S}}),
                    **self._settings,
                },
                on_line=self._on_line,
                on_end=self._on_end,
            )
            line = await asyncio.wait_for(self._ready, limit_s)
        except (OSError, TimeoutError) as error:
            await self._end_now()
            self._move(GatewayState.DEAD)
            raise self._failure(error, limit_s) from None
        if line is None:
            self._move(GatewayState.DEAD)
            raise GatewayFailed(f"The gateway ended at once, with code {self.exit_code}.", self.log_tail)
        self.url, self.admin = str(line["url"]), str(line.get("admin", ""))
        self.starts += 1
        self._move(GatewayState.LIVE)
        return self.url

    async def restart(self) -> str:
        """End it as a crash does and start it on the same port: its sessions are gone.

        Raises:
            GatewayFailed: as `start`.
        """
        self._is_wanted = False
        await self._end_now()
        return await self.start()

    def kill(self) -> None:
        """End it the way a crash does; its death is noticed like any other."""
        if self._child is not None:
            self._child.kill()

    async def drain(self, patience_s: float) -> None:
        """Ask it to end with all the time that it gives its clients, and wait so long at most."""
        self._is_wanted = False
        if self._child is not None and self._child.is_running:
            self._child.ask_to_end()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._child.ended(), patience_s)

    async def _end_now(self) -> None:
        if self._child is not None:
            self._child.kill()
            await self._child.ended()

    def _on_line(self, line: str) -> None:
        value = said(line)
        if value is None or value.get("event") != "ready" or not isinstance(value.get("url"), str):
            return
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(value)

    def _on_end(self, exit_code: int) -> None:
        self.exit_code = exit_code
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)
        elif self._is_wanted:
            self._move(GatewayState.DEAD)

    def _failure(self, error: Exception, limit_s: float) -> GatewayFailed:
        if isinstance(error, TimeoutError):
            return GatewayFailed(
                f"The gateway was not ready within {limit_s:g} s and was ended.", self.log_tail
            )
        return GatewayFailed(f"The gateway cannot be started: {error}.", ())


def end_in_words(exit_code: int | None) -> str:
    """`"was killed by signal 9"`, `"ended with code 1"`."""
    if exit_code is None:
        return "has not ended"
    return f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended with code {exit_code}"
