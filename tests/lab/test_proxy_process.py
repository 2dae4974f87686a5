"""The proxy as a process of its own, the pipe that it tells everything through, and `sonde proxy` in a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from sonde_lab.proxy_console import RowLines
from sonde_lab.proxy_options import ProxyFailed, ProxyOptions
from sonde_lab.proxy_process import ProxyProcess
from sonde_lab.proxy_tap import Tap, TapGarbled, TapReader
from sonde_lab.records import Direction, Kind
from sonde_ui import cli
from support.processes import stop
from support.proxied import REQUEST, Rows, tcp_server, until

pytestmark = pytest.mark.measures_children

IN, OUT = Direction.IN, Direction.OUT


class Told:
    """A listener that writes everything down."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def on_opened(self, *what: object) -> None:
        self.calls.append(("opened", *what))

    def on_bytes(self, *what: object) -> None:
        self.calls.append(("bytes", *what))

    def on_trouble(self, *what: object) -> None:
        self.calls.append(("trouble", *what))

    def on_ended(self, *what: object) -> None:
        self.calls.append(("ended", *what))

    def on_gap(self, *what: object) -> None:
        self.calls.append(("gap", *what))

    def on_unseen(self, *what: object) -> None:
        self.calls.append(("unseen", *what))


# ------------------------------------------------------------ the tap


@given(st.binary(max_size=200), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_what_a_tap_is_told_comes_out_however_the_pipe_cuts_it(data: bytes, steps: list[int]) -> None:
    pipe, told = bytearray(), Told()
    tap = Tap(pipe.extend, lambda: 0)
    tap.on_opened(1, "127.0.0.1:5", 1.0)
    tap.on_bytes(1, OUT, data, 2.0)
    tap.on_trouble(1, "dial_refused", "nobody\nthere", 3.0)
    tap.on_ended(1, "ended by the client", 4.0)
    reader, at = TapReader(told), 0
    while at < len(pipe):
        for step in steps:
            reader.feed(bytes(pipe[at : at + step]))
            at += step
    assert told.calls == [
        ("opened", 1, "127.0.0.1:5", 1.0),
        ("bytes", 1, OUT, data, 2.0),
        ("trouble", 1, "dial_refused", "nobody\nthere", 3.0),
        ("ended", 1, "ended by the client", 4.0),
    ]


def test_slow_parent_gets_a_counted_gap_and_the_others_stay_whole() -> None:
    pipe, told, waiting = bytearray(), Told(), [0]
    tap = Tap(pipe.extend, lambda: waiting[0], max_unsent_bytes=1_000)
    tap.on_opened(1, "a", 1.0)
    tap.on_opened(2, "b", 1.0)
    waiting[0] = 990
    tap.on_bytes(1, IN, b"x" * 40, 2.0)
    tap.on_bytes(2, IN, b"fits", 2.0)
    waiting[0] = 1_000
    tap.on_opened(3, "c", 3.0)
    tap.on_bytes(3, IN, b"nobody sees this", 3.0)
    waiting[0] = 0
    tap.on_bytes(1, IN, b"y" * 2, 4.0)
    tap.on_ended(3, "ended", 4.0)
    tap.on_opened(4, "d", 5.0)
    tap.on_ended(1, "ended", 6.0)
    TapReader(told).feed(bytes(pipe))
    assert told.calls[2:] == [
        ("gap", 1, 0, 2.0),
        ("bytes", 2, IN, b"fits", 2.0),
        ("unseen", 1, 5.0),
        ("opened", 4, "d", 5.0),
        ("gap", 1, 42, 6.0),
        ("ended", 1, "ended", 6.0),
    ]


def test_gap_is_a_row_and_the_connection_is_read_no_further() -> None:
    rows = Rows()
    rows.recorder.on_opened(1, "a", 1.0)
    rows.recorder.on_bytes(1, OUT, REQUEST[:60], 2.0)
    rows.recorder.on_gap(1, 0, 3.0)
    rows.recorder.on_bytes(1, OUT, REQUEST[60:], 4.0)
    rows.recorder.on_unseen(12, 4.0)
    rows.recorder.on_gap(1, 1_234, 5.0)
    rows.recorder.on_ended(1, "ended by the client", 6.0)
    texts = [(row.op, row.payload.decode()) for row in rows.all()]
    assert [op for op, _ in texts] == ["state", "gap", "gap", "gap", "close"]
    assert "12 connections" in texts[2][1]
    assert "1,234 bytes" in texts[3][1]


@given(st.binary(min_size=18, max_size=100))
def test_garbage_in_the_pipe_is_refused_and_never_another_exception(data: bytes) -> None:
    try:
        TapReader(Told()).feed(b"\xff" + data)
    except TapGarbled:
        return
    pytest.fail("it was taken for something")


# ------------------------------------------------------------ the process


async def echo_messages(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def test_rows_of_a_proxy_process_are_those_of_the_traffic() -> None:
    rows, deaths = Rows(), list[str]()
    process = ProxyProcess(rows.recorder, deaths.append)
    async with serve(echo_messages, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await process.start(ProxyOptions("127.0.0.1:0", f"ws://127.0.0.1:{port}/chat"))
        assert process.url.endswith("/chat")
        async with connect(process.url, proxy=None) as client:
            for number in range(300):
                await client.send(f"message {number}")
                assert await client.recv() == f"message {number}"
        await until(lambda: any(row.kind is Kind.CLOSE for row in rows.all()))
        await process.stop()
    sent = [row.payload for row in rows.all("p1") if row.op == "text" and row.direction is OUT]
    assert sent == [f"message {number}".encode() for number in range(300)]
    assert abs(rows.all()[-1].at - time.monotonic()) < 30
    assert process.pid is None
    assert not deaths


async def test_death_of_the_process_is_told() -> None:
    deaths: list[str] = []
    process = ProxyProcess(Rows().recorder, deaths.append)
    await process.start(ProxyOptions("127.0.0.1:0", "ws://127.0.0.1:1"))
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    await until(lambda: deaths)
    assert "-9" in deaths[0]
    await process.stop()


async def test_process_that_cannot_listen_says_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = ProxyProcess(Rows().recorder, lambda _why: None)
        with pytest.raises(ProxyFailed, match=f"cannot listen at 127.0.0.1:{port}"):
            await process.start(ProxyOptions(f"127.0.0.1:{port}", "ws://127.0.0.1:1"))
    await process.stop()


def test_process_ends_with_its_parents_pipe() -> None:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "sonde_lab.proxy_process", "--listen=127.0.0.1:0"),
            *("--upstream=ws://127.0.0.1:1", "--parent-pipe"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert b'"event": "ready"' in process.stdout.readline()
    process.stdin.close()
    assert process.wait(10) == 0
    process.stdout.close()


async def test_parent_that_does_not_read_slows_nothing_and_every_missed_byte_is_counted() -> None:
    size = 60_000_000
    data = os.urandom(1_000_000)

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(size // len(data)):
            writer.write(data)
            await writer.drain()

    async with tcp_server(flood) as upstream:
        with subprocess.Popen(
            [
                *(sys.executable, "-m", "sonde_lab.proxy_process", "--listen=127.0.0.1:0"),
                *(f"--upstream=ws://127.0.0.1:{upstream}", "--parent-pipe"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            port = json.loads(process.stdout.readline())["port"]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(REQUEST)
            got = await asyncio.wait_for(reader.readexactly(size), 30)
            assert got == data * (size // len(data))
            assert psutil.Process(process.pid).memory_info().rss < 150 << 20
            assert await reader.read() == b""
            writer.close()
            told = Told()
            rest = asyncio.create_task(asyncio.to_thread(process.stdout.read))
            process.stdin.close()
            TapReader(told).feed(await rest)
    shown = sum(len(call[3]) for call in told.calls if call[0] == "bytes" and call[2] is IN)  # type: ignore[arg-type]
    missed = sum(call[2] for call in told.calls if call[0] == "gap")  # type: ignore[misc]
    assert 0 < shown < 20_000_000
    assert shown + missed == size
    assert told.calls[-1][0] == "ended"


# ------------------------------------------------------------ what is wrong


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (ProxyOptions("127.0.0.1:9100", "http://x"), "no address of a WebSocket server"),
        (ProxyOptions("nowhere", "ws://x"), "no address to listen at"),
        (ProxyOptions("127.0.0.1:9100", "ws://localhost:9100/v1/ws"), "dial itself"),
        (ProxyOptions("0.0.0.0:9100", "ws://127.0.0.1:9100"), "dial itself"),
        (ProxyOptions("127.0.0.1:0", "ws://x", insecure=True), "--insecure is about"),
        (ProxyOptions("127.0.0.1:0", "ws://x", key="k.pem"), "--key needs --cert"),
        (ProxyOptions("127.0.0.1:0", "ws://x", cert="/no/such.pem"), "both are PEM files"),
    ],
)
def test_wrong_options_are_a_sentence(options: ProxyOptions, said: str) -> None:
    with pytest.raises(ProxyFailed, match=said):
        options.proxy()


def test_options_are_the_same_as_a_command_line() -> None:
    from sonde_lab import proxy_process

    options = ProxyOptions("1", "wss://x", "c", "k", insecure=True, rewrite_host=True)
    seen: list[ProxyOptions] = []

    def remember(asked: ProxyOptions, parent_pipe: bool) -> None:
        seen.append(asked)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proxy_process, "_main", remember)
        patch.setattr(proxy_process, "run_loop", lambda _: 0)
        assert proxy_process.main(options.arguments()) == 0
    assert seen == [options]


# ------------------------------------------------------------ sonde proxy


@contextmanager
def sonde_proxy(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`sonde proxy` for the length of a block, and its ready line."""
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / "python"), "-m", "sonde_ui.cli", "proxy", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], 15)
    line = process.stdout.readline().decode() if readable else ""
    try:
        yield process, line
    finally:
        stop(process)


def url_of(line: str) -> str:
    found = re.search(r"connect to (ws://\S+),", line)
    assert found is not None, line
    return found[1]


async def talk(url: str) -> None:
    async with connect(url, proxy=None) as client:
        await client.send("evil \x1b[31m\x07 text")
        await client.recv()


async def test_sonde_proxy_prints_a_safe_line_for_each_frame_and_ends_with_ctrl_c() -> None:
    async with serve(echo_messages, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with sonde_proxy("--print", "--listen", "127.0.0.1:0", "--upstream", f"ws://127.0.0.1:{port}") as (
            process,
            line,
        ):
            await talk(url_of(line))
            process.send_signal(signal.SIGINT)
            out, err = await asyncio.to_thread(process.communicate, timeout=10)
    assert (process.returncode, err) == (0, b"")
    lines = out.decode().splitlines()
    assert b"\x1b" not in out
    assert b"\x07" not in out
    sent = next(each for each in lines if "▲ text" in each)
    assert re.match(r"\d\d:\d\d:\d\d\.\d{3}  p1 +▲ text +16  16 bytes: evil ·\[31m· text$", sent), sent
    assert sum("upgrade" in each for each in lines) == 2
    assert "a client has connected" in lines[0]


@pytest.mark.parametrize("flags", [(), ("--print",)])
async def test_sonde_proxy_passes_on_and_ends_cleanly(flags: tuple[str, ...]) -> None:
    async with serve(echo_messages, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with sonde_proxy(*flags, "--listen=127.0.0.1:0", f"--upstream=ws://127.0.0.1:{port}") as (
            process,
            line,
        ):
            await talk(url_of(line))
            process.send_signal(signal.SIGTERM)
            _, err = await asyncio.to_thread(process.communicate, timeout=10)
    assert (process.returncode, err) == (0, b"")


@pytest.mark.parametrize("flags", [(), ("--print",)])
def test_port_in_use_is_a_sentence_and_exit_code_two(flags: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-m", "sonde_ui.cli", "proxy", *flags, "--listen", listen, "--upstream", "ws://127.0.0.1:1"],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"sonde proxy: cannot listen at {listen}: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--upstream", "http://127.0.0.1"], "is no address of a WebSocket server"),
        (["--upstream", "ws://x", "--listen", "here"], "is no address to listen at"),
        (["--upstream", "ws://x", "--listen", "203.0.113.1:0"], "cannot listen at 203.0.113.1:0"),
        ([], "--upstream"),
    ],
)
def test_bad_arguments_are_a_sentence_and_exit_code_two(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(cli.app, ["proxy", *arguments])
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.output


def test_lines_that_nobody_printed_in_time_are_counted() -> None:
    lines = RowLines(lambda: 0.0, lambda: 1_000.0)
    for number in range(1, 20_001):
        lines.recorder.on_opened(number, "x", float(number))
        lines.recorder.on_ended(number, "ended", float(number))
    first = lines.take(10)
    assert re.match(r"… [\d,]+ rows came faster than they could be printed …", first[0])
    assert len(first) == 11
