"""Lanes: what members' spells become, in groups, and as bars of pixels."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.lane_bars import NARROWEST_PX, Bar, View, bars, pack
from sonde_lab.spells import Spell
from sonde_lab.swim_lanes import (
    GONE,
    SEVERITY,
    STATUSES,
    Grouping,
    Lane,
    LaneKind,
    Stretch,
    grouped,
    matching,
    member_lanes,
)
from support.written_spells import spells_of

STATUS = st.sampled_from(["online", "away", "busy", "reconnecting"])
ROSTERS = st.lists(
    st.tuples(st.integers(1, 5), st.dictionaries(st.sampled_from("abcde"), STATUS)), min_size=1, max_size=20
)


def steps_of(rosters: list[tuple[int, dict[str, str]]]) -> list[tuple[float, dict[str, str]]]:
    at, made = 0.0, []
    for pause, roster in rosters:
        at += pause
        made.append((at, roster))
    return made


@given(ROSTERS)
def test_the_lanes_say_of_every_moment_exactly_what_the_rosters_said(
    rosters: list[tuple[int, dict[str, str]]],
) -> None:
    steps = steps_of(rosters)
    lanes = {lane.name: lane for lane in member_lanes(spells_of(steps), "room:a")}
    for at, roster in steps:
        there = {
            name: found.status for name, lane in lanes.items() if (found := lane.at(at + 0.5)) is not None
        }
        assert there == roster
    assert not any(lane.at(0.5) for lane in lanes.values())


@given(st.lists(st.tuples(st.sampled_from("ab"), STATUS, st.floats(0, 100), st.none() | st.floats(0, 100))))
def test_stretches_of_a_lane_are_in_order_and_never_overlap_whatever_the_spells_say(
    told: list[tuple[str, str, float, float | None]],
) -> None:
    spells = [Spell(session, "u", "n", status, None, began, ended) for session, status, began, ended in told]
    for lane in member_lanes(spells, "room:a"):
        for before, after in zip(lane.stretches, lane.stretches[1:], strict=False):
            assert before.ended is not None
            assert before.began < before.ended <= after.began


def test_a_user_who_comes_back_with_another_session_stays_on_the_lane() -> None:
    spells = [
        Spell("s1", "ada", "ada", "online", None, 0, 10, "timeout"),
        Spell("s2", "ada", "ada", "online", "walking", 20, None),
    ]
    (lane,) = member_lanes(spells, "room:a", {"s2": "node-b"})
    assert [(each.began, each.ended, each.how) for each in lane.stretches] == [
        (0, 10, "timeout"),
        (20, None, ""),
    ]
    assert (lane.sessions, lane.node, lane.status) == (("s1", "s2"), "node-b", "online")
    assert lane.at(15) is None


def test_a_user_who_is_there_twice_at_once_has_two_lanes() -> None:
    spells = [
        Spell("s1", "ada", "ada", "online", None, 0, 10),
        Spell("s2", "ada", "ada", "online", None, 5, None),
    ]
    assert len(member_lanes(spells, "room:a")) == 2


def test_who_leaves_and_is_in_another_room_soon_has_moved() -> None:
    here = [Spell("s1", "ada", "ada", "online", None, 0, 10, "left")]
    there = {
        "room:b": [
            Spell("s1", "ada", "ada", "online", None, 11, 12),
            Spell("s1", "ada", "ada", "away", None, 12, None),
        ]
    }
    assert member_lanes(here, "room:a", elsewhere=there)[0].stretches[0].how == "moved to room:b"
    later = {"room:b": [there["room:b"][1]._replace(began=60.0)]}
    assert member_lanes(here, "room:a", elsewhere=later)[0].stretches[0].how == "left"


def test_who_was_in_both_rooms_has_not_moved_by_a_change_of_status_there() -> None:
    here = [Spell("s1", "ada", "ada", "online", None, 0, 10, "left")]
    there = {
        "room:b": [
            Spell("s1", "ada", "ada", "online", None, 0, 9),
            Spell("s1", "ada", "ada", "away", None, 9, None),
        ]
    }
    assert member_lanes(here, "room:a", elsewhere=there)[0].stretches[0].how == "left"


def lane(name: str, status: str = "online", *, node: str = "", channel: str = "room:a") -> Lane:
    ended = 5.0 if status == GONE else None
    stretch = Stretch(0.0, ended, "online" if status == GONE else status)
    return Lane(name, LaneKind.MEMBER, name, (stretch,), node=node, channel=channel)


OWN = Lane("conn:you", LaneKind.CONNECTION, "you")


def test_groups_have_headings_and_own_connections_stand_first_without_one() -> None:
    lanes = [lane("ada"), lane("bo", "reconnecting"), lane("cy", GONE), OWN]
    groups = grouped(lanes, Grouping.STATUS)
    assert [(group.heading, [each.name for each in group.lanes]) for group in groups] == [
        ("", ["you"]), ("reconnecting", ["bo"]), ("online", ["ada"]), (GONE, ["cy"]),
    ]  # fmt: skip


def test_without_grouping_all_members_stand_together() -> None:
    groups = grouped([lane("ada"), lane("bo", "away", node="n1"), OWN], Grouping.NONE)
    assert [len(group.lanes) for group in groups] == [1, 2]


def test_groups_by_node_say_when_it_is_not_known() -> None:
    groups = grouped([lane("ada", node="node-a"), lane("bo")], Grouping.NODE)
    assert {group.heading: group.lanes[0].name for group in groups} == {
        "node-a": "ada",
        "node not known": "bo",
    }


def test_a_search_keeps_own_connections_and_who_matches() -> None:
    found = matching([lane("ada"), lane("bo", "away"), OWN], " AWAY ")
    assert [each.name for each in found] == ["bo", "you"]


# ---------------------------------------------------------------- bars

PIECES = st.lists(st.tuples(st.floats(0.01, 50), st.booleans(), STATUS), min_size=1, max_size=60)


def lane_of(pieces: list[tuple[float, bool, str]]) -> Lane:
    at, made = 0.0, []
    for length, is_there, status in pieces:
        if is_there:
            made.append(Stretch(at, at + length, status))
        at += length
    return Lane("k", LaneKind.MEMBER, "k", tuple(made))


def drawn(
    lanes: list[Lane], since: float, until: float, now: float, width: float, most: int = 1 << 30
) -> list[Bar]:
    return bars(pack(lanes), View(range(len(lanes)), since, until, now, width), most)


@given(PIECES, PIECES, st.floats(0, 500), st.floats(1, 1_000), st.integers(10, 400), st.integers(2, 500))
def test_bars_hold_every_stretch_in_sight_once_and_are_never_more_than_pixels_allow(
    one: list[tuple[float, bool, str]],
    other: list[tuple[float, bool, str]],
    since: float,
    length: float,
    width: int,
    most: int,
) -> None:
    lanes, until = [lane_of(one), lane_of(other)], since + length
    found = drawn(lanes, since, until, math.inf, width, most)
    for number, whole in enumerate(lanes):
        ours = [bar for bar in found if bar.lane == number]
        seen = [at for at, each in enumerate(whole.stretches) if each.began < until and each.ended > since]  # type: ignore[operator]
        assert [at for bar in ours for at in range(bar.first, bar.first + bar.stretches)] == seen
        assert len(ours) <= 2 * width / NARROWEST_PX + 3
        for bar in ours:
            assert 0 <= bar.left <= bar.right <= width
            inside = whole.stretches[bar.first : bar.first + bar.stretches]
            assert bar.status == max((each.status for each in inside), key=lambda status: SEVERITY[status])
    assert len(found) <= max(most, 8)


FOUR = Lane(
    "k",
    LaneKind.MEMBER,
    "k",
    (
        Stretch(10, 15, "online", "walking"), Stretch(15, 20, "online", "resting"), Stretch(20, 50, "away"),
        Stretch(60, None, "busy"),
    ),
)  # fmt: skip


def test_a_status_is_one_bar_from_its_beginning_to_its_end_whatever_one_did_meanwhile() -> None:
    assert [(bar.left, bar.right, bar.status, bar.stretches) for bar in drawn([FOUR], 0, 100, 80, 200)] == [
        (20, 40, "online", 2),
        (40, 100, "away", 1),
        (120, 160, "busy", 1),
    ]


def test_only_the_lanes_in_sight_are_drawn() -> None:
    packed = pack([FOUR, FOUR, FOUR])
    found = bars(packed, View(range(1, 2), 0, 100, 80, 200))
    assert [(bar.lane, bar.first) for bar in found] == [(1, 0), (1, 2), (1, 3)]


def test_narrow_stretches_share_a_bar_under_the_worst_of_them() -> None:
    flapping = [
        Stretch(at / 10, (at + 1) / 10, "reconnecting" if at == 3 else ("online", "away")[at % 2])
        for at in range(1_000)
    ]
    found = drawn([Lane("k", LaneKind.MEMBER, "k", tuple(flapping))], 0, 100, 100, 10)
    assert len(found) <= 10 / NARROWEST_PX + 1
    assert (found[0].status, found[1].status) == ("reconnecting", "away")


def test_nothing_is_drawn_outside_of_the_stretch_or_in_the_future() -> None:
    lanes = [Lane("k", LaneKind.MEMBER, "k", (Stretch(10, None, "online"),))]
    assert drawn(lanes, 0, 10, 5, 100) == []
    assert drawn(lanes, 0, 20, 15, 100)[0].right == 75
    assert drawn(lanes, 5, 5, 15, 100) == []
    assert drawn([], 0, 5, 15, 100) == []


def test_a_status_that_nobody_knows_is_drawn_as_unknown() -> None:
    lanes = [Lane("k", LaneKind.MEMBER, "k", (Stretch(0, None, "\x00<b>"),))]
    assert drawn(lanes, 0, 1, 1, 10)[0].status == "unknown"
    assert len(STATUSES) == len(SEVERITY)
