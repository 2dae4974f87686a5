"""The lazily filled tree, opened and updated in place."""

from __future__ import annotations

import time
from typing import Any

import pytest
from PySide6.QtCore import QModelIndex, QPersistentModelIndex
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication

from sonde_ui.desktop.models.value_tree import BLOCK, ValueTree, value_text


def opened(model: ValueTree, *path: Any) -> QModelIndex:
    """Open every branch on a path; the index at its end."""
    model.fetchMore(model.index(0, 0))
    for depth in range(len(path)):
        model.fetchMore(model.index_of(path[: depth + 1]))
    return model.index_of(path)


def lines(model: ValueTree, parent: QModelIndex) -> list[str]:
    return [str(model.index(row, 0, parent).data()) for row in range(model.rowCount(parent))]


def test_a_tree_keeps_qts_rules_while_it_is_opened_and_changes(qapp: QApplication) -> None:
    model = ValueTree()
    tester = QAbstractItemModelTester(model)  # its complaints are Qt warnings, which fail a test
    tester.setUseFetchMore(False)  # it would fetch in the middle of other changes
    model.show("room", {"players": {"ada": {"x": 1, "y": 2}}, "list": [1, 2, 3], "word": "hi"})
    opened(model, "players", "ada")
    opened(model, "list")
    for value in (
        {"players": {"ada": {"x": 2}, "bertil": {"x": 5}}, "list": [1], "word": "ho"},
        {"players": {"bertil": {"x": 5}}, "list": [1, 7, 8, 9], "word": {"now": "an object"}},
        {"players": 3, "list": [], "word": None},
        {},
        [1, 2],
    ):
        model.update(value, now=1.0)
    model.clear()


def test_children_come_in_blocks() -> None:
    model = ValueTree()
    model.show("big", {"list": list(range(1_000))})
    index = opened(model, "list")
    assert model.rowCount(index) == BLOCK
    assert model.canFetchMore(index)
    model.fetchMore(index)
    assert model.rowCount(index) == 2 * BLOCK


def test_opening_a_megabyte_costs_a_screenful() -> None:
    model = ValueTree()
    began = time.thread_time()
    model.show("big", {str(at): {"x": at} for at in range(100_000)})
    opened(model)
    assert time.thread_time() - began < 1.0
    assert model.rowCount(model.index(0, 0)) == BLOCK


def test_an_opened_branch_stays_while_values_change_under_it() -> None:
    model = ValueTree()
    model.show("room", {"players": {"ada": {"x": 1, "y": 2}}})
    ada = QPersistentModelIndex(opened(model, "players", "ada"))
    changed = model.update({"players": {"ada": {"x": 3, "y": 2}, "bertil": {"x": 0}}}, now=7.0)
    assert ada.isValid()
    assert lines(model, QModelIndex(ada)) == ["x: 3", "y: 2"]
    assert changed == 2
    assert model.node(model.index_of(("players", "ada", "x"))).changed_at == 7.0
    assert model.node(model.index_of(("players", "ada", "y"))).changed_at < 0


def test_an_equal_document_changes_nothing() -> None:
    model = ValueTree()
    value = {"players": {"ada": {"x": 1}}}
    model.show("room", value)
    opened(model, "players", "ada")
    told: list[QModelIndex] = []
    model.dataChanged.connect(lambda first, _last: told.append(first))
    assert model.update({"players": {"ada": {"x": 1}}}, now=1.0) == 0
    assert told == []


def test_a_closed_branch_flashes_for_what_is_inside() -> None:
    model = ValueTree()
    model.show("room", {"players": {"ada": {"x": 1}}})
    opened(model)
    assert model.flash([("players", "ada", "x")], now=5.0) == 1
    assert model.node(model.index_of(("players",))).changed_at == 5.0


def test_removed_rows_leave_the_others_in_order() -> None:
    model = ValueTree()
    model.show("list", {str(at): at for at in range(6)})
    top = opened(model)
    model.update({"1": 1, "3": 30, "5": 5}, now=1.0)
    assert lines(model, top) == ["1: 1", "3: 30", "5: 5"]
    assert [model.parent(model.index(row, 0, top)) for row in range(3)] == [top] * 3


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ("a\nb\x00", "“a↵b␀”"),
        ({}, "{0}"),
        ([1] * 2_000, "[2,000]"),
        (b"\x01\x02", "2 bytes: 01 02"),
        ("x" * 1_000, "“" + "x" * 400 + "…”"),
    ],
)
def test_values_are_one_line(value: Any, shown: str) -> None:
    assert value_text(value) == shown


def test_keys_that_look_alike_are_kept_apart() -> None:
    model = ValueTree()
    model.show("keys", {"k" * 200 + "1": 1, "k" * 200 + "2": 2})
    top = opened(model)
    assert model.rowCount(top) == 2
    assert not model.canFetchMore(top)
