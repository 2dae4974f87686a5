"""What a game's tests do on purpose beside a proxy's rules: messages held, faults at the gateway, own sockets broken."""

from __future__ import annotations

from typing import Any

import pytest

from sonde_lab.faults.edits import EditRefused
from sonde_lab.faults.holding import NotHeld
from sonde_lab.faults.rules import RuleRefused
from sonde_lab.testing import (
    NotMet,
    Stand,
    TestClient,
    TestGateway,
    TestProxy,
    eventually,
    expect_close,
    expect_reconnected,
    expect_verdict,
)
from sonde_lab.testing.home import NotFound

ROOM = "room:arena"
pytestmark = pytest.mark.slow


@pytest.fixture
def gateway(stand: Stand) -> TestGateway:
    """Its gateway."""
    return stand.thread.run(stand.gateway())


@pytest.fixture
def proxy(stand: Stand) -> TestProxy:
    """A proxy in front of it."""
    return stand.thread.run(stand.proxy(None, 0))


def client(stand: Stand, user: str, to: Any = None) -> TestClient:
    return stand.thread.run(stand.client(user, [ROOM], to, None, ("player",), {}))


# ------------------------------------------------------------ held messages


def test_a_held_message_arrives_as_it_is_edited_released_or_never(stand: Stand, proxy: TestProxy) -> None:
    ada, ben = client(stand, "ada", proxy), client(stand, "ben")
    proxy.hold("op:event", "down")
    for number in (1, 2, 3):
        ben.publish(ROOM, "goal", number)
    eventually(lambda: len(proxy.held) == 3)
    first = proxy.wait_held("event")
    assert (first.direction, first.json["d"]) == ("down", 1)
    first.edit(json={**first.json, "d": 10})
    proxy.wait_held().release()
    eventually(lambda: ada.events("goal") == (10, 2))
    (last,) = proxy.held
    last.drop()
    assert proxy.held == ()
    with pytest.raises(NotHeld, match="message 3 is not held any more"):
        last.release()


def test_everything_that_is_held_goes_at_once_in_its_order(stand: Stand, proxy: TestProxy) -> None:
    ada, ben = client(stand, "ada", proxy), client(stand, "ben")
    proxy.hold("op:event", "down")
    ben.publish(ROOM, "goal", 1)
    ben.publish(ROOM, "goal", 2)
    eventually(lambda: len(proxy.held) == 2)
    assert proxy.release_all() == 2
    eventually(lambda: ada.events("goal") == (1, 2))


def test_a_message_that_does_not_come_is_missed_with_what_is_held(stand: Stand, proxy: TestProxy) -> None:
    client(stand, "ada", proxy)
    proxy.hold("op:event", "down")
    with pytest.raises(NotMet, match=r"^no delta was held within 0.1 s; held is nothing$"):
        proxy.wait_held("delta", within=0.1)
    client(stand, "ben").publish(ROOM, "goal")
    held = proxy.wait_held()
    with pytest.raises(NotMet, match=r"^no delta was held within 0.1 s; held is event$"):
        proxy.wait_held("delta", within=0.1)
    with pytest.raises(EditRefused, match="“copies” is a number from 1 to 100"):
        held.edit("nonsense", copies=1_000)
    assert proxy.held != ()


# ------------------------------------------------------------ at the gateway


def test_the_gateway_does_to_a_session_what_a_line_says(stand: Stand, gateway: TestGateway) -> None:
    ada = client(stand, "ada")
    assert gateway.inject('kick "enough"', ada) > 0
    expect_close(ada, 4410)
    evidence = expect_verdict(ada, "injected_fault").evidence[0]
    assert "at the gateway: kick “enough”" in evidence.text


def test_a_session_is_found_by_its_user_and_what_goes_on_is_ended(stand: Stand, gateway: TestGateway) -> None:
    carla = client(stand, "carla")
    gateway.inject("resume_refused", user="carla")
    carla.drop()
    expect_reconnected(carla, resumed=False)
    gateway.inject("ghost", user="carla")
    assert gateway.faults_off(carla) == 1


def test_what_the_gateway_cannot_be_told_is_said(
    stand: Stand, gateway: TestGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sonde_lab.testing.home.LISTED_S", 0.1)
    with pytest.raises(RuleRefused, match="there is no fault “kik”; the nearest is “kick”"):
        gateway.inject("kik", "session")
    with pytest.raises(NotFound, match="the gateway lists no session of “nobody”"):
        gateway.inject("kick", user="nobody")
    with pytest.raises(NotFound, match="say whose session"):
        gateway.inject("kick")


# ------------------------------------------------------------ own sockets


def test_a_client_breaks_its_own_socket_and_the_verdict_knows(stand: Stand) -> None:
    ada = client(stand, "ada")
    ada.break_socket("reset")
    expect_reconnected(ada, resumed=True)
    expect_verdict(ada, "cut_here")
    ada.break_socket("half_open for=60s")
    ada.mend_socket()
    expect_reconnected(ada, resumed=True)
    with pytest.raises(RuleRefused, match="“kick” is not made by a client's own socket"):
        ada.break_socket("kick")


def test_a_verdict_that_is_another_is_told(stand: Stand) -> None:
    ada = client(stand, "ada")
    with pytest.raises(NotMet, match=r"no end with the verdict kicked within 0.1 s; it saw no end at all"):
        expect_verdict(ada, "kicked", within=0.1)
    ada.drop()
    expect_reconnected(ada)
    with pytest.raises(NotMet, match=r"it saw cut_here \(.*\)"):
        expect_verdict(ada, "kicked", within=0.1)
    with pytest.raises(ValueError, match="there is no cause “kickd”; the nearest is “kicked”"):
        expect_verdict(ada, "kickd")
