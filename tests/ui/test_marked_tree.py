"""Two documents as one tree with marks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.differing import Sign
from sonde_ui.desktop.models.marked_tree import marked


def test_changed_added_and_removed_stand_in_one_tree_with_their_marks() -> None:
    tree = marked({"a": {"x": 1, "gone": 2}, "same": 3}, {"a": {"x": 5, "new": 4}, "same": 3}, True)
    assert tree.value == {"a": {"x": 5, "gone": 2, "new": 4}}
    assert tree.marks["a", "x"] == (Sign.CHANGED, 1, 0)
    assert tree.marks["a", "gone"].sign is Sign.REMOVED
    assert tree.marks["a", "new"].sign is Sign.ADDED
    assert tree.marks["a",] == (Sign.SAME, None, 3)
    assert tree.words == "1 changed, 1 added, 1 removed"


def test_all_of_the_document_is_there_when_asked_for() -> None:
    tree = marked({"a": 1, "b": {"c": 1}}, {"a": 2, "b": {"c": 1}}, False)
    assert tree.value == {"a": 2, "b": {"c": 1}}


def test_a_removed_item_of_a_list_takes_nobodys_place() -> None:
    tree = marked({"list": ["a", "b", "c"]}, {"list": ["c"]}, False)
    assert tree.value == {"list": {"0": "c", "−0": "a", "−1": "b"}}


@pytest.mark.parametrize(("before", "after"), [(1, 2), ({"a": 1}, [1]), (None, {})])
def test_another_whole_is_one_change(before: Any, after: Any) -> None:
    tree = marked(before, after, True)
    assert tree.value == after
    assert tree.marks[()].sign is Sign.CHANGED


def test_the_same_documents_have_nothing_to_tell() -> None:
    document = {"a": 1}
    assert marked(document, document, True).words == "nothing has changed"
    assert marked(document, document, False).value == {"a": 1}


LEAVES = st.one_of(st.integers(0, 3), st.text(max_size=2), st.booleans(), st.none())
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.dictionaries(st.sampled_from("abc"), inner), st.lists(inner, max_size=4)),
    max_leaves=20,
)


@given(DOCUMENTS, DOCUMENTS, st.booleans())
def test_every_change_has_one_mark_and_its_place_in_the_tree(before: Any, after: Any, only: bool) -> None:
    tree = marked(before, after, only)
    changed = {path: mark for path, mark in tree.marks.items() if mark.sign is not Sign.SAME}
    assert len(changed) == len(tree.found.changes)
    for path in changed:
        node = tree.value
        for key in path:
            assert key in node
            node = node[key]
