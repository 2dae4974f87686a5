"""No sequence of happenings, however odd, makes the session raise, spin, or leave a caller waiting for ever."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sonde_client.errors import NotSent, OutcomeUnknown
from sonde_protocol.errors import Refused
from sonde_protocol.frames import (
    AuthRequired,
    Bye,
    Delta,
    Error,
    Event,
    Flow,
    Live,
    Patch,
    Position,
    Presence,
    Publish,
    Reconnect,
    Reply,
    ResumeFailed,
    ServerPing,
    ServerPong,
    SetPresence,
    Snapshot,
    Sync,
    Unsubscribed,
)
from sonde_protocol.states import ConnectionState
from support.session_rig import Rig, hello, member, ready, resumed, verdict

CHANNELS = st.sampled_from(["room:a", "room:b", "user:ada", "$stats"])
SMALL = st.integers(0, 6)
VALUES = st.sampled_from([None, 1, "x", {"a": 1}, {"a": None}, {"a": {"b": [1]}}, {}])
OBJECTS = st.sampled_from([{}, {"a": 1}, {"a": None}, {"a": {"b": 2}}])
CAUSES = st.sampled_from(["session_expired", "bad_secret", "unauthorized", "not_ready", "odd"])
CODES = st.sampled_from(
    [None, 1000, 1001, 1005, 1006, 1011, 4000, 4001, 4010, 4100, 4200, 4401, 4409, 4410, 4499]
)
VERDICTS = st.builds(
    verdict,
    CHANNELS,
    st.sampled_from(["replay", "snapshot", "gone"]),
    epoch=st.sampled_from(["e1", "e2", None]),
)
MEMBERS = st.lists(st.builds(member, st.sampled_from(["s1", "s2", "s3"])), max_size=2)


def frame(make: Any, /, **fields: Any) -> st.SearchStrategy[Any]:
    return st.builds(lambda **known: make(**known), **fields)


FRAMES = st.one_of(
    st.builds(hello, version=st.sampled_from([1, 1, 1, 2]), heartbeat_ms=st.sampled_from([0, 2_000, 15_000])),
    st.builds(
        ready,
        st.sampled_from(["s1", "s2"]),
        channels=st.lists(st.builds(lambda ch: Position(ch=ch, epoch="e1", seq=3), CHANNELS), max_size=2),
    ),
    st.lists(VERDICTS, max_size=3).map(lambda verdicts: resumed(*verdicts)),
    frame(ResumeFailed, cause=CAUSES, identify=st.booleans()),
    frame(Reply, id=st.integers(1, 9), d=VALUES),
    frame(
        Error,
        id=st.one_of(st.none(), st.integers(1, 9)),
        code=st.sampled_from(["forbidden", "rate_limited", "new"]),
        message=st.just("m"),
        temporary=st.booleans(),
        retry_ms=st.sampled_from([None, 0, 10**15]),
    ),
    frame(
        Event,
        ch=CHANNELS,
        type=st.just("t"),
        d=VALUES,
        from_=st.none(),
        ts=st.just(0),
        seq=st.one_of(st.none(), SMALL),
        prev=st.one_of(st.none(), SMALL),
        replay=st.booleans(),
    ),
    frame(
        Delta,
        ch=CHANNELS,
        seq=SMALL,
        d=OBJECTS,
        from_=st.none(),
        ts=st.just(0),
        hash=st.sampled_from([None, "0" * 16]),
    ),
    frame(
        Snapshot,
        ch=CHANNELS,
        epoch=st.sampled_from(["e1", "e2"]),
        seq=SMALL,
        d=VALUES,
        hash=st.sampled_from([None, "0" * 16]),
        part=st.sampled_from([None, 0, 1]),
        parts=st.sampled_from([None, 0, 2]),
    ),
    frame(
        Presence,
        ch=CHANNELS,
        kind=st.sampled_from(["snapshot", "diff"]),
        number=SMALL,
        count=SMALL,
        members=MEMBERS,
        joins=MEMBERS,
        updates=MEMBERS,
    ),
    frame(Live, ch=CHANNELS, epoch=st.sampled_from(["e1", "e2"]), seq=SMALL),
    frame(ServerPing, n=SMALL, time=st.just(0)),
    frame(ServerPong, t=st.sampled_from([0.0, 1_000_000.0]), time=st.just(0)),
    frame(Flow, ch=CHANNELS, dropped=SMALL, conflated=SMALL),
    frame(AuthRequired, by_ms=SMALL),
    frame(
        Reconnect,
        in_ms=st.sampled_from([0, 500]),
        deadline_ms=st.just(5_000),
        url=st.sampled_from([None, "ws://b.test/v1/ws", "://"]),
    ),
    frame(Unsubscribed, ch=CHANNELS, code=st.just("forbidden")),
    frame(
        Bye,
        code=st.sampled_from([4001, 4100, 4200, 4409]),
        cause=st.just("c"),
        resume=st.booleans(),
        retry_ms=st.none(),
    ),
)
COMMANDS = st.one_of(
    st.builds(lambda ch: Publish(id=0, ch=ch, type="t", d=1), CHANNELS),
    st.builds(lambda ch: Publish(id=0, ch=ch, type="t", d=1, class_="volatile"), CHANNELS),
    st.builds(lambda ch: Patch(id=0, ch=ch, d={}), CHANNELS),
    st.builds(lambda ch: Sync(id=0, ch=ch), CHANNELS),
    st.just(None).map(lambda _: SetPresence(id=0, status="away")),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("frame"), FRAMES),
        st.tuples(st.just("frame"), FRAMES),
        st.tuples(st.just("frame"), FRAMES),
        st.tuples(st.just("garbage"), st.binary(max_size=20)),
        st.tuples(st.just("open"), st.none()),
        st.tuples(st.just("greet"), st.none()),
        st.tuples(st.just("lose"), CODES),
        st.tuples(st.just("fail"), st.sampled_from([None, 401, 403, 503, 500])),
        st.tuples(st.just("wait"), st.sampled_from([0.0, 0.3, 6.0, 25.0])),
        st.tuples(st.just("command"), COMMANDS),
        st.tuples(st.just("subscribe"), CHANNELS),
        st.tuples(st.just("unsubscribe"), CHANNELS),
        st.tuples(st.just("token"), st.sampled_from(["t1", "t2", None])),
        st.tuples(st.just("ask"), st.sampled_from(["connect", "retry", "close", "leave"])),
    ),
    max_size=60,
)


LEFT_AND_THEN_CLOSED = [
    ("greet", None),
    ("command", Publish(id=0, ch="room:a", type="t", d=1)),
    ("ask", "leave"),
]


class Chaos:
    """Applies steps to whichever socket is newest; every outcome that a caller waits for is kept."""

    def __init__(self) -> None:
        self.rig = Rig(has_token_source=True, token_is_fixed=False, keeps_queue=True, measure_every_s=2.0)
        self.outcomes: list[Any] = []
        self.rig.connect()
        self.rig.session.token_fetched("t0", self.rig.now)
        self.rig.pump()

    def apply(self, what: str, value: Any) -> None:
        rig, session = self.rig, self.rig.session
        dial = rig.dials[-1].dial
        if what == "frame":
            rig.receive(msgspec.structs.replace(value))
        elif what == "garbage":
            session.message(dial, value, False, rig.now)
        elif what == "open":
            rig.opened()
        elif what == "greet":
            rig.opened()
            rig.receive(hello(), ready(), resumed())
        elif what == "lose":
            rig.lose(value, "", "server")
        elif what == "fail":
            rig.fail("dial_refused" if value is None else "http_error", status=value)
        elif what == "wait":
            rig.advance(value)
        elif what == "token":
            if value is None:
                session.token_failed("no", rig.now)
            else:
                session.token_fetched(value, rig.now)
        elif what == "ask":
            self._ask(value)
        else:
            self._command(what, value)
        rig.pump()

    def _ask(self, what: str) -> None:
        session, now = self.rig.session, self.rig.now
        if what == "connect":
            session.connect(now)
        elif what == "retry":
            session.retry_now(now)
        else:
            session.close(1000 if what == "close" else 4000, "", now)

    def _command(self, what: str, value: Any) -> None:
        from support.session_rig import Outcome

        outcome = Outcome()
        try:
            if what == "command":
                self.rig.session.submit(msgspec.structs.replace(value), self.rig.now, outcome)
            elif what == "subscribe":
                self.rig.session.subscribe(
                    value, self.rig.now, outcome, presence=True, state=True, cursor=None
                )
            else:
                self.rig.session.unsubscribe(value, self.rig.now, outcome)
        except NotSent:
            assert self.rig.session.state is ConnectionState.STOPPED or self.rig.session.was_closed
        else:
            self.outcomes.append(outcome)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
@example(LEFT_AND_THEN_CLOSED)
def test_nothing_makes_the_session_raise_and_nobody_waits_for_ever(steps: list[tuple[str, Any]]):
    chaos = Chaos()
    for what, value in steps:
        chaos.apply(what, value)
    session, rig = chaos.rig.session, chaos.rig
    session.close(1000, "", rig.now)
    rig.pump()
    if session.state is ConnectionState.CLOSING:
        rig.lose(1000, "", "client", dial=session.link.dial)
    assert session.state in (ConnectionState.IDLE, ConnectionState.STOPPED)
    assert all(outcome.done for outcome in chaos.outcomes)
    assert len(rig.queue) == 0
    assert session.next_deadline() is None
    for outcome in chaos.outcomes:
        assert outcome.error is None or isinstance(outcome.error, Refused | OutcomeUnknown | NotSent)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_numbers_grow_stay_in_the_window_and_are_repeated_only_after_a_resume(steps: list[tuple[str, Any]]):
    chaos = Chaos()
    for what, value in steps:
        chaos.apply(what, value)
    by_dial: dict[int, list[int]] = {}
    for dial, sent in chaos.rig.sent:
        number = getattr(sent, "id", None)
        if number is not None:
            assert number >= 1
            by_dial.setdefault(dial, []).append(number)
    newest = 0
    for numbers in by_dial.values():
        fresh = [n for n in numbers if n > newest]
        assert fresh == sorted(set(fresh))
        newest = max([newest, *numbers])
