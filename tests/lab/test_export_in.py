"""Files of other tools: what is read is believed in nothing, and what is wrong is a sentence that names the place."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonde_lab.export import har_in
from sonde_lab.export.files import Unreadable
from sonde_lab.export.har_in import read_har
from sonde_lab.export.jsonl import read_lines
from sonde_lab.records import Flag

CHROMIUM = Path(__file__).parents[1] / "data" / "chromium-156.har"


# ---------------------------------------------------------------- from other tools


def test_a_har_that_chromium_recorded_opens_here() -> None:
    rows = [row.record for row in read_har(CHROMIUM)]
    assert [(record.conn, record.direction.name, record.op) for record in rows] == [
        ("h1", way, op)
        for way, op in [
            ("OUT", "upgrade"), ("IN", "upgrade"),
            *(("OUT", op) for op in ("login", "move", "text", "binary", "auth")),
            *(("IN", op) for op in ("login", "move", "text", "binary", "auth")),
        ]
    ]  # fmt: skip
    assert b"token=s7f3\xe2\x80\xa6&room=arena" in rows[0].payload
    assert (rows[5].payload, rows[5].opcode) == (bytes([0, 1, 2, 253, 254, 255]), 2)
    assert rows[4].payload == "plain text, <b>not HTML</b>, \0 and \ufffd half a pair".encode()
    assert [record.wall for record in rows] == sorted(record.wall for record in rows)
    assert rows[3].protocol == "json"


def har(tmp_path: Path, *entries: Any, raw: str = "") -> Path:
    path = tmp_path / "other.har"
    path.write_text(raw or json.dumps({"log": {"entries": list(entries)}}))
    return path


def entry(*messages: Any, **others: Any) -> dict[str, Any]:
    return {
        "startedDateTime": "2026-01-01T00:00:00Z",
        "request": {"url": "ws://h/p", "headers": []},
        "_webSocketMessages": list(messages),
        **others,
    }


@pytest.mark.parametrize(
    ("time", "seconds"), [(1_767_225_601.5, 1.5), (1_767_225_601_500, 1.5), (1_767_225_601_500_000, 1.5), (-4, 0.0)]
)  # fmt: skip
def test_times_of_other_tools_are_told_by_their_size(tmp_path: Path, time: float, seconds: float) -> None:
    path = har(tmp_path, entry({"type": "send", "time": time, "opcode": 1, "data": "x"}))
    assert [row.record.at for row in read_har(path)] == [0.0, seconds]


def test_an_odd_message_is_a_row_that_says_so_and_the_others_are_shown(tmp_path: Path) -> None:
    good = {"type": "receive", "time": 1_767_225_601, "opcode": 1, "data": "good"}
    odd = [{"type": "send", "data": 5}, "text", {"type": "error", "opcode": -1, "data": "<b>"}, {"type": "send", "opcode": 2, "data": "%"}]  # fmt: skip
    rows = [row.record for row in read_har(har(tmp_path, entry(*odd, good)))][1:]
    assert [bool(record.flags & Flag.MALFORMED) for record in rows] == [True] * 4 + [False]
    assert [record.payload[:9] for record in rows[:2]] == [b"message 1", b"message 2"]
    assert b"Expected str, got int" in rows[0].payload


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("", "no HAR"),
        ("[]", "no HAR"),
        ('{"log":{"entries":{}}}', r"no HAR: Expected array, got object - at log\.entries"),
        ('{"log":{"entries":[' + "[" * 10_000 + "]" * 10_000 + "]}}", "no HAR: maximum recursion depth"),
        (json.dumps({"log": {"entries": [{}, entry(request={"url": 5})]}}), r"entry 2 .*Expected str, got int - at request\.url"),
        (json.dumps({"log": {"entries": [entry(startedDateTime="soon")]}}), "entry 1 .*startedDateTime is no instant"),
        (json.dumps({"log": {"entries": [entry(request={"url": "ws://["})]}}), r"request\.url is no address"),
        (json.dumps({"log": {"entries": [entry({"type": "send", "data": "x"}, _sonde={})]}}), "entry 1, message 1 .*no _sonde"),
    ],
)  # fmt: skip
def test_what_is_no_har_is_a_sentence_with_the_entry_and_the_field(
    tmp_path: Path, raw: str, said: str
) -> None:
    with pytest.raises(Unreadable, match=said):
        list(read_har(har(tmp_path, raw=raw or " ")))


def test_half_a_surrogate_pair_becomes_a_replacement_and_whole_ones_stay(tmp_path: Path) -> None:
    data = r'{"type":"send","opcode":1,"data":"\ud83d\ude00 \ud83d \\ud83d"}'
    whole = json.dumps({"log": {"entries": [entry("HERE")]}}).replace('"HERE"', data)
    rows = list(read_har(har(tmp_path, raw=whole)))
    assert rows[-1].record.payload.decode() == "\U0001f600 \ufffd \\ud83d"


def test_a_har_that_is_too_large_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(har_in, "MAX_FILE_BYTES", 1 << 20)
    path = har(tmp_path, raw=" " * ((1 << 20) + 1))
    with pytest.raises(Unreadable, match="larger than 1 MiB"):
        list(read_har(path))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_broken_har_is_read_or_a_sentence_and_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(CHROMIUM.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=6)):
        whole[place] = data.draw(st.sampled_from(b'"{}[]\\,0x\xff'))
    path = tmp_path / "broken.har"
    path.write_bytes(whole)
    with contextlib.suppress(Unreadable):  # any other exception is a failure
        list(read_har(path))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2 .*truncated"),
        ('{"at":0,"wall":0,"kind":"frame","conn":5}', "line 2 .*Expected str, got int - at conn"),
        ('{"at":0,"wall":0,"kind":"rumour"}', "line 2 .*Invalid enum value"),
        ('{"at":0,"wall":0,"kind":"frame","base64":"%"}', "line 2 .*is no row"),
        ('{"at":0,"wall":0,"kind":"frame","dial":4294967296}', "line 2 .*dial"),
        ('{"at":0,"wall":0,"kind":"frame","id":0}', "line 2 .*id 0 comes after id 3"),
    ],
)
def test_a_line_that_is_no_row_is_a_sentence_with_its_number(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id":3,"at":0,"wall":0,"kind":"frame"}\n' + line)
    with pytest.raises(Unreadable, match=said):
        list(read_lines(path))
