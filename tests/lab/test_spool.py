"""A ring with a disk behind it behaves as one without, and gives everything back."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sonde_lab.blocks import ReadyRows
from sonde_lab.filter import Filter
from sonde_lab.records import Record
from sonde_lab.ring import Ring
from sonde_lab.spool import Segment, Spool
from sonde_lab.workbench import Workbench, WorkbenchConfig
from support.records import row

MEMORY = 1_600  # so that a block is 100 bytes
FILTERS = ("", "ab", "a", "Ŝ", "/a+b/", "op:ping -a", "d.k:1")
payloads = st.one_of(
    st.text("abŝ{}", max_size=60).map(str.encode),
    st.sampled_from([b'{"op":"event","d":{"k":1}}', b'{"op":"event","d":{"k":2}}']),
    st.binary(max_size=900),
)
records = st.builds(row, op=st.sampled_from(["event", "ping"]), payload=payloads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spool")


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Ring]:
    ring = Ring(100_000, 1 << 20, MEMORY, Spool(tmp_path / "new", segment_bytes=1_000))
    yield ring
    ring.close()


def spool_of(ring: Ring) -> Spool:
    assert ring.spool is not None
    return ring.spool


def fill(ring: Ring, rows: int) -> None:
    """Rows of 50 bytes, each taken to disk before the next comes."""
    for number in range(rows):
        ring.append(row(at=float(number), payload=b"%050d" % number))
        spool_of(ring).wait()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(records, min_size=1, max_size=20), min_size=1, max_size=12),
    st.integers(1, 90),
    st.sampled_from([3_000, 8_000, 1 << 20]),
    st.booleans(),
)
def test_ring_with_a_spool_is_a_ring(
    folder: Path, batches: list[list[Record]], capacity: int, max_bytes: int, waits: bool
) -> None:
    spool = Spool(folder, segment_bytes=700)
    ring, plain, model = Ring(capacity, max_bytes, MEMORY, spool), Ring(), []
    for batch in batches:
        ring.extend(batch)
        plain.extend(batch)
        model.extend(batch)
        if waits:
            spool.wait()
    spool.wait()
    ids = ring.ids
    assert ids.stop == len(model)
    assert len(ring) <= capacity
    assert ring.stored_bytes <= max_bytes
    cut = ring.max_payload
    assert [ring.payload(i) for i in ids] == [model[i].payload[:cut] for i in ids]
    if all(len(record.payload) <= cut for record in model):
        for text in FILTERS:
            masks = [Filter(text).matching(each, ids).tolist() for each in (ring, plain)]
            assert masks[0] == masks[1], text
    newest = list(ring.blocks())[-1].held_bytes
    assert sum(block.held_bytes for block in ring.blocks()) <= 2 * MEMORY + newest
    ring.close()
    assert not any(block.is_on_disk for block in ring.blocks())
    assert [ring.payload(i) for i in ring.ids] == [model[i].payload[:cut] for i in ring.ids]


def test_where_a_read_moves_the_files_position_reads_and_writes_take_turns(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sonde_lab.spool._READS_ANYWHERE", False)
    for number in range(300):
        ring.append(row(payload=b"%050d" % number))
        assert ring.payload(ring.first_id) == b"%050d" % ring.first_id
    spool_of(ring).wait()
    assert ring.payload(ring.first_id) == b"%050d" % ring.first_id


def test_rows_beyond_the_memory_are_on_disk_and_nobody_sees_a_file(ring: Ring, tmp_path: Path) -> None:
    fill(ring, 300)
    assert ring.evicted == 0
    assert sum(block.held_bytes for block in ring.blocks()) <= MEMORY
    assert sum(block.is_on_disk for block in ring.blocks()) > 100
    assert ring.payload(0) == b"%050d" % 0
    assert list((tmp_path / "new").iterdir()) == []
    assert spool_of(ring).problem == ""


def test_folder_that_cannot_be_written_is_told_and_the_oldest_rows_go(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    ring = Ring(100_000, 1 << 20, MEMORY, Spool(tmp_path / "taken"))
    fill(ring, 300)
    assert spool_of(ring).problem.startswith(f"Payloads cannot be kept in {tmp_path / 'taken'}: ")
    assert 10 <= len(ring) <= 60
    assert ring.payload(299) == b"%050d" % 299
    ring.close()
    assert len(ring) >= 10


def test_full_disk_lets_the_oldest_rows_go_until_there_is_room_again(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ring, 100)
    write = Segment.write

    def full(_segment: Segment, _data: bytearray) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Segment, "write", full)
    fill(ring, 60)
    assert "No space" in spool_of(ring).take_problem()
    assert spool_of(ring).take_problem() == ""
    before = ring.evicted
    assert 0 < before < 150
    monkeypatch.setattr(Segment, "write", write)
    fill(ring, 100)
    after = ring.evicted
    fill(ring, 100)
    assert ring.evicted == after
    assert [ring.payload(i)[-5:] for i in ring.ids[-100:]] == [b"%05d" % n for n in range(100)]


def test_evicted_rows_give_their_files_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: set[int] = set()
    made, ended = Segment.__init__, Segment.__del__
    monkeypatch.setattr(Segment, "__init__", lambda self, at: (alive.add(id(self)), made(self, at))[1])
    monkeypatch.setattr(Segment, "__del__", lambda self: (alive.discard(id(self)), ended(self))[1])
    ring = Ring(100_000, 5_000, MEMORY, Spool(tmp_path, segment_bytes=1_000))
    fill(ring, 600)
    assert 1 <= len(alive) <= 7
    ring.close()
    assert not alive


def test_payload_that_the_disk_does_not_give_back_is_zero_bytes(
    ring: Ring, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fill(ring, 100)

    def broken(_segment: Segment, _start: int, _size: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Segment, "read", broken)
    assert ring.payload(0) == bytes(50)
    assert "cannot be read back" in caplog.text
    caplog.clear()


def ready(*numbers: int) -> ReadyRows:
    """Rows that a file calls so."""
    columns: dict[str, NDArray[Any]] = {
        "at": np.full(len(numbers), 3.0),
        "op": np.zeros(len(numbers), np.int64),
    }
    columns["offset"] = np.arange(len(numbers))
    return ReadyRows(columns, ("event",), bytearray(b"\n" * len(numbers)), np.array(numbers))


def test_rows_bear_the_numbers_of_where_they_come_from_until_the_ring_is_cleared() -> None:
    ring = Ring()
    ring.append(row())
    assert ring.extend_ready(ready(70, 71, 900, 902)) == range(1, 5)
    ring.extend_ready(ready(903))
    assert [ring.number(row_id) for row_id in ring.ids] == [0, 70, 71, 900, 902, 903]
    assert ring.text("op", 4) == "event"
    ring.clear()
    assert (len(ring), ring.next_id, ring.stored_bytes) == (0, 6, 0)
    ring.append(row(at=7.0, payload=b"new"))
    assert (ring.number(6), ring.began_at, ring.payload(6)) == (6, 7.0, b"new")


async def test_workbench_tells_once_that_the_disk_fails(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    workbench = Workbench(WorkbenchConfig(spool=tmp_path / "taken", memory_bytes=MEMORY))
    notices = []
    for _ in range(3):
        for _ in range(100):
            workbench.mark("a mark of some words")
        notices += workbench.take_changes().notices
        spool_of(workbench.ring).wait()
    await workbench.close()
    assert [(notice.cause, notice.count) for notice in notices] == [("spool_failed", 1)]
    assert str(tmp_path / "taken") in notices[0].detail
