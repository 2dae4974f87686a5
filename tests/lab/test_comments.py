"""Comments on rows: kept as long as the row, asked for by filters, told to who keeps rows."""

from __future__ import annotations

from sonde_lab.comments import MAX_CHARACTERS, Comments
from sonde_lab.filter import Filter
from sonde_lab.filter.completion import completions
from sonde_lab.folding import View
from sonde_lab.records import Flag
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from support.records import delta, row


def commented() -> Ring:
    ring = Ring()
    ring.extend([row("event", at) for at in range(5)])
    ring.comment(1, "here it begins")
    ring.comment(3, "  and ends\n")
    return ring


def test_a_comment_is_one_line_and_an_empty_one_takes_it_back() -> None:
    comments = Comments()
    comments.put(4, " two\nlines\ud800 " + "x" * 1_000)
    assert comments.text(4).startswith("two·lines? x")
    assert len(comments.text(4)) == MAX_CHARACTERS
    comments.put(4, " ")
    assert (comments.text(4), len(comments)) == ("", 0)


def test_too_many_comments_cost_the_oldest_row_its_own() -> None:
    comments = Comments(limit=3)
    for row_id in (9, 2, 5, 7):
        comments.put(row_id, "x")
    assert sorted(row_id for row_id, _ in comments) == [5, 7, 9]


def test_comments_leave_memory_with_their_rows() -> None:
    ring = Ring(capacity=32)
    ring.extend([row() for _ in range(20)])
    ring.comment(1, "old")
    ring.comment(19, "young")
    ring.extend([row() for _ in range(25)])
    assert ring.first_id > 1
    assert [row_id for row_id, _ in ring.comments] == [19]
    ring.comment(0, "gone")
    assert ring.comments.text(0) == ""


def test_a_filter_asks_for_comments() -> None:
    ring = commented()
    assert Filter("has:comment").matching(ring).tolist() == [False, True, False, True, False]
    assert Filter('comment~"^here"').matching(ring).tolist() == [False, True, False, False, False]
    assert Filter('comment:"AND ENDS"').matching(ring, range(3, 5)).tolist() == [True, False]
    assert Filter("-has:comment comment!=x").matching(ring).tolist() == [True, False, True, False, True]
    assert [offer.text for offer in completions("comment:he", 10, ring)] == ['comment:"here it begins"']
    assert Filter("has:comment").words == "has a comment"


def test_a_table_that_filters_by_comments_takes_in_a_new_one() -> None:
    ring = commented()
    view = View(ring)
    view.set_filter("has:comment")
    view.update()
    ring.comment(4, "later")
    ring.comment(1, "")
    view.update()
    assert [view.row(at).row_id for at in range(len(view))] == [3, 4]


def test_a_row_whose_mark_is_taken_off_folds_again() -> None:
    ring = Ring()
    ring.extend([delta() for _ in range(5)])
    view = View(ring)
    ring.annotate(2, flags=Flag.MARKED)
    view.update()
    assert [view.row(at).folded_count for at in range(len(view))] == [2, 1, 2]
    ring.annotate(2, without=Flag.MARKED)
    view.update()
    assert [view.row(at).folded_count for at in range(len(view))] == [5]


def test_a_comment_on_a_row_that_was_just_added_is_kept_and_handed_on() -> None:
    told: list[tuple[int, float, str]] = []

    class Sink:
        def on_rows(self, first_id: int, records: object) -> None: ...

        def on_annotated(self, row_id: int, rtt_ms: float | None, flags: int, without: int = 0) -> None: ...

        def on_comment(self, row_id: int, wall: float, text: str) -> None:
            told.append((row_id, wall, text))

    ring = Ring()
    log = RowLog(ring, lambda: 0.0, lambda: 1_000.0)
    log.sink = Sink()
    log.comment(log.add(row()), "first")
    log.comment(99, "nobody")
    assert ring.comments.text(0) == "first"
    assert told == [(0, 1_000.0, "first")]
