"""A capture read in columns is the capture read row by row, whatever is in it."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_lab.capture import loading, schema
from sonde_lab.capture.loading import Bounds, Loader
from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.schema import CaptureUnreadable
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.records import Flag, Record
from sonde_lab.ring import Ring
from support.records import row

NUMBERS = (-(2**63), -2, -1, 0, 1, 2, 3, 5, 15, 16, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1)
anything = st.one_of(
    st.sampled_from(NUMBERS),
    st.floats(allow_nan=False),
    st.sampled_from([None, "", "text", b"", b"bytes", -1.5, 1e300, float("inf"), 253_402_300_000.0]),
)
plain = st.sampled_from([1, 2, 3])
cells = st.one_of(plain, plain, anything)
payloads = st.one_of(st.binary(max_size=60), st.text(max_size=20), st.integers(-9, 9), st.floats(), st.none())


def bounds_of(ring: Ring) -> Bounds:
    return Bounds(ring.block_rows, ring.block_bytes, ring.max_payload, ring.capacity)


def loaded(path: Path, ring: Ring) -> Ring:
    """A ring with what a file holds."""
    loader = Loader(path, bounds_of(ring))
    while (rows := loader.next_rows()) is not None:
        ring.extend_ready(rows)
    loader.close()
    return ring


def told(record: Record) -> list[str]:
    """A record's cells, so that no number equals one of another kind, and nan itself."""
    cells = [getattr(record, name) for name in Record.__slots__]
    return [repr(int(cell) if isinstance(cell, int) else cell) for cell in cells]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """A capture with rows as a stranger may make them."""
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path)
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA journal_mode = MEMORY")
    schema.create(database)
    database.execute("INSERT INTO names VALUES (1, 'one'), (2, 'two'), (3, ?)", ("x" * 200,))
    for each in rows:
        places = ", ".join("?" * len(each))
        database.execute(f"INSERT OR IGNORE INTO row ({', '.join(each)}) VALUES ({places})", [*each.values()])
    database.commit()
    database.close()


def writer_of(path: Path, rows: int) -> None:
    writer = CaptureWriter(path)
    writer.add([row("event", at=float(number), payload=b"%d" % number) for number in range(rows)])
    writer.close()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "c.sonde"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"id": st.one_of(st.integers(-3, 12), st.sampled_from([2**63 - 1, -(2**63)]))},
            optional={**dict.fromkeys(loading._RULES, cells), "payload": payloads},
        ),
        max_size=12,
    ),
    st.integers(1, 64),
    st.integers(40, 900),
)
def test_columns_are_what_the_reader_makes_of_each_row(
    hostile: Path, rows: list[dict[str, Any]], capacity: int, max_bytes: int
) -> None:
    write(hostile, rows)
    ring = loaded(hostile, Ring(capacity, max_bytes))
    with CaptureReader.open(hostile) as reader:
        expected = reader.rows_from(-(2**63), 100)
    assert len(ring) <= capacity
    kept = [(ring.number(row_id), ring.record(row_id)) for row_id in ring.ids]
    assert bool(kept) == bool(expected)
    limit = ring.max_payload
    for (number, record), (row_id, wanted) in zip(kept[::-1], expected[::-1], strict=False):
        if len(wanted.payload) > limit:
            wanted.flags |= Flag.TRUNCATED
            wanted.payload = wanted.payload[:limit]
        assert (number, told(record)) == (row_id, told(wanted))
    if capacity == 64 and max_bytes > 800:
        assert len(kept) == len(expected)


def test_payload_beyond_all_limits_is_left_out_and_the_rows_beside_it_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sonde_lab.capture.reader.MAX_PAYLOAD_BYTES", 1_000)
    sizes = (3, 9_000, 4)
    write(
        tmp_path / "c.sonde",
        [{"id": n, "size": size, "payload": bytes(size)} for n, size in enumerate(sizes)],
    )
    ring = loaded(tmp_path / "c.sonde", Ring())
    assert [len(ring.payload(row_id)) for row_id in ring.ids] == [3, 0, 4]
    assert [bool(ring.value("flags", i) & Flag.TRUNCATED) for i in ring.ids] == [False, True, False]


def test_file_with_more_rows_than_fit_shows_the_newest_under_their_numbers(tmp_path: Path) -> None:
    writer_of(tmp_path / "c.sonde", 500)
    ring = Ring(capacity=160)
    loader = Loader(tmp_path / "c.sonde", bounds_of(ring))
    assert (loader.total, loader.skipped) == (500, 340)
    loader.close()
    loaded(tmp_path / "c.sonde", ring)
    assert [ring.number(row_id) for row_id in ring.ids] == list(range(340, 500))
    assert ring.payload(ring.first_id) == b"340"


def test_ids_that_claim_more_rows_than_fit_a_file_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "c.sonde", [{"id": -(2**63)}, {"id": 7}, {"id": 2**63 - 1}])
    loader = Loader(tmp_path / "c.sonde", bounds_of(Ring()))
    assert (loader.total, loader.skipped) == (3, 0)
    loader.close()


def test_interrupt_from_another_thread_ends_what_is_read(tmp_path: Path) -> None:
    writer_of(tmp_path / "c.sonde", 2_000)
    loader = Loader(tmp_path / "c.sonde", bounds_of(Ring()))
    loader._reader._database.set_progress_handler(lambda: _from_a_thread(loader.interrupt), 1)
    with pytest.raises(CaptureUnreadable):
        loader.next_rows()
    loader.close()


def _from_a_thread(work: Any) -> int:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return 0
