"""`sonde convert`: one file's rows into another file of any format, from a terminal or a script."""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path

from sonde_lab.capture.schema import CaptureUnreadable
from sonde_lab.export.exporting import Export, Outcome, run
from sonde_lab.export.files import AlreadyThere, ExportFailed, Unreadable
from sonde_lab.export.formats import FORMATS, Format, format_of
from sonde_lab.export.rows import Facts, StoredRows
from sonde_lab.filter import Filter, FilterError
from sonde_lab.proxy_console import pointed
from sonde_lab.wording import one_line


def convert(
    source: Path,
    target: Path,
    filter_text: str = "",
    *,
    masks: bool = True,
    read_as: str = "",
    write_as: str = "",
) -> int:
    """Convert, and say what was done: 0; 1 when the new file cannot be written; 2 when what was asked is wrong."""
    try:
        wanted = Filter(filter_text)
        reads, writes = _readable(source, read_as), format_of(target, write_as)
        outcome = _converted(source, reads, target, writes, wanted, masks)
    except FilterError as error:
        return _refused(pointed(filter_text, error), 2)
    except (Unreadable, CaptureUnreadable, AlreadyThere) as error:
        return _refused(one_line(str(error), 600), 2)
    except ExportFailed as error:
        return _refused(one_line(str(error), 600), 1)
    sys.stderr.write(f"{outcome.words}\n")
    return 0


def _readable(source: Path, name: str) -> Format:
    found = format_of(source, name)
    if found.read is None:
        known = ", ".join(each.suffix for each in FORMATS if each.read is not None)
        raise Unreadable(f"{found.suffix} files are only written; rows can be read from {known}")
    return found


def _converted(
    source: Path, reads: Format, target: Path, writes: Format, wanted: Filter, masks: bool
) -> Outcome:
    assert reads.read is not None
    rows = iter(reads.read(source))
    first = next(rows, None)  # what cannot be read is said before anything is made
    export = Export(target, writes, Facts(source.name), masks=masks)
    outcome = run(export, StoredRows(chain([first] if first else [], rows), wanted), writes.needs_handshakes)
    assert outcome is not None  # nobody cancels
    return outcome


def _refused(sentence: str, code: int) -> int:
    sys.stderr.write(f"sonde convert: {sentence}\n")
    return code
