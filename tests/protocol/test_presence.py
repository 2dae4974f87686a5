"""The fold of presence frames."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sonde_protocol.frames import Leave, Member, Presence
from sonde_protocol.presence import Departure, Roster, RosterChange


def member(session: str, status: str = "online", node: str = "n1") -> Member:
    return Member(
        session=session, user=f"u-{session}", name=session, device=None, status=status, activity=None,
        meta=None, since=1, rtt_ms=None, node=node,
    )  # fmt: skip


def leave(session: str, reason: Any = "left") -> Leave:
    return Leave(session=session, user=f"u-{session}", reason=reason)


def snapshot(number: int, *members: Member) -> Presence:
    return Presence(ch="room:a", kind="snapshot", number=number, count=len(members), members=list(members))


def changes(number: int, **lists: Any) -> Presence:
    return Presence(ch="room:a", kind="diff", number=number, count=0, **lists)


def roster_with(*sessions: str) -> Roster:
    roster = Roster()
    roster.apply(snapshot(5, *map(member, sessions)))
    return roster


def test_a_first_snapshot_is_all_joins() -> None:
    roster = Roster()
    change = roster.apply(snapshot(5, member("a"), member("b")))
    assert change == RosterChange(joins=(member("a"), member("b")))
    assert (roster.number, list(roster.members)) == (5, ["a", "b"])


def test_a_later_snapshot_tells_what_changed_and_may_start_the_numbers_over() -> None:
    roster = roster_with("a", "b", "c")
    change = roster.apply(snapshot(1, member("b", "away"), member("c"), member("d")))
    assert change == RosterChange(
        joins=(member("d"),), updates=(member("b", "away"),), leaves=(Departure(member("a"), None),)
    )
    assert roster.number == 1


def test_a_diff_is_folded_in() -> None:
    roster = roster_with("a", "b")
    change = roster.apply(
        changes(6, joins=[member("c")], updates=[member("a", "busy")], leaves=[leave("b", "timeout")])
    )
    assert change.joins == (member("c"),)
    assert change.updates == (member("a", "busy"),)
    (gone,) = change.leaves
    assert (gone.session, gone.user, gone.reason, gone.member) == ("b", "u-b", "timeout", member("b"))
    assert roster.members == {"a": member("a", "busy"), "c": member("c")}


def test_a_hole_changes_nothing_and_is_told_until_a_snapshot_comes() -> None:
    roster = roster_with("a")
    for number in (7, 8):
        assert roster.apply(changes(number, leaves=[leave("a")])) == RosterChange(hole=True)
    assert (roster.number, list(roster.members)) == (5, ["a"])
    roster.apply(snapshot(8))
    assert not roster.apply(changes(9)).hole


def test_a_diff_that_was_seen_already_is_ignored() -> None:
    roster = roster_with("a")
    assert not roster.apply(changes(5, leaves=[leave("a")]))
    assert list(roster.members) == ["a"]


def test_a_diff_before_the_first_snapshot_is_ignored() -> None:
    roster = Roster()
    assert not roster.apply(changes(1, joins=[member("a")]))
    assert roster.members == {}


def test_an_update_of_a_stranger_is_a_join_and_a_join_of_a_known_one_an_update() -> None:
    roster = roster_with("a")
    change = roster.apply(changes(6, joins=[member("a", "away")], updates=[member("b")]))
    assert (change.joins, change.updates) == ((member("b"),), (member("a", "away"),))


def test_a_stranger_cannot_leave() -> None:
    assert not roster_with("a").apply(changes(6, leaves=[leave("z")]))


def test_who_leaves_and_comes_back_within_one_batch_is_there() -> None:
    roster = roster_with("a")
    roster.apply(changes(6, leaves=[leave("a")], joins=[member("a", node="n2")]))
    assert roster.members == {"a": member("a", node="n2")}


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcde"), st.sampled_from(["online", "away", "busy"])), min_size=1
    ),
    st.data(),
)
def test_the_fold_of_any_history_is_the_truth(history: list[dict[str, str]], data: st.DataObject) -> None:
    roster = Roster()
    before: dict[str, str] = {}
    for number, after in enumerate(history):
        if number == 0 or data.draw(st.booleans()):
            frame = snapshot(number, *(member(*each) for each in after.items()))
        else:
            frame = changes(
                number,
                joins=[member(s, after[s]) for s in after if s not in before],
                updates=[member(s, after[s]) for s in after if s in before and before[s] != after[s]],
                leaves=[leave(s) for s in before if s not in after],
            )
        change = roster.apply(frame)
        assert roster.members == {s: member(s, status) for s, status in after.items()}
        assert {m.session for m in change.joins} == after.keys() - before.keys()
        assert {gone.session for gone in change.leaves} == before.keys() - after.keys()
        assert {m.session for m in change.updates} == {
            s for s in after.keys() & before.keys() if after[s] != before[s]
        }
        before = after
