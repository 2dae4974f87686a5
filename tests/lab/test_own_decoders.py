"""Decoders of a person's own: chosen by what they declare, bounded in time and size, and never a trouble to others."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_lab.decoders.own.answers import Answer, Frames, Garbled, Hello, framed, read_answer, read_hello
from sonde_lab.decoders.own.desk import MAX_QUEUED, PENDING, OwnDecoders
from sonde_lab.decoders.own.plain_values import MAX_DEPTH, Nonsense, answer_of
from sonde_lab.decoders.own.process import MAX_KILLS, DecoderProcess, Limits, State
from sonde_lab.decoders.own.sources import SourceUnreadable, in_folder, installed, named_file
from sonde_lab.folding import View
from sonde_lab.records import Flag, Kind, Record
from sonde_lab.ring import Ring
from sonde_lab.summary import Summaries
from support.records import row

pytestmark = pytest.mark.measures_children

PATIENT = Limits(call_s=10.0, start_s=30.0)  # a busy machine is no decoder's fault
TANKS = """
subprotocols = ["tanks.v2"]

def decode(payload, info):
    if payload[:1] != b"T":
        return None
    kind = payload[1]
    names = {1: "move", 2: "fire"}
    return {"op": names[kind], "channel": "field", "summary": f"tank {payload[2]}", "value": {"id": payload[2]}}
"""
EVERYTHING = {
    "raises": "def decode(p, i):\n    return {}[p]\n",
    "exits": "import sys\ndef decode(p, i):\n    sys.exit(3)\n",
    "deep": "def decode(p, i):\n    v = []\n    for _ in range(10000): v = [v]\n    return v\n",
    "large": "def decode(p, i):\n    return 'x' * (2 << 20)\n",
    "object": "def decode(p, i):\n    return object()\n",
    "op": "def decode(p, i):\n    return {'op': 5}\n",
    "recursion": "def decode(p, i):\n    return decode(p, i)\n",
    "words": "class E(Exception):\n    def __str__(self): raise ValueError\ndef decode(p, i):\n    raise E\n",
}
SAID = {
    "raises": "KeyError: b'x'",
    "exits": "SystemExit: 3",
    "deep": f"the value is more than {MAX_DEPTH} levels deep",
    "large": "the value holds more than 1,048,576 bytes of text",
    "object": "decode returned a object, which is no plain value",
    "op": "“op” must be a text, and is a int",
    "recursion": "RecursionError: maximum recursion depth exceeded",
    "words": "E: its words cannot be shown",
}
Start = Callable[..., DecoderProcess]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    made: list[DecoderProcess] = []

    def begin(code: str, limits: Limits = PATIENT, told: list[str] | None = None) -> DecoderProcess:
        path = tmp_path / f"decoder_{len(made)}.py"
        path.write_text(code, encoding="utf-8")
        made.append(DecoderProcess(named_file(path), (told if told is not None else []).append, limits))
        return made[-1]

    yield begin
    for each in made:
        await each.stop()


async def test_a_decoder_names_a_message_and_gives_its_value(start: Start) -> None:
    tanks = start(TANKS)
    assert (await tanks.declared()).subprotocols == ["tanks.v2"]
    answer = await tanks.decode(b"T\x01\x07", {})
    assert (answer.op, answer.channel, answer.summary, answer.value) == ("move", "field", "tank 7", {"id": 7})
    assert not (await tanks.decode(b"?", {})).is_mine


async def test_whatever_goes_wrong_is_told_in_words_and_the_next_message_is_read(start: Start) -> None:
    for name, code in EVERYTHING.items():
        decoder = start(code)
        first, second = await decoder.decode(b"x", {}), await decoder.decode(b"x", {})
        assert first.problem.startswith(SAID[name])
        assert second.problem == first.problem
        assert decoder.kills == 0
        await decoder.stop()


async def test_the_decoders_own_lines_are_told_and_no_others(start: Start) -> None:
    answer = await start(
        "def inner(p):\n    return p.nothing\n\ndef decode(p, i):\n    return inner(p)\n"
    ).decode(b"", {})
    assert answer.trace == ["line 5, in decode: return inner(p)", "line 2, in inner: return p.nothing"]


async def test_what_it_prints_and_reads_disturbs_nothing(start: Start) -> None:
    decoder = start(
        "import sys\ndef decode(p, i):\n    print('hello', p)\n    return {'read': sys.stdin.read()}\n"
    )
    assert (await decoder.decode(b"x", {})).value == {"read": ""}
    async with asyncio.timeout(10):
        while not decoder.printed:
            await asyncio.sleep(0.01)  # what it prints has a pipe of its own
    assert decoder.printed == ("hello b'x'",)


async def test_one_that_never_comes_back_is_killed_and_switched_off_after_three_times(start: Start) -> None:
    told: list[str] = []
    decoder = start("def decode(p, i):\n    while p: pass\n    return 1\n", told=told)
    await decoder.declared()
    decoder._limits = Limits(call_s=0.05, start_s=30.0)
    for kills in range(1, MAX_KILLS + 1):
        assert "took longer than 50 ms" in (await decoder.decode(b"x", {})).problem
        assert decoder.kills == kills
    assert decoder.state is State.OFF
    assert told == ["Switched off, since it took longer than 50 ms for the third time"]
    assert (await decoder.decode(b"", {})).problem == told[0]


async def test_one_that_ends_its_process_is_started_again(start: Start) -> None:
    decoder = start("import os\ndef decode(p, i):\n    if p: os._exit(1)\n    return 'alive'\n")
    assert "ended its own process" in (await decoder.decode(b"x", {})).problem
    assert (await decoder.decode(b"", {})).value == "alive"


async def test_one_that_was_stopped_is_not_started_again(start: Start) -> None:
    told: list[str] = []
    decoder = start("def decode(p, i):\n    while p: pass\n    return 1\n", told=told)
    await decoder.declared()
    asking = asyncio.ensure_future(decoder.decode(b"x", {}))
    await asyncio.sleep(0)
    await decoder.stop()
    assert (await asking).problem
    assert (await decoder.decode(b"", {})).problem == "The decoder is not used any more"
    assert decoder._child is not None
    assert (decoder.state, decoder._child.is_running, told) == (State.STOPPED, False, [])


@pytest.mark.slow
async def test_what_it_has_started_itself_does_not_hold_up_its_end(start: Start) -> None:
    decoder = start(
        "import subprocess\nchild = subprocess.Popen(['sleep', '600'])\ndef decode(p, i):\n    return child.pid\n"
    )
    child = psutil.Process((await decoder.decode(b"x", {})).value)
    await decoder.stop()
    child.wait(10)


async def test_one_that_cannot_be_loaded_says_why(start: Start) -> None:
    for code, why in {
        "import nothing_like_it\n": "ModuleNotFoundError",
        "x = 1\n": "it has no function",
    }.items():
        decoder = start(code)
        assert why in (await decoder.decode(b"", {})).problem
        assert decoder.state is State.FAILED
        await decoder.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is the system's")
async def test_memory_is_limited(start: Start) -> None:
    answer = await start("def decode(p, i):\n    return len(bytearray(4 << 30))\n").decode(b"", {})
    assert answer.problem.startswith("MemoryError")


async def test_a_large_message_is_not_given_to_a_decoder(start: Start) -> None:
    decoder = start(TANKS)
    assert "1,048,576 bytes" in (await decoder.decode(bytes((1 << 20) + 1), {})).problem
    assert decoder.state is State.ALLOWED  # it was not even started


@pytest.mark.slow
def test_a_spinning_decoder_does_not_outlive_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "spin.py"
    path.write_text(
        "def decode(p, i):\n    open(__file__ + '.spins', 'w').close()\n    while True: pass\n",
        encoding="utf-8",
    )
    script = (
        "import asyncio, os, sys\nfrom pathlib import Path\n"
        "from sonde_lab.decoders.own.process import DecoderProcess, Limits\n"
        "from sonde_lab.decoders.own.sources import named_file\n"
        "async def main():\n"
        "    decoder = DecoderProcess(named_file(Path(sys.argv[1])), print, Limits(60, 60))\n"
        "    await decoder.declared()\n"
        "    asking = asyncio.create_task(decoder.decode(b'x', {}))\n"
        "    while not os.path.exists(sys.argv[1] + '.spins'): await asyncio.sleep(0.01)\n"
        "    print(decoder._child.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False
    )
    child = int(done.stdout)
    if psutil.pid_exists(child):
        psutil.Process(child).wait(10)


# ------------------------------------------------------------ values


def test_values_are_made_plain() -> None:
    answer = answer_of(1, {"a": (1, 2**80, b"\x00", "\ud83d"), 5: {3}, "nan": math.nan})
    assert answer.has_value
    assert answer.value["a"] == [1, hex(2**80), b"\x00", "\\ud83d"]
    assert answer.value["5"] == [3]
    assert answer_of(1, {}).value == {}
    assert answer_of(1, {"op": "x"}).has_value is False


@settings(max_examples=60)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
        max_leaves=8,
    )
)
def test_whatever_is_plain_goes_through_the_pipe(value: Any) -> None:
    answer = answer_of(7, value)
    (body,) = Frames(1 << 22).feed(framed(answer))
    assert repr(read_answer(body).value) == repr(answer.value)


@given(st.binary(max_size=40))
def test_garbage_from_the_process_is_an_error_of_its_own(data: bytes) -> None:
    with contextlib.suppress(Garbled):  # any other exception would end the pump
        assert isinstance(read_answer(data), Answer)


def test_what_a_decoder_declares_is_cut_to_what_is_shown() -> None:
    long = Hello(["s" * 999] * 99, ["u" * 999] * 99, problem="p" * 9999, trace=["t" * 9999] * 99)
    hello = read_hello(framed(long)[4:])
    assert (len(hello.subprotocols), len(hello.subprotocols[0])) == (32, 128)
    assert (len(hello.upstreams), len(hello.upstreams[0])) == (32, 128)
    assert (len(hello.problem), len(hello.trace), len(hello.trace[0])) == (300, 12, 300)


def test_an_answer_beyond_the_bounds_is_refused() -> None:
    with pytest.raises(Garbled, match="at most 100 are taken"):
        list(Frames(100).feed(b"\x00\x00\x01\x00"))
    with pytest.raises(Nonsense, match="50,000 parts"):
        answer_of(1, [0] * 60_000)


# ------------------------------------------------------------ which decoder reads what


def handshake(subprotocol: str, conn: str = "p1") -> list[Record]:
    def half(text: str) -> Record:
        return row("upgrade", conn=conn, kind=Kind.HANDSHAKE, payload=text.encode())

    return [
        half(
            f"GET /play?x=1 HTTP/1.1\r\nHost: game.example\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
        ),
        half(f"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\r\n"),
    ]


def message(payload: bytes, conn: str = "p1", protocol: str = "raw") -> Record:
    return row("binary", conn=conn, payload=payload, opcode=2, protocol=protocol)


class Bench:
    """Decoders over a ring, and what was told."""

    def __init__(self, folder: Path) -> None:
        self.ring = Ring(10_000)
        self.told: list[tuple[str, ...]] = []
        self.own = OwnDecoders(lambda: self.ring, lambda: "ws://game.example", self._tell, PATIENT)
        self.own.folder = folder

    def _tell(self, *words: str) -> None:
        self.told.append(words)

    async def until_read(self) -> None:
        self.own.take_rows()
        if self.own._pump is not None:
            await self.own._pump


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    await bench.own.stop()


def written(folder: Path, name: str, code: str) -> Path:
    path = folder / f"{name}.py"
    path.write_text(code, encoding="utf-8")
    return path


async def test_rows_of_its_subprotocol_get_their_op_and_summary_behind_the_recording(
    bench: Bench, tmp_path: Path
) -> None:
    bench.own.use(named_file(written(tmp_path, "tanks", TANKS)))
    bench.ring.extend(handshake("tanks.v2"))
    bench.ring.extend([message(b"T\x01\x07"), message(b"T\x02\x08"), message(b"no"), message(b"T\x09\x00")])
    bench.ring.extend([*handshake("chess", "p2"), message(b"T\x01\x07", "p2")])
    view, words = View(bench.ring), Summaries(bench.ring)
    view.set_filter("op:move")
    view.update()
    assert words.text(2).startswith("3 bytes")
    await bench.until_read()
    assert [bench.ring.text("op", at) for at in range(2, 6)] == ["move", "fire", "binary", "binary"]
    assert bench.ring.text("channel", 2) == "field"
    assert (words.text(2), words.text(3)) == ("tank 7", "tank 8")
    assert bench.ring.value("flags", 5) & Flag.UNDECODED  # KeyError: 9
    assert not bench.ring.value("flags", 4) & Flag.UNDECODED
    assert bench.ring.text("op", 8) == "binary"  # another subprotocol
    view.update()
    assert [view.row(at).row_id for at in range(len(view))] == [2]
    assert bench.told == []


async def test_a_row_that_is_looked_at_is_decoded_then_and_remembered(bench: Bench, tmp_path: Path) -> None:
    bench.own.use(named_file(written(tmp_path, "tanks", TANKS)))
    bench.ring.extend([*handshake("tanks.v2"), message(b"T\x01\x07"), message(b"no")])
    done: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
    assert bench.own.look(2, done.set_result) is PENDING
    answer = await done
    assert answer is not None
    assert bench.own.look(2, print) is answer
    assert bench.own.reader_of(2) == "tanks"
    assert bench.own.look(0, print) is None  # a handshake is no message


async def test_a_row_that_was_not_decoded_at_first_says_so_until_it_is(bench: Bench, tmp_path: Path) -> None:
    flag = tmp_path / "works"
    code = f"import os\ndef decode(p, i):\n    assert os.path.exists({str(flag)!r})\n    return 1\n"
    bench.own.use(named_file(written(tmp_path, "own", code)))
    bench.ring.extend([*handshake("tanks.v2"), message(b"x")])
    await bench.own.read(2)
    assert bench.ring.value("flags", 2) & Flag.UNDECODED
    flag.touch()
    await bench.own.read(2)
    assert not bench.ring.value("flags", 2) & Flag.UNDECODED


async def test_a_permission_taken_back_is_that_of_one_file_only(bench: Bench, tmp_path: Path) -> None:
    short, longer = (replace(named_file(written(tmp_path, "own", TANKS)), is_named=False) for _ in range(2))
    longer = replace(longer, target=f"/else where {longer.target}")
    bench.own.allowed = {short.permission, longer.permission}
    bench.own.forbid(short)
    assert bench.own.allowed == {longer.permission}


CHOICES: dict[str, tuple[str, bool]] = {
    "upstreams = ['game.example']\n": ("upstream", True),
    "upstreams = ['other.example']\n": ("another upstream", False),
    "def matches(info):\n    return info['path'].startswith('/play')\n": ("path", True),
    "def matches(info):\n    raise ValueError\n": ("a failing match", False),
    "subprotocols = ['chess']\n": ("another subprotocol", False),
    "": ("no declaration", True),
}


@pytest.mark.parametrize("declared", CHOICES, ids=[name for name, _ in CHOICES.values()])
async def test_a_decoder_says_itself_what_is_its_own(bench: Bench, tmp_path: Path, declared: str) -> None:
    code = f"{declared}\ndef decode(p, i):\n    return i['direction']\n"
    bench.own.use(named_file(written(tmp_path, "own", code)))
    bench.ring.extend([*handshake("tanks.v2"), message(b"x")])
    answer = await bench.own.read(2)
    assert (answer is not None and answer.value == "received") is CHOICES[declared][1]


async def test_sondes_own_frames_are_left_to_sonde(bench: Bench, tmp_path: Path) -> None:
    bench.own.use(named_file(written(tmp_path, "own", "def decode(p, i):\n    return 1\n")))
    bench.ring.extend([*handshake("sonde.v1.json"), message(b"{}", protocol="")])
    assert await bench.own.read(2) is None


async def test_rows_of_sondes_own_protocol_keep_their_names(bench: Bench, tmp_path: Path) -> None:
    code = "subprotocols = ['sonde.v1.json']\ndef decode(p, i):\n    return {'op': 'x', 'channel': 'y', 'summary': 'z'}\n"
    bench.own.use(named_file(written(tmp_path, "own", code)))
    bench.ring.extend([*handshake("sonde.v1.json"), row("delta", conn="p1", channel="room:arena")])
    assert await bench.own.read(2) is not None
    assert (bench.ring.text("op", 2), bench.ring.text("channel", 2)) == ("delta", "room:arena")
    assert bench.ring.words(2) == "z"


async def test_nothing_of_a_folder_runs_before_a_person_has_allowed_it(bench: Bench, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    code = f"open({str(trace)!r}, 'w').close()\ndef decode(p, i):\n    return 1\n"
    path = written(tmp_path, "own", code)
    bench.ring.append(message(b"x"))
    bench.own.use_allowed()
    (listed,) = bench.own.listed()
    assert (listed.is_allowed, listed.words) == (False, "Not allowed: it does not run")
    assert await bench.own.read(0) is None
    assert not trace.exists()
    bench.own.allow(listed.source)
    assert (await bench.own.read(0) or Answer()).value == 1
    assert trace.exists()
    path.write_text(code + "# changed\n", encoding="utf-8")
    (listed,) = bench.own.listed()
    assert (listed.is_allowed, listed.words) == (False, "Changed since it was allowed: allow it again")
    again = Bench(tmp_path)
    again.own.allowed = set(bench.own.allowed)
    again.own.use_allowed()
    assert not again.own.is_active  # the permission was for other code
    bench.own.forbid(listed.source)
    assert not bench.own.is_active
    assert bench.own.allowed == set()


async def test_a_file_that_changes_before_it_is_started_does_not_run(bench: Bench, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    path = written(tmp_path, "own", "def decode(p, i):\n    return 1\n")
    bench.own.use(named_file(path))
    path.write_text(f"open({str(trace)!r}, 'w')\ndef decode(p, i):\n    return 2\n", encoding="utf-8")
    bench.ring.append(message(b"x"))
    assert await bench.own.read(0) is None
    assert "has changed since it was allowed" in bench.told[0][2]
    assert not trace.exists()
    (listed,) = bench.own.listed()
    assert listed.words == "Changed since it was allowed: allow it again"
    bench.own.allow(listed.source)
    assert (await bench.own.read(0) or Answer()).value == 2
    assert bench.own.allowed == set()  # it was named for this run, and is not remembered


async def test_a_full_queue_drops_the_oldest_and_says_so_once(bench: Bench, tmp_path: Path) -> None:
    bench.own.use(named_file(written(tmp_path, "tanks", TANKS)))
    bench.ring.extend([message(b"T\x01\x07")] * (MAX_QUEUED + 10))
    bench.own.take_rows()
    assert bench.own.skipped == 10
    bench.ring.extend([message(b"T\x01\x07")] * 3 * MAX_QUEUED)  # as when a capture is opened
    bench.own.take_rows()
    assert (bench.own.skipped, len(bench.own._queue)) == (10 + 3 * MAX_QUEUED, MAX_QUEUED)
    assert [words[0] for words in bench.told] == ["decoders_behind"]


def test_what_is_no_decoder_is_refused_or_left_out(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="cannot be read"):
        named_file(tmp_path / "nothing.py")
    (tmp_path / "large.py").write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(SourceUnreadable, match="larger than"):
        named_file(tmp_path / "large.py")
    os.mkfifo(tmp_path / "pipe.py")
    assert in_folder(tmp_path) == []
    assert in_folder(tmp_path / "nothing") == []
    assert isinstance(installed(), list)


async def test_an_installed_package_offers_a_decoder_that_runs_after_it_was_allowed(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "packages"
    about = packages / "cards-1.2.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: cards\nVersion: 1.2\n", encoding="utf-8")
    (about / "entry_points.txt").write_text("[sonde.decoders]\ncards = cards_game:Cards\n", encoding="utf-8")
    code = "class Cards:\n    def decode(p, i):\n        return {'op': 'deal', 'value': p[0]}\n"
    (packages / "cards_game.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setenv("PYTHONPATH", str(packages), prepend=os.pathsep)
    (listed,) = bench.own.listed()
    assert (listed.source.name, listed.source.where) == ("cards", "package cards 1.2")
    assert not listed.is_allowed
    bench.own.allow(listed.source)
    bench.ring.append(message(b"\x05"))
    answer = await bench.own.read(0)
    assert answer is not None
    assert (answer.op, answer.value) == ("deal", 5)
