"""Notices: deduplicated in runs, bounded, told once."""

from __future__ import annotations

from sonde_client import Failure, Severity
from sonde_lab.notices import MAX_NOTICES, NoticeBoard


def board_with(*causes: str, conn: str = "you") -> NoticeBoard:
    board = NoticeBoard(lambda at: at + 1_000)
    for at, cause in enumerate(causes):
        board.add_failure(Failure(cause, Severity.WARNING, "t", f"try {at}", "a", float(at)), conn)
    return board


def test_equal_causes_in_a_row_are_one_notice_with_a_count_and_the_newest_words() -> None:
    (notice,) = board_with("dial_refused", "dial_refused", "dial_refused").take()
    assert (notice.count, notice.detail, notice.at, notice.wall) == (3, "try 2", 2.0, 1_002.0)
    assert (notice.severity, notice.conn, notice.cause) == ("warning", "you", "dial_refused")


def test_another_cause_ends_the_run() -> None:
    assert [(n.number, n.cause, n.count) for n in board_with("a", "b", "a").take()] == [
        (1, "a", 1),
        (2, "b", 1),
        (3, "a", 1),
    ]


def test_same_cause_of_another_connection_is_another_notice() -> None:
    board = board_with("a")
    board.add("a", Severity.ERROR, "t", "d", "a", at=1.0, conn="ada")
    assert len(board.take()) == 2


def test_repeat_after_taking_comes_again_under_its_number() -> None:
    board = board_with("a")
    (first,) = board.take()
    assert board.take() == []
    board.add("a", Severity.INFO, "t", "d", "a", at=5.0, conn="you")
    (again,) = board.take()
    assert (again.number, again.count, again.severity) == (first.number, 2, "info")


def test_notices_are_bounded() -> None:
    board = board_with(*(str(number) for number in range(MAX_NOTICES + 50)))
    assert len(board) == MAX_NOTICES
    taken = board.take()
    assert len(taken) == MAX_NOTICES
    assert taken[-1].cause == str(MAX_NOTICES + 49)
