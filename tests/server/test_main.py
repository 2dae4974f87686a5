"""The gateway as a process: how it says that it is ready, how it ends, and how it says what is wrong."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import psutil
import pytest

from sonde_server.__main__ import main
from sonde_server.core.auth import Authenticator, SharedSecret
from sonde_server.secret_file import load_or_make_secret, secret_path
from support.clocks import HandClock
from support.foreign_peer import bearer, dialled
from support.processes import SECRET, running_gateway, start_gateway, stop, wait_until_gone

pytestmark = pytest.mark.measures_children
KILLED_PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""
GATEWAY = [sys.executable, "-m", "sonde_server", "gateway"]


def ended(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a gateway that cannot start."""
    done = subprocess.run(
        [*GATEWAY, *arguments],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_ready_line_is_one_line_of_json_with_exactly_what_was_promised() -> None:
    process = subprocess.Popen(
        [*GATEWAY, "--port", "0", "--admin-port", "0", "--node", "n1"],
        env={**os.environ, "SONDE_JWT_SECRET": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    line = json.loads(process.stdout.readline())
    assert list(line) == ["event", "url", "admin", "node", "pid"]
    assert (line["event"], line["node"], line["pid"]) == ("ready", "n1", process.pid)
    assert line["url"].startswith("ws://127.0.0.1:")
    assert line["url"].endswith("/v1/ws")
    assert line["admin"].startswith("http://127.0.0.1:")
    assert stop(process) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_drains_and_exits_with_zero(number: signal.Signals) -> None:
    gateway = start_gateway()
    gateway.process.send_signal(number)
    assert gateway.process.wait(10) == 0
    stop(gateway.process)


async def test_drain_tells_clients_refuses_new_ones_and_ends_when_they_left() -> None:
    with running_gateway(env={"SONDE_DRAIN_WINDOW_S": "20"}) as gateway:
        async with aiohttp.ClientSession() as session, dialled(gateway.url, **bearer("p1")) as peer:
            await peer.identify()
            async with session.get(gateway.admin + "/readyz") as answer:
                assert answer.status == 200
            gateway.process.send_signal(signal.SIGTERM)
            reconnect = await peer.until("reconnect")
            assert 0 <= reconnect["in_ms"] <= reconnect["deadline_ms"]
            async with session.get(gateway.admin + "/readyz") as answer:
                assert answer.status == 503
            async with session.get(gateway.admin + "/healthz") as answer:
                assert answer.status == 200
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await session.ws_connect(gateway.url)
            assert caught.value.status == 503
            assert caught.value.headers is not None
            assert "Retry-After" in caught.value.headers
        assert await asyncio.to_thread(gateway.process.wait, 10) == 0


async def test_whoever_stays_until_the_end_of_the_window_gets_4001() -> None:
    with running_gateway(env={"SONDE_DRAIN_WINDOW_S": "0.3"}) as gateway:
        async with dialled(gateway.url, **bearer("p1")) as peer:
            await peer.identify()
            gateway.process.send_signal(signal.SIGTERM)
            bye = await peer.until("bye")
            assert (bye["code"], bye["resume"]) == (4001, True)
            await peer.socket.receive(5)
            assert peer.socket.close_code == 4001
        assert await asyncio.to_thread(gateway.process.wait, 10) == 0


async def test_second_signal_ends_the_drain_at_once() -> None:
    with running_gateway(env={"SONDE_DRAIN_WINDOW_S": "60"}) as gateway:
        async with dialled(gateway.url, **bearer("p1")) as peer:
            await peer.identify()
            gateway.process.send_signal(signal.SIGTERM)
            await peer.until("reconnect")
            gateway.process.send_signal(signal.SIGTERM)
            assert (await peer.until("bye"))["code"] == 4001
            assert await asyncio.to_thread(gateway.process.wait, 10) == 0


def test_end_of_the_parents_pipe_ends_the_gateway() -> None:
    gateway = start_gateway()
    assert gateway.process.stdin is not None
    gateway.process.stdin.close()
    began = time.monotonic()
    assert gateway.process.wait(10) == 0
    assert time.monotonic() - began < 5
    stop(gateway.process)


def test_gateway_does_not_outlive_a_parent_that_was_killed() -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            KILLED_PARENT,
            *GATEWAY, "--port", "0", "--admin-port", "0", "--parent-pipe",
        ],
        env={**os.environ, "SONDE_JWT_SECRET": SECRET},
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    assert child.is_running()
    parent.kill()
    parent.wait(5)
    parent.stdout.close()
    assert wait_until_gone([child], 10) == []


def test_parent_pipe_without_a_pipe_is_told(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+") as no_pipe:
        done = subprocess.run(
            [*GATEWAY, "--port", "0", "--admin-port", "0", "--parent-pipe"],
            stdin=no_pipe, capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert "--parent-pipe needs a pipe" in done.stderr


@pytest.mark.parametrize("flag", ["--port", "--admin-port"])
def test_port_in_use_is_told_in_one_sentence(flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        other = "--admin-port" if flag == "--port" else "--port"
        code, out, err = ended(flag, str(port), other, "0")
    assert (code, out) == (2, "")
    assert f"sonde gateway: cannot listen on 127.0.0.1 port {port}: " in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "env", "says"),
    [
        (["--host", "0.0.0.0"], {}, "can be reached from outside"),
        (["--host", "192.0.2.1"], {"SONDE_JWT_SECRET": SECRET}, "cannot listen on 192.0.2.1"),
        (
            ["--host", "no.such.host.invalid"],
            {"SONDE_JWT_SECRET": SECRET},
            "cannot listen on no.such.host.invalid",
        ),
        (
            ["--host", "0.0.0.0", "--faults"],
            {"SONDE_JWT_SECRET": SECRET},
            "say --faults twice (or SONDE_FAULTS=remote) if that is meant",
        ),
        (["--port", "70000"], {}, "--port: must be less than or equal to 65535"),
        (["--node", "a b"], {}, "--node: "),
        (["--config", "/nowhere/sonde.toml"], {}, "/nowhere/sonde.toml cannot be read"),
        ([], {"SONDE_JWT_SECRET": "short"}, "SONDE_JWT_SECRET: must be at least 32 bytes long"),
        (
            [],
            {"SONDE_JWT_JWKS": "/nowhere/keys.json"},
            "/nowhere/keys.json is no file with a usable JSON Web Key Set",
        ),
        ([], {"SONDE_STALL_S": "-1"}, "SONDE_STALL_S: must be greater than 0"),
    ],
)
@pytest.mark.expects_log("sonde_server.adapters.jwks")
def test_what_is_wrong_is_said_on_stderr_with_exit_code_2(
    arguments: list[str],
    env: dict[str, str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    ports = [] if "--port" in arguments else ["--port", "0", "--admin-port", "0"]
    try:
        assert main(["gateway", *arguments, *ports]) == 2
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err


def test_unknown_flag_is_told_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["gateway", "--prot", "0"])
    assert caught.value.code == 2
    assert "unrecognized arguments: --prot" in capsys.readouterr().err


def test_broken_config_file_names_line_and_key(tmp_path: Path) -> None:
    path = tmp_path / "sonde.toml"
    path.write_text("port = 0\nheartbeat = 5\n")
    code, _, err = ended("--config", str(path))
    assert code == 2
    assert err == f"sonde gateway: {path}, line 2: unknown key 'heartbeat'; did you mean 'heartbeat_s'?\n"


def test_config_file_is_used(tmp_path: Path) -> None:
    path = tmp_path / "sonde.toml"
    path.write_text(f"node = 'from-file'\njwt_secret = '{SECRET}'\n")
    process = subprocess.Popen(
        [*GATEWAY, "--port", "0", "--admin-port", "0", "--config", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["node"] == "from-file"
    assert stop(process) == 0


def test_token_of_the_persons_own_secret_opens_a_gateway_that_was_given_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert (
        main(
            ["token", "--sub", "p1", "--role", "player", "--role", "monitor", "--ttl", "5m", "--name", "Ada"]
        )
        == 0
    )
    minted = capsys.readouterr().out.strip()
    checker = Authenticator(SharedSecret(load_or_make_secret(secret_path())), HandClock(wall=time.time()))
    said = checker.verify(minted)
    assert (said.sub, said.name, said.roles) == ("p1", "Ada", {"player", "monitor"})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--sub", "a b"], "--sub takes"),
        (["--sub", "p1", "--ttl", "soon"], "time to live"),
        (["--sub", "p1", "--name", "a\n"], "--name"),
        (["--sub", "p1", "--ttl", "31d"], "more than 2592000 s"),
    ],
)
def test_token_that_cannot_be_made_is_told(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["token", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err


def test_an_unknown_role_is_answered_by_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended_with:
        main(["token", "--sub", "p1", "--role", "god"])
    assert ended_with.value.code == 2
    said = capsys.readouterr().err
    assert "player" in said
    assert "Role." not in said


def test_token_for_a_key_set_can_only_come_from_its_issuer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SONDE_JWT_JWKS", "https://id.example/keys")
    assert main(["token", "--sub", "p1"]) == 2
    assert "issuer" in capsys.readouterr().err


async def test_tokens_never_stand_in_the_log() -> None:
    secret_token = bearer("p1")["headers"]["Authorization"].removeprefix("Bearer ")
    gateway = start_gateway(env={"SONDE_LOG_LEVEL": "debug"})
    try:
        async with dialled(gateway.url, headers={"Authorization": f"Bearer {secret_token}"}) as peer:
            await peer.identify(token=secret_token)
        async with aiohttp.ClientSession() as session:
            for url in (f"{gateway.url}?token={secret_token}", gateway.url):
                with pytest.raises(aiohttp.WSServerHandshakeError):
                    await session.ws_connect(url, headers={"Authorization": f"Bearer {secret_token}x"})
    finally:
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.stderr is not None
        log = await asyncio.to_thread(gateway.process.stderr.read)
        stop(gateway.process)
    assert b"ready" in log
    assert secret_token.rpartition(".")[2].encode() not in log
    assert SECRET.encode() not in log


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--wait", "soon"), "--wait: must be a valid number"),
        (("--redis", "redis://127.0.0.1:1/0"), "set SONDE_NATS as well"),
        (("--redis", "http://me:secret-word@h", "--nats", "nats://127.0.0.1:1"), "redis://host:6379/0"),
        (
            ("--redis", "redis://127.0.0.1:1/0", "--nats", "nats://127.0.0.1:1"),
            "Redis at 127.0.0.1:1 cannot be used",
        ),
    ],
)
def test_store_and_bus_that_cannot_be_are_said_with_exit_code_2(
    arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = ended(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "secret-word" not in err
