"""`Client`: what a script holds. Composes session, sockets, queue, store, events and metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sonde_client.channel import Channel
from sonde_client.events import EntryArrived, EventStream, Overflow, Unsubscribe
from sonde_client.metrics import Metrics
from sonde_client.status import ConnectionStatus
from sonde_protocol.frames import Command

if TYPE_CHECKING:
    from sonde_protocol.cursor import Cursor

E = TypeVar("E")
TokenSource = str | Callable[[], Awaitable[str]] | None
OnWire = Callable[[Literal["in", "out"], bytes, float, int], None]  # direction, bytes, monotonic s, dial
OnPhase = Callable[[str, float, int], None]  # phase, monotonic s, dial


class Client:
    """A connection to one gateway that recovers by itself."""

    url: str
    status: ConnectionStatus
    metrics: Metrics
    channels: dict[str, Channel]
    on_wire: OnWire | None
    on_phase: OnPhase | None

    def __init__(
        self,
        url: str,
        token: TokenSource = None,
        *,
        name: str = "sonde",
        version: str = "",
        codec: str = "sonde.v1.json",
        device: str | None = None,
        queue_path: Path | str | None = None,
        measure_every_s: float = 5.0,
        open_timeout_s: float | None = 30.0,
    ) -> None: ...

    # life: connect() starts trying and returns at once; wait_live() waits; `async with` does both
    def connect(self) -> None: ...
    async def wait_live(self, timeout_s: float | None = None) -> None: ...
    async def close(self, code: int = 1000, reason: str = "") -> None: ...
    async def __aenter__(self) -> Client: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def drop(self) -> None: ...
    def retry_now(self) -> None: ...
    def refuse_dials_for(self, seconds: float) -> None: ...

    async def subscribe(
        self, ch: str, *, presence: bool = False, state: bool = True, cursor: Cursor | None = None
    ) -> Channel: ...
    async def command(self, frame: Command) -> Any: ...
    def send_raw(self, data: str | bytes) -> None: ...
    async def set_presence(self, status: str, *, activity: str | None = None, meta: Any = None) -> None: ...

    def on(self, event_class: type[E], callback: Callable[[E], None]) -> Unsubscribe: ...
    def events(
        self,
        event_class: type[E] = EntryArrived,  # type: ignore[assignment]  # a default for a type variable
        *,
        ch: str | None = None,
        op: str | None = None,
        type: str | None = None,
        limit: int = 1024,
        overflow: Overflow = Overflow.DROP_OLDEST,
    ) -> EventStream[E]: ...
