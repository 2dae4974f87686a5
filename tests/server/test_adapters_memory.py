"""What the memory adapters do beyond the contract: they stay bounded and forget in time."""

from __future__ import annotations

from sonde_protocol.codes import DeliveryClass
from sonde_server.adapters.memory_log import MemoryLog
from sonde_server.adapters.memory_sessions import MemorySessions
from sonde_server.core.records import CommandKey, LogLimits, NewEvent, SessionRecord
from support.clocks import HandClock, SeededEntropy
from support.gateway_rig import run_now

LIMITS = LogLimits(10, 600.0)
EVENT = NewEvent("t", 1, None, 5, DeliveryClass.RELIABLE, None)


def record(session: str) -> SessionRecord:
    return SessionRecord(
        session=session,
        user=f"u{session}",
        name="x",
        roles=frozenset(),
        generation=1,
        node="n",
        secret="s",
        previous=None,
        created=0,
        client="c",
        client_version="1",
        device=None,
        status="online",
        activity=None,
        meta=None,
        last_command=0,
    )


def test_sessions_that_nobody_asks_for_are_swept() -> None:
    clock = HandClock()
    sessions = MemorySessions(clock)
    for number in range(100):
        run_now(sessions.create(record(str(number)), 120.0))
    clock.move(121)
    run_now(sessions.create(record("new"), 120.0))
    assert len(sessions) == 1


def test_channels_that_begin_anew_have_another_epoch() -> None:
    log = MemoryLog(HandClock(), SeededEntropy())
    before = run_now(log.append("room:a", LIMITS, EVENT, None)).epoch
    log.forget("room:a")
    assert run_now(log.top("room:a", LIMITS)).epoch != before


def test_over_its_limit_the_log_forgets_the_channels_untouched_for_longest() -> None:
    clock = HandClock()
    log = MemoryLog(clock, SeededEntropy(), max_channels=20)
    for number in range(30):
        clock.move(1)
        run_now(log.append(f"room:r{number}", LIMITS, EVENT, None))
        run_now(log.append("room:busy", LIMITS, EVENT, None))
    assert len(log) <= 20
    assert run_now(log.top("room:busy", LIMITS)).seq == 30
    assert run_now(log.top("room:r29", LIMITS)).seq == 1
    assert run_now(log.top("room:r0", LIMITS)).seq == 0


def test_answers_of_sessions_that_are_long_gone_are_forgotten() -> None:
    clock = HandClock()
    log = MemoryLog(clock, SeededEntropy(), command_ttl_s=240.0)
    command = CommandKey("s1", 1, 1)
    run_now(log.append("room:a", LIMITS, EVENT, command))
    for _ in range(7):
        clock.move(31)
        run_now(log.append("room:b", LIMITS, EVENT, None))
    assert run_now(log.recorded("room:a", command)) == 1
    clock.move(40)
    run_now(log.append("room:b", LIMITS, EVENT, None))
    assert run_now(log.recorded("room:a", command)) is None


def test_old_entries_of_quiet_channels_are_swept_too() -> None:
    clock = HandClock()
    log = MemoryLog(clock, SeededEntropy())
    run_now(log.append("room:quiet", LIMITS, EVENT, None))
    clock.move(601)
    run_now(log.append("room:busy", LIMITS, EVENT, None))
    assert not log._channels["room:quiet"].entries
