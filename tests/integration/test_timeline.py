"""What a workbench says of a moment that has passed is what another peer noted then, over drops and out of a file."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from sonde_lab.endpoints import EMBEDDED, capture
from sonde_lab.ring import Ring
from sonde_lab.timeline import Line, RosterThen
from sonde_lab.tokens import minted
from sonde_lab.workbench import Workbench, WorkbenchConfig
from support.open_workbench import Seen, live
from support.witness import Witness, watching

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]
ROOM = "room:arena"
YOURS = Line("you", ROOM)
MOMENTS = 200


def held_to(workbench: Workbench, witness: Witness, numbers: list[int]) -> tuple[int, int]:
    """Compare the moments after these rows; how many states and how many rosters the witness knew, too."""
    states = rosters = 0
    for number in numbers:
        row_id = workbench.ring.id_of(number)
        assert row_id is not None
        state, roster = (
            workbench.timeline.state_at(YOURS, row_id),
            workbench.timeline.roster_at(YOURS, row_id),
        )
        if not state.problem and state.seq in witness.states:
            states += 1
            assert json.dumps(state.document, sort_keys=True) == witness.states[state.seq], f"row {number}"
        if is_of_version(workbench.ring, roster) and roster.number in witness.people:
            rosters += 1
            members = {each.session: msgspec.to_builtins(each) for each in roster.members}
            assert members == witness.people[roster.number], f"row {number}, presence {roster.number}"
    return states, rosters


def is_of_version(ring: Ring, roster: RosterThen) -> bool:
    """Whether these are the people of its number and no others: a snapshot has some of the next batch already."""
    if roster.problem or roster.row_id is None or roster.row_id not in ring.ids:
        return False
    return ring.text("op", roster.row_id) == "presence" and b'"diff"' in ring.payload(roster.row_id)


@asynccontextmanager
async def lived(folder: Path, captured_from: str) -> AsyncIterator[tuple[Seen, Witness, list[int], Path]]:
    """A session with players, somebody who comes and goes, and a drop, watched from outside; rows from the witness's first."""
    workbench = Workbench(WorkbenchConfig(measure_every_s=0.1, figures_every_s=0.1, captures=folder))
    seen = Seen(workbench)
    if captured_from == "the beginning":
        await workbench.set_capture(True)
    await workbench.open(EMBEDDED, 4)
    try:
        await live(seen)
        url, secret = workbench._gateway.url, workbench._gateway.secret
        async with watching(url, await minted(secret, "witness", ("player",))(), ROOM) as witness:
            begin = workbench.ring.number(workbench.ring.next_id)
            await until_entries(seen, witness, 15)
            if captured_from == "the middle":
                await workbench.set_capture(True)
                seen.take()  # what is known goes into the file now, so that it knows all that comes after
                begin = workbench.ring.number(workbench.ring.next_id)
            await until_entries(seen, witness, 15)
            name = workbench.add_client()
            await seen.until(lambda: len(witness.now) == 7)
            await workbench.set_presence("busy", "testing")
            workbench.drop()
            await workbench.remove_client(name)
            await seen.until(lambda: workbench.clients["you"].status.generation == 2)
            await live(seen)
            await until_entries(seen, witness, 15)
            seen.take()
            rows = list(range(begin, workbench.ring.number(workbench.ring.next_id - 1) + 1))
            (path,) = folder.glob("*.sonde")
            await workbench.set_capture(False)
            yield seen, witness, rows, path
            assert witness.troubles == []
    finally:
        await workbench.close()


async def until_entries(seen: Seen, witness: Witness, count: int) -> None:
    """Wait until so many entries more were told to both."""
    target = max(witness.states) + count
    await seen.until(lambda: witness.states and max(witness.states) >= target)
    await seen.until(
        lambda: seen.workbench.timeline.state_at(YOURS, seen.workbench.ring.next_id - 1).seq >= target
    )


@pytest.mark.parametrize("captured_from", ["the beginning", "the middle"])
async def test_200_moments_are_as_an_independent_peer_noted_them(tmp_path: Path, captured_from: str) -> None:
    async with lived(tmp_path, captured_from) as (seen, witness, rows, path):
        order = random.Random(7)
        moments = [order.choice(rows) for _ in range(MOMENTS)]
        workbench = seen.workbench
        assert {workbench.ring.text("op", workbench.ring.id_of(each) or 0) for each in rows} >= {
            "resumed",
            "delta",
            "presence",
        }
        states, rosters = held_to(workbench, witness, moments)
        assert (states, rosters) > (MOMENTS // 2, MOMENTS // 2)
        assert workbench.timeline.follow(60.0)
        assert held_to(workbench, witness, moments) == (states, rosters)

        again = Workbench()
        await again.open(capture(path))
        try:
            await again.until_read()
            known = held_to(again, witness, moments)
            assert known[0] == states
            assert known[1] >= rosters // 2
        finally:
            await again.close()
