"""Expectations of the plugin against a real gateway: each is met when it should be, and says why when it is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sonde_lab.testing import (
    NotMet,
    Seen,
    Stand,
    TestClient,
    eventually,
    expect_close,
    expect_converged,
    expect_no_duplicates,
    expect_no_lost_entries,
    expect_reconnected,
    thread,
)
from sonde_lab.testing.recording import Happening
from sonde_lab.testing.thread import take_forgotten

ROOM = "room:arena"
pytestmark = pytest.mark.slow


@pytest.fixture
def own() -> Iterator[Stand]:
    """A stand for one test whose gateway does not stay as it is."""
    stand = Stand()
    stand.start()
    with stand.test("own"):
        yield stand
    stand.stop()


def client(stand: Stand, user: str, to: Any = None, room: str = ROOM) -> TestClient:
    return stand.thread.run(stand.client(user, [room], to, None, ("player",), {}))


def test_a_client_that_was_not_dropped_has_not_reconnected(stand: Stand) -> None:
    ada = client(stand, "ada")
    with pytest.raises(NotMet, match=r"^ada has not reconnected within 0.1 s: it was not dropped since\n"):
        expect_reconnected(ada, within=0.1)


def test_each_return_is_expected_once(stand: Stand) -> None:
    ada = client(stand, "ada")
    ada.drop()
    back = expect_reconnected(ada, resumed=True)
    assert (back.resumed, back.took_s > 0) == (True, True)
    with pytest.raises(NotMet, match="it was not dropped since"):
        expect_reconnected(ada, within=0.1)


def test_a_client_that_cannot_come_back_says_why_with_rows_and_a_verdict(stand: Stand) -> None:
    ada = client(stand, "ada")
    ada.refuse_dials_for(30)
    ada.drop()
    with pytest.raises(NotMet) as told:
        expect_reconnected(ada, within=0.5)
    text = str(told.value)
    assert "Dialling is blocked on purpose" in text
    assert "Why it ended:\n  ada: " in text
    assert "cannot be told" not in text
    assert "The last rows of ada:" in text
    assert "waiting 1.0 s before the next try" in text or "dialing ws://127.0.0.1" in text


def test_a_resumed_session_is_not_a_new_one(stand: Stand) -> None:
    ada = client(stand, "ada")
    ada.drop()
    with pytest.raises(NotMet, match="ada resumed its session; expected was a new session"):
        expect_reconnected(ada, resumed=False)


def test_another_close_code_is_told(stand: Stand) -> None:
    ada = client(stand, "ada")
    assert stand._gateway is not None
    stand._gateway.kick(ada, 4410)
    expect_close(ada, 4410)
    with pytest.raises(NotMet, match=r"saw no close 4010 .* it saw none at all"):
        expect_close(ada, 4010, within=0.1)


def test_a_close_is_seen_by_a_proxy_too(stand: Stand) -> None:
    proxy = stand.thread.run(stand.proxy(None, 0))
    ada = client(stand, "ada", proxy)
    assert stand._gateway is not None
    stand._gateway.kick(ada.session)
    expect_close(proxy, 4410)


def test_an_entry_that_the_network_swallowed_is_lost(stand: Stand) -> None:
    proxy = stand.thread.run(stand.proxy(None, 0))
    ada, ben = client(stand, "ada", proxy, "room:gap"), client(stand, "ben", room="room:gap")
    ben.publish("room:gap", "goal", 1)
    eventually(lambda: ada.events("goal") == (1,))
    rule = proxy.arm("drop target=op:event direction=down")
    ben.publish("room:gap", "goal", 2)
    eventually(lambda: proxy.hits(rule) == 1)
    with pytest.raises(NotMet, match=r"^ada lost 1 entry: room:gap: #\d+\n"):
        expect_no_lost_entries(ada, within=0.3)
    expect_no_lost_entries(ben)


def test_an_entry_that_comes_late_is_waited_for(stand: Stand) -> None:
    proxy = stand.thread.run(stand.proxy(None, 0))
    ada, ben = client(stand, "ada", proxy, "room:late"), client(stand, "ben", room="room:late")
    ben.publish("room:late", "goal", 1)
    proxy.arm("latency 300ms direction=down")
    ben.publish("room:late", "goal", 2)
    expect_no_lost_entries(ada, ben)
    assert ada.events("goal") == (1, 2)


@pytest.mark.parametrize("seqs", [(1, 2, 2), (1, 3, 2)], ids=["twice", "out of order"])
def test_entries_handed_over_again_are_duplicates(stand: Stand, seqs: tuple[int, ...]) -> None:
    ada = client(stand, "ada")
    expect_no_duplicates(ada)
    for seq in seqs:
        ada.witness.take(Seen("room:x", "e", seq, "goal", None, "ben"))
    with pytest.raises(NotMet, match=r"ada was handed 1 entries twice or out of order: room:x #2 after #"):
        expect_no_duplicates(ada)


def test_a_number_of_another_epoch_is_no_duplicate(stand: Stand) -> None:
    ada = client(stand, "ada")
    for epoch in ("e", "f"):
        ada.witness.take(Seen("room:x", epoch, 1, "goal", None, "ben"))
    expect_no_duplicates(ada)


def test_documents_that_differ_are_told_by_path(stand: Stand) -> None:
    proxy = stand.thread.run(stand.proxy(None, 0))
    ada, ben = client(stand, "ada", proxy, "room:apart"), client(stand, "ben", room="room:apart")
    expect_converged(ada, ben)
    proxy.half_open(30, "down")
    ben.patch("room:apart", {"players": {"ben": {"hp": 40}}})
    with pytest.raises(NotMet, match=r"room:apart of ada and ben differs: players.* is nothing and "):
        expect_converged(ada, ben, within=0.3)
    proxy.reset()
    expect_reconnected(ada)
    expect_converged(ada, ben)


def test_a_proxy_waits_for_as_many_clients_as_it_lost(stand: Stand) -> None:
    proxy = stand.thread.run(stand.proxy(None, 0))
    ada, ben = client(stand, "ada", proxy), client(stand, "ben", proxy)
    ben.refuse_dials_for(30)
    assert proxy.drop() == 2
    with pytest.raises(NotMet, match="the proxy has not reconnected within 1 s: 1 connections are open"):
        expect_reconnected(proxy, within=1)
    expect_reconnected(ada)
    assert [act["kind"] for act in proxy.acts] == ["reset", "reset"]


def test_a_client_that_leaves_on_purpose_is_not_waited_for(stand: Stand) -> None:
    proxy = stand.thread.run(stand.proxy(None, 0))
    ada, ben = client(stand, "ada", proxy), client(stand, "ben", proxy)
    ben.close()
    eventually(lambda: len(proxy.passing) == 1)
    proxy.drop()
    expect_reconnected(proxy)
    eventually(lambda: ada.is_live)  # a proxy tells of the connection, not of what the client makes of it


def test_a_handover_takes_as_long_as_its_outage(stand: Stand) -> None:
    proxy = stand.thread.run(stand.proxy(None, 0))
    ada = client(stand, "ada", proxy)
    proxy.handover(1.5)
    assert expect_reconnected(ada, within=20, resumed=True).took_s >= 1.5


def test_a_drained_gateway_says_goodbye_and_can_be_started_again(own: Stand) -> None:
    ada = client(own, "ada")
    gateway = own.thread.run(own.gateway())
    gateway.drain()
    expect_close(ada, 4001)
    assert not gateway.is_live
    gateway.start()
    expect_reconnected(ada, within=20)


def test_an_act_that_nobody_answers_ends(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread, "ACT_S", 0.3)
    ada = client(stand, "ada")
    ada.refuse_dials_for(30)
    ada.drop()
    with pytest.raises(NotMet, match=r"^publish\(\) was not done within 0.3 s: is anybody there"):
        ada.publish(ROOM, "goal")


def test_a_network_is_armed_by_its_name(stand: Stand) -> None:
    proxy = stand.thread.run(stand.proxy(None, 0))
    proxy.arm("chrome 3g")
    assert [armed.rule.kind.name for armed in proxy.lab.rules] == ["latency", "bandwidth", "bandwidth"]


def test_a_condition_of_its_own_says_what_it_said_last() -> None:
    def is_ready() -> None:
        raise AssertionError("three of four are here")

    with pytest.raises(NotMet, match=r"^is_ready\(\) did not hold within 0 s: three of four are here$"):
        eventually(is_ready, within=0)
    with pytest.raises(NotMet, match=r"^the condition in line \d+, .*it returned 0$"):
        eventually(lambda: 0, within=0)


async def test_a_condition_is_awaited_in_an_asynchronous_test() -> None:
    values = iter([0, 0, 7])

    async def next_value() -> int:
        return next(values)

    assert await eventually(next_value) == 7
    eventually(lambda: True)
    assert take_forgotten() == ["eventually()"]


async def test_what_was_not_awaited_is_no_truth(stand: Stand) -> None:
    asked = stand.thread.ask(stand.gateway(), "sonde_gateway()")
    with pytest.raises(TypeError, match="was not awaited"):
        assert asked
    await asked  # type: ignore[misc]


def test_a_story_keeps_its_marks_when_old_happenings_have_gone(stand: Stand) -> None:
    ada = client(stand, "ada")
    for number in range(10_050):
        ada.story.tell(Happening("closed", float(number)))
    told = ada.story.since(10_049)
    assert [(end, each.at) for end, each in told] == [(10_050, 10_048.0), (10_051, 10_049.0)]
