"""Captures of every version are read as they lie; what stands beside the rows goes in and comes out; odd cells do not."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from sonde_lab.capture import schema
from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.taken import Comment, Roster, RoundTrip, Snapshot
from sonde_lab.capture.writer import CaptureWriter
from sonde_protocol.frames import Member
from support.records import row

CELLS = (0, 1.5, 9.5, 0, 1, 0, 0, 1, 2, 0, 4, 0, None, 0, -1, -1, 0, b"{}{}")

KINDS = {"comment": Comment, "rtt": RoundTrip, "presence": Roster, "state": Snapshot}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A capture of version 1 with one row."""
    path = tmp_path / "old.sonde"
    database = sqlite3.connect(path, isolation_level=None)
    schema.create(database, 1)
    database.executemany("INSERT INTO names VALUES (?, ?)", [(0, ""), (1, "(other)"), (2, "chat")])
    database.execute(f"INSERT INTO row VALUES ({', '.join('?' * len(CELLS))})", CELLS)
    database.close()
    return path


def test_a_capture_of_version_1_is_read_and_not_changed(old: Path) -> None:
    before = old.read_bytes()
    with CaptureReader.open(old) as reader:
        record = reader.record(0)
        added = [*reader.comments(), *reader.round_trips(), *reader.rosters(), *reader.snapshots()]
    assert (record.op, record.payload, record.wire_bytes, record.fragments) == ("chat", b"{}{}", 0, 0)
    assert (record.flags, added) == (0, [])
    assert old.read_bytes() == before
    assert [path.name for path in old.parent.iterdir()] == ["old.sonde"]


def test_a_migrated_capture_is_one_of_the_newest_version_with_the_same_rows(old: Path) -> None:
    with CaptureReader.open(old) as reader:
        before = reader.records(0, 10)
    database = sqlite3.connect(old, isolation_level=None)
    schema.migrate(database)
    schema.migrate(database)
    assert schema.objects(database) == schema.expected_objects()
    assert database.execute("SELECT op, wire_bytes, comment FROM frames").fetchall() == [("chat", None, None)]
    database.close()
    with CaptureReader.open(old) as reader:
        assert (reader.version, repr(reader.records(0, 10))) == (schema.VERSION, repr(before))


def test_a_migration_that_fails_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(schema.MIGRATIONS, 2, ("DROP VIEW frames", "CREATE TABLE row (no)"))
    database = sqlite3.connect(old, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(database)
    assert schema.objects(database) == schema.expected_objects(1)
    database.close()


def test_what_stands_beside_the_rows_comes_out_as_it_went_in(tmp_path: Path) -> None:
    writer = CaptureWriter(tmp_path / "c.sonde")
    writer.add([row("chat"), row("chat")])
    ada = Member("s1", "p-ada", "Ada \ud7ff", "phone", "online", None, {"x": 1}, 17, 4.5, "n1")
    writer.give(RoundTrip(1.0, 101.0, "you", 8.25))
    writer.give(Roster(2.0, 102.0, "room:a", (ada,)))
    writer.give(Snapshot(3.0, 103.0, "room:a", 7, True, {"hp": [1, None, 2.5]}))
    writer.give(Snapshot(4.0, 104.0, "room:b", 0, None, None))
    writer.on_comment(0, 105.0, "taken away")
    writer.on_comment(0, 106.0, "")
    writer.on_comment(1, 107.0, "look \ud800" + "x" * 3_000)
    writer.close()
    with CaptureReader.open(writer.path) as reader:
        assert list(reader.round_trips()) == [RoundTrip(1.0, 101.0, "you", 8.25)]
        (roster,) = reader.rosters()
        assert (roster[:3], roster.members[0]["name"]) == ((2.0, 102.0, "room:a"), "Ada \ud7ff")
        assert list(reader.snapshots()) == [
            Snapshot(3.0, 103.0, "room:a", 7, True, {"hp": [1, None, 2.5]}),
            Snapshot(4.0, 104.0, "room:b", 0, None, None),
        ]
        assert [snapshot.channel for snapshot in reader.snapshots(after=3.0)] == ["room:b"]
        assert list(reader.comments()) == [Comment(1, 107.0, "look ?" + "x" * 294)]
        assert len(list(reader.snapshots(limit=1))) == 1
    assert (writer.left_out, writer.failure) == (0, "")


def deep() -> list[object]:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    return nested


@pytest.mark.parametrize(
    "document", ["x" * (1 << 20), object(), {"a": "\ud800"}, deep()], ids=["large", "object", "half", "deep"]
)
def test_a_document_that_cannot_be_kept_is_left_out_and_counted(tmp_path: Path, document: object) -> None:
    writer = CaptureWriter(tmp_path / "c.sonde")
    writer.give(Snapshot(1.0, 1.0, "room:a", 1, None, document))
    writer.add([row()])
    writer.close()
    assert (writer.left_out, writer.rows, writer.failure) == (1, 1, "")
    with CaptureReader.open(writer.path) as reader:
        assert list(reader.snapshots()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE rtt SET at = 'early', rtt_ms = 9e999",
        "UPDATE presence SET members = '{}'",
        "UPDATE state SET document = '{'",
        "UPDATE state SET document = zeroblob(2000000)",
        "UPDATE state SET document = CAST(x'22ff22' AS TEXT)",
        "UPDATE state SET hash_ok = 7",
        "UPDATE comment SET row = -4",
        "UPDATE comment SET text = NULL",
    ],
)
def test_what_is_odd_beside_the_rows_is_left_out(tmp_path: Path, statement: str) -> None:
    writer = CaptureWriter(tmp_path / "c.sonde")
    writer.give(RoundTrip(1.0, 1.0, "you", 1.0))
    writer.give(Roster(1.0, 1.0, "room:a", []))
    writer.give(Snapshot(1.0, 1.0, "room:a", 1, None, {}))
    writer.on_comment(0, 1.0, "look")
    writer.close()
    database = sqlite3.connect(writer.path)
    database.execute(statement)
    database.commit()
    database.close()
    with CaptureReader.open(writer.path) as reader:
        found = [*reader.comments(), *reader.round_trips(), *reader.rosters(), *reader.snapshots()]
    assert {type(each) for each in found} == set(KINDS.values()) - {KINDS[statement.split()[1]]}


def test_a_file_that_this_process_writes_is_opened_through_sqlite_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = CaptureWriter(tmp_path / "c.sonde")
    writer.add([row()])
    assert writer.wait_until_written(10.0)
    monkeypatch.setattr("os.open", lambda *_: pytest.fail("this takes the writer's locks away"))
    with CaptureReader.open(writer.path) as reader:
        assert reader.rows == 1
    monkeypatch.undo()
    writer.close()
    assert not schema.written_here
