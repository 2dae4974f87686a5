"""What clients do of their own accord: each command is numbered, so that what becomes of it can be told afterwards.

Owns the behaviours and what was sent. No answer is waited for before the next command, as in a game.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sonde_client import Client, ConnectFailed, NotSent, OutcomeUnknown
from sonde_lab.arena import LINES, SIZE
from sonde_lab.scenario.plan import ClientPlan
from sonde_protocol.errors import Refused
from sonde_protocol.frames import Command, Patch, Publish

_WALK_S: Final = (0.2, 0.33)
_CHAT_S: Final = (0.3, 1.5)
_STRIDE: Final = 4.0
MAX_UNANSWERED: Final = 200  # then it waits with the next one, as a game would


@dataclass(slots=True)
class Sent:
    """One command. `outcome`: waiting, ok, refused, unknown (the session ended before an answer) or not sent."""

    ch: str
    n: int
    is_event: bool
    outcome: str = "waiting"
    seq: int | None = None


class Acting:
    """One client's own life, from `start` until `stop`."""

    def __init__(self, plan: ClientPlan, client: Client, seed: int) -> None:
        self.sent: list[Sent] = []
        self._plan = plan
        self._client = client
        self._chance = random.Random(f"{seed}/{plan.name}")  # noqa: S311 - a scenario repeats itself by its seed
        self._spot = [self._chance.uniform(0, SIZE), self._chance.uniform(0, SIZE)]
        self._task: asyncio.Task[None] | None = None
        self._answers: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to act."""
        if self._plan.behaviour != "silent":
            self._task = asyncio.get_running_loop().create_task(self._live(), name=f"act {self._plan.name}")

    def quiet(self) -> None:
        """Send nothing more; answers may still come."""
        if self._task is not None:
            self._task.cancel()

    async def stop(self) -> None:
        """Wait for nothing any more."""
        self.quiet()
        left = [*self._answers, *([self._task] if self._task is not None else [])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _live(self) -> None:
        pause_s, make = _BEHAVIOURS[self._plan.behaviour]
        while True:
            await asyncio.sleep(1 / self._plan.rate_hz if pause_s is None else self._chance.uniform(*pause_s))
            if len(self._answers) < MAX_UNANSWERED:
                sent = Sent(self._plan.channels[0], len(self.sent) + 1, is_event=make is not _walk)
                self.sent.append(sent)
                self._send(make(self, sent), sent)

    def _send(self, command: Command, sent: Sent) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(command, sent))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, command: Command, sent: Sent) -> None:
        try:
            answer = await self._client.command(command)
        except Refused:
            sent.outcome = "refused"
        except OutcomeUnknown:
            sent.outcome = "unknown"
        except (NotSent, ConnectFailed):
            sent.outcome = "not sent"
        else:
            sent.outcome = "ok"
            sent.seq = answer.get("seq") if isinstance(answer, dict) else None

    @property
    def name(self) -> str:
        """Whose life it is."""
        return self._plan.name

    def stride(self) -> dict[str, Any]:
        """A step somewhere."""
        moved = (place + self._chance.uniform(-_STRIDE, _STRIDE) for place in self._spot)
        self._spot = [min(SIZE, max(0.0, place)) for place in moved]
        return {"x": round(self._spot[0], 1), "y": round(self._spot[1], 1)}

    def line(self) -> str:
        """Something to say."""
        return self._chance.choice(LINES)


def _walk(acting: Acting, sent: Sent) -> Command:
    return Patch(id=0, ch=sent.ch, d={"players": {acting.name: {**acting.stride(), "n": sent.n}}})


def _chat(acting: Acting, sent: Sent) -> Command:
    data = {"by": acting.name, "n": sent.n, "text": acting.line()}
    return Publish(id=0, ch=sent.ch, type="said", d=data)


def _publish(acting: Acting, sent: Sent) -> Command:
    return Publish(id=0, ch=sent.ch, type="tick", d={"by": acting.name, "n": sent.n})


_Make = Callable[[Acting, Sent], Command]
_BEHAVIOURS: Final[Mapping[str, tuple[tuple[float, float] | None, _Make]]] = MappingProxyType(
    {"walker": (_WALK_S, _walk), "chatter": (_CHAT_S, _chat), "publisher": (None, _publish)}
)
