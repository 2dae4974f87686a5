"""A capture file from a stranger: nothing in it runs, nothing in it is believed, and all that is wrong is a sentence."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_lab.capture import reader as reading
from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.schema import CaptureUnreadable
from sonde_lab.capture.taken import Roster, RoundTrip, Snapshot
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.records import Direction, Flag, Kind
from support.records import row


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of 200 rows."""
    path = tmp_path_factory.mktemp("good") / "c.sonde"
    writer = CaptureWriter(path)
    writer.add(
        [row(f"op{number % 7}", at=float(number), payload=b"%d" % number * 40) for number in range(200)]
    )
    for number in range(6):
        writer.give(RoundTrip(float(number), 9.0, "you", 4.5))
        writer.give(Roster(float(number), 9.0, "room:a", [{"user": "ada"}]))
        writer.give(Snapshot(float(number), 9.0, "room:a", number, None, {"hp": number}))
        writer.on_comment(number, 9.0, "look")
    writer.close()
    return path


@pytest.fixture
def copy(good: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copy(good, tmp_path / "c.sonde"))


def changed(path: Path, *statements: str) -> None:
    database = sqlite3.connect(path)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()


def read_all(path: Path) -> None:
    with CaptureReader.open(path) as reader:
        assert reader.rows >= 0
        assert len(reader.meta) <= 64
        reader.records(0, 10_000)
        for found in (reader.comments(), reader.round_trips(), reader.rosters(), reader.snapshots()):
            assert len(list(found)) <= 7


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_text("hello, this is no database" * 20), "is no capture"),
        (lambda path: path.write_bytes(b"SQLite format 3\0"), "is no capture"),
        (lambda path: changed(path, "CREATE TABLE a (b)"), "is no capture"),
        (lambda path: path.mkdir(), "is no file that can be read"),
        (lambda path: os.mkfifo(path), "is no file that can be read"),
        (lambda path: None, "No such file"),
    ],
)
def test_what_is_no_capture_is_a_sentence(tmp_path: Path, make: Callable[[Path], object], said: str) -> None:
    make(tmp_path / "c.sonde")
    with pytest.raises(CaptureUnreadable, match=said):
        CaptureReader.open(tmp_path / "c.sonde")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("PRAGMA user_version = 3", "made by a newer Sonde"),
        ("PRAGMA user_version = 0", "never finished"),
        ("CREATE TRIGGER t AFTER INSERT ON row BEGIN DELETE FROM row; END", "other tables"),
        ("CREATE VIEW v AS SELECT 1", "other tables"),
        ("CREATE INDEX i ON row (at)", "other tables"),
        ("DROP TABLE comment", "other tables"),
        ("ALTER TABLE row ADD COLUMN more", "other tables"),
    ],
)
def test_other_version_or_other_tables_are_refused(copy: Path, statement: str, said: str) -> None:
    changed(copy, statement)
    with pytest.raises(CaptureUnreadable, match=said):
        CaptureReader.open(copy)


def test_row_with_odd_values_is_shown_and_flagged(copy: Path) -> None:
    changed(
        copy,
        "UPDATE row SET kind = 99, direction = 'north', at = 9e999, wall = x'00', size = -5, dial = 1 << 40, "
        "flags = 1 << 50, opcode = 300, rtt_ms = 'slow', seq = -7, payload = 'text', op = 12345 WHERE id = 3",
        "UPDATE names SET text = CAST(x'00eda08041ff' AS TEXT) WHERE id = 2",
    )
    with CaptureReader.open(copy) as reader:
        record, next_one = reader.records(3, 2)
    assert (record.kind, record.direction, record.wall, record.dial) == (Kind.NOTE, Direction.NONE, 0.0, 0)
    assert (record.op, record.seq, record.payload, record.flags) == ("", -1, b"text", Flag.MALFORMED)
    assert record.conn.startswith("\0")
    assert next_one.flags == 0


def test_payload_beyond_all_limits_is_left_out(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(copy, "UPDATE row SET payload = zeroblob(100000) WHERE id = 3")
    monkeypatch.setattr(reading, "MAX_PAYLOAD_BYTES", 10_000)
    with CaptureReader.open(copy) as reader:
        record, next_one = reader.records(3, 2)
    assert (record.payload, record.flags) == (b"", Flag.MALFORMED | Flag.TRUNCATED)
    assert next_one.payload


def test_rows_are_found_by_id_and_reading_is_bounded(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES_AT_ONCE", 300)
    with CaptureReader.open(good) as reader:
        assert (reader.rows, reader.first_id, reader.last_id) == (200, 0, 199)
        assert reader.record(150).payload == b"150" * 40
        assert len(reader.records(0, 10_000)) == 8
        assert reader.records(2**80, 5) == []
        with pytest.raises(CaptureUnreadable, match="has no row 200"):
            reader.record(200)


def test_reading_leaves_nothing_beside_the_file(copy: Path) -> None:
    read_all(copy)
    assert list(copy.parent.iterdir()) == [copy]


def test_question_that_takes_too_long_is_ended(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CaptureReader.open(good) as reader:
        monkeypatch.setattr(reading, "QUERY_LIMIT_S", -1.0)
        reader._database.set_progress_handler(lambda: True, 1)
        with pytest.raises(CaptureUnreadable, match="takes too long"):
            assert reader.rows


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_broken_file_is_read_or_a_sentence_and_nothing_else(good: Path, data: st.DataObject) -> None:
    whole = bytearray(good.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=30)):
        whole[place] ^= data.draw(st.integers(1, 255))
    end = data.draw(st.integers(0, len(whole)) | st.just(len(whole)))
    broken = good.parent / "broken.sonde"
    broken.write_bytes(whole[:end])
    with contextlib.suppress(CaptureUnreadable):  # any other exception is a failure
        read_all(broken)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_strangers_log_beside_the_file_is_read_or_a_sentence_and_nothing_else(
    good: Path, data: st.DataObject
) -> None:
    """A write-ahead log of real pages, broken anywhere, or no log at all."""
    folder = good.parent / "beside"
    folder.mkdir(exist_ok=True)
    path, log = folder / "c.sonde", folder / "c.sonde-wal"
    for old in folder.iterdir():
        old.unlink()
    path.write_bytes(good.read_bytes())
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("INSERT INTO comment VALUES (1, 2.0, 'said')")
    whole, pages = bytearray(path.read_bytes()), bytearray(log.read_bytes())
    database.close()
    for place in data.draw(st.lists(st.integers(0, len(pages) - 1), max_size=20)):
        pages[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    log.write_bytes(data.draw(st.just(bytes(pages)) | st.binary(max_size=100)))
    with contextlib.suppress(CaptureUnreadable):  # any other exception is a failure
        read_all(path)
    assert path.read_bytes() == whole
