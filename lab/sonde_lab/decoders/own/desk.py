"""All decoders of a person's own: which may run, which reads which connection, and what they made of which row.

Owns permissions, processes, a bounded memory of answers, and a bounded queue of rows for the table. It reads rows
that are there already and never holds up whoever writes them: what it has no time for keeps its first reading, and
that is said. Refuses to run what no person has allowed or named.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from sonde_lab.decoders.own.answers import Answer, Hello
from sonde_lab.decoders.own.connections import Socket, about_connection, about_message, socket_of
from sonde_lab.decoders.own.process import DecoderProcess, Limits, State
from sonde_lab.decoders.own.sources import (
    Source,
    SourceUnreadable,
    in_folder,
    installed,
    named_file,
    state_of,
    target_of,
)
from sonde_lab.records import Flag, Kind
from sonde_lab.ring import Ring
from sonde_lab.wording import one_line, short

MAX_QUEUED: Final = 2_000  # rows that wait for their op; beyond them the oldest keep their first reading
MAX_SCANNED: Final = 2 * MAX_QUEUED  # of the newest rows; a capture that is opened brings many at once
MAX_ANSWERS: Final = 64
MAX_CONNECTIONS: Final = 1_024
FRESH_ROWS: Final = 64  # a connection without a handshake so far is looked at again after so many rows
Notify = Callable[[str, str, str, str], None]


class Listed(NamedTuple):
    """A decoder as it is listed. `words` say in a sentence how it stands."""

    source: Source
    is_allowed: bool
    words: str


class Pending(NamedTuple):
    """An answer that will come."""


PENDING: Final = Pending()
_UNREAD: Final = int(Flag.CONTROL | Flag.TRUNCATED)


class _Choice(NamedTuple):
    """Who reads a socket's messages, and what was known of it then."""

    decoder: DecoderProcess | None
    about: dict[str, Any]
    at_row: int


class OwnDecoders:
    """The decoders of one workbench. `notify` gets what a person should know: cause, title, detail, advice."""

    def __init__(
        self,
        ring: Callable[[], Ring],
        upstream: Callable[[], str],
        notify: Notify,
        limits: Limits | None = None,
    ) -> None:
        self.folder: Path | None = None
        self.allowed: set[str] = set()  # permissions, see `Source.permission`
        self.skipped = 0  # rows that kept their first reading, since the queue was full
        self._ring = ring
        self._upstream = upstream
        self._notify = notify
        self._limits = limits
        self._named: list[Source] = []
        self._running: list[DecoderProcess] = []
        self._choices: OrderedDict[Socket, _Choice] = OrderedDict()
        self._answers: OrderedDict[int, tuple[str, Answer]] = OrderedDict()
        self._queue: deque[int] = deque()
        self._next_id = 0
        self._pump: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping: list[asyncio.Task[None]] = []
        self._is_behind = False
        self._installed: list[Source] | None = None
        self._folder_state: tuple[tuple[str, int, int], ...] = ()
        self._in_folder: list[Source] = []

    # ------------------------------------------------------------ which there are, and which may run

    @property
    def is_active(self) -> bool:
        """Whether any decoder may read messages."""
        return any(decoder.is_usable for decoder in self._running)

    def use(self, source: Source) -> None:
        """Use a decoder that a person has named for this run."""
        self._named = [*(each for each in self._named if each.target != source.target), source]
        self._begin(source)

    def allow(self, source: Source) -> None:
        """A person's permission to run this very code."""
        if source.is_named:
            self.use(source)
            return
        self.allowed.add(source.permission)
        self._begin(source)

    def forbid(self, source: Source) -> None:
        """Take a permission back, and stop the decoder."""
        self.allowed = {each for each in self.allowed if target_of(each) != source.target}
        self._named = [each for each in self._named if each.target != source.target]
        self._end(source.target)

    def use_allowed(self) -> None:
        """Use what was allowed before, as far as its code is the same."""
        if not self.allowed:
            return
        for source in self._found():
            if source.permission in self.allowed:
                self._begin(source)

    def listed(self) -> list[Listed]:
        """Named decoders, those of the folder, and those of installed packages."""
        return [self._listed(source) for source in (*self._named_now(), *self._found())]

    def _named_now(self) -> list[Source]:
        """The named files as they are now; one that cannot be read as it was."""
        found = list(self._named)
        for place, source in enumerate(self._named):
            with contextlib.suppress(SourceUnreadable):
                found[place] = named_file(Path(source.target))
        return found

    def _found(self) -> Iterable[Source]:
        named = {source.target for source in self._named}
        if self._installed is None:
            self._installed = installed()  # once: packages do not change under a running program
        found = (*self._of_folder(), *self._installed)
        return [source for source in found if source.target not in named]

    def _of_folder(self) -> list[Source]:
        """The folder's decoders, read again where a file has changed."""
        if self.folder is None:
            return []
        state = state_of(self.folder)
        if state != self._folder_state:
            self._folder_state, self._in_folder = state, in_folder(self.folder)
        return self._in_folder

    def _listed(self, source: Source) -> Listed:
        running = next((each for each in self._running if each.source == source), None)
        if running is None:
            was_allowed = source.is_named or source.target in map(target_of, self.allowed)
            words = (
                "Changed since it was allowed: allow it again"
                if was_allowed
                else "Not allowed: it does not run"
            )
            return Listed(source, False, words)
        states = {
            State.ALLOWED: "Allowed: it starts with the first message",
            State.RUNNING: _reads(running.hello),
            State.FAILED: running.why,
            State.OFF: running.why,
            State.STOPPED: "Stopped",
        }
        return Listed(source, True, one_line(states[running.state], 300))

    def _begin(self, source: Source) -> None:
        self._end(source.target)

        def on_off(why: str) -> None:
            printed = " ".join(decoder.printed[-3:])
            advice = "Mend it, then allow it again under “Decoders”." + (
                f" It printed: {printed}" if printed else ""
            )
            self._notify(
                "decoder_off", f"The decoder “{source.name}” is not used", why, one_line(advice, 600)
            )

        decoder = DecoderProcess(source, on_off, self._limits)
        self._running.append(decoder)
        self._running.sort(key=lambda each: (not each.source.is_named, each.source.name))
        self._forget_readings()
        self._next_id = self._ring().next_id

    def _end(self, target: str) -> None:
        for decoder in [each for each in self._running if each.source.target == target]:
            self._running.remove(decoder)
            self._stopping = [task for task in self._stopping if not task.done()]
            self._stopping.append(self._spawn(decoder.stop(), "stop a decoder"))
        self._forget_readings()

    def _forget_readings(self) -> None:
        self._choices.clear()
        self._answers.clear()

    def leave(self) -> None:
        """Another endpoint: its connections are others."""
        self._forget_readings()
        self._queue.clear()

    async def stop(self) -> None:
        """End every process and forget what was queued."""
        self._queue.clear()
        for task in tuple(self._tasks):
            if task not in self._stopping:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(decoder.stop() for decoder in self._running))

    # ------------------------------------------------------------ one row that is looked at

    def look(self, row_id: int, done: Callable[[Answer | None], None]) -> Answer | Pending | None:
        """What a decoder makes of a row: its answer, `None` where the row is no decoder's, or `PENDING`.

        Then `done` gets it. Nothing is started for a row of a connection that has no decoder.
        """
        if not self.is_active or not self._is_message(row_id):
            return None
        known = self._answers.get(row_id)
        if known is not None:
            return known[1]
        choice = self._choices.get(socket_of(self._ring(), row_id))
        if choice is not None and self._holds(choice, row_id) and choice.decoder is None:
            return None

        async def read() -> None:
            done(await self.read(row_id))

        self._spawn(read(), f"decode row {row_id + 1}")
        return PENDING

    def known(self, row_id: int) -> Answer | None:
        """The answer for a row, where it is remembered."""
        known = self._answers.get(row_id)
        return None if known is None else known[1]

    def reader_of(self, row_id: int) -> str:
        """The name of the decoder that has answered for a row; empty without one."""
        known = self._answers.get(row_id)
        return "" if known is None else known[0]

    async def read(self, row_id: int) -> Answer | None:
        """A decoder's answer for a row; `None` where it is no decoder's, or has left memory."""
        if not self.is_active or not self._is_message(row_id):
            return None
        choice = await self._choice(row_id)
        ring = self._ring()
        if choice.decoder is None or row_id not in ring.ids:
            return None
        info = about_message(ring, row_id, choice.about)
        answer = await choice.decoder.decode(ring.payload(row_id), info)
        if not answer.is_mine:
            return None
        self._answers[row_id] = (choice.decoder.source.name, answer)
        while len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)
        self._write(row_id, answer)
        return answer

    def _is_message(self, row_id: int) -> bool:
        ring = self._ring()
        if row_id not in ring.ids or ring.value("kind", row_id) != Kind.FRAME:
            return False
        return not ring.value("flags", row_id) & _UNREAD

    def _write(self, row_id: int, answer: Answer) -> None:
        """Put an answer into the table's row."""
        ring = self._ring()
        if answer.problem:
            ring.annotate(row_id, flags=int(Flag.UNDECODED))
            return
        if row_id in ring.ids and ring.value("flags", row_id) & Flag.UNDECODED:  # it had failed before
            ring.annotate(row_id, without=int(Flag.UNDECODED))
        words = answer.summary or (short(answer.value) if answer.has_value else "")
        is_ours = not ring.text(
            "protocol", row_id
        )  # states and folding go by what Sonde's own rows are called
        op, channel = ("", "") if is_ours else (one_line(answer.op, 64), one_line(answer.channel, 128))
        ring.retitle(row_id, op, channel, one_line(words, 240))

    # ------------------------------------------------------------ whose a connection is

    async def _choice(self, row_id: int) -> _Choice:
        socket = socket_of(self._ring(), row_id)
        known = self._choices.get(socket)
        if known is not None and self._holds(known, row_id):
            return known
        about = about_connection(self._ring(), row_id, self._upstream())
        is_foreign = bool(self._ring().text("protocol", row_id))
        decoder = None
        for each in tuple(self._running):
            if await self._is_its(each, about, is_foreign):
                decoder = each
                break
        choice = _Choice(decoder, about, row_id)
        self._choices[socket] = choice
        while len(self._choices) > MAX_CONNECTIONS:
            self._choices.popitem(last=False)
        return choice

    def _holds(self, choice: _Choice, row_id: int) -> bool:
        """Whether a choice still stands: one made before the handshake was seen does so for a while."""
        if choice.decoder is not None:
            return choice.decoder.is_usable
        return bool(choice.about["path"]) or abs(row_id - choice.at_row) < FRESH_ROWS

    @staticmethod
    async def _is_its(decoder: DecoderProcess, about: dict[str, Any], is_foreign: bool) -> bool:
        hello = await decoder.declared()
        if not decoder.is_usable:
            return False
        if about["subprotocol"] and about["subprotocol"] in hello.subprotocols:
            return True
        if any(each in about["upstream"] or each == about["host"] for each in hello.upstreams if each):
            return True
        if hello.can_match:
            return await decoder.matches(about)
        return is_foreign and not hello.subprotocols and not hello.upstreams

    # ------------------------------------------------------------ rows for the table, behind their writing

    def take_rows(self) -> None:
        """Queue what has come since the last call. Costs nothing without a decoder."""
        ring = self._ring()
        begin, self._next_id = max(self._next_id, ring.first_id), ring.next_id
        if not self.is_active or begin == ring.next_id:
            return
        ids = range(max(begin, ring.next_id - MAX_SCANNED), ring.next_id)
        is_message = (ring.column("kind", ids) == Kind.FRAME) & ((ring.column("flags", ids) & _UNREAD) == 0)
        places = np.flatnonzero(is_message)
        conns, dials = ring.column("conn", ids)[places], ring.column("dial", ids)[places]
        for place, conn, dial in zip(places.tolist(), conns.tolist(), dials.tolist(), strict=True):
            row_id = ids.start + place
            choice = self._choices.get(Socket(conn, dial))
            if choice is None or choice.decoder is not None or not self._holds(choice, row_id):
                self._queue.append(row_id)
        self._drop_oldest(ids.start - begin)
        if self._queue and (self._pump is None or self._pump.done()):
            self._pump = self._spawn(self._read_queued(), "decode rows")

    def _drop_oldest(self, unseen: int) -> None:
        over = max(0, len(self._queue) - MAX_QUEUED)
        for _ in range(over):
            self._queue.popleft()
        self.skipped += over + unseen
        if over + unseen and not self._is_behind:
            self._is_behind = True
            detail = "Messages come faster than they are decoded: some rows keep their first reading."
            self._notify(
                "decoders_behind", "Decoders are behind", detail, "Select such a row to have it decoded."
            )

    async def _read_queued(self) -> None:
        while self._queue:
            await self.read(self._queue.popleft())
            await asyncio.sleep(0)
        self._is_behind = False

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _reads(hello: Hello) -> str:
    parts = [", ".join(names) for names in (hello.subprotocols, hello.upstreams) if names]
    parts += ["what it calls its own"] if hello.can_match else []
    return f"In use for {' and '.join(parts) or 'every message of a protocol that is not Sonde’s'}"
