"""The gateway's own channels, whatever stands in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.monitoring import session_rows, total

ROW = {
    "user": "ada", "name": "Ada", "roles": ["player", 5], "node": "a", "client": "sonde 1", "state": "active",
    "status": "away", "since": 2_000, "generation": 3, "channels": 2, "rtt_ms": 1.5, "peer": "127.0.0.1:5", "device": "d",
}  # fmt: skip


def test_sessions_are_rows_oldest_first_and_ours_are_marked() -> None:
    first, second = session_rows({"s2": {**ROW, "since": 9_000, "state": "detached"}, "s1": ROW}, {"s1"})
    assert (first.session, first.own, first.state, first.since) == ("s1", True, "connected", 2.0)
    assert (first.roles, first.channels, first.generation, first.rtt_ms) == (("player",), 2, 3, 1.5)
    assert (first.status, first.device, first.client, first.peer) == ("away", "d", "sonde 1", "127.0.0.1:5")
    assert (second.session, second.own, second.state) == ("s2", False, "detached")


def test_missing_fields_are_empty() -> None:
    (row,) = session_rows({"s": {"user": "ada"}}, ())
    assert (row.name, row.since, row.rtt_ms, row.generation) == ("ada", None, None, 1)


def test_figures_are_summed_over_nodes() -> None:
    assert total({"a": {"connections": 2}, "b": {"connections": 3}, "c": {}}, "connections") == 5
    assert total({"a": {"connections": "many"}}, "connections") is None
    assert total({}, "connections") is None


anything = st.recursive(
    st.none() | st.booleans() | st.floats(-1e9, 1e9) | st.text(max_size=5),
    lambda inner: (
        st.dictionaries(st.sampled_from([*ROW, "s"]), inner, max_size=4) | st.lists(inner, max_size=2)
    ),
)


@given(anything)
def test_no_document_makes_reading_it_raise(document: object) -> None:
    session_rows(document, {"s"})
    total(document, "connections")
