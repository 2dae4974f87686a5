"""Print what a connection of a capture knew of a channel at a row, and the changes that led there."""

import asyncio
import sys
from pathlib import Path

from sonde_lab.endpoints import capture
from sonde_lab.timeline import Line, What
from sonde_lab.workbench import Workbench


async def main(path: Path, conn: str, channel: str, number: int) -> None:
    workbench = Workbench()
    await workbench.open(capture(path))
    await workbench.until_read()
    timeline, ring, line = workbench.timeline, workbench.ring, Line(conn, channel)
    row_id = ring.id_of(number - 1)  # a person counts rows from 1
    if row_id is None:
        sys.exit(f"The capture has no row {number}.")
    state, roster = timeline.state_at(line, row_id), timeline.roster_at(line, row_id)
    print(state.problem or state.document, state.note)
    print(roster.problem or ", ".join(f"{each.name} ({each.status})" for each in roster.members), roster.note)
    for _ in range(3):
        before = timeline.step(line, row_id, -1, What.STATE)
        if before is None:
            break
        for change in timeline.between(line, before, row_id).values:
            print(
                f"since row {ring.label(before)}: {'.'.join(change.path)} {change.before} -> {change.after}"
            )
        row_id = before
    await workbench.close()


asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
