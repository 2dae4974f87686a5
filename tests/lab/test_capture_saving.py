"""A saved copy is whole, of one moment and its owner's; it is there only when it is complete."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonde_lab.capture import joining
from sonde_lab.capture import saving as saving_module
from sonde_lab.capture.leftovers import recover
from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.saving import SaveCancelled, Saving, save
from sonde_lab.capture.schema import VERSION, CaptureFailed, create
from sonde_lab.capture.taken import Roster, RoundTrip, Snapshot
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.capturing import Capturing
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from support.records import row


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[CaptureWriter]:
    """A capture that is being written: 400 rows, some of them in its -wal only."""
    writer = CaptureWriter(tmp_path / "sonde-20260101-000000.sonde")
    writer.add([row(at=float(number), payload=b"x" * 5_000) for number in range(400)])
    assert writer.wait_until_written(10.0)
    yield writer
    writer.close()


def test_a_copy_has_every_row_until_now_while_more_come_in(
    writer: CaptureWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[float] = []

    class Busy(Saving):
        def on_pages(self, status: int, remaining: int, total: int) -> None:
            super().on_pages(status, remaining, total)
            steps.append(self.share)
            writer.add([row(payload=b"y" * 5_000)])
            assert writer.wait_until_written(10.0)

    monkeypatch.setattr(saving_module, "_PAGES_AT_ONCE", 100)
    saved = save([writer.path], tmp_path / "mine.sonde", Busy())
    assert saved == (tmp_path / "mine.sonde", 400, saved.path.stat().st_size)
    assert steps == sorted(steps)
    assert (len(steps) > 3, steps[-1]) == (True, 1.0)
    assert stat.S_IMODE(saved.path.stat().st_mode) == 0o600
    with CaptureReader.open(saved.path) as reader:
        assert [record.at for record in reader.records(0, 999)] == [float(number) for number in range(400)]
        assert {"saved_wall", "closed_wall"} <= set(reader.meta)
    assert not [path for path in tmp_path.iterdir() if "mine" in path.name and path != saved.path]


def test_a_copy_that_is_not_wanted_any_more_leaves_nothing(writer: CaptureWriter, tmp_path: Path) -> None:
    before, saving = sorted(tmp_path.iterdir()), Saving()
    saving.cancel()
    with pytest.raises(SaveCancelled):
        save([writer.path], tmp_path / "mine.sonde", saving)
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_is_written_over_without_being_told_to(writer: CaptureWriter, tmp_path: Path) -> None:
    target = tmp_path / "mine.sonde"
    target.write_text("mine")
    with pytest.raises(CaptureFailed, match="is there already"):
        save([writer.path], target, Saving())
    assert target.read_text() == "mine"
    assert save([writer.path], target, Saving(), overwrite=True).rows == 400
    with pytest.raises(CaptureFailed, match="is the capture that is being written"):
        save([writer.path], writer.path, Saving(), overwrite=True)
    (tmp_path / "mine.sonde-wal").touch()
    with pytest.raises(CaptureFailed, match="open elsewhere"):
        save([writer.path], target, Saving(), overwrite=True)


@pytest.mark.parametrize("target", ["nowhere/mine.sonde", "sonde-20260101-000000.sonde/mine.sonde"])
def test_a_place_that_is_none_is_a_sentence(writer: CaptureWriter, tmp_path: Path, target: str) -> None:
    with pytest.raises(CaptureFailed, match="could not be saved"):
        save([writer.path], tmp_path / target, Saving())


def test_a_copy_of_version_1_is_of_the_newest_version(tmp_path: Path) -> None:
    old = tmp_path / "old.sonde"
    database = sqlite3.connect(old, isolation_level=None)
    create(database, 1)
    database.execute("INSERT INTO row (id, at, wall) VALUES (0, 1, 2)")
    database.close()
    before = old.read_bytes()
    assert save([old], tmp_path / "new.sonde", Saving()).rows == 1
    with CaptureReader.open(tmp_path / "new.sonde") as reader:
        assert reader.version == VERSION
    assert old.read_bytes() == before


def test_a_capture_that_somebody_reads_at_its_end_is_whole_and_made_one_file_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sonde_lab.capture.writer._BUSY_S", 0.05)
    writer = CaptureWriter(tmp_path / "sonde-20260101-000000.sonde")
    writer.add([row()])
    assert writer.wait_until_written(10.0)
    with CaptureReader.open(writer.path) as reader:
        assert reader.rows == 1
        writer.close()
        assert (writer.failure, reader.rows) == ("", 1)
    assert Path(f"{writer.path}-wal").exists()
    assert recover(tmp_path) == []
    assert list(tmp_path.iterdir()) == [writer.path]


def names_and_more(writer: CaptureWriter, first: int, op: str) -> None:
    writer.on_rows(first, [row(op, at=float(first), channel="room:a"), row(f"{op}-2", conn="p1")])
    writer.give(RoundTrip(float(first), 1.0, op, 4.5))
    writer.give(Roster(float(first), 1.0, f"room:{op}", [op]))
    writer.give(Snapshot(float(first), 1.0, "room:a", first, True, {"op": op}))
    writer.on_comment(first, 1.0, op)


def test_files_of_one_run_are_saved_as_one(tmp_path: Path) -> None:
    writers = [CaptureWriter(tmp_path / f"{number}.sonde") for number in range(3)]
    for number, op in enumerate(("chat", "delta", "chat")):
        names_and_more(writers[number], 2 * number, op)
    for number, lost in enumerate((3, 4)):
        writers[number].rows_lost = lost
        writers[number].close()
    assert writers[2].wait_until_written(10.0)
    steps: list[float] = []

    class Watched(Saving):
        def on_share(self, share: float) -> None:
            super().on_share(share)
            steps.append(self.share)

    saved = save([writer.path for writer in writers], tmp_path / "all.sonde", Watched())
    with CaptureReader.open(saved.path) as reader:
        rows = reader.rows_from(0, 99)
        assert [(row_id, record.op) for row_id, record in rows] == list(
            enumerate(["chat", "chat-2", "delta", "delta-2", "chat", "chat-2"])
        )
        assert {(record.conn, record.channel) for _, record in rows} == {("you", "room:a"), ("p1", "")}
        assert [sample.conn for sample in reader.round_trips()] == ["chat", "delta", "chat"]
        assert [(each.channel, each.members) for each in reader.rosters()] == [
            ("room:chat", ["chat"]), ("room:delta", ["delta"]), ("room:chat", ["chat"]),
        ]  # fmt: skip
        assert [(each.channel, each.seq) for each in reader.snapshots()] == [
            ("room:a", 0), ("room:a", 2), ("room:a", 4),
        ]  # fmt: skip
        assert [(each.row_id, each.text) for each in reader.comments()] == [
            (0, "chat"), (2, "delta"), (4, "chat"),
        ]  # fmt: skip
        assert (reader.meta["rows"], reader.meta["rows_lost"]) == ("6", "7")
    assert (steps == sorted(steps), steps[-1]) == (True, 1.0)
    writers[2].close()


def test_names_beyond_the_limit_are_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "MAX_NAMES", 5)
    paths = []
    for number, op in enumerate(("chat", "delta")):
        writer = CaptureWriter(tmp_path / f"{number}.sonde")
        writer.on_rows(number, [row(op)])
        writer.close()
        paths.append(writer.path)
    save(paths, tmp_path / "all.sonde", Saving())
    with CaptureReader.open(tmp_path / "all.sonde") as reader:
        assert [record.op for record in reader.records(0, 9)] == ["chat", "delta"]
    monkeypatch.setattr(joining, "MAX_NAMES", 4)
    save(paths, tmp_path / "all.sonde", Saving(), overwrite=True)
    with CaptureReader.open(tmp_path / "all.sonde") as reader:
        assert [record.op for record in reader.records(0, 9)] == ["chat", "(other)"]


async def test_a_capture_is_saved_up_to_the_row_before_and_after_it_has_ended(tmp_path: Path) -> None:
    log = RowLog(Ring(), lambda: 0.0)
    capturing = Capturing(log, lambda *said: pytest.fail(str(said)))
    with pytest.raises(CaptureFailed, match="turn the capture on"):
        await capturing.save(tmp_path / "none.sonde", Saving())
    await capturing.start(tmp_path / "captures")
    log.add(row())
    assert (await capturing.save(tmp_path / "one.sonde", Saving())).rows == 1
    log.add(row())
    await capturing.stop()
    assert (await capturing.save(tmp_path / "two.sonde", Saving())).rows == 2
