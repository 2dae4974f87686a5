"""A workbench's capture: what is in the file, how it is told, and that a disk's failure is a notice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from sonde_client import Severity
from sonde_lab import capturing as capturing_module
from sonde_lab.capture import files
from sonde_lab.capture.files import CaptureLimits
from sonde_lab.capture.leftovers import Leftover
from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capturing import Capturing
from sonde_lab.changes import CaptureStatus, Changes, Document
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from sonde_lab.workbench import Workbench, WorkbenchConfig
from support.records import row


@pytest.fixture
def log() -> RowLog:
    return RowLog(Ring(), lambda: 0.0)


@pytest.fixture
def notices() -> list[tuple[str, ...]]:
    return []


@pytest.fixture
def capturing(log: RowLog, notices: list[tuple[str, ...]]) -> Iterator[Capturing]:
    capturing = Capturing(log, lambda *said: notices.append(said))
    yield capturing
    assert not capturing.is_on


async def test_rows_from_the_start_to_the_end_are_in_the_file(
    capturing: Capturing, log: RowLog, tmp_path: Path, notices: list[tuple[str, ...]]
) -> None:
    log.add(row("before"))
    await capturing.start(tmp_path / "new")
    await capturing.start(tmp_path / "new")
    first = log.add(row("event"))
    log.flush()
    log.annotate(first, rtt_ms=8.5)
    log.add(row("reply"))
    status = capturing.take(0.0)
    assert status is not None
    await capturing.stop()
    log.add(row("after"))
    log.flush()
    with CaptureReader.open(Path(status.path)) as reader:
        rows = reader.rows_from(0, 10)
    assert [(row_id, record.op) for row_id, record in rows] == [(1, "event"), (2, "reply")]
    assert rows[0][1].rtt_ms == 8.5
    assert capturing.take(0.1) == CaptureStatus()
    assert capturing.take(9.0) is None
    assert list((tmp_path / "new").iterdir()) == [Path(status.path)]
    assert notices == []


async def test_a_folder_that_cannot_be_is_a_notice(
    capturing: Capturing, log: RowLog, tmp_path: Path, notices: list[tuple[str, ...]]
) -> None:
    (tmp_path / "file").write_text("")
    await capturing.start(tmp_path / "file")
    assert log.sink is None
    assert [said[:2] for said in notices] == [("capture_failed", "The capture did not start")]


async def test_a_capture_whose_file_is_taken_away_stops_with_a_notice_and_the_rows_go_on(
    capturing: Capturing, log: RowLog, tmp_path: Path, notices: list[tuple[str, ...]]
) -> None:
    await capturing.start(tmp_path)
    status = capturing.take(0.0)
    assert status is not None
    Path(status.path).unlink()
    log.add(row("event"))
    await capturing.stop()
    assert notices[0][1] == "The capture has stopped"
    assert "1 rows are not in it" in notices[0][2]
    log.add(row("event"))
    log.flush()
    assert len(log.ring) == 2


async def rolled(capturing: Capturing, path: str) -> str:
    """Wait until another file than `path` is written; its name."""
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(0.01)
            status = capturing.take(0.0, Changes())
            if status is not None and status.path != path:
                return status.path


async def test_a_full_file_is_followed_by_the_next_and_nothing_is_lost_between_them(
    log: RowLog, tmp_path: Path, notices: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capturing_module, "LOOK_EVERY_S", 0.02)
    limits = CaptureLimits(rows_per_file=3, keep_files=2)
    capturing = Capturing(log, lambda *said: notices.append(said), limits, lambda: 0.0)
    await capturing.start(tmp_path)
    first = capturing.take(0.0, Changes(documents={"room:a": Document({"hp": 1}, 1, None, ())}))
    assert first is not None
    paths = [first.path]
    for _ in range(2):
        for _ in range(3):
            log.add(row("event"))
        log.flush()
        paths.append(await rolled(capturing, paths[-1]))
    log.add(row("event"))
    log.flush()
    log.annotate(4, rtt_ms=8.5)
    log.comment(5, "the last of its file")
    log.comment(6, "the first of the next")
    await capturing.stop()
    assert notices == []
    assert not Path(paths[0]).exists()
    kept: list[int] = []
    for path, said in ((paths[1], "the last of its file"), (paths[2], "the first of the next")):
        with CaptureReader.open(Path(path)) as reader:
            kept += [row_id for row_id, _ in reader.rows_from(0, 99)]
            assert [comment.text for comment in reader.comments()] == [said]
            assert [snapshot.document for snapshot in reader.snapshots()] == [{"hp": 1}]
            assert "closed_wall" in reader.meta
    assert kept == [3, 4, 5, 6]
    with CaptureReader.open(Path(paths[1])) as reader:
        assert reader.record(4).rtt_ms == 8.5


async def test_a_disk_that_fills_up_ends_the_capture_with_a_sentence_and_the_file_is_whole(
    log: RowLog, tmp_path: Path, notices: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [1 << 40]
    monkeypatch.setattr(capturing_module, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: SimpleNamespace(free=free[0]))
    capturing = Capturing(log, lambda *said: notices.append(said))
    await capturing.start(tmp_path)
    log.add(row("event"))
    free[0] = 100 << 20
    while not notices:
        await asyncio.sleep(0.01)
    await capturing.stop()
    assert notices[0][1] == "The capture has stopped"
    assert "100 MB left" in notices[0][2]
    (path,) = tmp_path.iterdir()
    with CaptureReader.open(path) as reader:
        assert reader.rows == 1
    await capturing.start(tmp_path)
    assert (capturing.is_on, notices[1][1]) == (False, "The capture did not start")


async def test_a_start_that_nobody_waits_for_any_more_leaves_no_file(log: RowLog, tmp_path: Path) -> None:
    capturing = Capturing(log, lambda *_: None)
    starting = asyncio.ensure_future(capturing.start(tmp_path))
    await asyncio.sleep(0)
    starting.cancel()
    while list(tmp_path.iterdir()) or not starting.done():
        await asyncio.sleep(0.01)
    assert (capturing.is_on, log.sink) == (False, None)


async def test_what_a_run_left_is_one_notice_with_its_rows_and_its_place(
    capturing: Capturing, tmp_path: Path, notices: list[tuple[str, ...]]
) -> None:
    found = [Leftover(tmp_path / "b.sonde", 12_345, 1.0, True), Leftover(tmp_path / "a.sonde", 1, 1.0, True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capturing_module, "recover", lambda _: found)
        await capturing.recover(tmp_path)
    ((_, title, detail, advice, severity),) = notices
    assert title == "The last run ended without closing"
    assert detail.startswith("Its capture holds 12,345 rows up to 19")
    assert detail.endswith(". 1 more capture was not closed.")
    assert (advice, severity) == (f"It is whole: {tmp_path / 'b.sonde'}", Severity.WARNING)


async def test_a_workbench_ends_its_capture_when_it_closes(tmp_path: Path) -> None:
    bench = Workbench(WorkbenchConfig(captures=tmp_path))
    await bench.set_capture(True)
    assert bench.is_capturing
    bench.mark("here")
    changes = bench.take_changes()
    assert changes.capture is not None
    await bench.close()
    assert not bench.is_capturing
    with CaptureReader.open(Path(changes.capture.path)) as reader:
        assert [record.payload for record in reader.records(0, 10)] == [b"here"]
