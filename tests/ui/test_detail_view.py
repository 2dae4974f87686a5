"""The detail of a row, friendly and hostile. The bounds on time are generous: they catch freezes, not milliseconds."""

from __future__ import annotations

import json
import time

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from sonde_lab.records import Direction, Flag, Kind
from sonde_ui.desktop.bridge import Bridge
from sonde_ui.desktop.models.hex_model import HexModel
from sonde_ui.desktop.models.payload import LINE_LIMIT, read_text, read_value
from sonde_ui.desktop.widgets.detail_view import DIFF, FRAME, HANDSHAKE, HEX, TEXT, TREE, DetailView
from support.scripted_workbench import Script, ScriptedWorkbench

FREEZE_S = 2.0
HOSTILE = {
    "markup": b'{"op":"event","d":"<b>bold</b><img src=x onerror=alert(1)>"}',
    "one line of a megabyte": b'{"op":"event","d":"' + b"x" * (1 << 20) + b'"}',
    "a megabyte of small values": json.dumps({"op": "event", "d": list(range(150_000))}).encode(),
    "a million lines": b"\n" * (1 << 20),
    "nul": b'{"op":"event\x00","d":"\\u0000"}',
    "lone surrogates": b'{"op":"event","d":"\\ud83d \\ude00","\\udead":1}',
    "ten thousand deep": b'{"op":"event","d":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "deep and wide": b"[" * 900 + b",".join([b"1"] * 100_000) + b"]" * 900,
    "a number of 6,000 digits": b'{"op":"event","d":' + b"9" * 6_000 + b"}",
    "not utf-8": b"\xff\xfe\xfd" * 1_000,
    "nothing": b"",
    "right to left": '{"op":"event","d":"\u202eمرحبا"}'.encode(),
}


@pytest.fixture
def detail(qtbot: QtBot, bench: ScriptedWorkbench, bridge: Bridge) -> DetailView:
    detail = DetailView(bench, bridge)
    qtbot.addWidget(detail)
    detail.resize(700, 300)
    with qtbot.waitExposed(detail):
        detail.show()
    return detail


def show(
    detail: DetailView, bench: ScriptedWorkbench, payload: bytes, opcode: int = 1, flags: int = 0
) -> None:
    row = bench.ring.append(Script().raw(payload, opcode=opcode, flags=flags))
    detail.show_row(row)


def tree_lines(detail: DetailView) -> list[str]:
    """What stands open in the tree, in order."""
    model, lines = detail.tree.tree, []

    def walk(parent: QModelIndex) -> None:
        for row in range(model.rowCount(parent)):
            index = model.index(row, 0, parent)
            lines.append(str(index.data()))
            if detail.tree.isExpanded(index):
                walk(index)

    walk(QModelIndex())
    return lines


def test_a_frame_opens_as_a_tree(detail: DetailView, bench: ScriptedWorkbench) -> None:
    show(detail, bench, b'{"op":"event","ch":"room:arena","d":{"text":"hi","n":[1,2]}}')
    assert tree_lines(detail) == [
        "event · room:arena {3}",
        "op: “event”",
        "ch: “room:arena”",
        "d {2}",
        "text: “hi”",
        "n [2]",
    ]


def test_message_pack_opens_as_a_tree_too(detail: DetailView, bench: ScriptedWorkbench) -> None:
    show(detail, bench, b"\x82\xa2op\xa5event\xa1d\x93\x01\xc4\x02ab\xc0", opcode=2)
    assert tree_lines(detail)[2:] == ["d [3]", "0: 1", "1: 2 bytes: 61 62", "2: null"]


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("tab", [TREE, TEXT, HEX, DIFF, FRAME])
def test_nothing_that_a_peer_sends_freezes_the_window(
    qtbot: QtBot, detail: DetailView, bench: ScriptedWorkbench, tab: int, payload: bytes
) -> None:
    detail._tabs.setCurrentIndex(tab)
    bench.ring.append(Script().raw(payload[: len(payload) // 2] + b"!" + payload[len(payload) // 2 :]))
    began = time.thread_time()
    show(detail, bench, payload)
    detail.repaint()
    qtbot.wait(1)
    assert time.thread_time() - began < FREEZE_S


def test_markup_stays_text_in_every_tab(detail: DetailView, bench: ScriptedWorkbench) -> None:
    show(detail, bench, HOSTILE["markup"])
    assert "d: “<b>bold</b><img src=x onerror=alert(1)>”" in tree_lines(detail)
    detail._tabs.setCurrentIndex(TEXT)
    assert "<b>bold</b>" in detail.text.toPlainText()


def test_a_giant_line_is_cut_said_and_copied_whole(
    qtbot: QtBot, detail: DetailView, bench: ScriptedWorkbench
) -> None:
    payload = b"y" * 100_000
    show(detail, bench, payload)
    detail._tabs.setCurrentIndex(TEXT)
    assert len(detail.text.toPlainText()) < LINE_LIMIT + 100
    assert "1 line is cut" in detail._note.text()
    qtbot.mouseClick(detail._copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == payload.decode()


def test_a_truncated_payload_says_so_in_every_tab(detail: DetailView, bench: ScriptedWorkbench) -> None:
    record = Script().raw(b'{"op":"event","d":"abc', flags=Flag.TRUNCATED)
    record.size = 5_000_000
    detail.show_row(bench.ring.append(record))
    assert "Only the first part" in detail._problem.accessibleName()
    for tab in (TEXT, HEX):
        detail._tabs.setCurrentIndex(tab)
        assert "22 B of 4.8 MB were kept" in detail._note.text()


def test_message_of_another_protocol_is_the_tree_that_its_decoder_makes(
    detail: DetailView, bench: ScriptedWorkbench
) -> None:
    record = Script().raw(b'42/admin,7["hello",{"x":1}]')
    record.protocol = "socket.io"
    detail.show_row(bench.ring.append(record))
    lines = tree_lines(detail)
    assert "namespace: “/admin”" in lines
    assert "event: “hello”" in lines
    record.protocol, record.payload = "raw", b"hello"
    detail.show_row(bench.ring.append(record))
    assert detail._problem.accessibleName().startswith("No protocol that is known here")


def test_what_is_no_json_is_said_in_words(detail: DetailView, bench: ScriptedWorkbench) -> None:
    show(detail, bench, b'{"op": broken')
    assert detail._problem.accessibleName().startswith("Not JSON: Expecting value")
    show(detail, bench, HOSTILE["ten thousand deep"])
    assert "Nested too deeply" in detail._problem.accessibleName()


def test_json_is_laid_out_over_lines_unless_that_would_explode() -> None:
    script = Script()
    assert read_text(script.raw(b'{"a":{"b":1}}')).text.splitlines() == [
        "{",
        '  "a": {',
        '    "b": 1',
        "  }",
        "}",
    ]
    assert len(read_text(script.raw(HOSTILE["deep and wide"])).text) < 1 << 20


def test_a_handshake_has_its_headers_in_a_tab_of_its_own(
    detail: DetailView, bench: ScriptedWorkbench
) -> None:
    said = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n"
    script = Script()
    detail.show_row(
        bench.ring.append(script.happening(Kind.HANDSHAKE, "upgrade", said, direction=Direction.IN))
    )
    assert detail._tabs.isTabVisible(HANDSHAKE)
    assert detail._tabs.currentIndex() == HANDSHAKE
    assert all(detail._tabs.tabRect(tab).left() >= 0 for tab in range(detail._tabs.count())), (
        "no tab scrolled away"
    )
    assert detail._tabs.tabRect(HANDSHAKE).right() <= detail._tabs.width()
    assert detail.headers.tree.index(0, 0).data() == "HTTP/1.1 101 Switching Protocols {2}"
    show(detail, bench, b"{}")
    assert not detail._tabs.isTabVisible(HANDSHAKE)
    assert detail._tabs.currentIndex() == TREE


def test_a_close_is_explained() -> None:
    reading = read_value(Script().happening(Kind.CLOSE, "close", "4002 heartbeat lost", code=4002))
    assert (reading.value["name"], reading.value["client does"]) == ("heartbeat lost", "resume")


def test_a_row_that_left_memory_is_said_to_be_gone(detail: DetailView, bench: ScriptedWorkbench) -> None:
    detail.show_row(10_000)
    assert "left memory" in detail._problem.accessibleName()


def test_the_tab_in_sight_is_the_only_one_filled(detail: DetailView, bench: ScriptedWorkbench) -> None:
    show(detail, bench, b'{"op":"event"}')
    assert detail.text.toPlainText() == ""
    detail._tabs.setCurrentIndex(TEXT)
    assert detail.text.toPlainText() != ""


def test_bytes_stand_in_rows_of_sixteen(qtmodeltester: ModelTester) -> None:
    model = HexModel()
    model.show(bytes(range(20)))
    qtmodeltester.check(model)
    assert model.line(0) == "00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  ................"
    assert model.line(1).startswith("00000010  10 11 12 13 ")


def test_every_part_has_a_name_for_screen_readers(detail: DetailView) -> None:
    for part in (detail._tabs, detail.tree, detail.text, detail.hex, detail.headers, detail._copy):
        assert part.accessibleName()
