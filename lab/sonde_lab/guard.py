"""Runs one program that has no pipe to its parent, and ends it when this guard's own parent is gone.

Owns the program's life: when standard input ends, or a signal asks, the program is continued if it was paused, asked
to end, and killed if it stays. If the guard itself is killed, Linux kills the program. Knows nothing of the program.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

PATIENCE_S: Final = 5.0
_POLL_MS: Final = 200
_PR_SET_PDEATHSIG: Final = 1
_OTHERS_END_S: Final = 1.0  # until what else stood in a folder has ended too
_USAGE: Final = "usage: python -m sonde_lab.guard [--log] [--tidy FOLDER] -- program arguments…\n"


def main(arguments: list[str]) -> int:
    """Run the program behind `--`; with `--log` its standard output counts as log, with `--tidy` a folder is removed
    once the parent is gone. The program's exit code.
    """
    if "--" not in arguments or not arguments[arguments.index("--") + 1 :]:
        sys.stderr.write(_USAGE)
        return 2
    cut = arguments.index("--")
    asked = _asked_to_end()
    guard = os.getpid()
    try:
        program = subprocess.Popen(  # noqa: S603 - the program is the caller's own
            arguments[cut + 1 :],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr if "--log" in arguments[:cut] else None,
            preexec_fn=_die_with(guard),
        )
    except OSError as error:
        sys.stderr.write(f"{arguments[cut + 1]} cannot be started: {error.strerror or error}\n")
        return 2
    _tell(event="started", pid=program.pid)
    is_orphan = _wait(program, asked)
    code = _end(program)
    if is_orphan and "--tidy" in arguments[:cut]:
        time.sleep(_OTHERS_END_S)
        shutil.rmtree(arguments[arguments.index("--tidy") + 1], ignore_errors=True)
    _tell(event="ended", code=code)
    return 0 if code == 0 else 1


def _asked_to_end() -> list[int]:
    """A list that is filled once a signal asks this guard to end."""
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: asked.append(got))
    return asked


def _die_with(guard: int) -> Callable[[], None] | None:
    """Linux: the program is killed with this guard, however it ends. Elsewhere only the pipe protects."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl  # loaded before the fork

    def arm() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != guard:  # the guard died between fork and prctl
            os._exit(1)

    return arm


def _wait(program: subprocess.Popen[bytes], asked: list[int]) -> bool:
    """Until the program ended, the parent is gone, or a signal asked. Whether the parent is gone."""
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    while program.poll() is None and not asked:
        if poll.poll(_POLL_MS) and not os.read(0, 4096):
            return True
    return False


def _end(program: subprocess.Popen[bytes]) -> int:
    """Its exit code, after ending it when it still runs: a paused program would not hear a polite signal."""
    if program.poll() is None:
        program.send_signal(signal.SIGTERM)
        program.send_signal(signal.SIGCONT)
    try:
        return program.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        program.kill()
        return program.wait()


def _tell(**values: object) -> None:
    try:
        sys.stdout.write(json.dumps(values) + "\n")
        sys.stdout.flush()
    except OSError:
        pass  # nobody listens any more; the program is still ended


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
