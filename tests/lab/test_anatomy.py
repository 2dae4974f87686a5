"""The anatomy of reconnects: each course told in hand-made rows, and figures over many."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.anatomy import (
    BUDGETS_MS,
    GROUPS,
    MAX_PHASES,
    Ending,
    Outcome,
    Phase,
    Reconnect,
    containing,
    last_good,
    nearest_rank,
    over_budget,
    percentiles,
    reconnects,
)
from sonde_lab.dials import STEPS
from sonde_lab.dissecting import short_why
from sonde_lab.reconnecting import MOST_AT_ONCE, Reconnects
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from support.reconnects import Teller, merged
from support.records import row


def ring_of(rows: Iterable[Record]) -> Ring:
    ring = Ring(capacity=10_000)
    ring.extend(list(rows))
    return ring


def only(teller: Teller) -> Reconnect:
    (found,) = reconnects(ring_of(teller.rows))
    return found


def names(found: Reconnect) -> list[str]:
    return [
        phase.name if phase.outcome is Outcome.DONE else f"{phase.name} {phase.outcome}"
        for phase in found.phases
    ]


def assert_whole(found: Reconnect) -> None:
    """Phases follow one another without a gap, and add up to the total."""
    edges = [found.began, *(phase.ended for phase in found.phases)]
    assert [phase.began for phase in found.phases] == edges[:-1]
    assert found.ended == edges[-1]
    assert math.fsum(phase.ms for phase in found.phases) == pytest.approx(found.total_ms)


# ------------------------------------------------------------------ courses


def test_a_resume_at_the_first_try_has_every_phase() -> None:
    teller = (
        Teller()
        .live()
        .dropped()
        .dialling()
        .dialled("name 0.40 ms, TCP 0.20 ms, TLS 3.10 ms, upgrade 1.00 ms", 4.7)
    )
    teller.greeted().answered().delta(seq=2, replay=True).delta(seq=3, replay=True).frame("live", 1, seq=3)
    found = only(teller)
    assert names(found) == [
        "detect", "wait", "name", "TCP", "TLS", "upgrade", "resume", "replay", "fresh state",
    ]  # fmt: skip
    assert (found.ending, found.tries, found.replayed, found.lost) == (Ending.RESUMED, 1, 2, 0)
    assert found.why == "1006 abnormal closure, by the network"
    assert_whole(found)


def test_phases_know_the_rows_that_show_them() -> None:
    found = only(Teller().live().dropped().back())
    ring = ring_of(Teller().live().dropped().back().rows)
    ops = [ring.text("op", phase.row_id) for phase in found.phases if phase.row_id is not None]
    assert ops == ["close", "state", "dial", "dial", "resumed", "live"]
    assert found.close_row is not None
    assert ring.value("kind", found.close_row) == Kind.CLOSE


def test_steps_take_what_the_dial_tells() -> None:
    found = only(Teller().live().dropped().back())
    assert {phase.name: round(phase.ms, 2) for phase in found.phases} == {
        "detect": 0.5, "wait": 0.2, "TCP": 0.2, "upgrade": 1.0, "resume": 2.3, "fresh state": 1.1,
    }  # fmt: skip


def test_failed_tries_are_drawn_one_after_the_other() -> None:
    teller = Teller().live().dropped()
    teller.dialling().dialled("name failed after 5.00 ms (dial_dns)", 5).waiting()
    teller.dialling(300).dialled(
        "name 1.00 ms, TCP failed after 0.50 ms (dial_refused)", 1.5
    ).waiting().dialling(700)
    teller.dialled().greeted().answered().frame("live", 1, seq=3)
    found = only(teller)
    assert names(found) == [
        "detect", "wait", "name failed", "wait", "name", "TCP failed", "wait", "TCP", "upgrade", "resume",
        "fresh state",
    ]  # fmt: skip
    assert [phase.detail for phase in found.phases if phase.outcome is Outcome.FAILED] == [
        "dial_dns",
        "dial_refused",
    ]
    assert (found.tries, found.ending) == (3, Ending.RESUMED)
    assert found.spent_ms("wait") == pytest.approx(1000.1, abs=0.5)
    assert_whole(found)


def test_tls_that_fails_for_good_is_given_up() -> None:
    teller = (
        Teller()
        .live()
        .dropped()
        .dialling()
        .dialled("TCP 0.20 ms, TLS failed after 2.00 ms (tls_certificate)", 2.2)
    )
    found = only(teller.state("stopped: The certificate is not trusted"))
    assert names(found) == ["detect", "wait", "TCP", "TLS failed"]
    assert found.ending is Ending.GIVEN_UP
    assert_whole(found)


def test_a_resume_that_is_refused_leads_to_a_new_session() -> None:
    teller = (
        Teller()
        .live()
        .dropped()
        .dialling()
        .dialled()
        .greeted()
        .frame("resume_failed", 1, cause="session_expired")
    )
    teller.frame("identify", 0.1, Direction.OUT).answered("ready").frame(
        "snapshot", 1, channel="room:arena", seq=90
    )
    found = only(teller)
    assert names(found)[-3:] == ["resume refused", "identify", "fresh state"]
    assert found.phases[-3].detail == "session_expired"
    assert (found.ending, found.lost) == (Ending.NEW_SESSION, None)
    assert_whole(found)


def test_a_gateway_that_closes_during_the_greeting_fails_that_phase() -> None:
    teller = (
        Teller()
        .live()
        .dropped()
        .dialling()
        .dialled()
        .greeted()
        .close("1012 service restart — by the server", 3, 1012)
    )
    found = only(teller.waiting().back())
    assert names(found) == [
        "detect", "wait", "TCP", "upgrade", "resume failed", "wait", "TCP", "upgrade", "resume", "fresh state",
    ]  # fmt: skip
    assert found.why == "1006 abnormal closure, by the network"
    assert_whole(found)


def test_a_persons_disconnect_is_no_reconnect() -> None:
    teller = (
        Teller()
        .live()
        .state("saying goodbye")
        .close("1000 normal — by the client", 1, 1000)
        .state("not connected")
    )
    teller.state("dialing ws://h:9").dialled().greeted("identify").answered("ready")
    assert reconnects(ring_of(teller.rows)) == []


def test_a_disconnect_while_it_was_trying_ends_it() -> None:
    found = only(Teller().live().dropped().state("not connected", 50))
    assert (names(found), found.ending) == (["detect", "wait"], Ending.LEFT)


def test_a_first_dial_that_fails_is_no_reconnect() -> None:
    teller = Teller().state("dialing ws://h:9").dialled("TCP failed after 0.20 ms (dial_refused)").waiting()
    assert reconnects(ring_of(teller.rows)) == []


def test_dials_that_are_refused_on_purpose_fail_before_they_begin() -> None:
    teller = Teller().live().dropped()
    teller.dial += 1
    teller.dialled("failed before it began (dial_injected)", 0).state("dialing ws://h:9", 0).waiting(0)
    found = only(teller.back())
    assert names(found)[:4] == ["detect", "wait", "dial failed", "wait"]
    assert found.tries == 2
    assert_whole(found)


def test_what_somebody_cut_is_detected_from_then_on() -> None:
    found = only(Teller().live().act(later=500).dropped().back())
    assert found.phases[0].ms == pytest.approx(0.5)


def test_an_act_before_the_last_frame_cut_nothing() -> None:
    found = only(Teller().live().act(later=500).delta(40, seq=2).dropped().back())
    assert found.phases[0].ms == pytest.approx(0.5)
    assert found.began == pytest.approx(found.closed_at - 0.0005)


def test_waiting_for_a_token_is_a_phase_when_it_takes_time() -> None:
    found = only(Teller().live().dropped().dialling().dialled(later=41.2).greeted().answered())
    assert names(found)[:4] == ["detect", "wait", "token", "TCP"]
    assert found.phases[2].ms == pytest.approx(40)
    assert_whole(found)


def test_a_capture_without_dial_rows_has_a_dial_as_one_phase() -> None:
    teller = Teller().live().dropped().dialling()
    found = only(teller.state("the socket is open, greeting the gateway", 4).greeted().answered())
    assert names(found) == ["detect", "wait", "dial", "resume"]
    assert (found.tries, found.phases[2].ms) == (1, pytest.approx(4))


def test_two_clients_that_drop_at_once_are_told_apart() -> None:
    one, other = Teller("you").live().dropped(), Teller("you2", 100.0003).live().dropped().back()
    one.dialling().dialled("TCP failed after 0.20 ms (dial_refused)").waiting().back()
    found = reconnects(ring_of(merged(one, other)))
    assert {each.conn: each.tries for each in found} == {"you": 2, "you2": 1}
    for each in found:
        assert_whole(each)
    assert [each.conn for each in reconnects(ring_of(merged(one, other)), "you2")] == ["you2"]


def test_a_connection_whose_states_no_row_tells_has_none() -> None:
    proxied = [
        row("state", 1.0, b"a client has connected from 127.0.0.1:5", kind=Kind.STATE, conn="p1"),
        row("resumed", 1.1, b'{"op":"resumed","channels":[]}', conn="p1"),
        row("close", 2.0, b"1006 abnormal closure", kind=Kind.CLOSE, conn="p1", code=1006),
    ]
    assert reconnects(ring_of(proxied)) == []


def test_rows_that_begin_in_the_middle_tell_by_their_entries_that_it_was_live() -> None:
    found = only(Teller().delta(seq=7).dropped().back())
    assert found.ending is Ending.RESUMED


def test_rows_that_begin_with_a_close_tell_of_none() -> None:
    assert reconnects(ring_of(Teller().dropped().back().rows)) == []


@pytest.mark.parametrize(
    ("verdict", "lost"),
    [
        ({"ch": "room:arena", "verdict": "snapshot", "cause": "trimmed"}, 89),
        ({"ch": "room:arena", "verdict": "replay", "cause": "ok"}, 0),
        ({"ch": "room:arena", "verdict": "snapshot", "cause": "epoch_changed"}, None),
        ({"ch": ["no"], "verdict": 7}, None),
        ("nonsense", None),
    ],
)
def test_entries_that_a_resume_leaves_out_are_counted_where_it_can_be_known(
    verdict: object, lost: int | None
) -> None:
    teller = Teller().live().dropped().dialling().dialled().greeted().answered(channels=[verdict])
    assert only(teller.frame("snapshot", 1, channel="room:arena", seq=90)).lost == lost


def test_a_channel_that_missed_nothing_is_not_the_fresh_one_while_another_replays() -> None:
    told = [
        {"ch": "user:ada", "verdict": "replay", "cause": "ok", "from": 4, "to": 4},
        {"ch": "room:arena", "verdict": "replay", "cause": "ok", "from": 1, "to": 3},
    ]
    teller = Teller().live().dropped().dialling().dialled().greeted().answered(channels=told)
    teller.frame("live", 1, channel="user:ada", seq=4)
    teller.delta(seq=2, replay=True).delta(seq=3, replay=True).frame("live", 1, channel="room:arena", seq=3)
    found = only(teller)
    assert names(found)[-2:] == ["replay", "fresh state"]
    assert found.phases[-2].detail == "2 entries"


def test_a_short_cause_names_code_name_and_who() -> None:
    assert (
        short_why("4002 heartbeat lost — by the server, 22.5 s after the last")
        == "4002 heartbeat lost, by the server"
    )
    assert short_why("x" * 500) == "x" * 59 + "…"


# ------------------------------------------------------------------ while it lasts


def test_what_is_under_way_lasts_until_the_newest_row() -> None:
    teller = Teller().live().dropped()
    other = Teller("you2", 110.0).live()
    follower = Reconnects(ring_of(merged(teller, other)))
    follower.update_all()
    (found,) = follower.kept
    assert found.ending is Ending.TRYING
    last = follower.phases(found)[-1]
    assert (last.name, last.outcome) == ("wait", Outcome.UNDER_WAY)
    assert last.ended == other.at
    assert follower.phases(found, other.at + 1)[-1].ended == other.at + 1
    assert containing([found], other.at) is found


@given(st.lists(st.integers(1, 40), max_size=30))
def test_batches_make_no_difference(sizes: list[int]) -> None:
    one, other = (
        Teller("you").live().dropped().back().dropped().back(),
        Teller("b", 100.01).live().dropped().back(),
    )
    rows = merged(one, other)
    whole = reconnects(ring_of(rows))
    ring = Ring(capacity=10_000)
    follower = Reconnects(ring)
    for size in [*sizes, len(rows)]:
        ring.extend(rows[len(ring) : len(ring) + size])
        follower.update(7)
    follower.update_all()
    assert [(each.conn, each.phases, each.replayed) for each in follower.kept] == [
        (each.conn, each.phases, each.replayed) for each in whole
    ]


def test_many_rows_that_tell_of_reconnects_are_read_a_few_at_a_time() -> None:
    teller = Teller().live()
    for _ in range(MOST_AT_ONCE):
        teller.dropped().back()
    ring = ring_of(teller.rows)
    at_once, in_small_batches = Reconnects(ring), Reconnects(ring)
    assert at_once.update()
    assert at_once.waiting >= len(ring) - 2 * MOST_AT_ONCE
    at_once.update_all()
    while in_small_batches.update(7):
        pass
    assert [each.phases for each in at_once.kept] == [each.phases for each in in_small_batches.kept]
    assert len(at_once.kept) == MOST_AT_ONCE


def test_the_number_kept_is_bounded() -> None:
    teller = Teller().live()
    for _ in range(12):
        teller.dropped().back()
    follower = Reconnects(ring_of(teller.rows), max_kept=5)
    follower.update_all()
    assert [each.number for each in follower.kept] == [8, 9, 10, 11, 12]


def test_phases_of_endless_tries_are_bounded_and_the_whole_stays_true() -> None:
    teller = Teller().live().dropped()
    for _ in range(200):
        teller.dialling(10).dialled("TCP failed after 0.20 ms (dial_refused)").waiting()
    found = only(teller.back())
    assert len(found.phases) == MAX_PHASES
    assert (found.tries, found.left_out > 200) == (201, True)
    assert found.total_ms > 2_000


def test_rows_of_something_else_begin_anew() -> None:
    ring = ring_of(Teller().live().dropped().back().rows)
    follower = Reconnects(ring)
    follower.update_all()
    ring.clear()
    ring.extend(Teller(at=5.0).live().rows)
    follower.update_all()
    assert not follower.kept


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["state", "dial", "close", "act", "resume", "identify", "resumed", "ready", "resume_failed", "live", "delta", "snapshot"]),
            st.sampled_from(list(Kind)),
            st.one_of(
                st.sampled_from([b"live as x", b"waiting", b"dialing x", b"stopped", b"not connected", b"dial 1 to h: TCP 9.00 ms, upgrade 1.00 ms", b'{"channels":[{"verdict":"snapshot","cause":"trimmed","ch":"c"}]}']),
                st.binary(max_size=40),
            ),
            st.floats(-1e6, 1e6),
            st.sampled_from(["a", "b"]),
            st.sampled_from([0, int(Flag.REPLAY), int(Flag.INJECTED)]),
            st.sampled_from([Direction.IN, Direction.OUT]),
        ),
        max_size=40,
    )
)  # fmt: skip
def test_hostile_rows_never_raise_and_phases_never_run_backwards(rows: list[tuple[object, ...]]) -> None:
    records = [
        row(op, at, payload, kind=kind, conn=conn, flags=flags, direction=side, channel="c", seq=3)
        for op, kind, payload, at, conn, flags, side in rows  # type: ignore[arg-type]
    ]
    for found in reconnects(ring_of(records)):
        edges = [found.began, *(phase.ended for phase in found.phases)]
        assert edges == sorted(edges)
        assert found.total_ms >= 0


# ------------------------------------------------------------------ figures over many


def test_percentiles_are_of_those_that_are_back() -> None:
    teller = Teller().live()
    for _ in range(3):
        teller.dropped().back()
    teller.dropped().state("stopped: no", 9_000)
    figures = percentiles(reconnects(ring_of(teller.rows)))
    assert figures[99]["total"] < 100
    assert figures[50]["dial"] == pytest.approx(1.2, abs=0.01)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_a_percentile_is_a_figure_that_so_many_do_not_exceed(figures: list[float], share: int) -> None:
    found = nearest_rank(figures, share)
    assert found in figures
    assert sum(figure <= found for figure in figures) >= len(figures) * share / 100
    assert sum(figure < found for figure in figures) < len(figures) * share / 100


def test_without_figures_there_is_no_percentile() -> None:
    assert math.isnan(percentiles([])[50]["total"])


def test_the_last_good_one_is_the_newest_that_resumed_of_the_same_connection() -> None:
    one, other = Teller("you").live().dropped().back().dropped(), Teller("b", 100.5).live().dropped().back()
    first, second, third = reconnects(ring_of(merged(one, other)))
    assert last_good([first, second, third], besides=second) is first
    assert last_good([first, second, third], besides=first) is third
    assert last_good([second], besides=second) is None


def test_a_phase_over_its_budget_is_said_to_be() -> None:
    assert over_budget(Phase("TCP", 0.0, 0.2, None))
    assert not over_budget(Phase("TCP", 0.0, 0.05, None))


def test_every_phase_has_a_budget_and_a_column() -> None:
    grouped = [name for group in GROUPS.values() for name in group]
    assert sorted(grouped) == sorted(BUDGETS_MS)
    assert set(STEPS.values()) <= set(BUDGETS_MS)
