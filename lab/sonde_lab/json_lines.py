"""`sonde client --json`: one client, driven by JSON lines on standard input, told by JSON lines on standard output.

Owns the client, what each command does with it and what its events look like. A line that is no command is answered
with what is wrong about it, and nothing else changes. The end of standard input ends it with 0.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from sonde_client import (
    Channel,
    Client,
    Closed,
    ConnectFailed,
    ConnectionStatus,
    NotSent,
    OutcomeUnknown,
    Refused,
)
from sonde_client.events import (
    ChannelChanged,
    EntryArrived,
    Failed,
    PresenceChanged,
    SessionLost,
    SessionResumed,
    StateChanged,
    StatusChanged,
)
from sonde_lab.json_commands import MAX_LINE_BYTES, LineRefused, Order, read
from sonde_lab.json_outlet import Inlet, Outlet
from sonde_protocol.codec import CODECS
from sonde_protocol.errors import SondeError
from sonde_protocol.frames import Delta, Event, Member
from sonde_protocol.states import ConnectionState

LAST_S: Final = 5.0  # for commands under way when standard input ends
CONNECT_S: Final = 30.0
LOOK_EVERY_S: Final = 0.05
MAX_PATHS: Final = 100

# What an event says beside its name; the documentation shows this table.
EVENTS: Final[Mapping[str, tuple[str, str]]] = {
    "status": ("the connection has a new state", "state user session node roles attempts"),
    "entry": (
        "the next entry of a channel, or a volatile event (without a number)",
        "ch seq type d from replay",
    ),
    "state": ("a channel's document has changed; no paths: all of it", "ch seq paths"),
    "presence": ("people of a channel came, changed or went", "ch joins updates leaves"),
    "channel": ("a subscription has a new state", "ch status"),
    "resumed": ("the session goes on after a drop, every channel up to date", "channels replayed took_ms"),
    "lost": ("the session is gone and a new one was made", "unknown"),
    "closed": (
        "the connection has ended; without a close frame the code is null",
        "code reason cause by resumable",
    ),
    "failed": ("something went wrong", "cause title detail advice code"),
    "missed": ("so many events were left out, since nobody read them", "count"),
}


class JsonClient:
    """One client and its lines."""

    def __init__(self, client: Client, outlet: Outlet) -> None:
        self._client = client
        self._outlet = outlet
        self._told: tuple[Any, ...] = ()
        self._close: Closed | None = None
        self._does: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any] | None]]] = {
            "subscribe": self._subscribe, "unsubscribe": self._unsubscribe, "publish": self._publish,
            "patch": self._patch, "presence": self._presence, "history": self._history, "state": self._state,
            "members": self._members, "status": self._status, "drop": self._drop, "refuse": self._refuse,
            "retry": self._retry, "raw": self._raw, "close": self._end, "connect": self._connect,
        }  # fmt: skip
        client.on(StatusChanged, self._on_status)
        client.on(EntryArrived, lambda e: self._tell("entry", **_entry(e.frame)))
        client.on(StateChanged, lambda e: self._tell("state", ch=e.ch, seq=e.seq, paths=e.paths[:MAX_PATHS]))
        client.on(PresenceChanged, self._on_presence)
        client.on(ChannelChanged, lambda e: self._tell("channel", ch=e.ch, status=e.state.value))
        client.on(SessionResumed, self._on_resumed)
        client.on(SessionLost, lambda e: self._tell("lost", unknown=len(e.unknown_commands)))
        client.on(Failed, self._on_failed)

    async def take(self, number: int, line: bytes) -> None:
        """Do what a line says, and answer it."""
        try:
            order = read(line)
        except LineRefused as refused:
            wrong = {"line": number, "error": f"line {number}: {refused}"}
            wrong |= {"key": refused.key} if refused.key else {}
            wrong |= {"nearest": refused.nearest} if refused.nearest else {}
            self._outlet.answer({"id": refused.id, "ok": False, "code": "bad_line", **wrong})
        else:
            self._outlet.answer({"id": order.id, **await self._done(order)})
        while self._outlet.is_full:  # noqa: ASYNC110 - a thread empties it
            await asyncio.sleep(LOOK_EVERY_S)

    async def _done(self, order: Order) -> dict[str, Any]:
        try:
            return {"ok": True, **(await self._does[order.do](order.values) or {})}
        except Refused as error:
            return {"ok": False, "code": error.code.value, "error": error.message}
        except OutcomeUnknown as error:
            return {"ok": False, "code": "outcome_unknown", "error": str(error)}
        except NotSent as error:
            return {"ok": False, "code": "not_sent", "error": str(error)}
        except ConnectFailed as error:
            return {"ok": False, "code": "not_connected", "error": str(error)}
        except (SondeError, ValueError) as error:
            return {"ok": False, "code": "bad_value", "error": str(error)}

    # ------------------------------------------------------------ commands

    def _channel(self, values: dict[str, Any]) -> Channel:
        """A channel by its name, joined or not: who sends before an answer came is refused by the gateway only."""
        return self._client.channels.get(values["ch"]) or Channel(self._client, values["ch"])

    async def _subscribe(self, values: dict[str, Any]) -> None:
        await self._client.subscribe(values["ch"], presence=values["presence"], state=values["state"])

    async def _unsubscribe(self, values: dict[str, Any]) -> None:
        await self._client.unsubscribe(values["ch"])

    async def _publish(self, values: dict[str, Any]) -> dict[str, Any]:
        options = {"class_": values["class"], "key": values["key"]}
        return {"seq": await self._channel(values).publish(values["type"], values["d"], **options)}

    async def _patch(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"seq": await self._channel(values).patch(values["d"], base=values["base"])}

    async def _presence(self, values: dict[str, Any]) -> None:
        await self._client.set_presence(values["status"], activity=values["activity"], meta=values["meta"])

    async def _history(self, values: dict[str, Any]) -> dict[str, Any]:
        found = await self._channel(values).history(values["after"], values["limit"])
        return {"entries": [_entry(frame) for frame in found]}

    async def _state(self, values: dict[str, Any]) -> dict[str, Any]:
        channel = self._channel(values)
        return {"d": channel.state, "seq": None if channel.cursor is None else channel.cursor.seq}

    async def _members(self, values: dict[str, Any]) -> dict[str, Any]:
        return {"members": [_member(each) for each in self._channel(values).members]}

    async def _status(self, _values: dict[str, Any]) -> dict[str, Any]:
        return _status(self._client.status)

    async def _drop(self, _values: dict[str, Any]) -> None:
        self._client.drop()

    async def _refuse(self, values: dict[str, Any]) -> None:
        self._client.refuse_dials_for(values["for_s"])

    async def _retry(self, _values: dict[str, Any]) -> None:
        self._client.retry_now()

    async def _raw(self, values: dict[str, Any]) -> None:
        self._client.send_raw(values["text"])

    async def _end(self, values: dict[str, Any]) -> None:
        await self._client.close(values["code"], values["reason"])

    async def _connect(self, _values: dict[str, Any]) -> None:
        self._client.connect()
        await self._client.wait_live(CONNECT_S)

    # ------------------------------------------------------------ events

    def _tell(self, event: str, **values: Any) -> None:
        self._outlet.event({"event": event, **values})

    def _on_status(self, event: StatusChanged) -> None:
        status, close = event.status, event.status.last_close
        if close is not None and close is not self._close:
            self._close = close
            said = {"code": close.code, "reason": close.reason, "cause": close.cause, "by": close.by}
            self._tell("closed", **said, resumable=close.resumable)
        told = (status.state, status.session, status.user, status.node, status.attempts)
        if told != self._told:
            self._told = told
            self._tell("status", **_status(status))

    def _on_presence(self, event: PresenceChanged) -> None:
        change = event.change
        joins, updates = (list(map(_member, each)) for each in (change.joins, change.updates))
        self._tell(
            "presence", ch=event.ch, joins=joins, updates=updates, leaves=[x.session for x in change.leaves]
        )

    def _on_resumed(self, event: SessionResumed) -> None:
        report = event.report
        self._tell(
            "resumed", channels=report.channels, replayed=report.replayed, took_ms=round(report.took_ms, 3)
        )

    def _on_failed(self, event: Failed) -> None:
        failure = event.failure
        said = {"cause": failure.cause, "title": failure.title, "detail": failure.detail}
        self._tell("failed", **said, advice=failure.advice, code=failure.code)


def _status(status: ConnectionStatus) -> dict[str, Any]:
    return {
        "state": status.state.value,
        "user": status.user,
        "session": status.session,
        "node": status.node,
        "roles": sorted(status.roles),
        "attempts": status.attempts,
    }


def _entry(frame: Event | Delta) -> dict[str, Any]:
    kind = frame.type if isinstance(frame, Event) else "delta"
    return {
        "ch": frame.ch,
        "seq": frame.seq,
        "type": kind,
        "d": frame.d,
        "from": frame.from_,
        "replay": frame.replay,
    }


def _member(member: Member) -> dict[str, Any]:
    return {"session": member.session, "user": member.user, "name": member.name, "status": member.status}


# ---------------------------------------------------------------- the program


async def run(url: str, token: str, codec: str = "sonde.v1.json", *, stdin: int = 0, stdout: int = 1) -> int:
    """Drive one client until standard input ends, nobody reads standard output, or a signal comes; an exit code."""
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[tuple[int, bytes | None]]()
    _on_signals(loop, lines)
    outlet = Outlet(stdout, lambda: _call(loop, lines.put_nowait, (0, None)))
    client = Client(url, token or None, name="sonde client", codec=codec, measure_every_s=0.0)
    driven, under_way = JsonClient(client, outlet), set[asyncio.Task[None]]()
    client.connect()
    inlet = Inlet(stdin, MAX_LINE_BYTES, lambda number, line: _call(loop, lines.put_nowait, (number, line)))

    def finished(task: asyncio.Task[None]) -> None:
        under_way.discard(task)
        inlet.done()

    while (item := await lines.get())[1] is not None:
        task = loop.create_task(driven.take(item[0], item[1]), name=f"line {item[0]}")
        under_way.add(task)
        task.add_done_callback(finished)
    if under_way:
        await asyncio.wait(under_way, timeout=LAST_S)
    if client.status.state is not ConnectionState.IDLE:
        await client.close()
    if under_way:
        await asyncio.wait(under_way, timeout=LAST_S)
    for task in under_way:
        task.cancel()
    await asyncio.to_thread(outlet.close)
    return 0


def _call(loop: asyncio.AbstractEventLoop, call: Callable[[Any], object], value: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(call, value)


def _on_signals(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[tuple[int, bytes | None]]) -> None:
    with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):  # Windows, or no main thread
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lines.put_nowait, (0, None))


def serve(url: str, token: str, codec: str) -> int:
    """`run`, on a loop of its own; 2 with a sentence for an address that is none."""
    from sonde_lab.endpoints import EndpointInvalid, checked_url  # late: only here

    try:
        address = checked_url(url)
    except EndpointInvalid as error:
        sys.stderr.write(f"sonde client: {error}\n")
        return 2
    if codec not in CODECS:
        sys.stderr.write(
            f"sonde client: there is no subprotocol '{codec[:40]}'; there are {', '.join(CODECS)}\n"
        )
        return 2
    return asyncio.run(run(address, token, codec))
