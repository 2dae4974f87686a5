"""Every act in every state: possible, or not with a reason."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from sonde_client import ConnectionStatus
from sonde_lab.changes import Act, GatewayState
from sonde_lab.cluster_acts import CLUSTER_ACTS
from sonde_lab.endpoints import EMBEDDED, TokenKind, TokenSource, remote
from sonde_lab.possible import MAX_CLIENTS, READ_ONLY, Situation, why_not, why_not_tap
from sonde_protocol.states import ConnectionState

REMOTE = remote("ws://h/v1/ws", TokenSource(TokenKind.PASTE))
EVERYONE = frozenset({"player", "monitor", "admin"})
POSSIBLE = {
    Act.CONNECT: {ConnectionState.IDLE, ConnectionState.STOPPED, ConnectionState.WAITING},
    Act.DISCONNECT: set(ConnectionState) - {ConnectionState.IDLE, ConnectionState.CLOSING},
    Act.RETRY_NOW: {ConnectionState.WAITING},
    Act.DROP: {ConnectionState.LIVE, ConnectionState.HANDSHAKING},
    Act.BREAK_SOCKET: {ConnectionState.LIVE, ConnectionState.HANDSHAKING},
    Act.KICK: {ConnectionState.LIVE},
    Act.INJECT: {ConnectionState.LIVE},
    Act.REFUSE: set(ConnectionState) - {ConnectionState.IDLE},
    Act.SEND: {ConnectionState.LIVE},
    Act.SET_PRESENCE: {ConnectionState.LIVE},
    Act.RESTART_GATEWAY: set(ConnectionState),
    Act.SET_PLAYERS: set(ConnectionState),
    Act.MARK: set(ConnectionState),
    Act.ADD_CLIENT: set(ConnectionState),
    Act.REMOVE_CLIENT: set(ConnectionState),
    Act.NEXT_CLIENT: set(ConnectionState),
    Act.TAP: set(ConnectionState),
    Act.UNTAP: set(ConnectionState),
    Act.ARM: set(),  # with a proxy only: see test_arming.py
    Act.DISARM: set(ConnectionState),
    Act.FAULTS_OFF: set(ConnectionState),
    Act.PUT_PROXY: set(ConnectionState),
    Act.TAKE_PROXY: set(),
    Act.HOLD: set(),
    Act.CHANGE_HELD: set(ConnectionState),
    Act.LET_GO: set(ConnectionState),
    Act.HOLD_NOTHING: set(ConnectionState),
    **{act: set() for act in CLUSTER_ACTS},  # see test_cluster_acts.py
}


@pytest.mark.parametrize(("act", "state"), list(itertools.product(Act, ConnectionState)))
def test_act_is_possible_exactly_in_its_states(act: Act, state: ConnectionState) -> None:
    reason = why_not(
        act,
        Situation(
            EMBEDDED,
            GatewayState.LIVE,
            ConnectionStatus(state=state, roles=EVERYONE),
            clients=2,
            has_monitor=True,
            taps=1,
            rules=1,
            held=1,
            holds=1,
        ),
    )
    assert (reason is None) == (state in POSSIBLE[act]), reason
    assert reason is None or reason.endswith(".")


@pytest.mark.parametrize("act", Act)
def test_without_an_endpoint_only_a_mark_is_possible(act: Act) -> None:
    reason = why_not(act, Situation(None, GatewayState.NONE, None))
    assert (reason is None) == (act is Act.MARK)


def test_without_a_client_the_gateway_can_still_be_restarted() -> None:
    situation = Situation(EMBEDDED, GatewayState.DEAD, None)
    assert why_not(Act.RESTART_GATEWAY, situation) is None
    assert why_not(Act.SET_PLAYERS, situation) == "The gateway is not running."
    assert "no client" in (why_not(Act.SEND, situation) or "")
    assert why_not(Act.RESTART_GATEWAY, Situation(EMBEDDED, GatewayState.STARTING, None)) is not None


def test_remote_gateway_is_not_ours_to_restart() -> None:
    situation = Situation(REMOTE, GatewayState.REMOTE, ConnectionStatus(state=ConnectionState.LIVE))
    assert why_not(Act.RESTART_GATEWAY, situation) is not None
    assert why_not(Act.SET_PLAYERS, situation) is not None
    assert why_not(Act.KICK, situation) == "Needs a token with the role admin."


def test_clients_are_at_least_one_and_at_most_sixteen() -> None:
    alone = Situation(EMBEDDED, GatewayState.LIVE, ConnectionStatus(state=ConnectionState.LIVE))
    assert why_not(Act.REMOVE_CLIENT, alone) == "The only client stays: disconnect it instead."
    assert why_not(Act.NEXT_CLIENT, alone) == "There is no other client: add one."
    crowd = dataclasses.replace(alone, clients=MAX_CLIENTS)
    assert why_not(Act.ADD_CLIENT, crowd) == "16 clients are the most: remove one first."
    nobody = dataclasses.replace(alone, clients=0, can_join=False)
    assert "not started" in (why_not(Act.ADD_CLIENT, nobody) or "")


def test_client_without_the_role_is_kicked_by_another_own_client_that_has_it() -> None:
    player = ConnectionStatus(state=ConnectionState.LIVE, roles=frozenset({"player"}))
    alone = Situation(EMBEDDED, GatewayState.LIVE, player)
    assert why_not(Act.KICK, alone) == "Needs a token with the role admin."
    assert why_not(Act.KICK, dataclasses.replace(alone, has_admin=True)) is None


def test_tap_needs_the_role_monitor_and_an_end_of_taps_needs_taps() -> None:
    situation = Situation(EMBEDDED, GatewayState.LIVE, ConnectionStatus(state=ConnectionState.LIVE))
    assert "role monitor" in (why_not(Act.TAP, situation) or "")
    assert why_not(Act.UNTAP, situation) == "Nothing is tapped."


def test_session_of_another_node_cannot_be_tapped_and_one_of_an_unknown_node_may_be() -> None:
    assert why_not_tap("n1", "n1") is None
    assert why_not_tap("", "n1") is None
    assert (why_not_tap("n2", "n1") or "").startswith("It is on the node n2: ")


def test_read_only_leaves_looking_and_leaving_and_locks_every_other_act_in_words() -> None:
    status = ConnectionStatus(state=ConnectionState.LIVE, roles=EVERYONE)
    now = Situation(
        EMBEDDED,
        GatewayState.LIVE,
        status,
        clients=2,
        has_monitor=True,
        has_admin=True,
        taps=1,
        read_only=True,
    )
    left = {act for act in Act if why_not(act, now) != READ_ONLY}
    assert left == {
        Act.MARK, Act.CONNECT, Act.DISCONNECT, Act.RETRY_NOW, Act.NEXT_CLIENT, Act.TAP, Act.UNTAP,
        Act.DISARM, Act.FAULTS_OFF, Act.TAKE_PROXY, Act.LET_GO, Act.HOLD_NOTHING,
    }  # fmt: skip
    assert why_not(Act.DISCONNECT, now) is None
    assert why_not(Act.KICK, dataclasses.replace(now, read_only=False)) is None
