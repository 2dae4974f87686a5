"""The order, numbers, window and bounds of outbound commands."""

from __future__ import annotations

import pytest

from sonde_client.queue import MOST_PATIENT_WAIT, PATIENCE_S, WINDOW, CommandQueue, Pending
from sonde_protocol.errors import Refused
from sonde_protocol.frames import Patch, Publish, Sync


def publish(text: str = "x", **fields: object) -> Pending:
    return Pending(Publish(id=0, ch="room:a", type="t", d=text, **fields))


def numbers(pending: list[Pending]) -> list[int | None]:
    return [p.number for p in pending]


def test_numbers_are_given_when_a_command_is_sent_not_when_it_is_queued():
    queue = CommandQueue()
    first, second = publish(), publish()
    queue.submit(first)
    queue.submit(second)
    assert numbers([first, second]) == [None, None]
    assert numbers(queue.take_sendable(0)) == [1, 2]


def test_urgent_commands_overtake_what_was_not_sent():
    queue = CommandQueue()
    queue.submit(publish("a"))
    queue.submit(Pending(Sync(id=0, ch="room:a"), own=True), urgent=True)
    assert [p.op for p in queue.take_sendable(0)] == ["sync", "publish"]


def test_a_full_queue_refuses_and_counts_but_takes_its_owners_commands():
    queue = CommandQueue(limit=2)
    queue.submit(publish())
    queue.submit(publish())
    with pytest.raises(Refused, match="limit_reached"):
        queue.submit(publish())
    assert queue.refused == 1
    queue.submit(Pending(Sync(id=0, ch="room:a"), own=True), urgent=True)
    assert len(queue) == 3


def test_the_window_follows_the_oldest_unanswered():
    queue = CommandQueue(limit=10 * WINDOW)
    for _ in range(3 * WINDOW):
        queue.submit(publish())
    assert len(queue.take_sendable(0)) == WINDOW
    queue.answer(2)
    assert queue.take_sendable(0) == []
    queue.answer(1)
    assert numbers(queue.take_sendable(0)) == [WINDOW + 1, WINDOW + 2]


def test_postponed_commands_come_back_in_order_and_nothing_overtakes_them():
    queue = CommandQueue()
    for _ in range(3):
        queue.submit(publish())
    queue.take_sendable(0)
    assert queue.postpone(2, 0.0, 5.0)
    assert queue.postpone(1, 0.0, 4.0)
    queue.submit(publish())
    assert queue.next_deadline() == 5.0
    assert queue.take_sendable(4.5) == []
    assert numbers(queue.take_sendable(5.0)) == [1, 2]
    assert numbers(queue.take_sendable(5.0)) == [4]


def test_a_command_is_postponed_for_as_long_as_a_session_may_wait_and_not_for_ever():
    queue, now = CommandQueue(), 10.0
    queue.submit(publish())
    queue.take_sendable(now)
    waits = []
    while queue.postpone(1, now, 0.5):
        due = queue.next_deadline()
        assert due is not None
        waits.append(due - now)
        now = due
        assert numbers(queue.take_sendable(now)) == [1]
    assert waits[:4] == [0.5, 1.0, 0.5 * MOST_PATIENT_WAIT, 0.5 * MOST_PATIENT_WAIT]
    assert PATIENCE_S <= now - 10.0 < PATIENCE_S + 0.5 * MOST_PATIENT_WAIT


def test_unknown_numbers_are_nobodys():
    queue = CommandQueue()
    assert queue.answer(7) is None
    assert not queue.postpone(7, 0.0, 1.0)


def test_an_answered_command_no_longer_holds_the_others_back():
    queue = CommandQueue()
    queue.submit(publish())
    queue.submit(publish())
    queue.take_sendable(0)
    queue.postpone(1, 0.0, 100.0)
    queue.answer(1)
    assert queue.next_deadline() is None


def test_resending_keeps_order_numbers_and_forgets_waits():
    queue = CommandQueue()
    for _ in range(3):
        queue.submit(publish())
    queue.take_sendable(0)
    queue.postpone(2, 0.0, 100.0)
    queue.answer(1)
    assert numbers(queue.resend()) == [2, 3]
    assert queue.next_deadline() is None


def test_volatile_commands_are_taken_out_at_a_drop():
    queue = CommandQueue()
    queue.submit(publish(class_="volatile"))
    queue.submit(publish())
    queue.take_sendable(0)
    assert numbers(queue.take_volatile()) == [1]
    assert numbers(queue.resend()) == [2]


def test_only_recorded_commands_make_the_queue_dirty():
    queue = CommandQueue()
    queue.submit(Pending(Sync(id=0, ch="room:a")))
    queue.submit(publish(class_="volatile"))
    assert not queue.dirty
    queue.submit(Pending(Patch(id=0, ch="room:a", d={})))
    assert queue.dirty


def test_what_was_sent_and_what_was_not_are_taken_apart():
    queue = CommandQueue()
    queue.submit(publish("sent"))
    queue.take_sendable(0)
    queue.submit(publish("waiting"))
    assert [p.command.d for p in queue.take_sent()] == ["sent"]
    assert [p.command.d for p in queue.unsent] == ["waiting"]
    assert [p.command.d for p in queue.take_all()] == ["waiting"]
    assert len(queue) == 0
