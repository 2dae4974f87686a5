"""What a test expects of clients that are dropped: each waits for it, and says with rows what was there instead.

Owns the reading of stories and witnesses. Each `expect_…` returns nothing or a value when it is met and raises `NotMet`
when it is not; in an asynchronous test it is awaited.
"""

from __future__ import annotations

import itertools
from collections.abc import Coroutine
from typing import Any, Final, NamedTuple

from sonde_lab.testing.client import Seen, TestClient
from sonde_lab.testing.evidence import NO_VALUE, difference, not_met
from sonde_lab.testing.proxy import TestProxy
from sonde_lab.testing.recording import Happening
from sonde_lab.testing.thread import NotMet, until
from sonde_lab.verdict import Cause, Verdict
from sonde_lab.wording import one_line
from sonde_protocol.codes import close_name
from sonde_protocol.cursor import Cursor
from sonde_protocol.errors import excerpt
from sonde_protocol.injecting import nearest
from sonde_protocol.merge import state_hash

WITHIN_S: Final = 10.0
SHOWN: Final = 5

Where = TestClient | TestProxy
Place = tuple[str, str]  # channel and epoch


class Reconnected(NamedTuple):
    """A drop and the return after it. `resumed`: the session is the same one; of a proxy's clients it is not known."""

    took_s: float
    resumed: bool


def expect_reconnected(where: Where, within: float = WITHIN_S, *, resumed: bool | None = None) -> Any:
    """A client was dropped since the last such call, and is back with every channel up to date.

    Of a proxy: its connections were, and as many are there again. `resumed` also asks for the same session, or a new one.
    Returns a `Reconnected`.
    """
    __tracebackhide__ = True
    return _ask(where, _reconnected(where, within, resumed), "expect_reconnected()")


def expect_close(where: Where, code: int, within: float = WITHIN_S) -> Any:
    """A connection was closed with this code since the last such call; 1006 where no close frame came."""
    __tracebackhide__ = True
    return _ask(where, _closed(where, code, within), "expect_close()")


def expect_verdict(where: Where, cause: str, within: float = WITHIN_S) -> Any:
    """A connection has ended since the last such call, and its verdict is this cause (see `docs/verdicts.md`).

    Returns the `Verdict`. Of a proxy: one of its connections.
    """
    __tracebackhide__ = True
    return _ask(where, _judged(where, _cause(cause), within), "expect_verdict()")


def expect_no_lost_entries(*clients: TestClient, within: float = WITHIN_S) -> Any:
    """Nothing is missing between the first and the newest entry of each channel.

    The newest is what any client of this test was given, or was told that the gateway took in.
    """
    __tracebackhide__ = True
    return _ask(clients[0], _no_lost_entries(clients, within), "expect_no_lost_entries()")


def expect_no_duplicates(*clients: TestClient) -> Any:
    """No client was handed an entry twice, or an older one after a newer one."""
    __tracebackhide__ = True
    return _ask(clients[0], _no_duplicates(clients), "expect_no_duplicates()")


def expect_converged(*clients: TestClient, ch: str = "", within: float = WITHIN_S) -> Any:
    """The clients hold the same document at the same place of its history, in each channel that they share."""
    __tracebackhide__ = True
    return _ask(clients[0], _converged(clients, ch, within), "expect_converged()")


def _ask(where: Where, work: Coroutine[Any, Any, Any], what: str) -> Any:
    __tracebackhide__ = True
    return where.thread.ask(work, what)


# ---------------------------------------------------------------- connections


async def _reconnected(where: Where, within: float, resumed: bool | None) -> Reconnected:
    mark = where.story.marks.get("reconnected", 0)
    back = await until(lambda: _back(where, mark), within)
    if back is None:
        raise not_met(
            where, f"{where.story.name} has not reconnected within {within:g} s: {_why_not_back(where, mark)}"
        )
    end, lost, live = back
    where.story.marks["reconnected"] = end
    is_same = isinstance(where, TestClient) and bool(lost.session) and lost.session == live.session
    if resumed is not None and isinstance(where, TestProxy):
        raise ValueError(
            "whether a session was resumed is known of a sonde_client only, not of a proxy's clients"
        )
    if resumed is not None and is_same is not resumed:
        came = "resumed its session" if is_same else "came back with a new session"
        wanted = "a resumed session" if resumed else "a new session"
        raise not_met(where, f"{where.story.name} {came}; expected was {wanted}")
    return Reconnected(live.at - lost.at, is_same)


def _back(where: Where, mark: int) -> tuple[int, Happening, Happening] | None:
    """The mark behind the return, the first loss and the last return; nothing while somebody is still away."""
    told = where.story.since(mark)
    first = next((n for n, (_, each) in enumerate(told) if each.what == "lost"), None)
    if first is None or not where.is_live:
        return None
    after = [(end, each) for end, each in told[first:] if each.what in ("lost", "live")]
    away = 0
    for _, each in after:
        away = max(0, away + (1 if each.what == "lost" else -1))
    returns = [(end, each) for end, each in after if each.what == "live"]
    return None if away or not returns else (returns[-1][0], told[first][1], returns[-1][1])


def _why_not_back(where: Where, mark: int) -> str:
    if not any(each.what == "lost" for _, each in where.story.since(mark)):
        return "it was not dropped since"
    if isinstance(where, TestProxy):
        return f"{len(where.passing)} connections are open"
    status = where.status
    why = f" ({status.failure.title})" if status.failure is not None else ""
    channels = ", ".join(f"{name} {each.status.value}" for name, each in where.engine.channels.items())
    return f"it is {status.state.value}{why}, with {channels or 'no channel'}"


async def _closed(where: Where, code: int, within: float) -> None:
    mark = where.story.marks.get("closed", 0)
    met = await until(lambda: next((end for end, was in _closes(where, mark) if was == code), None), within)
    if met is None:
        came = (
            ", ".join(f"{was} {close_name(was)}" for _, was in _closes(where, mark)[-SHOWN:]) or "none at all"
        )
        wanted = f"{code} {close_name(code)}"
        raise not_met(where, f"{where.story.name} saw no close {wanted} within {within:g} s; it saw {came}")
    where.story.marks["closed"] = met


def _closes(where: Where, mark: int) -> list[tuple[int, int]]:
    if isinstance(where, TestProxy):
        codes = where.stand.recording.close_codes(where.is_mine, mark)
        return [(row_id + 1, code) for row_id, code in codes]
    return [(end, each.code) for end, each in where.story.since(mark) if each.what == "closed"]


def _cause(name: str) -> Cause:
    try:
        return Cause(name)
    except ValueError:
        raise ValueError(f"there is no cause “{excerpt(name, 40)}”{nearest(name, Cause)}") from None


async def _judged(where: Where, cause: Cause, within: float) -> Verdict:
    mark = where.story.marks.get("judged", 0)
    met = await until(
        lambda: next((each for each in _ends(where, mark) if each[1].cause is cause), None), within
    )
    if met is None:
        came = ", ".join(f"{each.cause.value} ({each.title})" for _, each in _ends(where, mark))
        wanted = f"{where.story.name} saw no end with the verdict {cause.value} within {within:g} s"
        raise not_met(where, f"{wanted}; it saw {came or 'no end at all'}")
    where.story.marks["judged"] = met[0] + 1
    return met[1]


def _ends(where: Where, mark: int) -> list[tuple[int, Verdict]]:
    return where.stand.recording.verdicts(where.is_mine, mark)


# ---------------------------------------------------------------- entries


async def _no_lost_entries(clients: tuple[TestClient, ...], within: float) -> None:
    for client in clients:
        _refuse_overflow(client)
        await until(lambda client=client: True if not _behind(client) else None, within)  # type: ignore[misc]
        missing = _missing(client)
        if missing:
            total = sum(len(seqs) for seqs in missing.values())
            told = "; ".join(f"{ch}: {_numbers(seqs)}" for (ch, _), seqs in missing.items())
            raise not_met(
                client, f"{client.name} lost {total} {'entry' if total == 1 else 'entries'}: {told}"
            )


def _places(client: TestClient) -> dict[Place, list[int]]:
    """The numbers that a client was handed, in that order, by channel and epoch."""
    places: dict[Place, list[int]] = {}
    for each in client.witness.seen:
        if each.seq is not None:
            places.setdefault((each.ch, each.epoch), []).append(each.seq)
    return places


def _known_top(client: TestClient) -> dict[Place, int]:
    """The newest number of each place that anybody in this test knows of."""
    tops: dict[Place, int] = {}
    for other in client.stand.clients:
        for place, seqs in _places(other).items():
            tops[place] = max(tops.get(place, 0), *seqs)
        for ch, epoch, seq in other.witness.acked:
            tops[ch, epoch] = max(tops.get((ch, epoch), 0), seq)
    return tops


def _missing(client: TestClient) -> dict[Place, list[int]]:
    """What it was not handed of what came after its first entry, up to the newest that is known."""
    tops, missing = _known_top(client), {}
    for place, seqs in _places(client).items():
        seen = set(seqs)
        gone = [seq for seq in range(min(seen), tops[place] + 1) if seq not in seen]
        if gone and place[0] in client.engine.channels:
            missing[place] = gone
    return missing


def _behind(client: TestClient) -> bool:
    return not client.is_live or bool(_missing(client))


async def _no_duplicates(clients: tuple[TestClient, ...]) -> None:
    for client in clients:
        _refuse_overflow(client)
        wrong: list[str] = []
        for (ch, _), seqs in _places(client).items():
            wrong += [
                f"{ch} #{seq} after #{before}" for before, seq in itertools.pairwise(seqs) if seq <= before
            ]
        if wrong:
            told = ", ".join(wrong[:SHOWN])
            raise not_met(
                client, f"{client.name} was handed {len(wrong)} entries twice or out of order: {told}"
            )


def _refuse_overflow(client: TestClient) -> None:
    if client.witness.left_out:
        raise not_met(
            client, f"{client.name} was handed more entries than its witness keeps: nothing can be said"
        )


def _numbers(seqs: list[int]) -> str:
    shown = ", ".join(f"#{seq}" for seq in seqs[:SHOWN])
    return shown + (f" and {len(seqs) - SHOWN:,} more" if len(seqs) > SHOWN else "")


# ---------------------------------------------------------------- documents


async def _converged(clients: tuple[TestClient, ...], ch: str, within: float) -> None:
    if len(clients) < 2:
        raise ValueError("expect_converged compares clients: name two or more")
    await until(lambda: True if _apart(clients, ch) is None else None, within)
    apart = _apart(clients, ch)
    if apart is not None:
        raise not_met(clients[-1], f"not converged within {within:g} s: {apart}")


def _apart(clients: tuple[TestClient, ...], ch: str) -> str | None:
    """What two clients do not agree on, in words; `None` when they agree."""
    first = clients[0]
    shared = [ch] if ch else [name for name in first.engine.channels if not name.startswith("$")]
    shared = [name for name in shared if all(name in each.engine.channels for each in clients)]
    if not shared:
        return f"they share no channel{f' {one_line(ch, 60)}' if ch else ''}"
    for name in shared:
        for other in clients[1:]:
            if (told := _compared(first, other, name)) is not None:
                return told
    return None


def _compared(one: TestClient, other: TestClient, ch: str) -> str | None:
    mine, theirs = one.engine.channels[ch].view, other.engine.channels[ch].view
    if state_hash(mine.document) != state_hash(theirs.document):
        return f"{ch} of {one.name} and {other.name} differs: {difference(mine.document, theirs.document)}"
    if mine.cursor != theirs.cursor:
        return f"{ch}: {one.name} is at {_at(mine.cursor)}, {other.name} at {_at(theirs.cursor)}"
    return None


def _at(cursor: Cursor | None) -> str:
    return NO_VALUE if cursor is None else f"#{cursor.seq}"


__all__ = [
    "NotMet",
    "Reconnected",
    "Seen",
    "expect_close",
    "expect_converged",
    "expect_no_duplicates",
    "expect_no_lost_entries",
    "expect_reconnected",
    "expect_verdict",
]
