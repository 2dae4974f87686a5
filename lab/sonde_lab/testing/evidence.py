"""What stands below an expectation that was not met: the last rows as sentences, and the verdict on the last close."""

from __future__ import annotations

from typing import Any, Final

from sonde_lab.testing.client import TestClient
from sonde_lab.testing.proxy import TestProxy
from sonde_lab.testing.recording import Recording
from sonde_lab.testing.thread import NotMet
from sonde_lab.wording import one_line, short
from sonde_protocol.merge import changed_paths, diff

NO_VALUE: Final = "nothing"
ROWS: Final = 12
PATHS: Final = 5


def not_met(where: TestClient | TestProxy, sentence: str) -> NotMet:
    """The failure with its evidence."""
    recording = where.stand.recording
    lines = [sentence, *_indented("Why it ended:", recording.last_verdict(where.is_mine))]
    lines += _indented(f"The last rows of {where.story.name}:", recording.last_rows(ROWS, where.is_mine))
    return NotMet("\n".join(lines))


def report(recording: Recording) -> list[str]:
    """All of a test's last rows, with the verdict on its last close."""
    verdict, rows = recording.last_verdict(), recording.last_rows()
    return [*verdict, *([""] if verdict else []), *rows]


def difference(mine: Any, theirs: Any) -> str:
    """Paths at which two documents differ, with both values."""
    paths = changed_paths(diff(mine, theirs))
    told = [
        f"{'.'.join(path) or 'all of it'} is {_at(mine, path)} and {_at(theirs, path)}"
        for path in paths[:PATHS]
    ]
    more = f" and {len(paths) - PATHS} more" if len(paths) > PATHS else ""
    return one_line(", ".join(told), 600) + more


def _at(value: Any, path: tuple[str, ...]) -> str:
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return NO_VALUE
        value = value[key]
    return short(value)


def _indented(title: str, lines: list[str]) -> list[str]:
    return [title, *(f"  {line}" for line in lines)] if lines else []
