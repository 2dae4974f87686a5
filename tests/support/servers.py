"""Redis and NATS servers that the whole test session shares, started on first use and ended with it."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from support.fleet import Program, free_port, nats_program, redis_program

_shared: list[Program] = []


def _kept(program: Program) -> Program:
    program.start()
    _shared.append(program)
    atexit.register(program.end)
    return program


def shared_pids() -> set[int]:
    """The processes that tests may leave running."""
    return {program.process.pid for program in _shared if program.process is not None}


@functools.cache
def shared_redis() -> Program:
    """The bundled one."""
    return _kept(redis_program(Path(tempfile.mkdtemp(prefix="sonde-redis-"))))


@functools.cache
def shared_debian_redis() -> Program:
    """The machine's own `redis-server`."""
    port = free_port()
    folder = tempfile.mkdtemp(prefix="sonde-redis-")
    argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
    return _kept(Program([*argv, "--maxmemory-policy", "noeviction"], port))


def has_debian_redis() -> bool:
    """Whether the machine has one."""
    return shutil.which("redis-server") is not None


@functools.cache
def shared_nats() -> Program:
    """The bundled one."""
    return _kept(nats_program())
