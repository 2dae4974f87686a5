"""`sonde scenario` and `sonde bundle`: from a capture to a scenario or a repro bundle, in a terminal.

Owns the exit code: 0 when it was written, 1 when the new file cannot be, 2 when what was asked is wrong.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from sonde_lab.bundle import BundleRefused, captured_in, pack
from sonde_lab.capture.schema import CaptureUnreadable
from sonde_lab.capture.whole import read_ring
from sonde_lab.deriving.bundling import contents_of
from sonde_lab.deriving.deriving import Derived, NothingToDerive, Wanted, derive
from sonde_lab.export.files import ExportFailed, write_text
from sonde_lab.ring import Ring
from sonde_lab.wording import one_line
from sonde_protocol.redact import redact_text

Rows = tuple[int, int] | None


def write_scenario(capture: Path, row: int | None, rows: Rows, output: Path | None) -> int:
    """Derive a scenario, and print it or write it to a new file."""

    def work(_ring: Ring, derived: Derived) -> str:
        if output is None:
            sys.stdout.write(derived.text)
            return ""
        if os.path.lexists(output):
            raise ExportFailed(f"{output} is there already; choose another name, or move it away")
        write_text(output, derived.text)
        return f"{derived.verdict.title}: {derived.verdict.sentence} {_again(derived)}\nPlay it: sonde run {output}"

    return _done("scenario", capture, row, rows, work)


def write_bundle(capture: Path, row: int | None, rows: Rows, output: Path) -> int:
    """Derive a scenario, and write it with its rows to a new bundle."""

    def work(ring: Ring, derived: Derived) -> str:
        packed = pack(output, contents_of(ring, derived))
        return f"{derived.verdict.title}: {derived.verdict.sentence} {_again(derived)}\n{packed.words}"

    return _done("bundle", capture, row, rows, work)


def _done(
    command: str, capture: Path, row: int | None, rows: Rows, work: Callable[[Ring, Derived], str]
) -> int:
    try:
        with captured_in(capture) as path:
            ring = read_ring(path)
        said = work(ring, derive(ring, _wanted(ring, row, rows), capture.name))
    except (CaptureUnreadable, BundleRefused, NothingToDerive) as error:
        sys.stderr.write(f"sonde {command}: {one_line(str(error), 600)}\n")
        return 2
    except ExportFailed as error:
        sys.stderr.write(f"sonde {command}: {one_line(str(error), 600)}\n")
        return 1
    if said:
        sys.stderr.write("".join(f"{one_line(line, 1_000)}\n" for line in redact_text(said).split("\n")))
    return 0


def _wanted(ring: Ring, row: int | None, rows: Rows) -> Wanted:
    if row is not None and rows is not None:
        raise NothingToDerive("--row and --rows: choose one of them")
    if row is not None:
        return Wanted(_id_of(ring, row))
    return Wanted() if rows is None else Wanted(None, _nearest(ring, rows[0]), _nearest(ring, rows[1]))


def _id_of(ring: Ring, number: int) -> int:
    row_id = ring.id_of(number - 1)
    if row_id is None:
        there = (
            f"rows {ring.label(ring.first_id)} to {ring.label(ring.next_id - 1)}" if len(ring) else "no rows"
        )
        raise NothingToDerive(f"there is no row {number:,}: it holds {there}")
    return row_id


def _nearest(ring: Ring, number: int) -> int:
    """The id of a row, or of the end of the rows that it lies beyond."""
    row_id = ring.id_of(number - 1)
    if row_id is not None:
        return row_id
    return ring.first_id if number < ring.label(ring.first_id) else ring.next_id - 1


def _again(derived: Derived) -> str:
    if derived.again:
        return "The scenario brings it about again."
    return "The scenario comes as near as a stage can; its head says why the verdict will be another."
