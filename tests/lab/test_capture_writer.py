"""Rows go into a capture file and come out of it as they were; a failing disk is a sentence."""

from __future__ import annotations

import math
import sqlite3
import stat
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_lab.capture import writer as writing
from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.schema import CaptureFailed
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.records import Direction, Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.rowlog import RowLog
from support.records import row

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
SECONDS = st.floats(0, 2e11)
WHOLE = st.integers(0, 2**31 - 1)
NUMBER = st.integers(-1, 2**63 - 1)
RECORDS = st.builds(
    Record,
    at=SECONDS, wall=SECONDS, conn=TEXTS, dial=WHOLE, direction=st.sampled_from(Direction), kind=st.sampled_from(Kind),
    opcode=st.integers(0, 15), op=TEXTS, channel=TEXTS, size=st.integers(0, 2**62), payload=st.binary(max_size=300),
    code=WHOLE, rtt_ms=st.floats(0, 1e9) | st.just(math.nan), flags=WHOLE, seq=NUMBER, command=NUMBER,
    wire_bytes=st.integers(0, 2**62), fragments=WHOLE,
)  # fmt: skip


def plain(records: list[Record]) -> list[Record]:
    """Without the one value that does not equal itself."""
    return [replace(record, rtt_ms=-1.0) if math.isnan(record.rtt_ms) else record for record in records]


@settings(max_examples=40, deadline=None)
@given(st.lists(RECORDS, max_size=12), st.integers(0, 12))
def test_what_goes_in_comes_out(records: list[Record], cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a ?#% ü.sonde"
        writer = CaptureWriter(path)
        writer.add(records[:cut])
        writer.add(records[cut:])
        writer.close()
        assert (writer.failure, writer.rows, writer.rows_lost) == ("", len(records), 0)
        assert writer.payload_bytes == sum(len(record.payload) for record in records)
        with CaptureReader.open(path) as reader:
            assert plain(reader.records(0, 100)) == plain(records)
            assert (reader.rows, reader.last_id) == (len(records), len(records) - 1)
        assert [file.name for file in Path(folder).iterdir()] == [path.name]


def test_log_hands_on_rows_and_what_is_said_about_them_later(tmp_path: Path) -> None:
    log, writer = RowLog(Ring(), lambda: 0.0, lambda: 0.0), CaptureWriter(tmp_path / "c.sonde")
    log.sink = writer
    first = log.add(row(at=1.0))
    log.annotate(first, rtt_ms=1.5)
    log.flush()
    second = log.add(row(at=2.0))
    log.flush()
    log.annotate(second, rtt_ms=2.5, flags=int(Flag.MARKED))
    log.annotate(second, flags=int(Flag.ERROR))
    writer.close()
    with CaptureReader.open(writer.path) as reader:
        found = reader.records(0, 9)
    assert [record.rtt_ms for record in found] == [1.5, 2.5]
    assert found[1].flags == Flag.MARKED | Flag.ERROR


def test_file_is_its_owners_and_any_sqlite_tool_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "c.sonde"
    writer = CaptureWriter(path)
    writer.add([row("chat", channel="room:a", direction=Direction.OUT)])
    writer.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    database = sqlite3.connect(path)
    assert database.execute("SELECT conn, direction, kind, op, channel, payload FROM frames").fetchall() == [
        ("you", "out", "frame", "chat", "room:a", b"{}")
    ]
    assert database.execute("SELECT count(*) FROM meta WHERE key IN ('sonde', 'pid')").fetchone() == (2,)
    database.close()


@pytest.mark.parametrize("name", ["c.sonde", "c.sonde-wal", "c.sonde-journal"])
def test_nothing_is_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(CaptureFailed, match="choose another name"):
        CaptureWriter(tmp_path / "c.sonde")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [(name, b"mine")]


def test_place_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CaptureFailed, match="No such file or directory; choose another place"):
        CaptureWriter(tmp_path / "nowhere" / "c.sonde")


def test_odd_values_are_written_as_far_as_they_can_be(tmp_path: Path) -> None:
    writer = CaptureWriter(tmp_path / "c.sonde")
    writer.add([row("\ud800", at=math.inf, seq=2**70, command=-(2**70))])
    writer.close()
    with CaptureReader.open(writer.path) as reader:
        record = reader.record(0)
    assert (writer.failure, record.op, record.at, record.seq) == ("", "?", 0.0, 2**63 - 1)


def test_full_queue_loses_the_newest_rows_and_counts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MAX_QUEUED_BYTES", 1_000)
    monkeypatch.setattr(writing, "COMMIT_EVERY_S", 60.0)
    writer = CaptureWriter(tmp_path / "c.sonde")
    for number in range(4):
        writer.add([row(payload=b"x" * 200, at=float(number)), row(payload=b"")])
    writer.close()
    assert (writer.rows, writer.rows_lost, writer.failure) == (2, 6, "")


def test_removed_file_stops_the_capture_and_says_so(tmp_path: Path) -> None:
    writer = CaptureWriter(tmp_path / "c.sonde")
    writer.path.unlink()
    writer.add([row(), row()])
    writer.close()
    assert "has stopped: No such file" in writer.failure
    assert "capture into a new file" in writer.failure
    assert (writer.rows, writer.rows_lost) == (0, 2)


FULL_DISK = """
import resource, sys
from pathlib import Path
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.records import Direction, Kind, Record
writer = CaptureWriter(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
given = 0
while not writer.failure and given < 1_000_000:
    writer.add([Record(1, 1, "c", 1, Direction.IN, Kind.FRAME, 1, "op", "", 9, b"x" * 900)])
    given += 1
writer.close()
assert writer.rows + writer.rows_lost == given, (writer.rows, writer.rows_lost, given)
print(writer.rows, writer.failure)
"""


def test_full_disk_stops_the_capture_and_what_was_written_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "c.sonde"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    rows, _, said = done.stdout.partition(" ")
    assert "has stopped: " in said
    with CaptureReader.open(path) as reader:
        assert reader.rows == int(rows)


def test_a_flag_that_is_taken_off_is_not_in_the_file(tmp_path: Path) -> None:
    writer = CaptureWriter(tmp_path / "c.sonde")
    writer.add([row(flags=int(Flag.ERROR))])
    writer.on_annotated(0, None, int(Flag.MARKED))
    writer.on_annotated(0, None, 0, int(Flag.MARKED))
    writer.close()
    with CaptureReader.open(tmp_path / "c.sonde") as reader:
        assert reader.record(0).flags == Flag.ERROR
