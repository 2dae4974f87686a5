"""What people wrote about rows goes where the rows go: out, in again, through filters, and without its secrets."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.schema import CaptureUnreadable
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.comments import MAX_CHARACTERS
from sonde_lab.export.console import convert
from sonde_lab.export.formats import format_of
from sonde_lab.export.rows import RingRows
from sonde_lab.filter import Filter
from sonde_lab.proxy_console import RowLines, show
from sonde_lab.ring import Ring
from support.records import row

FORMULA = '=1+1 <b>here</b> the "gap" begins'
SECRET = "s7f3Q9zKx2mWvB81"
COMMENTS = {901: FORMULA, 950: f"token={SECRET} in the clear"}


@pytest.fixture(scope="module")
def commented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("commented") / "commented.sonde"
    writer = CaptureWriter(path)
    writer.on_rows(900, [row(f"op{number}", float(number)) for number in range(3)])
    writer.on_rows(950, [row("after", 9.0)])
    writer.on_comment(901, 1.0, "taken back and said better")
    for number, text in COMMENTS.items():
        writer.on_comment(number, 2.0, text)
    writer.close()
    return path


def comments_of(path: Path) -> dict[int, str]:
    read = format_of(path).read
    assert read is not None
    return {each.row_id: each.comment for each in read(path) if each.comment}


@pytest.mark.parametrize("suffix", ["jsonl", "har", "sonde"])
def test_every_format_that_is_read_gives_comments_back(commented: Path, tmp_path: Path, suffix: str) -> None:
    there = tmp_path / f"there.{suffix}"
    assert convert(commented, there, masks=False) == 0
    assert comments_of(there) == COMMENTS
    assert convert(there, tmp_path / "back.sonde", masks=False) == 0
    with CaptureReader.open(tmp_path / "back.sonde") as reader:
        assert reader.newest_comments() == COMMENTS


@pytest.mark.parametrize("suffix", ["jsonl", "har", "sonde", "csv", "md"])
def test_a_comment_leaves_without_its_secrets(
    commented: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"out.{suffix}"
    assert convert(commented, out) == 0
    assert SECRET.encode() not in out.read_bytes()
    assert b"s7f3\xe2\x80\xa6 in the clear" in out.read_bytes()
    assert capsys.readouterr().err.endswith("1 secret was masked.\n")


def test_the_table_has_a_column_for_comments_that_nothing_runs(commented: Path, tmp_path: Path) -> None:
    convert(commented, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        told = [each["comment"] for each in csv.DictReader(file)]
    assert told == ["", f"'{FORMULA}", "", "token=s7f3… in the clear"]


def test_the_report_quotes_a_comment_behind_its_row(commented: Path, tmp_path: Path) -> None:
    convert(commented, tmp_path / "a.md")
    (line,) = [each for each in (tmp_path / "a.md").read_text().splitlines() if each.startswith("| 902 |")]
    assert line.endswith(' “=1+1 &#60;b&#62;here&#60;/b&#62; the "gap" begins” |')


@pytest.mark.parametrize(("wanted", "ids"), [("has:comment", [901, 950]), ('comment~"gap"', [901])])
def test_filters_mean_comments_when_rows_are_converted(
    commented: Path, tmp_path: Path, wanted: str, ids: list[int]
) -> None:
    assert convert(commented, tmp_path / "some.jsonl", wanted) == 0
    assert list(comments_of(tmp_path / "some.jsonl")) == ids
    # The same of a file that is no capture.
    assert convert(commented, tmp_path / "all.har", masks=False) == 0
    assert convert(tmp_path / "all.har", tmp_path / "again.jsonl", wanted) == 0
    assert list(comments_of(tmp_path / "again.jsonl")) == ids


@pytest.mark.parametrize(("wanted", "ops"), [("has:comment", ["op1", "after"]), ('comment~"gap"', ["op1"])])
def test_filters_mean_comments_when_rows_are_shown(
    commented: Path, wanted: str, ops: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(commented, 10, wanted) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[3] for line in lines] == ops
    assert lines[0].endswith(f"“{FORMULA}”")


def test_rows_are_shown_although_their_comments_cannot_be_read(
    commented: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def damaged(_reader: CaptureReader) -> dict[int, str]:
        raise CaptureUnreadable("the file is damaged")

    monkeypatch.setattr(CaptureReader, "newest_comments", damaged)
    assert show(commented, 10) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 4
    assert told.err == "sonde show: comments are left out: the file is damaged\n"


def test_lines_show_no_comment_of_another_row() -> None:
    lines = RowLines().of(
        [(5, row("event")), (7, row("event"))], Filter(""), {6: "of nobody here", 7: "mine"}
    )
    assert ["“" in line for line in lines] == [False, True]


def test_rows_of_a_ring_bring_their_comments() -> None:
    ring = Ring(64)
    ring.extend([row("event", float(number)) for number in range(3)])
    ring.comment(1, "look here")
    (batch,) = RingRows(ring, ring.ids).batches()
    assert [each.comment for each in batch.rows] == ["", "look here", ""]


@pytest.mark.parametrize("name", ["a.jsonl", "a.har"])
def test_a_comment_of_another_hand_is_one_short_line(tmp_path: Path, name: str) -> None:
    line = {
        "id": 0,
        "at": 0,
        "wall": 0,
        "kind": "frame",
        "comment": "two\nlines \u202e and more" + "x" * 5_000,
    }
    har = {"log": {"entries": [], "_sonde": {"rows": [line]}}}
    (tmp_path / name).write_text(json.dumps(har if name.endswith("har") else line))
    (comment,) = comments_of(tmp_path / name).values()
    assert len(comment) <= MAX_CHARACTERS
    assert not set(comment) & set("\n\u202e")
