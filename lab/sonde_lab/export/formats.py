"""The table of formats: what each is called, how it is told by a file's name, what writes it and what reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from sonde_lab.capture.reader import CaptureReader
from sonde_lab.export.csv import Csv
from sonde_lab.export.files import Told, Unreadable
from sonde_lab.export.har_in import read_har
from sonde_lab.export.har_out import Har
from sonde_lab.export.jsonl import JsonLines, read_lines
from sonde_lab.export.markdown import Markdown
from sonde_lab.export.rows import Facts, Row, captured
from sonde_lab.export.sonde import Capture


class Writer(Protocol):
    """A new file in the making. Rows come in order; it ends with `close` or with `abandon`."""

    def add(self, rows: Sequence[Row]) -> None:
        """Take in rows."""
        ...

    def close(self, told: Told) -> None:
        """End the file."""
        ...

    def abandon(self) -> None:
        """Let go of the file, whatever is in it."""
        ...


@dataclass(slots=True, frozen=True)
class Format:
    """One format. `says` is for people; `read` is `None` where rows cannot come back."""

    name: str
    says: str
    write: Callable[[Path, Facts], Writer]
    read: Callable[[Path], Iterator[Row]] | None = None
    needs_handshakes: bool = False

    @property
    def suffix(self) -> str:
        """What the name of such a file ends with."""
        return f".{self.name}"


def _read_capture(path: Path) -> Iterator[Row]:
    with CaptureReader.open(path) as reader:
        yield from captured(reader)


FORMATS: Final = (
    Format("har", "HTTP archive, opens in Chromium's DevTools", Har, read_har, needs_handshakes=True),
    Format("jsonl", "JSON lines, one row a line", JsonLines, read_lines),
    Format("csv", "Table for spreadsheets", Csv),
    Format("md", "Markdown bug report", Markdown, needs_handshakes=True),
    Format("sonde", "Capture of Sonde", Capture, _read_capture),
)
BY_NAME: Final = {each.name: each for each in FORMATS}


def format_of(path: Path, name: str = "") -> Format:
    """The format called `name`, or the one that the file's name ends with.

    Raises:
        Unreadable: there is no such format.
    """
    wanted = name.lower() or path.suffix.lower().removeprefix(".")
    found = BY_NAME.get(wanted)
    if found is None:
        known = ", ".join(each.suffix for each in FORMATS)
        raise Unreadable(f"{path.name} is of no format that is known here: {known}")
    return found
