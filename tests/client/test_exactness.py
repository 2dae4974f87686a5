"""Whatever is dropped, doubled or lost on the way: each entry once and in order, each command applied once."""

from __future__ import annotations

from collections import deque
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonde_client.actions import AbandonLink, CloseLink, Dial, Send
from sonde_client.events import EntryArrived, StateChanged
from sonde_client.metrics import Metrics
from sonde_client.queue import CommandQueue
from sonde_client.session import Session, SessionSettings
from sonde_protocol.codec import JSON
from sonde_protocol.frames import Delta, Event, Patch, Publish
from support.model_gateway import ModelConnection, ModelGateway

CH = "room:arena"


class Line:
    """A session and a model gateway, with two pipes between them that a test delivers from, drops and doubles."""

    def __init__(self) -> None:
        self.now = 0.0
        self.gateway = ModelGateway()
        self.session = Session(
            SessionSettings("ws://model:1/v1/ws", measure_every_s=5.0),
            lambda low, high: high,
            CommandQueue(),
            Metrics(),
        )
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque()
        self.dial: int | None = None
        self.peer: ModelConnection | None = None
        self.entries: list[Event | Delta] = []
        self.outcomes: list[tuple[Any, Exception | None]] = []
        self.session.connect(self.now)
        self.session.subscribe(CH, self.now, None, presence=False, state=True, cursor=None)
        self.pump()
        self.settle()

    def pump(self) -> None:
        while True:
            actions, events = self.session.take_actions(), self.session.take_events()
            if not actions and not events:
                return
            self.entries += [e.frame for e in events if isinstance(e, EntryArrived)]
            for event in events:
                assert not isinstance(event, StateChanged) or event.seq > 0 or not event.paths
            for action in actions:
                self._perform(action)

    def _perform(self, action: Any) -> None:
        if isinstance(action, Dial):
            self.up.clear()
            self.down.clear()
            self.dial = action.dial
            self.peer = self.gateway.connect(lambda frame: self.down.append(JSON.encode(frame)))
            self.session.dial_opened(action.dial, self.now)
        elif isinstance(action, Send) and action.dial == self.dial:
            self.up.append(action.data)
        elif isinstance(action, AbandonLink | CloseLink) and action.dial == self.dial:
            self.cut()

    def cut(self) -> None:
        """The connection breaks; what is in the pipes is lost."""
        if self.dial is None or self.peer is None:
            return
        dial, self.dial = self.dial, None
        self.peer.lost()
        self.up.clear()
        self.down.clear()
        self.session.lost(dial, None, "", "network", self.now)
        self.pump()

    def deliver_up(self) -> None:
        if self.up and self.peer is not None:
            self.peer.on_frame(JSON.client_decoder()(self.up.popleft()))

    def deliver_down(self, *, twice: bool = False) -> None:
        if self.down and self.dial is not None:
            data = self.down.popleft()
            self.session.message(self.dial, data, False, self.now)
            if twice and self.dial is not None:
                self.session.message(self.dial, data, False, self.now)
            self.pump()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.session.tick(self.now)
        self.pump()

    def submit(self, command: Any) -> None:
        self.session.submit(command, self.now, lambda v, e: self.outcomes.append((v, e)))
        self.pump()

    def settle(self) -> None:
        """Let everything arrive."""
        for _ in range(10_000):
            if not self.up and not self.down and self.session.is_live:
                return
            if self.up or self.down:
                self.deliver_up()
                self.deliver_down()
            else:
                self.wait(1.0)
        raise AssertionError("it does not come to rest")


STEPS = st.lists(
    st.sampled_from(["publish", "patch", "up", "up", "down", "down", "double", "cut", "wait", "foreign"]),
    max_size=120,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_every_entry_arrives_once_in_order_and_every_command_is_applied_once(steps: list[str]):
    line = Line()
    sent = 0
    for step in steps:
        if step == "publish":
            sent += 1
            line.submit(Publish(id=0, ch=CH, type="t", d=f"mine-{sent}"))
        elif step == "patch":
            sent += 1
            line.submit(Patch(id=0, ch=CH, d={f"k{sent % 3}": f"mine-{sent}"}))
        elif step == "foreign":
            line.gateway.channel(CH).append(Event(ch=CH, type="t", d="foreign", from_="bea", ts=0))
        elif step == "up":
            line.deliver_up()
        elif step == "down":
            line.deliver_down()
        elif step == "double":
            line.deliver_down(twice=True)
        elif step == "cut":
            line.cut()
        else:
            line.wait(0.7)
    line.settle()
    channel = line.gateway.channel(CH)
    assert [e.seq for e in line.entries] == [e.seq for e in channel.log]
    mine = [_own_text(e) for e in channel.log if _own_text(e).startswith("mine-")]
    assert mine == [f"mine-{n}" for n in range(1, sent + 1)]
    assert len(line.outcomes) == sent
    assert all(error is None for _, error in line.outcomes)
    assert line.session.membership.by_name[CH].document == channel.document
    assert line.session.metrics.counters.holes == 0


def _own_text(entry: Event | Delta) -> str:
    return entry.d if isinstance(entry, Event) else next(iter(entry.d.values()))
