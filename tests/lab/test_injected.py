"""What is injected now: rows of rules, of news from a gateway, and of what own clients do to themselves."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sonde_client.breaking import Broken
from sonde_lab.changes import HeldRow, RuleRow
from sonde_lab.gateway_faults import LONGEST_S, MOST, GatewayFaults, UnderWay
from sonde_lab.injected import ALL_OF_A_PROXY, InjectedRow, Where, of_proxy, of_refused, of_sockets

NOW = 100.0
AHEAD_S = 1_700_000_000.0  # of the gateway's wall clock
OWN = {"s-you": "you"}


def rule(number: int, phase: str = "armed") -> RuleRow:
    return RuleRow(number, "drop", "", "drop · both ways", phase, 3, math.inf, NOW + 600)


def held(number: int, by: int, conn: str = "p1") -> HeldRow:
    return HeldRow(number, by, conn, "peer", True, "text", False, 8, NOW, NOW + 60 + number)


def facts(session: str = "s-you", number: object = 1, **more: object) -> dict[str, Any]:
    told = {
        "number": number, "session": session, "user": "ada", "kind": "ghost", "by": "root", "node": "n1",
        "until": (AHEAD_S + NOW + 60) * 1000, "says": "ghost for 60 s",
    }  # fmt: skip
    return {**told, **more}


def asked(kind: str = "ghost", until: float = NOW + 60) -> UnderWay:
    return UnderWay("s-you", "", kind, f"{kind} · to the client", until)


def tell(known: GatewayFaults, what: str, told: object, at: float = NOW) -> None:
    known.take(what, told, at, AHEAD_S)


def shown(known: GatewayFaults, now: float = NOW) -> list[tuple[str, str, float]]:
    return [(row.says, row.whom, row.until) for row in known.rows(now, OWN)]


# ------------------------------------------------------------ a proxy


def test_rules_that_may_strike_are_injected_and_those_that_are_over_are_not() -> None:
    rows = of_proxy([rule(1), rule(2, "spent"), rule(3, "waiting")], [])
    assert [row.key for row in rows] == ["proxy 1", "proxy 3"]
    assert rows[0] == InjectedRow(
        "proxy 1", Where.PROXY, "drop", "drop · both ways", ALL_OF_A_PROXY, NOW + 600, 3
    )


def test_a_message_that_waits_although_its_rule_is_over_is_injected() -> None:
    assert len(of_proxy([rule(1)], [held(1, 1)])) == 1  # its rule tells of it
    (row,) = of_proxy([rule(1, "spent")], [held(1, 1), held(2, 1)])
    assert (row.says, row.whom, row.until) == ("2 messages wait for somebody to let go", "p1", NOW + 62)


# ------------------------------------------------------------ own clients


def test_what_own_clients_do_to_themselves_is_injected_while_it_lasts() -> None:
    broken = {"you": (Broken("half_open", 130.0), Broken("no_heartbeat", math.inf, 2)), "you2": ()}
    assert [(row.says, row.whom, row.until) for row in of_sockets(broken)] == [
        ("says and hears nothing, while the socket stays", "you", 130.0),
        ("neither sends nor answers heartbeats, 2 more", "you", math.inf),
    ]
    assert [row.whom for row in of_refused({"you": 110.0, "you2": 99.0}, NOW)] == ["you"]


# ------------------------------------------------------------ a gateway


def test_a_fault_of_somebody_else_is_there_from_its_news_on_until_it_is_over() -> None:
    known = GatewayFaults()
    tell(known, "armed", facts("s-ada"))
    tell(known, "struck", facts("s-ada", says="leaves were taken out"))
    assert shown(known) == [("ghost for 60 s", "ada, by root", NOW + 60)]
    tell(known, "over", facts("s-ada"))
    assert shown(known) == []


def test_what_was_asked_for_here_is_there_at_once_and_counted_once_when_it_is_told() -> None:
    known = GatewayFaults()
    known.ask(asked())
    assert shown(known) == [("ghost · to the client", "you", NOW + 60)]
    tell(known, "armed", facts())
    assert shown(known) == [("ghost · to the client", "you", NOW + 60)]
    tell(known, "over", facts())
    assert shown(known) == []


def test_what_the_gateway_has_refused_is_not_there() -> None:
    known = GatewayFaults()
    first, second = asked(), asked()
    known.ask(first)
    known.ask(second)
    known.take_back(first)
    assert len(shown(known)) == 1


def test_a_listener_that_is_late_brings_nothing_back() -> None:
    known = GatewayFaults()
    for what in ("armed", "over", "armed", "struck"):
        tell(known, what, facts())
    assert shown(known) == []


def test_an_end_that_nobody_heard_of_comes_with_time() -> None:
    known = GatewayFaults()
    tell(known, "armed", facts())
    assert shown(known, NOW + 59) != []
    assert shown(known, NOW + 60) == []
    assert known.sessions(NOW + 60) == ()


def test_all_off_of_a_session_leaves_those_of_others() -> None:
    known = GatewayFaults()
    tell(known, "armed", facts())
    tell(known, "armed", facts("s-ada", 2))
    known.ask(asked("rate_limit"))
    known.end_of("s-you")
    assert known.sessions(NOW) == ("s-ada",)


def test_nothing_is_under_way_at_a_gateway_that_has_ended() -> None:
    known = GatewayFaults()
    tell(known, "armed", facts())
    known.ask(asked("rate_limit"))
    known.clear()
    assert shown(known) == []


@pytest.mark.parametrize(
    "told",
    [
        None, "armed", [], {}, facts(session=""), facts(session="s" * 129), facts(number="1"), facts(number=math.nan),
        facts(number=math.inf), facts(number=True),
    ],
)  # fmt: skip
def test_news_of_another_shape_is_let_go(told: object) -> None:
    known = GatewayFaults()
    tell(known, "armed", told)
    assert shown(known) == []


def test_what_a_hostile_gateway_tells_is_bounded_and_plain() -> None:
    known = GatewayFaults()
    tell(known, "armed", facts("s-x", user="a\nb", by="c\u202ed", says="x" * 5_000, until=math.inf))
    ((says, whom, until),) = shown(known)
    assert (len(says), whom, until) == (200, "a·b, by c·d", NOW + LONGEST_S)
    for number in range(2 * MOST):
        tell(known, "armed", facts("s-x", number, says="y"))
    assert len(shown(known)) == MOST
