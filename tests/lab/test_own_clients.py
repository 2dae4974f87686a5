"""Several own clients on one endpoint: one of them is current, and everything that is told follows it."""

from __future__ import annotations

import pytest

from sonde_lab.changes import Act
from sonde_lab.endpoints import remote
from sonde_lab.records import Flag, Kind
from sonde_protocol.states import ConnectionState
from support.open_workbench import Seen, live, opened, token
from support.processes import GatewayProcess

pytestmark = pytest.mark.slow
ROOM = "room:arena"


def state(seen: Seen, name: str) -> ConnectionState:
    return seen.workbench.clients[name].status.state


async def joined(seen: Seen, name: str) -> None:
    await seen.until(lambda: seen.workbench.clients[name].channels.get(ROOM) is not None)
    await seen.until(lambda: seen.workbench.clients[name].store.channel(ROOM).cursor is not None)


async def test_second_client_comes_as_a_player_of_its_own_and_rows_bear_its_name() -> None:
    async with opened() as seen:
        await live(seen)
        assert seen.workbench.add_client() == "you2"
        await joined(seen, "you2")
        await seen.until(lambda: len(seen.all.presence[ROOM]) == 2)
        status = seen.workbench.clients["you2"].status
        assert (status.user, status.roles) == ("you2", frozenset({"player"}))
        assert seen.all.clients == ("you", "you2")
        assert {r.conn for r in seen.records() if r.op == "subscribe"} == {"you", "you2"}
        await seen.until(lambda: [row.own for row in seen.all.sessions or ()] == [True, True])


async def test_what_a_client_was_told_before_it_became_current_arrives_whole() -> None:
    async with opened(players=1) as seen:
        await live(seen)
        seen.workbench.add_client()
        await joined(seen, "you2")
        await seen.until(lambda: len(seen.all.presence.get(ROOM, ())) == 3)
        await seen.until(lambda: seen.workbench.clients["you2"].metrics.counters.entries > 3)
        client = seen.workbench.clients["you2"]
        seen.workbench.set_current("you2")
        changes = seen.workbench.take_changes()
        assert changes.current_changed
        assert changes.statuses["you2"].user == "you2"
        assert {member.user for member in changes.presence[ROOM]} >= {"you", "you2"}
        view = client.store.channel(ROOM)
        assert view is not None
        assert changes.documents[ROOM].state == view.document
        assert changes.documents[ROOM].paths == ()
        assert changes.sent_types is not None
        assert changes.earlier_throughput
        assert len(changes.rtt) > len(changes.measured.get("you2", ()))  # these come once only
        assert not seen.workbench.take_changes().current_changed


async def test_sessions_are_still_told_while_a_client_without_the_role_monitor_is_current() -> None:
    async with opened() as seen:
        await live(seen)
        seen.workbench.add_client()
        seen.workbench.set_current("you2")
        seen.take()
        seen.workbench.add_client(user="carol")
        await seen.until(lambda: "carol" in [row.user for row in seen.all.sessions or ()])


async def test_acts_are_done_to_the_current_client_or_to_the_named_one_and_to_no_other() -> None:
    async with opened() as seen:
        await live(seen)
        seen.workbench.add_client()
        seen.workbench.add_client()
        await joined(seen, "you2")
        await joined(seen, "you3")
        seen.workbench.set_current("you2")
        seen.workbench.disconnect()
        seen.workbench.refuse(30)
        seen.workbench.drop("you3")
        await seen.until(lambda: state(seen, "you2") is ConnectionState.IDLE)
        await seen.until(lambda: any(r.conn == "you3" and r.kind == Kind.CLOSE for r in seen.records()))
        assert state(seen, "you") is ConnectionState.LIVE
        assert [n.conn for n in seen.all.notices if n.cause == "closed"] == ["you3"]
        acts = [(r.conn, r.payload.decode()) for r in seen.records() if r.flags & Flag.INJECTED]
        assert ("you3", "cut the socket of you3") in acts


async def test_current_player_is_kicked_through_the_own_client_that_may_kick() -> None:
    async with opened() as seen:
        await live(seen)
        seen.workbench.add_client()
        await joined(seen, "you2")
        seen.workbench.set_current("you2")
        await seen.workbench.kick()
        await seen.until(lambda: state(seen, "you2") is ConnectionState.STOPPED)
        assert state(seen, "you") is ConnectionState.LIVE
        assert "kick_failed" not in seen.causes()


async def test_removed_client_says_goodbye_leaves_its_rows_and_its_name_is_not_given_again() -> None:
    async with opened() as seen:
        await live(seen)
        name = seen.workbench.add_client()
        await joined(seen, name)
        seen.workbench.set_current(name)
        await seen.workbench.remove_client()
        seen.take()
        assert seen.workbench.current == "you"
        assert seen.all.clients == ("you",)
        closes = [r for r in seen.records() if r.conn == name and r.kind == Kind.CLOSE]
        assert [r.flags for r in closes] == [0]
        await seen.workbench.remove_client("you")
        assert list(seen.workbench.clients) == ["you"]  # the only one stays
        assert seen.workbench.add_client() == "you3"


async def test_another_endpoint_takes_none_of_the_clients_along(gateway: GatewayProcess) -> None:
    async with opened(remote(gateway.url, token("player"))) as seen:
        assert seen.workbench.add_client(token=token("player", "monitor").value) == "you2"
        await joined(seen, "you2")
        assert "monitor" in seen.workbench.clients["you2"].status.roles
        seen.workbench.set_current("you2")
        await seen.workbench.open(remote(gateway.url, token("player")))
        seen.take()
        assert (list(seen.workbench.clients), seen.workbench.current) == (["you"], "you")
        seen.workbench.next_client()
        seen.workbench.set_current("nobody")
        assert seen.workbench.current == "you"
        assert seen.workbench.can(Act.NEXT_CLIENT) == "There is no other client: add one."
