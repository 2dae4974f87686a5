"""A walk over the three transition tables."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import pytest

from sonde_protocol.errors import IllegalTransition
from sonde_protocol.states import (
    CHANNEL,
    CONNECTION,
    SESSION,
    ChannelState,
    ChannelTrigger,
    ConnectionState,
    ConnectionTrigger,
    SessionState,
    SessionTrigger,
    advance,
)

Table = Mapping[tuple[Any, Any], Any]
MACHINES = {
    "connection": (CONNECTION, ConnectionState, ConnectionTrigger, ConnectionState.IDLE),
    "session": (SESSION, SessionState, SessionTrigger, SessionState.NONE),
    "channel": (CHANNEL, ChannelState, ChannelTrigger, ChannelState.ABSENT),
}
machines = pytest.mark.parametrize("name", MACHINES)


def reachable(table: Table, start: enum.Enum) -> set[enum.Enum]:
    found, waiting = {start}, [start]
    while waiting:
        state = waiting.pop()
        new = {after for (before, _), after in table.items() if before is state} - found
        found |= new
        waiting.extend(new)
    return found


@machines
def test_every_state_is_reachable(name: str) -> None:
    table, states, _, start = MACHINES[name]
    assert reachable(table, start) == set(states)


@machines
def test_no_state_is_a_dead_end(name: str) -> None:
    table, states, _, _ = MACHINES[name]
    leaving = {before for (before, _), after in table.items() if after is not before}
    assert leaving == set(states)


@machines
def test_every_trigger_is_used(name: str) -> None:
    table, _, triggers, _ = MACHINES[name]
    assert {trigger for _, trigger in table} == set(triggers)


@machines
def test_every_declared_step_is_taken(name: str) -> None:
    table, _, _, _ = MACHINES[name]
    assert all(advance(table, state, trigger) is after for (state, trigger), after in table.items())


@machines
def test_every_other_step_is_refused_and_changes_nothing(name: str) -> None:
    table, states, triggers, _ = MACHINES[name]
    before = dict(table)
    missing = [(state, trigger) for state in states for trigger in triggers if (state, trigger) not in table]
    assert missing
    for state, trigger in missing:
        with pytest.raises(IllegalTransition) as refusal:
            advance(table, state, trigger)
        assert (refusal.value.state, refusal.value.trigger) == (state, trigger)
    assert dict(table) == before


@machines
def test_a_table_cannot_be_changed(name: str) -> None:
    table, _, _, start = MACHINES[name]
    with pytest.raises(TypeError):
        table[start, "anything"] = start


def test_a_connection_can_always_be_brought_back_to_idle() -> None:
    assert all(ConnectionState.IDLE in reachable(CONNECTION, state) for state in ConnectionState)


def test_a_person_can_always_unsubscribe() -> None:
    for state in set(ChannelState) - {ChannelState.ABSENT}:
        assert advance(CHANNEL, state, ChannelTrigger.UNSUBSCRIBE) is ChannelState.ABSENT
