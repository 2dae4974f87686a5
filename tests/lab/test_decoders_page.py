"""docs/decoders.md does what it says: its example decodes, its command starts, its figures are those of the code."""

from __future__ import annotations

import asyncio
import os
import re
import select
import signal
import struct
import subprocess
import sys
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from sonde_lab.decoders.own import answers, plain_values, process, worker
from sonde_lab.decoders.own.connections import about_connection, about_message
from sonde_lab.decoders.own.desk import MAX_QUEUED
from sonde_lab.decoders.own.process import DecoderProcess, Limits
from sonde_lab.decoders.own.sources import GROUP, named_file
from sonde_lab.ring import Ring
from support.processes import stop
from support.proxied import free_port
from support.records import row

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "decoders.md").read_text(encoding="utf-8")
EXAMPLE = DOCS / "examples" / "tanks_decoder.py"
MOVE = b"T\x01" + struct.pack(">Hff", 7, 41.5, 3.25)


async def test_the_example_on_the_page_is_the_file_and_decodes() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") in TEXT
    tanks = DecoderProcess(named_file(EXAMPLE), print, Limits(10, 30))
    try:
        answer = await tanks.decode(MOVE, {"binary": True})
        assert (answer.op, answer.summary) == ("move", "tank 7 at 41.5, 3.2")
        assert answer.value == {"tank": 7, "x": 41.5, "y": 3.25, "rest": b""}
        assert not (await tanks.decode(b"{}", {"binary": False})).is_mine
    finally:
        await tanks.stop()


async def answer_in_kind(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def test_the_command_on_the_page_prints_what_the_decoder_tells() -> None:
    command = next(line for line in TEXT.splitlines() if line.startswith("sonde proxy"))
    async with serve(answer_in_kind, "127.0.0.1", 0, subprotocols=["tanks.v2"]) as server:  # type: ignore[list-item]
        port = server.sockets[0].getsockname()[1]
        asked = command.replace("8765", str(port)) + f" --listen 127.0.0.1:{free_port()}"
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        child = subprocess.Popen(
            ["bash", "-c", f"exec {asked}"], cwd=DOCS.parent, env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            assert child.stdout is not None
            assert select.select([child.stdout], [], [], 20)[0]
            found = re.search(r"connect to (ws://\S+),", child.stdout.readline().decode())
            assert found is not None
            async with connect(found[1], proxy=None, subprotocols=["tanks.v2"]) as client:  # type: ignore[list-item]
                for _ in range(5):
                    await client.send(MOVE)
                    assert await client.recv() == MOVE
            child.send_signal(signal.SIGINT)
            told = (await asyncio.to_thread(child.communicate, timeout=20))[0].decode()
        finally:
            stop(child)
    assert child.returncode == 0
    moves = [line for line in told.splitlines() if "tank 7 at 41.5, 3.2" in line]
    assert moves  # on a busy machine not all of the ten: a decoder has but 200 ms
    assert all(" move " in line for line in moves)


def test_figures_and_keys_of_the_page_are_those_of_the_code() -> None:
    limits = Limits()
    for figure in (
        f"{limits.call_s * 1000:.0f} ms for a message",
        f"after {process.MAX_KILLS} times, without {process.FORGIVEN_AFTER} answers in a row",
        f"{limits.start_s:.0f} s to be loaded",
        f"{worker.MEMORY_BYTES >> 30} GiB of memory",
        f"{answers.MAX_PAYLOAD_BYTES:,} bytes of a message",
        f"{plain_values.MAX_DEPTH} levels, {plain_values.MAX_VALUES:,} parts, {plain_values.MAX_TEXT_BYTES:,} bytes",
        f"{MAX_QUEUED:,} rows that wait",
        f"`{GROUP}`",
    ):
        assert figure in TEXT
    ring = Ring(16)
    info = about_message(ring, ring.append(row()), about_connection(ring, 0, ""))
    table = TEXT.partition("| key | holds |\n")[2].partition("\n\n")[0]
    told = {key for line in table.splitlines() for key in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert told == set(info)
