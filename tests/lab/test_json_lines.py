"""A client driven by JSON lines: from here, from Node, by lines that are none, and by nobody who reads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import generate_json_lines
from marked_tables import with_tables
from sonde_lab.json_commands import COMMANDS, MAX_LINE_BYTES, LineRefused, Order, read
from sonde_lab.json_lines import EVENTS
from sonde_lab.json_outlet import MAX_UNDER_WAY, MAX_WAITING_BYTES, Inlet, Outlet
from support.processes import GatewayProcess
from support.tokens import mint

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "testing.md"
ROOM = "room:arena"


def started(url: str, token: str = "", *more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "sonde_ui.cli", "client", "--json", url, *more],
        env={**os.environ, "SONDE_TOKEN": token},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


class Driver:
    """A test in another program: writes commands, reads lines until one fits."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.seen: list[dict[str, Any]] = []
        self._number = 0
        self._watchdog = threading.Timer(60, process.kill)
        self._watchdog.start()

    def send(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def ask(self, do: str, **keys: Any) -> dict[str, Any]:
        self._number += 1
        self.send(json.dumps({"do": do, "id": self._number, **keys}).encode())
        return self.next(lambda line: line.get("id") == self._number)

    def next(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            self.seen.append(json.loads(text))
            if fits(self.seen[-1]):
                return self.seen[-1]
        raise AssertionError(f"the program ended after {self.seen[-5:]}")

    def event(self, name: str, **keys: Any) -> dict[str, Any]:
        return self.next(lambda line: line.get("event") == name and keys.items() <= line.items())

    def end(self) -> tuple[int, str]:
        out, complaints = self.process.communicate(timeout=30)
        self.seen += map(json.loads, out.splitlines())
        self._watchdog.cancel()
        return self.process.returncode, complaints.decode()


@pytest.fixture
def driver(gateway: GatewayProcess) -> Iterator[Driver]:
    made = Driver(started(gateway.url, mint("ada")))
    yield made
    made._watchdog.cancel()
    if made.process.returncode is None:
        made.process.kill()
        made.process.communicate()


@pytest.mark.slow
def test_a_client_is_dropped_and_comes_back_and_each_event_has_the_keys_of_the_page(driver: Driver) -> None:
    driver.event("status", state="live")
    assert driver.ask("subscribe", ch=ROOM, presence=True)["ok"]
    assert driver.ask("publish", ch=ROOM, type="goal", d={"by": "ada"})["seq"] == 1
    assert driver.ask("patch", ch=ROOM, d={"players": {"ada": {"hp": 7}}})["seq"] == 2
    assert driver.ask("state", ch=ROOM)["d"] == {"players": {"ada": {"hp": 7}}}
    assert [each["user"] for each in driver.ask("members", ch=ROOM)["members"]] == ["ada"]
    assert driver.ask("presence", status="busy")["ok"]
    assert driver.ask("drop")["ok"]
    assert driver.event("closed")["code"] is None
    assert driver.event("resumed")["replayed"] == 0
    assert [each["seq"] for each in driver.ask("history", ch=ROOM, after=1)["entries"]] == [2]
    assert driver.ask("close", code=4000)["ok"]
    assert driver.ask("connect")["ok"]
    assert driver.ask("status")["state"] == "live"
    assert driver.end() == (0, "")
    told = {line["event"]: set(line) - {"event"} for line in driver.seen if "event" in line}
    assert set(told) >= {"status", "entry", "state", "presence", "channel", "closed", "failed", "resumed"}
    assert told == {name: set(EVENTS[name][1].split()) for name in told}


@pytest.mark.slow
def test_refusals_and_nonsense_are_answered_and_nothing_else_breaks(driver: Driver) -> None:
    driver.event("status", state="live")
    refused = driver.ask("publish", ch="nonsense", type="goal")
    assert (refused["ok"], refused["code"]) == (False, "bad_channel")
    driver.send(b"x" * (3 * MAX_LINE_BYTES))
    driver.send(
        b'{"do": "publish", "id": "deep", "ch": "room:arena", "type": "x", "d": '
        + b"[" * 900
        + b"]" * 900
        + b"}"
    )
    driver.send(b"\xff\xfe")
    driver.send(b'{"do": "subscrib", "id": "near"}')
    near = driver.next(lambda line: line.get("id") == "near")
    assert (near["line"], near["key"], near["nearest"]) == (5, "do", "subscribe")
    assert near["error"] == "line 5: 'subscrib' is nothing that can be done; the nearest is 'subscribe'"
    wrong = [line for line in driver.seen if line.get("ok") is False]
    assert {line.get("line") for line in wrong} >= {2, 4, 5}
    assert driver.ask("subscribe", ch=ROOM)["ok"]
    assert driver.ask("raw", text="nonsense")["ok"]
    assert driver.ask("publish", ch=ROOM, type="goal")["ok"]
    assert driver.end() == (0, "")


@pytest.mark.slow
def test_commands_under_way_are_answered_before_the_end(gateway: GatewayProcess) -> None:
    lines = [{"do": "subscribe", "id": 1, "ch": ROOM}]
    lines += [{"do": "publish", "id": number, "ch": ROOM, "type": "goal"} for number in range(2, 300)]
    process = started(gateway.url, mint("ada"))
    out, complaints = process.communicate("\n".join(map(json.dumps, lines)).encode(), timeout=60)
    answers = [line for line in map(json.loads, out.splitlines()) if "id" in line]
    assert sorted(answer["id"] for answer in answers) == list(range(1, 300))
    assert (process.returncode, complaints) == (0, b"")


@pytest.mark.slow
def test_without_a_gateway_the_end_still_comes_and_says_what_was_not_sent() -> None:
    process = started("ws://127.0.0.1:9/v1/ws", "x")
    out, complaints = process.communicate(
        b'{"do": "publish", "id": 1, "ch": "room:arena", "type": "x"}\n', timeout=60
    )
    (answer,) = [line for line in map(json.loads, out.splitlines()) if "id" in line]
    assert (answer["ok"], answer["code"]) == (False, "not_sent")
    assert (process.returncode, complaints) == (0, b"")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["http://127.0.0.1/"], "must look like ws://host:port/v1/ws"),
        (["ws://127.0.0.1:9/", "--codec", "sonde.v9"], "there is no subprotocol 'sonde.v9'"),
    ],
)
def test_what_cannot_be_dialled_is_said_at_once(arguments: list[str], sentence: str) -> None:
    process = started(*arguments[:1], "", *arguments[1:])
    out, complaints = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, b"")
    assert sentence in complaints.decode()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_the_example_in_node_sees_every_goal_over_a_drop(gateway: GatewayProcess, tmp_path: Path) -> None:
    sonde = tmp_path / "sonde"
    sonde.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sonde_ui.cli "$@"\n')
    sonde.chmod(0o755)
    script = ROOT / "docs" / "examples" / "game_tests" / "drop.mjs"
    done = subprocess.run(
        ["node", script, sonde, gateway.url, mint("ada")],
        text=True,
        capture_output=True,
        check=False,
        timeout=90,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "goals 1,2, exit code 0\n", "")


def test_the_tables_of_the_page_are_those_of_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_tables(text, generate_json_lines.TABLES) == text, "run: python docs/generate_json_lines.py"
    assert all(f"| `{name}` |" in text for name in (*COMMANDS, *EVENTS))
    for figure in (
        f"{MAX_LINE_BYTES:,} bytes",
        f"{MAX_UNDER_WAY} commands",
        f"{MAX_WAITING_BYTES >> 20} MiB of output",
    ):
        assert figure in text


@pytest.mark.parametrize(
    ("line", "sentence", "key", "nearest"),
    [
        (b"[]", "a command is an object", "", ""),
        (b'{"id": 1}', "'do' is missing", "do", ""),
        (b'{"do": 3}', "'do' is missing", "do", ""),
        (b'{"do": "publih"}', "the nearest is 'publish'", "do", "publish"),
        (b'{"do": "drop", "after": 1}', "'drop' takes no 'after'; it takes none", "after", ""),
        (b'{"do": "subscribe"}', "'subscribe' needs 'ch' (text)", "ch", ""),
        (b'{"do": "subscribe", "ch": 1}', "'ch' of 'subscribe' is text, not 1", "ch", ""),
        (
            b'{"do": "subscribe", "ch": "a", "presense": true}',
            "nearest is 'presence'",
            "presense",
            "presence",
        ),
        (b'{"do": "presence", "status": "onlin"}', "nearest is 'online'", "status", "online"),
        (b'{"do": "refuse", "for_s": -1}', "lies between 0 and 3600", "for_s", ""),
        (b'{"do": "refuse", "for_s": true}', "is number, not true", "for_s", ""),
        (b'{"do": "refuse", "for_s": 1e999}', "lies between 0 and 3600", "for_s", ""),
        (b'{"do": "refuse", "for_s": NaN}', "NaN is no JSON number", "", ""),
        (b'{"do": "status", "id": [1]}', "'id' is an integer or a text", "id", ""),
        (b'{"do": "raw", "text": "\\ud800"}', "cannot be sent: a lone surrogate", "text", ""),
        (b'{"do": "patch", "ch": "a", "d": {"x": 99999999999999999999}}', "cannot be sent", "d", ""),
        (b"[" * 100_000, "it is no JSON", "", ""),
        (b'{"do": ' + b"9" * 5_000 + b"}", "it is no JSON", "", ""),
        (b"\x00\xff", "no UTF-8 at byte 2", "", ""),
        (b" " * (MAX_LINE_BYTES + 1), "at most 262,144 bytes", "", ""),
    ],
)
def test_a_line_that_is_no_command_is_refused_with_its_place(
    line: bytes, sentence: str, key: str, nearest: str
) -> None:
    with pytest.raises(LineRefused) as refused:
        read(line)
    assert sentence in str(refused.value)
    assert (refused.value.key, refused.value.nearest) == (key, nearest)


def test_what_is_left_out_has_its_default() -> None:
    order = read(b'{"do": "publish", "ch": "room:arena", "type": "goal", "key": null}')
    values = {"ch": "room:arena", "type": "goal", "d": None, "class": "reliable", "key": None}
    assert order == Order("publish", None, values)


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from([*COMMANDS, "do", "ch", "id"]) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["do", "id", "ch", "d"]) | st.text(), inner),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_line_is_a_command_or_refused_with_one_line(line: bytes) -> None:
    said = ""
    try:
        order = read(line)
    except LineRefused as refused:
        said = str(refused)
    assert said or order.do in COMMANDS
    assert len(said.splitlines()) <= 1
    assert len(said) < 600


def test_events_that_nobody_reads_are_left_out_and_counted_and_answers_are_not() -> None:
    reads, writes = os.pipe()
    outlet = Outlet(writes, lambda: None)
    for _ in range(6):
        outlet.event({"event": "entry", "d": "x" * (1 << 20)})
    missed = outlet.missed
    assert 2 <= missed <= 4
    assert not outlet.is_full
    outlet.answer({"id": 1, "ok": True, "d": "x" * (2 << 20)})
    assert outlet.is_full
    with open(reads, "rb") as pipe:
        lines = [json.loads(pipe.readline()) for _ in range(7 - missed)]
        assert lines[-1]["id"] == 1
        while outlet.is_full:
            pass
        outlet.event({"event": "lost"})
        assert json.loads(pipe.readline()) == {"event": "missed", "count": missed}
        assert json.loads(pipe.readline()) == {"event": "lost"}
        outlet.close()
        os.close(writes)


def test_a_reader_that_goes_is_noticed() -> None:
    reads, writes = os.pipe()
    gone = threading.Event()
    outlet = Outlet(writes, gone.set)
    os.close(reads)
    outlet.answer({"id": 1})
    assert gone.wait(10)
    outlet.close()
    os.close(writes)


def test_no_more_lines_are_taken_than_are_dealt_with() -> None:
    reads, writes = os.pipe()
    taken: list[bytes | None] = []
    came = threading.Semaphore(0)

    def take(_number: int, line: bytes | None) -> None:
        taken.append(line)
        came.release()

    inlet = Inlet(reads, 100, take)
    os.write(writes, b"{}\n" * (MAX_UNDER_WAY + 5))
    os.close(writes)
    for _ in range(MAX_UNDER_WAY):
        assert came.acquire(timeout=10)
    assert not came.acquire(timeout=0.2)
    for _ in range(5):
        inlet.done()
    for _ in range(6):
        assert came.acquire(timeout=10)
    assert taken[-1] is None
    os.close(reads)
