"""One decoder of a person's own, in a process of its own: `python -m sonde_lab.decoders.own.worker file|entry TARGET DIGEST`.

It reads questions from its standard input and answers on its standard output; what the decoder prints goes to
standard error. It ends with its standard input. Memory is limited where the system can do that, and so is the time
on the processor, so that not even a decoder that never comes back outlives its parent for long.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import msgspec

from sonde_lab.decoders.own.answers import (
    MAX_PAYLOAD_BYTES,
    MAX_PROBLEM,
    MAX_TRACE_LINES,
    Answer,
    Ask,
    Frames,
    Hello,
    framed,
)
from sonde_lab.decoders.own.plain_values import Nonsense, answer_of
from sonde_lab.decoders.own.sources import digest_of

MEMORY_BYTES: Final = 1 << 30
PROCESSOR_S: Final = 5  # for one answer; the parent has long given up by then
MAX_DECLARED: Final = 64
_LINE_LIMIT: Final = 200
_CHUNK: Final = 1 << 16


class Decoder:
    """The loaded decoder. Its module's lines are those told in a traceback."""

    def __init__(self, subject: Any, file: str) -> None:
        self.file = file
        decode = getattr(subject, "decode", subject)
        if not callable(decode):
            raise Nonsense("it has no function “decode”")
        self.decode: Callable[[bytes, dict[str, Any]], Any] = decode
        matches = getattr(subject, "matches", None)
        self.matches: Callable[[dict[str, Any]], Any] | None = matches if callable(matches) else None
        self.subprotocols = _declared(subject, "subprotocols")
        self.upstreams = _declared(subject, "upstreams")

    def answer(self, ask: Ask) -> Answer:
        """One question answered; a failure of the decoder's is an answer too."""
        try:
            if ask.payload is None:
                return Answer(ask.number, is_mine=bool(self.matches and self.matches(ask.info)))
            return answer_of(ask.number, self.decode(ask.payload, ask.info))
        except Nonsense as error:
            return Answer(ask.number, problem=str(error)[:MAX_PROBLEM])
        except BaseException as error:  # noqa: BLE001 - whatever a person's code raises is told, SystemExit too
            return Answer(ask.number, problem=last_line(error), trace=own_lines(error, self.file))


def _declared(subject: Any, name: str) -> list[str]:
    values = getattr(subject, name, ())
    if isinstance(values, str):
        values = (values,)
    return [str(value)[:_LINE_LIMIT] for value in list(values)[:MAX_DECLARED]]


def load(kind: str, target: str, digest: str) -> Decoder:
    """The decoder in a file, or behind an entry point (`package.module:name`). Runs its code.

    A file runs only as it was when a person allowed it: `digest` is of that code.
    """
    if kind == "file":
        module = _module_of(Path(target), digest)
        return Decoder(module, str(module.__file__))
    name, _, attribute = target.partition(":")
    module = importlib.import_module(name)
    subject: Any = module
    for part in filter(None, attribute.split(".")):
        subject = getattr(subject, part)
    return Decoder(subject, str(module.__file__))


def _module_of(path: Path, digest: str) -> ModuleType:
    code = path.read_bytes()
    if digest_of(code) != digest:
        raise Nonsense("its file has changed since it was allowed")
    sys.path.append(str(path.parent))  # last: a file beside it must not hide one of Python's own
    module = ModuleType("own_decoder")
    module.__file__ = str(path)
    sys.modules["own_decoder"] = module
    exec(compile(code, str(path), "exec"), module.__dict__)  # noqa: S102 - the very bytes that were looked at
    return module


def last_line(error: BaseException) -> str:
    """What went wrong, as the last line of a traceback says it."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an exception whose own words fail
        text = "its words cannot be shown"
    name = type(error).__name__
    return _safe(f"{name}: {text}" if text else name, MAX_PROBLEM)


def own_lines(error: BaseException, file: str) -> list[str]:
    """The lines of a traceback that are in the decoder's own file, the outermost first."""
    found = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return [
        _safe(f"line {frame.lineno}, in {frame.name}: {frame.line or ''}", _LINE_LIMIT)
        for frame in found[-MAX_TRACE_LINES:]
    ]


def _safe(text: str, limit: int) -> str:
    return text[:limit].encode("utf-8", "backslashreplace").decode()


class Pipes:
    """The two ends that belong to the parent, taken away from whatever the decoder reads and prints."""

    def __init__(self) -> None:
        self._questions, self._answers = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        self.asked: queue.SimpleQueue[Ask] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="questions", daemon=True).start()

    def _read(self) -> None:
        """A thread of its own: it sees the parent's end also while the decoder computes."""
        frames = Frames(MAX_PAYLOAD_BYTES + (1 << 16))
        while data := os.read(self._questions, _CHUNK):
            for body in frames.feed(data):
                self.asked.put(msgspec.msgpack.decode(body, type=Ask))
        os._exit(0)

    def send(self, message: msgspec.Struct) -> None:
        """Write a message whole."""
        left = memoryview(framed(message))
        while left:
            left = left[os.write(self._answers, left) :]


def limit_memory() -> None:
    """No more than a gigabyte, where the system can promise that."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def limit_processor() -> None:
    """Some seconds more than have been used: the system ends a decoder that computes on."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        _soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + PROCESSOR_S, hard))


def main(kind: str, target: str, digest: str) -> int:
    """Load the decoder and answer until the parent is gone."""
    pipes = Pipes()
    limit_memory()
    limit_processor()
    try:
        decoder = load(kind, target, digest)
    except BaseException as error:  # noqa: BLE001 - as in `answer`
        pipes.send(Hello(problem=last_line(error), trace=own_lines(error, target)))
        return 1
    pipes.send(Hello(decoder.subprotocols, decoder.upstreams, decoder.matches is not None))
    while True:
        ask = pipes.asked.get()
        limit_processor()
        pipes.send(decoder.answer(ask))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
