"""A workbench's capture: what is in the file, how it is told, and that a disk's failure is a notice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capturing import Capturing
from sonde_lab.changes import CaptureStatus
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
    capturing.start(tmp_path / "new")
    capturing.start(tmp_path / "new")
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
    capturing.start(tmp_path / "file")
    assert log.sink is None
    assert [said[:2] for said in notices] == [("capture_failed", "The capture did not start")]


async def test_a_capture_whose_file_is_taken_away_stops_with_a_notice_and_the_rows_go_on(
    capturing: Capturing, log: RowLog, tmp_path: Path, notices: list[tuple[str, ...]]
) -> None:
    capturing.start(tmp_path)
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


async def test_a_workbench_ends_its_capture_when_it_closes(tmp_path: Path) -> None:
    bench = Workbench(WorkbenchConfig(captures=tmp_path))
    await bench.toggle_capture()
    assert bench.is_capturing
    bench.mark("here")
    changes = bench.take_changes()
    assert changes.capture is not None
    await bench.close()
    assert not bench.is_capturing
    with CaptureReader.open(Path(changes.capture.path)) as reader:
        assert [record.payload for record in reader.records(0, 10)] == [b"here"]
