"""Whatever rows, verdicts and bundles say, a terminal shows it as text: nothing moves its cursor or forges a line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sonde_client.status import SocketEnd
from sonde_lab.bundle import pack
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.deriving import derive
from sonde_lab.deriving.bundling import contents_of
from sonde_lab.deriving.console import write_bundle, write_scenario
from sonde_lab.proxy_console import show
from sonde_lab.records import Direction, Flag, Kind, Record
from support.drop_story import Story

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2066\r\nforged\x00\x7f\u2028"
MOVING = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u202e\u2066\u2028\u2029\u200e\u061c"} - {
    "\n"
}


def story(how: str) -> Story:
    told = Story.live(conn=f"you{EVIL}")
    told.event(type=EVIL, ch=f"room:{EVIL}", d={EVIL: EVIL})
    told.log.add(
        Record(told.at, 1e9, told.conn, 0, Direction.IN, Kind.FRAME, 1, EVIL, EVIL, 3, EVIL.encode(), flags=int(Flag.MARKED))
    )  # fmt: skip
    match how:
        case "bye":
            told.goodbye(4401, EVIL)
        case "close":
            told.close_frame("in", 1008, EVIL[:40])
            told.end(1008, "server", EVIL)
        case _:
            told.end(how=SocketEnd.RESET)
            told.fails("http_unavailable", f"the gateway answered {EVIL}")
    told.log.flush()
    told.ring.comment(told.ring.first_id, EVIL)
    return told


def file_of(told: Story, path: Path) -> Path:
    writer = CaptureWriter(path)
    writer.add([told.ring.record(row) for row in told.ring.ids])
    writer.on_comment(0, 1e9, EVIL)
    writer.close()
    return path


@pytest.mark.parametrize("how", ["bye", "close", "dial"])
def test_nothing_that_is_printed_of_a_capture_or_a_bundle_moves_a_terminal(
    tmp_path: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = story(how)
    capture = file_of(told, tmp_path / ("a\x1b[2J.sonde" if os.name == "posix" else "a.sonde"))
    bundle = pack(tmp_path / "a.sonde-repro", contents_of(told.ring, derive(told.ring))).path
    for path in (capture, bundle):
        assert show(path, 1_000) == 0
        assert write_scenario(path, None, None, None) == 0
        assert write_scenario(path, None, None, tmp_path / f"{path.suffix}\x1b[2J.toml") == 0
        assert write_bundle(path, None, None, tmp_path / f"{path.suffix}\x9b.sonde-repro") == 0
    told_all = capsys.readouterr()
    assert set(told_all.out + told_all.err) & MOVING == set()
    assert not [line for line in (told_all.out + told_all.err).splitlines() if line.startswith("forged")]


@pytest.mark.parametrize("wall", [1e300, -1e300, float("nan"), float("inf"), 1e15])
def test_a_row_of_a_time_that_there_is_not_is_shown_all_the_same(
    tmp_path: Path, wall: float, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = CaptureWriter(tmp_path / "a.sonde")
    writer.add([Record(1.0, wall, "you", 0, Direction.IN, Kind.FRAME, 1, "event", "", 2, b"{}", flags=0)])
    writer.close()
    code = show(tmp_path / "a.sonde", 10)
    told = capsys.readouterr()
    assert code == 0 or told.err.startswith("sonde show: ")
    assert code != 0 or told.out.count("\n") == 1
