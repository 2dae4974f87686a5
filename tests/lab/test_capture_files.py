"""Old captures go by number and size, unless they are somebody's; what a crash left is found, told and mended."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sonde_lab.capture import files
from sonde_lab.capture.files import CaptureLimits, new_path, own_files, tidy
from sonde_lab.capture.leftovers import recover
from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.schema import CaptureFailed
from sonde_lab.capture.writer import CaptureWriter
from support.records import row

NONE_TO_KEEP = CaptureLimits(keep_files=0)
DEAD = 2**22 + 1  # above every process number of Linux


def name(number: int) -> str:
    return f"sonde-20260101-0000{number:02}.sonde"


def closed(path: Path, rows: int = 2) -> Path:
    """A capture that was closed properly."""
    writer = CaptureWriter(path)
    writer.add([row(at=float(number)) for number in range(rows)])
    writer.close()
    return path


def changed(path: Path, statement: str) -> None:
    database = sqlite3.connect(path)
    database.execute(statement)
    database.commit()
    database.close()


def left_behind(path: Path, pid: int = DEAD, rows: int = 3) -> Path:
    """What a killed writer leaves: a copy of an open capture with its `-wal`."""
    writer = CaptureWriter(path.with_suffix(".open"))
    writer.add([row(at=float(number)) for number in range(rows)])
    assert writer.wait_until_written(10.0)
    for end in ("", "-wal"):
        shutil.copy(f"{writer.path}{end}", f"{path}{end}")
    writer.close()
    writer.path.unlink()
    changed_meta = sqlite3.connect(path, isolation_level=None)
    changed_meta.execute("UPDATE meta SET value = ? WHERE key = 'pid'", (pid,))
    shutil.copy(f"{path}-wal", f"{path}.kept")  # closing takes the -wal away
    shutil.copy(path, f"{path}.main")
    changed_meta.close()
    os.replace(f"{path}.kept", f"{path}-wal")
    os.replace(f"{path}.main", path)
    return path


def test_names_of_one_second_differ_and_are_of_the_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.time, "strftime", lambda _: "20260101-000000")
    for number in range(3):
        (tmp_path / new_path(tmp_path).name).touch()
        assert len(own_files(tmp_path)) == number + 1
    (tmp_path / "sonde-20260101-000000-4.sonde-wal").touch()
    assert new_path(tmp_path).name == "sonde-20260101-000000-5.sonde"


def test_the_oldest_go_beyond_the_number_and_beyond_the_size(tmp_path: Path) -> None:
    for number in range(5):
        closed(tmp_path / name(number))
    size = own_files(tmp_path)[0].size_bytes
    assert tidy(tmp_path, CaptureLimits(keep_files=4)) == [tmp_path / name(0)]
    assert tidy(tmp_path, CaptureLimits(keep_bytes=2 * size)) == [tmp_path / name(2), tmp_path / name(1)]
    assert tidy(tmp_path, CaptureLimits()) == []
    assert [file.path.name for file in own_files(tmp_path)] == [name(4), name(3)]


def test_what_is_not_ours_to_delete_stays(tmp_path: Path) -> None:
    saved = closed(tmp_path / name(1))
    changed(saved, "INSERT INTO meta VALUES ('saved_wall', 1.0)")
    other = closed(tmp_path / "session.sonde")
    (tmp_path / name(2)).write_text("no capture")
    (tmp_path / name(3)).mkdir()
    (tmp_path / name(4)).symlink_to(other)
    elsewhere = left_behind(tmp_path / name(5), pid=os.getppid())
    before = sorted(tmp_path.iterdir())
    with_us = CaptureWriter(tmp_path / name(6))
    assert tidy(tmp_path, NONE_TO_KEEP) == []
    with_us.close()
    assert [path for path in before if not path.exists()] == []
    assert elsewhere.exists()
    assert tidy(tmp_path, NONE_TO_KEEP) == [with_us.path]


def test_a_deleted_capture_takes_along_what_lay_beside_it(tmp_path: Path) -> None:
    left_behind(tmp_path / name(1))
    assert tidy(tmp_path, NONE_TO_KEEP) == [tmp_path / name(1)]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert own_files(tmp_path / "nowhere") == []
    assert recover(tmp_path / "nowhere") == []


def test_a_disk_with_too_little_room_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CaptureFailed, match="MB left, and a capture leaves"):
        files.must_have_room(tmp_path, CaptureLimits(min_free_bytes=1 << 60))


def test_a_capture_that_a_dead_run_left_is_told_once_and_made_one_file(tmp_path: Path) -> None:
    path = left_behind(tmp_path / name(1))
    (found,) = recover(tmp_path)
    assert (found.path, found.rows, found.last_wall, found.repaired) == (path, 3, 1_700_000_002.0, True)
    assert list(tmp_path.iterdir()) == [path]
    with CaptureReader.open(path) as reader:
        assert (reader.rows, "recovered" in reader.meta) == (3, True)
    assert recover(tmp_path) == []


def test_what_is_closed_or_written_now_or_no_capture_is_left_alone(tmp_path: Path) -> None:
    closed(tmp_path / name(1))
    alive = left_behind(tmp_path / name(2), pid=os.getppid())
    (tmp_path / name(3)).write_text("no capture")
    ours = CaptureWriter(tmp_path / name(4))
    before = Path(f"{alive}-wal").read_bytes()
    assert recover(tmp_path) == []
    ours.close()
    assert Path(f"{alive}-wal").read_bytes() == before
    with CaptureReader.open(ours.path) as reader:
        assert "recovered" not in reader.meta


def test_a_number_that_this_process_has_now_is_no_sign_of_life(tmp_path: Path) -> None:
    left_behind(tmp_path / name(1), pid=os.getpid())
    assert len(recover(tmp_path)) == 1


def test_a_capture_that_somebody_has_open_is_left_alone_whatever_its_number_says(tmp_path: Path) -> None:
    path = left_behind(tmp_path / name(1))
    somebody = sqlite3.connect(path, isolation_level=None)
    somebody.execute("SELECT count(*) FROM row").fetchone()
    assert recover(tmp_path) == []
    assert somebody.execute("SELECT count(*) FROM meta WHERE key = 'closed_wall'").fetchone() == (0,)
    somebody.close()
    assert [leftover.repaired for leftover in recover(tmp_path)] == [True]


def test_a_left_capture_of_version_1_is_mended_and_stays_of_its_version(tmp_path: Path) -> None:
    script = (
        "import os, sqlite3, sys; from sonde_lab.capture import schema\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "schema.create(database, 1); database.execute('PRAGMA journal_mode = WAL')\n"
        "database.execute('INSERT INTO row (id, at, wall) VALUES (0, 1, 2)'); os._exit(0)"
    )
    path = tmp_path / name(1)
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    assert [leftover.rows for leftover in recover(tmp_path)] == [1]
    with CaptureReader.open(path) as reader:
        assert (reader.version, reader.meta) == (1, {})
    assert recover(tmp_path) == []
