"""The queue on disk: lets a restarted program resume its session and send again what had no answer.

Owns one small file, written whole and atomically, readable by its owner only (it holds the resume secret).
What is read is hostile: bounded, typed, and bound to one address; anything else is set aside and reported.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

import msgspec

from sonde_client.identity import Identity
from sonde_client.queue import CommandQueue
from sonde_protocol.errors import excerpt
from sonde_protocol.frames import Patch, Publish

FORMAT: Final = 1
MAX_FILE_BYTES: Final = 128 * 1024 * 1024
_SET_ASIDE_TRIES: Final = 100
_PLACEHOLDER: Final = 1  # a frame's id may not be empty; `number` says whether it has one


class StoredCommand(msgspec.Struct):
    """A command that the gateway deduplicates. `number` is `None` while it was never sent."""

    frame: Publish | Patch
    number: int | None = None


class StoredQueue(msgspec.Struct, tag="sonde-queue", tag_field="kind"):
    """The file's content."""

    version: int
    url: str
    next_number: int
    commands: list[StoredCommand]
    session: str | None = None
    resume: str | None = None
    generation: int = 0


class QueueFileError(Exception):
    """The file cannot be used; the message says why, for people."""


class QueueFile:
    """One client's queue file."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self._url = url

    # ------------------------------------------------------------ reading

    def load(self) -> StoredQueue | None:
        """What an earlier run left; `None` when there is no file.

        Raises:
            QueueFileError: it is unreadable, or not ours; it was set aside.
        """
        try:
            stored = self._decode(self._read())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, msgspec.MsgspecError, RecursionError) as error:
            aside = self._set_aside()
            kept = f"It was kept as {aside.name}." if aside else "It could not be set aside."
            raise QueueFileError(f"{self.path}: {excerpt(str(error), 200)}. {kept}") from None
        return stored

    def _read(self) -> bytes:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(self.path, flags)
        with os.fdopen(descriptor, "rb") as file:
            info = os.fstat(descriptor)
            if not stat.S_ISREG(info.st_mode):
                raise ValueError("not a regular file")
            if info.st_size > MAX_FILE_BYTES:
                raise ValueError(f"larger than {MAX_FILE_BYTES} bytes")
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, 0o600)  # whoever could read it before: not from now on
            return file.read(MAX_FILE_BYTES + 1)

    def _decode(self, data: bytes) -> StoredQueue:
        stored = msgspec.json.decode(data, type=StoredQueue)
        if stored.version != FORMAT:
            raise ValueError(f"written by another version ({stored.version})")
        if stored.url != self._url:
            raise ValueError("it belongs to another gateway, which alone may see its secret")
        numbers = [c.number for c in stored.commands if c.number is not None]
        if any(number < 1 for number in numbers) or numbers != sorted(set(numbers)):
            raise ValueError("its numbers are out of order")
        if numbers and stored.next_number <= numbers[-1]:
            raise ValueError("its next number was used already")
        return stored

    def _set_aside(self) -> Path | None:
        for n in range(_SET_ASIDE_TRIES):
            aside = self.path.with_name(f"{self.path.name}.unreadable-{n}")
            if not aside.exists():
                with contextlib.suppress(OSError):
                    self.path.rename(aside)
                    return aside
        return None

    # ------------------------------------------------------------ writing

    def save(self, queue: CommandQueue, identity: Identity) -> None:
        """Replace the file by the present state.

        Raises:
            QueueFileError: it cannot be written.
        """
        data = msgspec.json.encode(_stored(queue, identity, self._url))
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
            with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
                file.write(data)
            temporary.replace(self.path)
        except OSError as error:
            raise QueueFileError(f"{self.path}: {error.strerror or error}.") from None


def _stored(queue: CommandQueue, identity: Identity, url: str) -> StoredQueue:
    pending = [p for p in (*queue.unanswered, *queue.unsent) if p.is_recorded]
    commands = []
    for p in pending:
        assert isinstance(p.command, Publish | Patch)
        frame = p.command if p.number else msgspec.structs.replace(p.command, id=_PLACEHOLDER)
        commands.append(StoredCommand(frame, p.number))
    return StoredQueue(
        version=FORMAT,
        url=url,
        next_number=queue.next_number,
        commands=commands,
        session=identity.session if identity.resumable else None,
        resume=identity.secret,
        generation=identity.generation,
    )


def restore(stored: StoredQueue, queue: CommandQueue, identity: Identity, now: float) -> int:
    """Take over what a file holds. Returns how many commands wait for an answer or to be sent.

    A numbered command without a session to repeat it in is left out: it might be applied twice.
    """
    sent: list[Publish | Patch] = []
    waiting: list[Publish | Patch] = []
    for command in stored.commands:
        command.frame.id = command.number or 0
        if command.number is None:
            waiting.append(command.frame)
        elif stored.session and stored.resume:
            sent.append(command.frame)
    queue.next_number = max(queue.next_number, stored.next_number)
    queue.restore(sent, waiting)
    if stored.session and stored.resume:
        identity.restore(stored.session, stored.resume, stored.generation, now)
    return len(sent) + len(waiting)
