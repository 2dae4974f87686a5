"""The proxy in a process of its own: `python -m sonde_lab.proxy_process`, and `ProxyProcess`, its parent's end.

The child's standard output begins with one line of JSON, then bytes of a tap. Orders to its fault lab come over its
standard input, with which it ends, so that it never outlives its parent. A slow parent does not slow the traffic.
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
from collections.abc import Callable, Coroutine
from typing import Any, Final

from sonde_lab.child import Child
from sonde_lab.players import follow_parent
from sonde_lab.proxy_options import ProxyFailed, ProxyOptions, controlled, started
from sonde_lab.proxy_orders import Orders
from sonde_lab.proxy_tap import Tap, TapGarbled, TapListener, TapReader

START_LIMIT_S: Final = 15.0
STOP_PATIENCE_S: Final = 4.0
LAST_WORDS_S: Final = 1.0
BATCH_S: Final = 0.005
BATCH_BYTES: Final = 64 * 1024


class ProxyProcess:
    """At most one proxy. `on_death` gets a sentence when it ends although it was wanted."""

    def __init__(self, listener: TapListener, on_death: Callable[[str], None]) -> None:
        self.url = ""  # where clients find it, once it is ready
        self.control_url = self.control_token = ""  # of its control interface, where it has one
        self._listener = listener
        self._on_death = on_death
        self._child: Child | None = None
        self._reader: TapReader | None = None
        self._start = bytearray()
        self._ready: asyncio.Future[str] | None = None
        self._is_wanted = False

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._child.pid if self._child is not None and self._child.is_running else None

    async def start(self, options: ProxyOptions) -> None:
        """Start it and wait until it listens.

        Raises:
            ProxyFailed: it does not come up; the message is its own.
        """
        self._ready = asyncio.get_running_loop().create_future()
        self._reader, self._start = TapReader(self._listener), bytearray()
        try:
            self._child = await Child.start(
                "sonde_lab.proxy_process",
                *options.arguments(),
                "--parent-pipe",
                env={},
                on_line=lambda _line: None,
                on_chunk=self._take,
                on_end=self._ended,
                own_group=True,
            )
        except OSError as error:
            raise ProxyFailed(f"the proxy's process cannot be started: {error.strerror}") from None
        try:
            self.url = await asyncio.wait_for(asyncio.shield(self._ready), START_LIMIT_S)
        except TimeoutError:
            await self.stop()
            raise ProxyFailed(f"the proxy's process was not ready within {START_LIMIT_S:g} s") from None
        self._is_wanted = True

    async def send(self, line: bytes) -> None:
        """Write to its standard input.

        Raises:
            ProxyFailed: there is no process that reads.
        """
        if self._child is None or not self._child.is_running:
            raise ProxyFailed("the proxy's process is not running")
        try:
            await self._child.send(line)
        except OSError:
            raise ProxyFailed("the proxy's process does not read any more") from None

    def kill(self) -> None:
        """End it at once, and every connection through it; told as a death."""
        if self._child is not None:
            self._child.kill()

    async def stop(self) -> None:
        """End the process; what it said before is taken in."""
        self._is_wanted = False
        if self._child is not None:
            await self._child.stop(STOP_PATIENCE_S)

    def _take(self, data: bytes) -> None:
        assert self._reader is not None
        assert self._ready is not None
        if not self._ready.done():
            self._start += data
            line, end, data = bytes(self._start).partition(b"\n")
            if not end:
                return
            try:
                told = json.loads(line)
                self.control_url, self.control_token = str(told["control"]), str(told["token"])
                self._ready.set_result(str(told["url"]))
            except (ValueError, KeyError, TypeError):
                self._ready.set_exception(ProxyFailed("the proxy's process did not say that it is ready"))
                return
        try:
            self._reader.feed(data)
        except TapGarbled:
            assert self._child is not None
            self._child.kill()

    def _ended(self, exit_code: int) -> None:
        said = self._child.log_tail[-1:] if self._child is not None else ()
        why = said[0] if said else f"the proxy's process has ended with code {exit_code}"
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(ProxyFailed(why))
        elif self._is_wanted:
            self._is_wanted = False
            self._on_death(why)


# ---------------------------------------------------------------- the child


async def serve(options: ProxyOptions, stop: asyncio.Event, orders: Orders | None = None) -> int:
    """Proxy until `stop`; 2 and a sentence on standard error when that cannot be."""
    out, pipe = await _stdout()
    batches, proxy, control = _Batches(out), None, None
    try:
        tap = Tap(batches.write, batches.unsent)
        proxy = options.proxy(tap)
        control = options.control_of(proxy)
        await controlled(control)
        await started(proxy)
        ready = {
            "event": "ready", "url": proxy.url, "port": proxy.port, "pid": os.getpid(),
            "control": control.url if control is not None else "",
            "token": control.token if control is not None else "",
        }  # fmt: skip
        out.write(json.dumps(ready).encode() + b"\n")
        if orders is not None and options.orders and proxy.lab is not None:
            orders.attach(proxy.lab, tap)
        await stop.wait()
    except ProxyFailed as error:
        sys.stderr.write(f"{error}\n")
        return 2
    else:
        return 0
    finally:
        if orders is not None:
            orders.detach()
        if control is not None:
            await control.stop()
        if proxy is not None:
            await proxy.stop()
        batches.flush()
        await _emptied(out, pipe)


async def _stdout() -> tuple[asyncio.WriteTransport, _Pipe]:
    return await asyncio.get_running_loop().connect_write_pipe(_Pipe, sys.stdout.buffer)


async def _emptied(out: asyncio.WriteTransport, pipe: _Pipe) -> None:
    """Let the last words leave, as long as somebody takes them."""
    out.set_write_buffer_limits(0, 0)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(pipe.is_empty.wait(), LAST_WORDS_S)
    out.abort()


class _Pipe(asyncio.BaseProtocol):
    """Standard output. The tap looks at its buffer by itself, so that only the last words wait for it."""

    def __init__(self) -> None:
        self.is_empty = asyncio.Event()
        self.is_empty.set()

    def pause_writing(self) -> None:
        self.is_empty.clear()

    def resume_writing(self) -> None:
        self.is_empty.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_empty.set()


class _Batches:
    """Writes to the parent a few milliseconds later: waking it for each frame would cost the traffic latency."""

    def __init__(self, out: asyncio.WriteTransport) -> None:
        self._out = out
        self._loop = asyncio.get_running_loop()
        self._parts: list[bytes] = []
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None

    def unsent(self) -> int:
        """Bytes that wait here and in the pipe's buffer."""
        return self._size + self._out.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Take bytes in."""
        self._parts.append(data)
        self._size += len(data)
        if self._size >= BATCH_BYTES:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(BATCH_S, self.flush)

    def flush(self) -> None:
        """Write what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        parts, self._parts, self._size = self._parts, [], 0
        if parts:
            self._out.write(b"".join(parts))


def run_loop(main: Coroutine[Any, Any, int]) -> int:
    """Run on uvloop where there is one: it passes bytes on faster."""
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def _main(options: ProxyOptions, parent_pipe: bool) -> int:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    orders = Orders()
    if parent_pipe:
        follow_parent(lambda: _call(loop, stop.set), lambda data: _call(loop, orders.feed, data))
    with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers on a loop
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
    return await serve(options, stop, orders)


def _call(loop: asyncio.AbstractEventLoop, what: Callable[..., object], *told: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(what, *told)


def main(argv: list[str] | None = None) -> int:
    """Parse arguments and proxy."""
    parser = argparse.ArgumentParser(prog="python -m sonde_lab.proxy_process", description=__doc__)
    parser.add_argument("--listen", required=True, help="host:port")
    parser.add_argument("--upstream", required=True, help="ws://… or wss://…")
    parser.add_argument("--cert", default="", help="certificate for clients, PEM")
    parser.add_argument("--key", default="", help="its key, PEM")
    parser.add_argument("--insecure", action="store_true", help="do not verify the upstream's certificate")
    parser.add_argument("--rewrite-host", action="store_true", help="send the upstream's own Host")
    parser.add_argument("--fault", action="append", default=[], dest="faults", help="a rule of the fault lab")
    parser.add_argument("--preset", action="append", default=[], dest="presets", help="a network by name")
    parser.add_argument("--seed", type=int, default=0, help="of the rules that name none")
    parser.add_argument("--control", default="", help="host:port of the control interface")
    parser.add_argument("--control-token", default="", help="a file with its token")
    parser.add_argument("--control-anywhere", action="store_true", help="it may listen beyond this machine")
    parser.add_argument("--orders", action="store_true", help="arm rules that come over standard input")
    parser.add_argument("--parent-pipe", action="store_true", help="end when standard input ends")
    asked = vars(parser.parse_args(argv))
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    parent_pipe = asked.pop("parent_pipe")
    asked["faults"], asked["presets"] = tuple(asked["faults"]), tuple(asked["presets"])
    return run_loop(_main(ProxyOptions(**asked), parent_pipe))


if __name__ == "__main__":
    sys.exit(main())
