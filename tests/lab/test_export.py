"""Rows out of Sonde and in again: what is read back is what was written, and a file is whole or not there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.capture.reader import CaptureReader
from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.export import har_out
from sonde_lab.export.console import convert
from sonde_lab.export.exporting import Export, run
from sonde_lab.export.files import AlreadyThere, ExportFailed, Unreadable
from sonde_lab.export.formats import BY_NAME, FORMATS, format_of
from sonde_lab.export.jsonl import Line, line_of, record_of
from sonde_lab.export.rows import Facts, RingRows, Row, StoredRows, captured
from sonde_lab.filter import Filter
from sonde_lab.records import Direction, Kind, Record
from sonde_lab.ring import Ring
from support.captures import HOSTILE, capture, session
from support.records import row

records = st.builds(
    Record,
    at=st.floats(0, 1e9), wall=st.floats(0, 4e9), conn=st.text(max_size=8), dial=st.integers(0, 2**31 - 1),
    direction=st.sampled_from(Direction), kind=st.sampled_from(Kind), opcode=st.integers(0, 15),
    op=st.text(max_size=8), channel=st.text(max_size=8), size=st.integers(0, 2**63 - 1),
    payload=st.binary(max_size=40) | st.text(max_size=40).map(str.encode), code=st.integers(0, 5000),
    rtt_ms=st.floats(0, 1e6), flags=st.integers(0, 2**31 - 1), seq=st.integers(-1, 2**63 - 1),
    command=st.integers(-1, 2**63 - 1), protocol=st.text(max_size=8), wire_bytes=st.integers(0, 2**63 - 1),
    fragments=st.integers(0, 2**31 - 1),
)  # fmt: skip


@pytest.fixture(scope="module")
def captured_session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return capture(tmp_path_factory.mktemp("export") / "session.sonde", session())


def rows_of(path: Path) -> list[Row]:
    read = format_of(path).read
    assert read is not None
    return list(read(path))


def same(one: list[Row], other: list[Row]) -> bool:
    return repr(one) == repr(other)  # a round trip that is none is no number, and equals nothing


# ---------------------------------------------------------------- out and in again


@given(records)
def test_a_row_is_the_same_after_json_lines(record: Record) -> None:
    raw = msgspec.json.encode(line_of(Row(7, record)))
    assert b"\n" not in raw
    line = msgspec.json.decode(raw, type=Line)
    assert (line.id, record_of(line)) == (7, record)


@pytest.mark.parametrize("suffix", ["jsonl", "har", "sonde"])
def test_every_format_that_is_read_gives_back_what_was_written(
    captured_session: Path, tmp_path: Path, suffix: str
) -> None:
    there = tmp_path / f"there.{suffix}"
    assert convert(captured_session, there, masks=False) == 0
    assert convert(there, tmp_path / "back.sonde", masks=False) == 0
    assert same(rows_of(tmp_path / "back.sonde"), rows_of(captured_session))


@pytest.mark.parametrize("suffix", [each.suffix for each in FORMATS])
def test_a_filter_means_the_same_in_every_format(
    captured_session: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"some{suffix}"
    assert convert(captured_session, out, "has:control") == 0
    assert capsys.readouterr().err.startswith("2 rows, ")
    assert out.stat().st_mode & 0o777 == 0o600


def test_a_filter_by_number_means_the_number_that_the_row_has_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "late.sonde"
    writer = CaptureWriter(path)
    writer.on_rows(900, [row(f"op{n}") for n in range(3)])
    writer.on_rows(950, [row("after")])
    writer.close()
    assert convert(path, tmp_path / "some.jsonl", "row:902..951") == 0
    found = [json.loads(line) for line in (tmp_path / "some.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(each["id"], each["op"]) for each in found if "op" in each] == [
        (901, "op1"),
        (902, "op2"),
        (950, "after"),
    ]


def test_the_har_names_the_socket_although_the_filter_does_not_mean_its_upgrade(
    captured_session: Path, tmp_path: Path
) -> None:
    convert(captured_session, tmp_path / "some.har", "onerror")
    (entry,) = json.loads((tmp_path / "some.har").read_text())["log"]["entries"]
    assert entry["request"]["url"] == "ws://127.0.0.1:9/game?room=a"
    assert entry["response"]["status"] == 101
    assert [message["data"] for message in entry["_webSocketMessages"]] == [HOSTILE[2].decode()]


def test_messages_of_many_sockets_stand_in_their_entries_whatever_waits_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(har_out, "_MAX_WAITING_BYTES", 700)
    rows = [
        row("text", float(n), b'{"n":%d}' % n, conn=f"p{n % 3}", protocol="json", wall=50.0 + n)
        for n in range(60)
    ]
    convert(capture(tmp_path / "a.sonde", rows), tmp_path / "a.har")
    entries = json.loads((tmp_path / "a.har").read_text())["log"]["entries"]
    for place, entry in enumerate(entries):
        told = [json.loads(message["data"])["n"] for message in entry["_webSocketMessages"]]
        assert told == list(range(place, 60, 3))
        assert [message["time"] for message in entry["_webSocketMessages"]] == [50.0 + n for n in told]


# ---------------------------------------------------------------- files


def test_rows_of_a_ring_are_its_own_and_those_that_went_are_counted() -> None:
    ring = Ring(64)
    ring.extend([row("event", float(number)) for number in range(40)])
    source = RingRows(ring, ring.ids)
    batches = source.batches()
    ring.extend([row("event", float(number)) for number in range(64)])
    seen = [each.row_id for batch in batches for each in batch.rows]
    assert seen == list(range(ring.first_id, 40))
    assert source.gone == ring.first_id
    assert source.gone > 0


def test_progress_is_told_and_a_cancelled_export_leaves_nothing(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    rows = [Row(number, row("event", float(number))) for number in range(2_500)]
    export = Export(tmp_path / "a.jsonl", BY_NAME["jsonl"], Facts())
    outcome = run(
        export,
        StoredRows(rows, Filter(""), len(rows)),
        on_progress=lambda *done: told.append(done),
        is_cancelled=lambda: bool(told),
    )
    assert outcome is None
    assert told == [(1_000, 2_500)]
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over_unless_it_was_agreed_to(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    export = Export(target, BY_NAME["csv"], Facts())
    target.write_text("mine")
    with pytest.raises(AlreadyThere, match="is there already"):
        run(export, StoredRows([], Filter("")))
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]
    assert target.read_text() == "mine"
    agreed = Export(target, BY_NAME["csv"], Facts(), replaces=True)
    assert run(agreed, StoredRows([], Filter(""))) is not None
    assert target.read_text().startswith("number,utc")


def test_rows_that_cannot_be_read_on_leave_no_file(tmp_path: Path) -> None:
    def rows() -> Iterator[Row]:
        yield Row(0, row("event"))
        raise Unreadable("line 2 is no row")

    with pytest.raises(Unreadable, match="line 2"):
        run(Export(tmp_path / "a.sonde", BY_NAME["sonde"], Facts()), StoredRows(rows(), Filter("")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("session.sonde", "x.har", "((("), 2, "--filter"),
        (("missing.sonde", "x.har"), 2, "No such file"),
        (("session.sonde", "x.doc"), 2, "x.doc is of no format"),
        (("bad.csv", "x.har"), 2, ".csv files are only written"),
        (("session.sonde", "session.sonde"), 2, "is there already"),
        (("bad.har", "x.har"), 2, "no HAR"),
        (("session.sonde", "no/folder/x.har"), 1, "cannot be written"),
        (("session.sonde", "no/folder/x.sonde"), 1, "cannot be made"),
    ],
)
def test_what_cannot_be_converted_is_a_sentence_and_an_exit_code(
    captured_session: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "session.sonde").write_bytes(captured_session.read_bytes())
    for name in ("bad.csv", "bad.har"):
        (tmp_path / name).write_text("?")
    before = sorted(tmp_path.iterdir())
    source, target, *wanted = arguments
    monkeypatch.chdir(tmp_path)
    assert convert(Path(source), Path(target), *wanted) == code
    assert said in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_a_format_may_be_named_where_the_suffix_tells_none(captured_session: Path, tmp_path: Path) -> None:
    assert convert(captured_session, tmp_path / "rows", write_as="jsonl") == 0
    assert convert(tmp_path / "rows", tmp_path / "b.sonde", read_as="jsonl") == 0
    with CaptureReader.open(tmp_path / "b.sonde") as reader:
        assert len(list(captured(reader))) == len(session())
    database = sqlite3.connect(tmp_path / "b.sonde")
    assert database.execute("SELECT count(*) FROM frames").fetchone() == (len(session()),)
    database.close()


def test_a_disk_that_fails_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = Export(tmp_path / "a.jsonl", BY_NAME["jsonl"], Facts())

    def full(_rows: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export._writer, "add", full)
    with pytest.raises(ExportFailed, match="No space left on device; choose another place"):
        run(export, StoredRows([Row(0, row("event"))], Filter("")))
    assert list(tmp_path.iterdir()) == []
