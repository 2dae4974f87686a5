"""Which part an act on a cluster means, why it is not possible, and how nodes look from the lab."""

from __future__ import annotations

import pytest

from sonde_lab import cluster_acts
from sonde_lab.changes import Act
from sonde_lab.cluster_acts import CLUSTER_ACTS, targets, why_not
from sonde_lab.fleet import fleet_rows
from sonde_lab.guarded import PartKind, PartState, PartStatus


def part(name: str, state: PartState, kind: PartKind = PartKind.NODE) -> PartStatus:
    return PartStatus(name, kind, state, 41, 8_765, None, ())


def cluster(n1: PartState = PartState.LIVE, n2: PartState = PartState.LIVE) -> tuple[PartStatus, ...]:
    redis, nats = part("redis", PartState.LIVE, PartKind.REDIS), part("nats", PartState.LIVE, PartKind.NATS)
    return (part("n1", n1), part("n2", n2), redis, nats)


def test_breaking_acts_mean_the_node_that_carries_the_client() -> None:
    assert targets(Act.KILL_NODE, cluster(), "n2") == ["n2"]
    assert targets(Act.PAUSE_NODE, cluster(), "") == ["n1"]
    assert targets(Act.KILL_NODE, cluster(n2=PartState.DEAD), "n2") == ["n1"]
    assert targets(Act.KILL_NODE, cluster(n1=PartState.PAUSED), "n1") == ["n1"]


def test_mending_acts_mean_every_node_that_needs_it() -> None:
    assert targets(Act.START_NODE, cluster(PartState.DEAD, PartState.DEAD), "n1") == ["n1", "n2"]
    assert targets(Act.CONTINUE_NODE, cluster(n2=PartState.PAUSED), "n1") == ["n2"]


def test_a_named_node_is_meant_or_none() -> None:
    assert targets(Act.KILL_NODE, cluster(), "n1", "n2") == ["n2"]
    assert targets(Act.START_NODE, cluster(PartState.DEAD), "", "n2") == []
    assert why_not(Act.START_NODE, cluster(PartState.DEAD), "", "n2") == "n2 is in no state for that."


@pytest.mark.parametrize("act", sorted(CLUSTER_ACTS))
def test_nothing_is_possible_before_the_cluster_stands(act: Act) -> None:
    for parts in ((), cluster(n2=PartState.STARTING)):
        assert why_not(act, parts, "") == "The cluster is starting."


def test_why_an_act_does_not_fit_is_said() -> None:
    assert why_not(Act.START_NODE, cluster(), "n1") == "Every node is running."
    assert why_not(Act.CONTINUE_NODE, cluster(), "n1") == "No node is paused."
    assert why_not(Act.RESTART_REDIS, cluster(), "n1") is None
    dead = cluster(PartState.DEAD, PartState.DEAD)
    assert why_not(Act.KILL_NODE, dead, "n1") == "No node is running."


def test_acts_have_words() -> None:
    assert cluster_acts.in_words(Act.KILL_NODE, ["n2"]) == "kill node n2"
    assert cluster_acts.in_words(Act.RESTART_NATS, []) == "restart NATS"


# ------------------------------------------------------------ rows


def test_the_process_is_closer_to_the_truth_than_what_the_node_last_said() -> None:
    document = {
        "n1": {"state": "ready", "connections": 4, "sessions": 3, "since": 5_000, "life": "n1/x"},
        "n2": {"state": "ready", "connections": 2, "sessions": 2},
    }
    rows = fleet_rows(cluster(n2=PartState.DEAD), document, "n1")
    assert [(row.name, row.state, row.sessions, row.carries_you) for row in rows] == [
        ("n1", "ready", 3, True),
        ("n2", "dead", None, False),
        ("Redis", "live", None, False),
        ("NATS", "live", None, False),
    ]
    assert (rows[0].since, rows[0].port, rows[0].is_ours) == (5.0, 8_765, True)


def test_nodes_of_a_gateway_elsewhere_are_read_from_what_it_says() -> None:
    rows = fleet_rows(
        (), {"eu-2": {"state": "draining"}, "eu-1": {"state": 7, "sessions": "many"}, "x": 5}, ""
    )
    assert [(row.name, row.state, row.sessions) for row in rows] == [
        ("eu-1", "unknown", None),
        ("eu-2", "draining", None),
    ]
    for odd in (None, [], 5, "text"):
        assert fleet_rows((), odd, "") == ()
