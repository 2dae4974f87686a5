"""Real balancers for tests, run from the files in server/deploy: HAProxy and nginx on a free loopback port."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from support.fleet import free_port, wait_for_port
from support.processes import GatewayProcess

DEPLOY = Path(__file__).parents[2] / "server" / "deploy"


@dataclass(slots=True, frozen=True)
class Balancer:
    """A running balancer."""

    port: int
    folder: Path  # its logs and whatever else it writes
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"ws://127.0.0.1:{self.port}/v1/ws"

    def logs(self) -> str:
        """Everything that it wrote so far, to its outputs and to files."""
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return "".join(path.read_text(errors="replace") for path in files)


@contextmanager
def haproxy(folder: Path, nodes: Sequence[GatewayProcess], activate: str | None = None) -> Iterator[Balancer]:
    """HAProxy before `nodes`; `activate` is a commented line that an operator would activate."""
    text = (DEPLOY / "haproxy.cfg").read_text()
    if activate is not None:
        assert text.count(f"#{activate}\n") == 1, activate
        text = text.replace(f"#{activate}\n", f"{activate}\n")
    config = folder.parent / f"{folder.name}-haproxy.cfg"
    config.write_text(text)
    port = free_port()
    env = {"SONDE_BIND": f"127.0.0.1:{port}"}
    for number, node in enumerate(nodes, 1):
        env[f"SONDE_NODE{number}"] = f"127.0.0.1:{node.port}"
        env[f"SONDE_NODE{number}_ADMIN"] = str(urlsplit(node.admin).port)
    with _running(["haproxy", "-db", "-f", str(config)], port, folder, env) as balancer:
        yield balancer


@contextmanager
def nginx(folder: Path, nodes: Sequence[GatewayProcess]) -> Iterator[Balancer]:
    """nginx before `nodes`."""
    config = folder.parent / f"{folder.name}-nginx"
    config.mkdir()
    shutil.copy(DEPLOY / "nginx.conf", config)
    port = free_port()
    servers = [f"server 127.0.0.1:{node.port} max_fails=1 fail_timeout=2s;\n" for node in nodes]
    (config / "sonde-upstreams.conf").write_text("".join(servers))
    (config / "sonde-listen.conf").write_text(f"listen 127.0.0.1:{port};\n")
    argv = ["nginx", "-p", str(folder), "-c", str(config / "nginx.conf")]
    with _running(argv, port, folder, {}) as balancer:
        yield balancer


@contextmanager
def _running(argv: list[str], port: int, folder: Path, env: dict[str, str]) -> Iterator[Balancer]:
    path = f"{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/usr/local/sbin"
    program = shutil.which(argv[0], path=path)
    assert program is not None, f"{argv[0]} is not installed"
    folder.mkdir()
    with (folder / "outputs.log").open("wb") as outputs:
        process = subprocess.Popen(
            [program, *argv[1:]],
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=outputs,
            stderr=outputs,
        )
    try:
        wait_for_port(port, process)
        yield Balancer(port, folder, process)
    finally:
        process.send_signal(signal.SIGTERM)  # at once, for both
        process.wait(10)


def is_installed(name: str) -> bool:
    """Whether the balancer can be started here."""
    path = f"{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/usr/local/sbin"
    return shutil.which(name, path=path) is not None
