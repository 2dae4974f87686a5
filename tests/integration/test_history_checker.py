"""The checker of histories goes red for everything that it is to find, and for nothing else."""

from __future__ import annotations

import pytest

from support.history import Acknowledged, History, Seen, Told, check

CH = "room:a"
START = Told("e", 0, None)


def told(*items: Seen | Told, client: str = "ada") -> History:
    return History(client, CH, list(items))


def events(*seqs: int, epoch: str = "e") -> list[Seen]:
    return [Seen(epoch, seq, f"text{seq}") for seq in seqs]


def test_a_right_history_has_no_findings() -> None:
    histories = [told(START, *events(1, 2, 3)), told(Told("e", 2, None), *events(3), client="bob")]
    findings = check(histories, [Acknowledged(CH, seq, f"text{seq}") for seq in (1, 2, 3)], [])
    assert findings.wrong == []
    assert (findings.entries, findings.snapshots) == (4, 2)


def test_a_declared_snapshot_stands_for_what_it_jumps_over() -> None:
    history = told(START, *events(1), Told("f", 5, "epoch_changed"), Seen("f", 6, "text6"))
    assert check([history], [Acknowledged(CH, 3, "text3")], []).wrong == []


@pytest.mark.parametrize(
    ("kind", "items"),
    [
        ("lost", [START, *events(1, 3)]),
        ("lost", [*events(1)]),
        ("lost", [START, *events(1), Seen("f", 2, "text2")]),
        ("duplicated", [START, *events(1, 1)]),
        ("duplicated", [START, *events(1, 2, 1)]),
        ("applied_twice", [START, *events(1), Seen("e", 2, "text1")]),
        ("applied_twice", [START, Seen("e", 1, "ada=2"), Seen("e", 2, "ada=1")]),
        ("applied_twice", [START, Seen("e", 1, "ada=2"), Seen("e", 2, "ada=2")]),
        ("unapplied", [START, *events(1)]),
    ],
)
def test_every_fault_is_found(kind: str, items: list[Seen | Told]) -> None:
    findings = check([told(*items)], [Acknowledged(CH, 2, "text2")] if kind == "unapplied" else [], [])
    assert getattr(findings, kind)


def test_an_event_that_one_of_two_was_never_told_is_found() -> None:
    histories = [told(START, *events(1, 2)), told(START, *events(1), client="bob")]
    findings = check(histories, [Acknowledged(CH, 2, "text2")], [])
    assert [problem.endswith("bob") for problem in findings.unapplied] == [True]


def test_two_entries_at_one_place_are_found() -> None:
    histories = [told(START, *events(1)), told(START, Seen("e", 1, "other"), client="bob")]
    assert check(histories, [], []).differing


def test_an_acknowledged_patch_that_nobody_saw_is_found() -> None:
    assert check([told(START, Seen("e", 1, "ada=1"))], [], [("ada", 2)]).unapplied
