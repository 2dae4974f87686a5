"""CSV and Markdown: what a person sees, and nothing of a peer's text that runs."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.export import csv as tables
from sonde_lab.export.console import convert
from sonde_lab.export.files import Told
from sonde_lab.export.markdown import Report, escaped, fenced
from sonde_lab.export.rows import Facts, Row
from support.captures import HOSTILE, capture, session
from support.records import row


@pytest.fixture(scope="module")
def captured_session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return capture(tmp_path_factory.mktemp("export") / "session.sonde", session())


# ---------------------------------------------------------------- tables and reports


@given(st.text(max_size=30) | st.sampled_from("=+-@\t\r").flatmap(lambda mark: st.text(max_size=5).map(lambda rest: mark + rest)))  # fmt: skip
def test_no_cell_begins_as_a_formula(text: str) -> None:
    for cell in (tables.safe(text), tables.safe_text(text)):
        assert cell.lstrip()[:1] not in tuple("=+-@\t\r\n") or cell == ""


def test_the_table_is_what_a_person_sees_and_nothing_in_it_runs(
    captured_session: Path, tmp_path: Path
) -> None:
    convert(captured_session, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(session())
    assert tuple(rows[0]) == tables.COLUMNS
    assert rows[6]["payload"] == "'" + HOSTILE[4].decode()
    assert rows[2]["payload"] == "nul \u2400 here"
    assert (rows[0]["direction"], rows[0]["size_bytes"], rows[-1]["size_bytes"]) == ("sent", "74", "")
    assert rows[-2]["summary"] == "1013 try again later · why"


def test_series_are_columns_and_what_was_not_measured_is_empty() -> None:
    made = tables.series({"seconds": [0.5, 1.0], "p50_ms": [12.25, float("nan")]})
    assert made == "seconds,p50_ms\r\n0.5,12.25\r\n1,\r\n"


@given(st.text(alphabet="`a\n~", max_size=30))
def test_a_payload_never_ends_its_fence(text: str) -> None:
    fence, *inside, last = fenced(text).split("\n")
    assert last == fence
    assert not any(line.strip().startswith(fence) for line in inside)


@given(st.text(max_size=60))
def test_no_mark_of_markdown_or_html_is_left_of_a_peers_text(text: str) -> None:
    left = re.sub(r"&#\d+;", "", escaped(text))
    assert not set(left) & set("<>&`*[]|\\~@$#\n\r")


def test_the_report_tells_the_connection_its_end_the_rows_and_one_payload(
    captured_session: Path, tmp_path: Path
) -> None:
    convert(captured_session, tmp_path / "a.md", "-has:mark")
    report = (tmp_path / "a.md").read_text()
    assert "- Connection you: ws://127.0.0.1:9/game?room=a" in report
    assert "- you agreed on: json (HTTP/1.1 101 Switching Protocols)" in report
    assert "you: close, code 1013: 1013 try again later · why" in report
    assert "## Row 13" in report
    assert "<script>" not in report
    assert report.count("\n| ") == len(session()) + 1


def test_the_report_shows_the_selected_row_and_says_what_is_left_out() -> None:
    report = Report(Facts("live", "ws://h/"), selected=150)
    report.add([Row(number, row("event", float(number), b'{"n":%d}' % number)) for number in range(300)])
    text = report.text(Told(300))
    assert '```json\n{\n  "n": 150\n}\n```' in text
    assert "100 earlier rows are left out." in text
    assert "| **151** |" in text
