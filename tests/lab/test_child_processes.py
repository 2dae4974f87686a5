"""Gateway and players as child processes: their start, their last words, and that none outlives its parent."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from sonde_lab.changes import GatewayState
from sonde_lab.child import LOG_LINES, Child, environment
from sonde_lab.embedded import EmbeddedGateway, GatewayFailed, end_in_words
from sonde_lab.player_process import PlayerProcess
from support.processes import SECRET, GatewayProcess, command_of, descendants, wait_until_gone

pytestmark = [pytest.mark.slow, pytest.mark.measures_children]


class Watched:
    """An embedded gateway and the states that it went through."""

    def __init__(self) -> None:
        self.states: list[GatewayState] = []
        self.gateway = EmbeddedGateway(lambda: self.states.append(self.gateway.state))

    async def until(self, state: GatewayState) -> None:
        async with asyncio.timeout(10):
            while self.gateway.state is not state:
                await asyncio.sleep(0.01)  # another process's end has no clock that we could turn


async def test_gateway_is_live_soon_and_dead_when_killed_and_comes_back_on_its_port() -> None:
    watched = Watched()
    gateway = watched.gateway
    started = time.monotonic()
    url = await gateway.start()
    assert (
        time.monotonic() - started < 5.0
    )  # the budget of 2.5 s is measured by the benchmark, on a calm machine
    pid = gateway.pid
    async with asyncio.timeout(10):
        while not any("ready" in line for line in gateway.log_tail):
            await asyncio.sleep(0.01)  # its log is a pipe of its own
    gateway.kill()
    await watched.until(GatewayState.DEAD)
    assert gateway.exit_code == -signal.SIGKILL
    assert gateway.pid is None
    assert await gateway.restart() == url
    assert gateway.pid not in (None, pid)
    await gateway.stop()
    assert watched.states == [
        GatewayState.STARTING,
        GatewayState.LIVE,
        GatewayState.DEAD,
        GatewayState.STARTING,
        GatewayState.LIVE,
        GatewayState.NONE,
    ]


async def test_gateway_whose_port_is_taken_fails_with_its_own_words() -> None:
    watched = Watched()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        watched.gateway.url = f"ws://127.0.0.1:{taken.getsockname()[1]}/v1/ws"
        with pytest.raises(GatewayFailed, match="ended at once, with code 2") as failed:
            await watched.gateway.start()
    assert any("port" in line or "in use" in line for line in failed.value.log_tail), failed.value.log_tail
    assert watched.states == [GatewayState.STARTING, GatewayState.DEAD]


async def test_gateway_that_is_not_ready_in_time_is_ended() -> None:
    watched = Watched()
    with pytest.raises(GatewayFailed, match=r"not ready within 0\.01 s"):
        await watched.gateway.start(limit_s=0.01)
    assert watched.gateway.pid is None
    await watched.gateway.stop()


async def test_gateway_that_cannot_be_started_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(GatewayFailed, match="cannot be started"):
        await Watched().gateway.start()


def test_settings_of_other_gateways_do_not_reach_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONDE_HOST", "0.0.0.0")
    made = environment({"SONDE_JWT_SECRET": SECRET})
    assert "SONDE_HOST" not in made
    assert made["SONDE_JWT_SECRET"] == SECRET
    assert "PATH" in made


@pytest.mark.parametrize(
    ("code", "words"), [(None, "has not ended"), (-9, "was killed by signal 9"), (1, "ended with code 1")]
)
def test_end_is_told_in_words(code: int | None, words: str) -> None:
    assert end_in_words(code) == words


async def test_last_lines_of_a_child_are_kept_without_secrets_and_bounded(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "noisy_child"
    code = (
        "import sys\n"
        "for i in range(80): print('line', i, 'x' * 900, file=sys.stderr)\n"
        "sys.stderr.write('Authorization: Bearer abcdefghijklmnopqrstu\\n')\n"
        "sys.stdout.write('y' * 200_000)\n"
        "sys.exit(7)\n"
    )
    with open(f"{tmp_path}/{module}.py", "w") as file:
        file.write(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    lines: list[str] = []
    codes: list[int] = []
    child = await Child.start(module, env={}, on_line=lines.append, on_end=codes.append)
    await child.ended()
    assert codes == [7]
    assert len(child.log_tail) == LOG_LINES
    assert max(map(len, child.log_tail)) <= 500
    assert "abcdefghijklmnopqrstu" not in child.log_tail[-1]
    assert sum(map(len, lines)) == 200_000
    child.kill()
    await child.stop(1.0)


async def test_child_that_ignores_its_pipe_is_killed_in_time(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(f"{tmp_path}/deaf_child.py", "w") as file:
        file.write("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    up = asyncio.Event()
    codes: list[int] = []
    child = await Child.start("deaf_child", env={}, on_line=lambda _: up.set(), on_end=codes.append)
    await up.wait()
    await child.stop(0.1)
    assert codes == [-signal.SIGKILL]


async def test_players_start_once_and_their_death_is_told(gateway: GatewayProcess) -> None:
    deaths: list[int] = []
    players = PlayerProcess(deaths.append)
    assert players.log_tail == ()
    await players.start(gateway.url, SECRET, 1, 1, "room:arena")
    pid = players.pid
    await players.start(gateway.url, SECRET, 1, 1, "room:arena")
    assert players.pid == pid
    await players.stop()
    assert deaths == []
    await players.start(gateway.url, SECRET, 1, 1, "room:arena")
    assert players.pid is not None
    os.kill(players.pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while not deaths:
            await asyncio.sleep(0.01)
    assert deaths == [-signal.SIGKILL]


PARENT = """
import asyncio, sys
from sonde_lab.endpoints import EMBEDDED
from sonde_lab.workbench import Workbench

async def main():
    workbench = Workbench()
    await workbench.open(EMBEDDED, players=2)
    while len(workbench.take_changes().presence.get("room:arena", ())) < 3:
        await asyncio.sleep(0.02)
    print("up", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_no_child_outlives_its_parent_however_that_dies(end: signal.Signals) -> None:
    """A stopped parent is no dead one: its children live on until it is killed."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        children = descendants(parent.pid)
        modules = {arg for child in children for arg in command_of(child) if arg.startswith("sonde_")}
        assert modules == {"sonde_server", "sonde_lab.players"}
        parent.send_signal(end)
        if end is signal.SIGSTOP:
            assert all(child.is_running() for child in children)
            parent.kill()
        assert wait_until_gone(children, 8.0) == []
    finally:
        parent.kill()
        parent.wait(5)
        if parent.stdout is not None:
            parent.stdout.close()


# ---------------------------------------------------------------- python -m sonde_lab.players


def run_players(*arguments: str, secret: str = SECRET) -> subprocess.Popen[bytes]:
    env = {**os.environ, "SONDE_JWT_SECRET": secret}
    command = [sys.executable, "-m", "sonde_lab.players", *arguments]
    return subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, err = process.communicate(timeout=15)
    return process.returncode, err.decode()


def test_players_tell_who_they_are_and_end_with_their_pipe(gateway: GatewayProcess) -> None:
    process = run_players("--url", gateway.url, "--count", "2", "--parent-pipe")
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert ready == {"event": "ready", "players": ["ada", "bertil"], "pid": process.pid}
    assert ended(process) == (0, "")


def test_players_end_on_sigterm(gateway: GatewayProcess) -> None:
    process = run_players("--url", gateway.url, "--count", "1")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (0, "")


def test_players_who_are_refused_say_why_and_end() -> None:
    process = run_players("--url", "http://127.0.0.1:1/", "--count", "1")
    code, words = ended(process)
    assert code == 1
    assert "ada" in words
    assert "ws://" in words


@pytest.mark.parametrize(("count", "secret"), [("0", SECRET), ("6", "")])
def test_players_without_secret_or_sense_end_with_2(count: str, secret: str) -> None:
    code, words = ended(run_players("--url", "ws://127.0.0.1:1/v1/ws", "--count", count, secret=secret))
    assert code == 2
    assert "SONDE_JWT_SECRET" in words


async def test_children_of_a_workbench_are_two(gateway: GatewayProcess) -> None:
    """The guard of the test above: it would see a child if there was one."""
    assert gateway.pid in {child.pid for child in psutil.Process().children(recursive=True)}
