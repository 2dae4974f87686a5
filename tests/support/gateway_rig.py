"""A gateway's core on a hand-turned clock, with scripted sockets: no loop, no sleep, no port."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from sonde_protocol.codec import JSON, Codec
from sonde_protocol.codes import ErrorCode
from sonde_protocol.errors import Refused
from sonde_protocol.frames import ClientPong
from sonde_server.adapters.memory_backend import memory_backend
from sonde_server.core.auth import Claims
from sonde_server.core.config import GatewayConfig
from sonde_server.core.gateway import Gateway
from sonde_server.core.ports import Backend
from sonde_server.core.records import Entry, LogLimits
from support.clocks import HandClock, SeededEntropy

HOUR_S = 3_600


class Tokens:
    """A verifier whose tokens say what they mean: `"ada"`, `"ada;player,monitor"`, `"ada;player;60"` (s left)."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self.revoked: set[str] = set()

    def verify(self, token: str) -> Claims:
        user, _, rest = token.partition(";")
        roles, _, left = rest.partition(";")
        if not user or token == "bad" or user in self.revoked:
            raise Refused(ErrorCode.UNAUTHORIZED, "the token is not valid")
        expires = int(self._clock.wall()) + int(left or HOUR_S)
        if int(left or HOUR_S) < 0:
            raise Refused(ErrorCode.UNAUTHORIZED, "the token has expired")
        return Claims(user, user.title(), frozenset((roles or "player").split(",")), expires)


class FakeWire:
    """A socket that keeps what it was sent. `stalled`: nothing leaves, so `buffered` grows."""

    def __init__(self, codec: Codec = JSON, peer: str = "127.0.0.1:1000") -> None:
        self.peer = peer
        self.sent: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self.aborted = False
        self.stalled = False
        self.breaks: list[str | int] = []  # what injected faults did to it
        self.is_read = True
        self._codec = codec
        self._buffered = 0
        self._taken = 0

    def send(self, data: bytes) -> None:
        assert self.closed is None, f"sent after the close: {data!r}"
        self.sent.append(data)
        if self.stalled:
            self._buffered += len(data)

    def buffered(self) -> int:
        return self._buffered

    def close(self, code: int, reason: str) -> None:
        assert self.closed is None
        self.closed = (code, reason)

    def abort(self) -> None:
        self.aborted = True

    def reset(self) -> None:
        self.breaks.append("reset")

    def cut(self) -> None:
        self.breaks.append("cut")

    def end_with(self, code: int, reason: str) -> None:
        self.breaks.append(code)

    def hold_reading(self, is_held: bool) -> None:
        self.is_read = not is_held

    def drain(self, size: int | None = None) -> None:
        """The kernel takes bytes."""
        self._buffered = 0 if size is None else max(0, self._buffered - size)

    def take(self) -> list[dict[str, Any]]:
        """Frames since the last look."""
        new, self._taken = self.sent[self._taken :], len(self.sent)
        return [self._codec.untyped(data) for data in new]


@dataclass(slots=True, frozen=True)
class Entrance:
    """What the upgrade found."""

    claims: Claims | None
    codec: Codec


class Peer:
    """One scripted client on one socket."""

    def __init__(self, rig: Rig, gateway: Gateway, codec: Codec = JSON, token: str | None = None) -> None:
        self.rig = rig
        self.codec = codec
        self.wire = FakeWire(codec)
        claims = None if token is None else rig.tokens.verify(token)
        self.connection = gateway.connect(self.wire, Entrance(claims, codec))
        self.session = ""
        self.secret = ""
        self.number = 0
        self.lost = False

    def send(self, **frame: Any) -> list[dict[str, Any]]:
        """Send a frame; what came back at once."""
        encode = msgspec.msgpack.encode if self.codec.binary else msgspec.json.encode
        self.connection.on_message(encode(frame), self.codec.binary)
        return self.wire.take()

    def raw(self, data: bytes | str, binary: bool | None = None) -> list[dict[str, Any]]:
        encoded = data.encode() if isinstance(data, str) else data
        self.connection.on_message(encoded, self.codec.binary if binary is None else binary)
        return self.wire.take()

    def command(self, op: str, **fields: Any) -> list[dict[str, Any]]:
        """Send a numbered command."""
        self.number += 1
        return self.send(op=op, id=self.number, **fields)

    def identify(self, token: str | None = "ada", **fields: Any) -> dict[str, Any]:
        """Become a session; the `ready` frame."""
        with_token = {} if token is None else {"token": token}
        frames = self.send(op="identify", client={"name": "rig", "version": "1"}, **with_token, **fields)
        ready = next(frame for frame in frames if frame["op"] == "ready")
        self.session, self.secret = ready["session"], ready["resume"]
        return ready

    def resume(
        self, other: Peer, channels: list[dict[str, Any]] | None = None, **fields: Any
    ) -> list[dict[str, Any]]:
        """Take over another peer's session; everything that came back."""
        asked = {"session": other.session, "resume": other.secret, "token": "ada", **fields}
        frames = self.send(op="resume", channels=channels or [], **asked)
        resumed = [frame for frame in frames if frame["op"] == "resumed"]
        if resumed:
            self.session, self.secret = resumed[0]["session"], resumed[0]["resume"]
            self.number = max(self.number, other.number)
        return frames

    def subscribe(self, ch: str = "room:arena", **fields: Any) -> list[dict[str, Any]]:
        return self.command("subscribe", ch=ch, **fields)

    def publish(
        self, d: Any, ch: str = "room:arena", type: str = "chat", **fields: Any
    ) -> list[dict[str, Any]]:
        return self.command("publish", ch=ch, type=type, d=d, **fields)

    def patch(self, d: dict[str, Any], ch: str = "room:arena", **fields: Any) -> list[dict[str, Any]]:
        return self.command("patch", ch=ch, d=d, **fields)

    def pong(self) -> None:
        """A sign of life; what arrived stays for the next look."""
        self.connection.on_message(self.codec.encode(ClientPong(n=1)), self.codec.binary)

    def frames(self) -> list[dict[str, Any]]:
        return self.wire.take()

    def drop(self, code: int | None = None) -> None:
        """The socket goes."""
        self.lost = True
        self.connection.on_lost(code, "")


class Rig:
    """A clock, a backend and gateways on them."""

    def __init__(self, seed: int = 1, **limits: Any) -> None:
        self.clock = HandClock()
        self.entropy = SeededEntropy(seed)
        self.tokens = Tokens(self.clock)
        self.config = replace(GatewayConfig(node="n1"), **limits)
        self.backend = self.make_backend()
        self.gateways: list[Gateway] = []
        self.gateway = self.add_gateway("n1")

    def make_backend(self) -> Backend:
        """The stores that the gateways share."""
        return memory_backend(self.clock, self.entropy, self.config.resume_ttl_s)

    def add_gateway(self, node: str, **limits: Any) -> Gateway:
        """One more node over the same stores."""
        gateway = Gateway(
            replace(self.config, node=node, **limits),
            clock=self.clock,
            entropy=self.entropy,
            authenticator=self.tokens,
            backend=self.backend,
            spawn=self.spawn,
        )
        self.run(gateway.start())
        self.gateways.append(gateway)
        return gateway

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        """Drive a coroutine of the gateway's own."""
        run_now(work)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        work.close()
        raise AssertionError(f"{name} suspended, though memory never waits")

    def peer(self, gateway: Gateway | None = None, codec: Codec = JSON, token: str | None = None) -> Peer:
        """A fresh socket; its `hello` is read away."""
        peer = Peer(self, gateway or self.gateway, codec, token)
        assert [frame["op"] for frame in peer.frames()] == ["hello"]
        return peer

    def player(
        self, token: str = "ada", gateway: Gateway | None = None, codec: Codec = JSON, **fields: Any
    ) -> Peer:
        """An identified socket."""
        peer = self.peer(gateway, codec)
        peer.identify(token, **fields)
        return peer

    def move(self, seconds: float, step: float = 0.05) -> None:
        """Time goes on, in steps, and the gateways do what is due."""
        left = seconds
        while left > 1e-9:
            self.clock.move(min(step, left))
            left -= step
            for gateway in self.gateways:
                gateway.tick(self.clock.now())

    def entries(self, ch: str = "room:arena", limit: int = 1_000) -> list[Entry]:
        """What the log keeps of a channel."""
        top = run_now(self.backend.log.top(ch, LogLimits(4_000, 600.0)))
        return list(run_now(self.backend.log.read(ch, top.epoch, 0, limit)))

    def deafen(self, gateway: Gateway) -> None:
        """From now on it hears nothing of what other nodes do."""
        run_now(self.backend.bus.leave(gateway._hub.life))

    def stop_gateway(self, gateway: Gateway) -> None:
        """As a crash: it is never ticked again, and hears nothing."""
        self.deafen(gateway)
        self.gateways.remove(gateway)


def run_now(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value
    work.close()
    raise AssertionError("it had to wait")


def ops(frames: list[dict[str, Any]]) -> list[str]:
    """The ops in order."""
    return [frame["op"] for frame in frames]


def only(frames: list[dict[str, Any]], op: str) -> dict[str, Any]:
    """The one frame of this op."""
    found = [frame for frame in frames if frame["op"] == op]
    assert len(found) == 1, f"{len(found)} {op} in {frames}"
    return found[0]


def all_of(frames: list[dict[str, Any]], op: str) -> list[dict[str, Any]]:
    """The frames of this op."""
    return [frame for frame in frames if frame["op"] == op]
