"""The traffic table's model against the lab's view."""

from __future__ import annotations

import logging
import random

import pytest
from PySide6.QtCore import QModelIndex, Qt
from pytestqt.modeltest import ModelTester

from sonde_lab.folding import View
from sonde_lab.records import Flag, Kind
from sonde_lab.ring import Ring
from sonde_lab.summary import Summaries
from sonde_ui.desktop.models.traffic_cells import HEADERS, Column
from sonde_ui.desktop.models.traffic_model import TrafficModel
from support.scripted_workbench import Script, storm, story

DISPLAY = int(Qt.ItemDataRole.DisplayRole)


def model_over(ring: Ring) -> TrafficModel:
    return TrafficModel(ring, View(ring), Summaries(ring))


def shown_ids(model: TrafficModel) -> list[int]:
    cells = [model.cells(row) for row in range(model.rowCount())]
    assert all(cells)
    return [each.row_id for each in cells if each is not None]


def true_ids(model: TrafficModel) -> list[int]:
    """The view worked out from nothing: what the incremental one must equal."""
    fresh = View(model.ring)
    fresh.fold = model.view.fold
    fresh.set_filter(model.view.filter_text)
    fresh.update()
    return [fresh.row(row).row_id for row in range(len(fresh))]


class Watcher:
    """Counts what Qt is told, and keeps a list in step by that alone."""

    def __init__(self, model: TrafficModel) -> None:
        self.rows = model.rowCount()
        self.resets = self.inserts = self.removals = 0
        model.rowsInserted.connect(self._inserted)
        model.rowsRemoved.connect(self._removed)
        model.modelReset.connect(lambda: self._reset(model))

    def _inserted(self, _parent: QModelIndex, first: int, last: int) -> None:
        assert first == self.rows, "rows come at the end"
        self.rows += last - first + 1
        self.inserts += 1

    def _removed(self, _parent: QModelIndex, first: int, last: int) -> None:
        assert first == 0, "rows leave at the front"
        self.rows -= last + 1
        self.removals += 1

    def _reset(self, model: TrafficModel) -> None:
        self.rows = model.rowCount()
        self.resets += 1


def test_the_model_keeps_qts_rules_while_rows_come_fold_and_go(qtmodeltester: ModelTester) -> None:
    ring = Ring(capacity=256)
    model = model_over(ring)
    qtmodeltester.check(model)
    for _ in range(12):
        ring.extend(story())
        model.refresh()
    assert ring.evicted > 0
    assert model.rowCount() == len(model.view)


def test_the_model_keeps_qts_rules_while_older_rows_come_at_the_front(qtmodeltester: ModelTester) -> None:
    ring = Ring(capacity=64)
    ring.extend(story(2))
    model = TrafficModel(ring, View(ring, at_once=8), Summaries(ring))
    model.view.fold = False  # folded, a row at the front may go into one that came, and others are next to it
    qtmodeltester.check(model)
    inserted: list[tuple[int, int]] = []
    model.rowsInserted.connect(lambda _parent, first, last: inserted.append((first, last)))
    for text in ("", "dir:in"):
        model.view.set_filter(text)
        model.refresh()
        while model.view.backlog:
            model.view.look_back(5)
            ring.extend(storm(1))
            model.refresh()
        assert shown_ids(model) == true_ids(model)
    assert any(first == 0 for first, _ in inserted)


def test_what_was_cleared_stays_cleared_while_older_rows_are_looked_at() -> None:
    ring = Ring()
    ring.extend(storm(60))
    model = TrafficModel(ring, View(ring, at_once=8), Summaries(ring))
    model.refresh()
    model.clear_shown()
    ring.extend(storm(5))
    model.view.fold = False
    model.refresh()
    while model.view.backlog:
        model.view.look_back(7)
        model.refresh()
    assert shown_ids(model) == list(ring.ids)[60:]


def test_a_batch_is_one_insert_and_never_a_reset() -> None:
    ring = Ring()
    model = model_over(ring)
    model.refresh()
    watcher = Watcher(model)
    ring.extend(storm(5_000))
    model.refresh()
    assert (watcher.inserts, watcher.resets, watcher.rows) == (1, 0, 5_000)


@pytest.mark.parametrize("fold", [True, False])
def test_the_table_equals_the_view_after_any_mixture_of_batches(fold: bool) -> None:
    chance = random.Random(7)
    ring = Ring(capacity=512)
    model = model_over(ring)
    model.view.fold = fold
    model.refresh()
    watcher = Watcher(model)
    for _ in range(120):
        rows = story() if chance.random() < 0.5 else storm(chance.randrange(60))
        ring.extend(rows[: chance.randrange(len(rows) + 1)])
        if chance.random() < 0.6:
            model.refresh()
            assert watcher.rows == model.rowCount() == len(model.view)
    model.refresh()
    assert watcher.removals > 0
    assert shown_ids(model) == true_ids(model)


def test_a_filter_resets_once_and_then_appends() -> None:
    ring = Ring()
    model = model_over(ring)
    ring.extend(story(5))
    model.refresh()
    watcher = Watcher(model)
    model.view.set_filter("chat")
    model.refresh()
    assert watcher.resets == 1
    assert all("chat" in model.cells(row).summary for row in range(model.rowCount()))
    ring.extend(story(5))
    model.refresh()
    assert watcher.resets == 1
    assert model.rowCount() == 20


def test_a_row_reads_like_the_picture() -> None:
    ring = Ring()
    model = model_over(ring)
    ring.extend(story())
    model.refresh()
    delta, chat, publish = (model.cells(row) for row in range(3))
    assert delta.flag_text == "×12 folded"
    assert [publish.text(column) for column in Column][3:] == [
        "sent",
        "you",
        "publish",
        publish.summary,
        "96 B",
        "8.4 ms",
        "",
    ]
    assert chat.summary == "chat bertil: “anyone at the north gate?”"
    close = next(model.cells(row) for row in range(model.rowCount()) if model.cells(row).is_close)
    assert close.summary.startswith("4002 heartbeat lost")
    assert model.headerData(Column.SUMMARY, Qt.Orientation.Horizontal) == HEADERS[Column.SUMMARY]


def test_an_answer_that_comes_later_changes_its_row() -> None:
    ring = Ring()
    model = model_over(ring)
    ring.extend(storm(3))
    model.refresh()
    assert model.cells(1).text(Column.RTT) == ""
    changed: list[int] = []
    model.dataChanged.connect(lambda first, _last: changed.append(first.row()))
    ring.annotate(1, rtt_ms=8.4)
    model.refresh()
    assert model.cells(1).text(Column.RTT) == "8.4 ms"
    assert changed == [1]


def test_rows_that_the_ring_let_go_of_are_not_asked_for() -> None:
    ring = Ring(capacity=64)
    model = model_over(ring)
    ring.extend(storm(60))
    model.refresh()
    ring.extend(storm(60))  # the view does not know yet
    assert model.cells(0) is None
    assert model.data(model.index(0, 0)) == ""
    model.refresh()
    assert model.cells(0) is not None


@pytest.mark.expects_log("sonde_ui.desktop.models.guarded")
def test_an_exception_in_data_is_logged_and_the_table_lives(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = Ring()
    model = model_over(ring)
    ring.extend(storm(1))
    model.refresh()

    def broken(_row: int) -> None:
        raise ValueError("planted in data()")

    monkeypatch.setattr(model, "cells", broken)
    with caplog.at_level(logging.ERROR):
        assert model.data(model.index(0, 0), DISPLAY) is None
        assert model.data(model.index(0, 0), DISPLAY) is None
    assert [record.message for record in caplog.records] == ["TrafficModel.data failed"], (
        "said once, not per cell"
    )


def test_hostile_names_and_payloads_are_one_plain_line() -> None:
    ring = Ring()
    model = model_over(ring)
    script = Script(conn="<b>you</b>\n\ud800")
    ring.extend(
        [
            script.raw(b'{"op":"event","type":"x","d":"\x00<img src=x>"}', op="ev\nent"),
            script.raw(b"\xff\xfe", op="\u202e"),
        ]
    )
    model.refresh()
    first, second = model.cells(0), model.cells(1)
    assert first.conn == "<b>you</b>↵\\ud800"
    assert first.op == "ev↵ent"
    assert second.op == "\\u202e"
    for cells in (first, second):
        assert cells.summary.isprintable()


def test_clearing_empties_the_table_and_new_rows_come() -> None:
    ring = Ring()
    model = model_over(ring)
    ring.extend(storm(10))
    model.refresh()
    model.clear_shown()
    assert (model.rowCount(), model.is_cleared) == (0, True)
    ring.extend(storm(3))
    model.refresh()
    assert shown_ids(model) == [10, 11, 12]
    assert model.row_of(11) == 1
    assert model.row_of(2) is None
    model.show_all()
    assert model.rowCount() == 13


def test_a_cleared_run_that_grows_is_news_again() -> None:
    ring = Ring()
    model = model_over(ring)
    script = Script()
    ring.extend([*storm(5), *script.walk("ada", 1.0, 4)])
    model.refresh()
    model.clear_shown()
    ring.extend(script.walk("ada", 2.0, 2))
    model.refresh()
    assert [model.cells(row).folded for row in range(model.rowCount())] == [6]


def test_clearing_survives_eviction() -> None:
    ring = Ring(capacity=64)
    model = model_over(ring)
    ring.extend(storm(50))
    model.refresh()
    model.clear_shown()
    for _ in range(20):
        ring.extend(storm(7))
        model.refresh()
    assert shown_ids(model) == [row for row in true_ids(model) if row >= 50]


def test_flags_are_words_in_order_of_weight() -> None:
    ring = Ring()
    model = model_over(ring)
    ring.extend([Script().frame("event", flags=int(Flag.REPLAY | Flag.INJECTED | Flag.COMPRESSED))])
    model.refresh()
    assert model.cells(0).flag_text == "injected, replayed, deflated"
    assert model.record(0).kind == Kind.FRAME


def test_the_nearest_row_to_a_hidden_one_is_the_next() -> None:
    ring = Ring()
    model = model_over(ring)
    ring.extend(storm(20))
    model.view.set_filter("line 15")
    model.refresh()
    assert model.nearest_row(3) == 0
    assert model.nearest_row(15) == 0
    model.view.set_filter("nothing at all")
    model.refresh()
    assert model.nearest_row(3) is None
