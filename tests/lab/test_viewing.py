"""A capture file as the endpoint of a workbench: its rows are there, nobody is connected, and what is wrong is told."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sonde_lab.bundle import Contents, pack
from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.whole import read_ring
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.changes import Act, Changes, GatewayState
from sonde_lab.endpoints import EndpointInvalid, EndpointKind, capture
from sonde_lab.workbench import Workbench, WorkbenchConfig
from support.records import row

ROWS = 9_000


def written(path: Path, rows: int = ROWS, first: int = 0) -> Path:
    """A capture whose rows say their own number."""
    writer = CaptureWriter(path)
    records = [row(f"op{n % 3}", at=float(n), payload=b"%090d" % n) for n in range(first, first + rows)]
    writer.on_rows(first, records)
    writer.close()
    return path


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("good") / "good.sonde")


@pytest.fixture
async def workbench(tmp_path: Path) -> AsyncIterator[Workbench]:
    workbench = Workbench(
        WorkbenchConfig(captures=tmp_path / "captures", memory_bytes=300_000, spool=tmp_path)
    )
    yield workbench
    await workbench.close()


async def read(workbench: Workbench, path: Path) -> Changes:
    """What is told once a file is read as far as it can be."""
    await workbench.open(capture(path))
    await workbench.until_read()
    return workbench.take_changes()


def notices(changes: Changes) -> list[tuple[str, str]]:
    return [(notice.cause, notice.severity) for notice in changes.notices]


async def test_rows_of_a_file_are_the_rows_of_the_workbench(workbench: Workbench, good: Path) -> None:
    workbench.mark("before")
    workbench.take_changes()
    changes = await read(workbench, good)
    ring = workbench.ring
    assert (changes.endpoint_changed, changes.rows, changes.notices) == (True, ROWS, [])
    assert (changes.gateway.kind, changes.gateway.state) == ("capture", GatewayState.FILE)
    assert (changes.gateway.url, changes.gateway.progress) == (str(good), "9,000 rows")
    assert [ring.payload(row_id) for row_id in ring.ids] == [b"%090d" % number for number in range(ROWS)]
    assert any(block.is_on_disk for block in ring.blocks())
    assert (ring.text("op", ring.ids[5]), ring.number(ring.ids[5]), ring.began_at) == ("op2", 5, 0.0)


async def test_comments_of_a_file_are_there_and_what_is_said_about_it_is_not_written_elsewhere(
    workbench: Workbench, tmp_path: Path
) -> None:
    path = tmp_path / "said.sonde"
    writer = CaptureWriter(path)
    writer.on_rows(40, [row(at=float(n)) for n in range(3)])
    writer.on_comment(41, 5.0, "look here")
    writer.close()
    await workbench.set_capture(True)
    workbench.mark("own")  # so that ids of the ring and numbers of the file differ, too
    await read(workbench, path)
    ring = workbench.ring
    second = ring.id_of(41)
    assert second is not None
    assert (ring.number(second), ring.comments.text(second), ring.id_of(39)) == (41, "look here", None)
    workbench.comment(second, "and here")
    workbench.mark(row_id=second)
    await workbench.set_capture(False)
    (own,) = (tmp_path / "captures").iterdir()
    with CaptureReader.open(own) as reader:
        assert ([record.payload for record in reader.records(0, 10)], list(reader.comments())) == (
            [b"own"],
            [],
        )


async def test_acts_of_a_connection_say_that_a_capture_is_open(workbench: Workbench, good: Path) -> None:
    await read(workbench, good)
    for act in Act:
        assert (workbench.can(act) or "").startswith("A capture is open: "), act
    workbench.connect()
    assert notices(workbench.take_changes()) == [("not_possible", "info")]


async def test_another_file_ends_the_reading_of_the_first(
    workbench: Workbench, good: Path, tmp_path: Path
) -> None:
    other = written(tmp_path / "other.sonde", 10, first=700)
    await workbench.open(capture(good))
    await read(workbench, other)
    ring = workbench.ring
    assert [ring.number(row_id) for row_id in ring.ids] == list(range(700, 710))
    assert ring.payload(ring.first_id) == b"%090d" % 700


async def test_progress_is_told_and_closing_ends_the_reading(workbench: Workbench, good: Path) -> None:
    await workbench.open(capture(good))
    first = workbench.take_changes().gateway
    assert (first.state, first.progress) == (GatewayState.STARTING, "reading the file")
    await workbench.close()
    assert len(workbench.ring) == 0


async def test_file_that_is_no_capture_is_a_notice(workbench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "a.sonde").write_text("no capture at all")
    changes = await read(workbench, tmp_path / "a.sonde")
    assert notices(changes) == [("capture_unreadable", "error")]
    assert changes.notices[0].detail == f"{tmp_path / 'a.sonde'} is no capture of Sonde."
    assert changes.gateway.state is GatewayState.DEAD


async def test_damaged_file_shows_the_rows_before_the_damage(
    workbench: Workbench, good: Path, tmp_path: Path
) -> None:
    data = bytearray(good.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 40_960] = os.urandom(40_960)
    (tmp_path / "b.sonde").write_bytes(data)
    changes = await read(workbench, tmp_path / "b.sonde")
    assert notices(changes) == [("capture_damaged", "warning")]
    assert 1_000 < len(workbench.ring) < ROWS
    assert f"{len(workbench.ring):,} rows before that are shown." in changes.notices[0].detail
    assert changes.gateway.state is GatewayState.FILE


async def test_file_larger_than_the_table_says_which_rows_are_shown(good: Path) -> None:
    workbench = Workbench(WorkbenchConfig(ring_rows=4_800))
    changes = await read(workbench, good)
    assert notices(changes) == [("capture_part", "info")]
    first = workbench.ring.number(workbench.ring.first_id) + 1
    assert changes.gateway.progress == f"rows {first:,} to 9,000 of 9,000"
    assert 4_201 <= first <= 4_501
    await workbench.close()


async def test_file_that_is_still_written_says_so(workbench: Workbench, tmp_path: Path) -> None:
    writer = CaptureWriter(tmp_path / "c.sonde")
    writer.add([row()])
    while not writer.rows:
        await workbench.until_read()
    changes = await read(workbench, tmp_path / "c.sonde")
    assert (notices(changes), changes.gateway.progress) == ([("capture_not_closed", "info")], "1 row")
    writer.close()


def test_endpoint_of_a_file_is_named_by_it_and_a_missing_one_is_refused(good: Path, tmp_path: Path) -> None:
    endpoint = capture(good)
    assert (endpoint.name, endpoint.kind, endpoint.path) == ("good.sonde", EndpointKind.CAPTURE, str(good))
    with pytest.raises(EndpointInvalid, match=r"none\.sonde is no file"):
        capture(tmp_path / "none.sonde")
    with pytest.raises(EndpointInvalid, match="is a folder"):
        capture(tmp_path)


# ---------------------------------------------------------------- repro bundles


async def test_a_bundle_shows_its_slice_under_the_numbers_of_the_capture_and_says_what_it_is(
    workbench: Workbench, good: Path, tmp_path: Path
) -> None:
    ring = read_ring(good)
    packed = pack(tmp_path / "a.sonde-repro", Contents("a drop", "", ring, range(40, 60), row=50))
    changes = await read(workbench, packed.path)
    assert [workbench.ring.label(row) for row in workbench.ring.ids] == list(range(41, 61))
    (notice,) = changes.notices
    assert (notice.cause, notice.detail) == (
        "bundle_opened",
        "a drop. It is about row 50. Seed 1; secrets are masked.",
    )


async def test_a_hostile_bundle_is_a_notice_and_leaves_nothing_behind(
    workbench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    path = tmp_path / "a.sonde-repro"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    changes = await read(workbench, path)
    assert notices(changes) == [("capture_unreadable", "error")]
    assert "is not opened: it is no repro bundle" in changes.notices[0].detail
    assert list(folder.iterdir()) == []
