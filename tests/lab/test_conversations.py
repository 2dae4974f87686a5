"""Which rows belong together, and the filter that means them."""

from __future__ import annotations

import random

import pytest

from sonde_lab.conversations import LOOK_BACK_ROWS, before, filter_of
from sonde_lab.filter import Filter
from sonde_lab.records import Record
from sonde_lab.ring import Ring
from support.records import row


def mixed(rows: int) -> list[Record]:
    chance = random.Random(3)
    return [
        row(
            conn=chance.choice(["you", "p1"]),
            channel=chance.choice(["", "room:a", "room:b"]),
            command=chance.choice([-1, -1, -1, 7, 8]),
        )
        for _ in range(rows)
    ]


def plainly_before(records: list[Record], at: int, whole: bool) -> int | None:
    """The same in plain Python, over all rows above."""
    this = records[at]
    above = [(place, each) for place, each in enumerate(records[:at]) if each.conn == this.conn]
    asked = [place for place, each in above if this.command >= 0 and each.command == this.command]
    if asked and not whole:
        return asked[-1]
    same = [place for place, each in above if whole or not this.channel or each.channel == this.channel]
    return same[-1] if same else None


@pytest.mark.parametrize("whole", [True, False])
def test_the_row_before_is_that_of_plain_python(whole: bool) -> None:
    records = mixed(400)
    ring = Ring()
    ring.extend(records)
    for at in range(len(records)):
        assert before(ring, at, whole_connection=whole) == plainly_before(records, at, whole)


def test_a_row_far_above_is_found_and_one_farther_is_not() -> None:
    ring = Ring()
    ring.extend(
        [row(channel="room:a"), *[row(conn="p1") for _ in range(LOOK_BACK_ROWS - 1)], row(channel="room:a")]
    )
    assert before(ring, LOOK_BACK_ROWS) == 0
    ring.append(row(channel="room:a", conn="p1"))
    ring.append(row(channel="room:b"))
    assert before(ring, ring.next_id - 1) is None
    assert before(ring, ring.next_id) is None


def test_the_filter_of_a_row_means_its_conversation() -> None:
    ring = Ring()
    ring.extend(
        [row(command=7, channel="room:a"), row(command=7), row(channel='room:"a b"'), row(), row(conn="")]
    )
    texts = [filter_of(ring, at) for at in range(5)]
    assert texts == ["conn:you id:7", "conn:you id:7", 'conn:you ch:"room:\\"a b\\""', "conn:you", ""]
    assert Filter(texts[0]).matching(ring).tolist() == [True, True, False, False, False]
    assert Filter(texts[2]).matching(ring).tolist() == [False, False, True, False, False]
