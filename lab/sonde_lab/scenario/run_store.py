"""The store of runs: what became of each play, and its rows, in a folder that never grows beyond its bounds.

Owns the files `STAMP-N.json` and beside each, where there are rows, `STAMP-N.sonde`, for their owner's eyes only, and which
of them go first. A file that is no outcome is passed over and kept; a disk that fails costs the memory of a run, never the run.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import platformdirs

from sonde_lab.export.files import new_file, write_bytes
from sonde_lab.scenario.outcomes import Outcome, OutcomeUnreadable, from_bytes, to_bytes
from sonde_lab.toml_text import bytes_of
from sonde_protocol.errors import SondeError

MAX_RUNS: Final = 300
MAX_BYTES: Final = 256 << 20
MAX_FILE_BYTES: Final = 4 << 20
ROWS_SUFFIX: Final = ".sonde"
_NAME: Final = re.compile(r"\d{8}-\d{6}-\d{1,6}\.json", re.ASCII)


class NotStored(SondeError):
    """A run could not be kept: a sentence."""


class Kept(NamedTuple):
    """A run that is kept. `rows`: its capture, where there is one."""

    path: Path
    outcome: Outcome
    rows: Path | None


def runs_folder(data: Path | None = None) -> Path:
    """Where runs are kept. `data`: another folder of data than the person's."""
    return (data or Path(platformdirs.user_data_dir("sonde", appauthor=False))) / "runs"


class RunStore:
    """One folder of runs. `Outcome.file` and `.stage` say of what a run is one."""

    def __init__(
        self, folder: Path | None = None, max_runs: int = MAX_RUNS, max_bytes: int = MAX_BYTES
    ) -> None:
        self.folder = folder or runs_folder()
        self._max_runs = max_runs
        self._max_bytes = max_bytes
        self._known: dict[
            str, tuple[int, Outcome | None]
        ] = {}  # by file name: when it was written, what it says

    def add(self, outcome: Outcome, write_rows: Callable[[Path], None] | None = None) -> Kept:
        """Keep a run. `write_rows` writes its rows to the path that it is given.

        Raises:
            NotStored: the folder cannot be written to.
        """
        path: Path | None = None
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._new_path(outcome.began)
            if write_rows is not None:
                write_rows(path.with_suffix(ROWS_SUFFIX))
            write_bytes(path, to_bytes(outcome))
        except (OSError, SondeError, UnicodeError) as error:
            if path is not None:
                self._remove(path)
            raise NotStored(
                f"{self.folder} cannot keep a run: {getattr(error, 'strerror', None) or error}"
            ) from None
        self._thin_out()
        return self._kept(path, outcome)

    def runs(self, file: str = "") -> list[Kept]:
        """What is kept, the newest first; of one scenario's file where it is named."""
        kept = [self._kept(path, outcome) for path, outcome in self._read()]
        return [each for each in reversed(kept) if file in ("", each.outcome.file)]

    def run(self, name: str) -> Kept | None:
        """The run in the file of that name; `None` where it has gone."""
        return next((self._kept(path, outcome) for path, outcome in self._read() if path.name == name), None)

    def last_good(self, than: Outcome, besides: Path | None = None) -> Kept | None:
        """The newest run of the same file on the same stage in which everything held, other than this one."""
        for each in self.runs(than.file):
            is_other = each.path != besides and each.outcome != than
            if is_other and each.outcome.is_met and each.outcome.stage == than.stage:
                return each
        return None

    # ------------------------------------------------------------ files

    def _kept(self, path: Path, outcome: Outcome) -> Kept:
        rows = path.with_suffix(ROWS_SUFFIX)
        return Kept(path, outcome, rows if rows.is_file() else None)

    def _new_path(self, began: float) -> Path:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(began))
        number = 1
        while True:
            path = self.folder / f"{stamp}-{number}.json"
            with contextlib.suppress(FileExistsError):
                new_file(path).close()
                return path
            number += 1

    def _read(self) -> Iterator[tuple[Path, Outcome]]:
        """Oldest first. What was read once is not read again until its file is another."""
        listed = self._files()
        self._known = {path.name: self._known[path.name] for path in listed if path.name in self._known}
        for path in listed:
            outcome = self._outcome(path)
            if outcome is not None:
                yield path, outcome

    def _files(self) -> list[Path]:
        with contextlib.suppress(OSError):
            found = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
            return sorted(found, key=_order)
        return []

    def _outcome(self, path: Path) -> Outcome | None:
        try:
            told = path.stat()
            known = self._known.get(path.name)
            if known is not None and known[0] == told.st_mtime_ns:
                return known[1]
            if not 0 < told.st_size <= MAX_FILE_BYTES:
                return None
            outcome: Outcome | None = from_bytes(bytes_of(path, MAX_FILE_BYTES))
        except OutcomeUnreadable:
            outcome = None
        except OSError:
            return None
        self._known[path.name] = told.st_mtime_ns, outcome
        return outcome

    @staticmethod
    def _remove(path: Path) -> None:
        for each in (path, path.with_suffix(ROWS_SUFFIX)):
            with contextlib.suppress(OSError):
                each.unlink()

    # ------------------------------------------------------------ bounds

    def _thin_out(self) -> None:
        """The oldest go first, but the last good run of each scenario after all others."""
        listed = list(self._read())
        sizes = {path: _size(path) + _size(path.with_suffix(ROWS_SUFFIX)) for path, _outcome in listed}
        good = {(outcome.file, outcome.stage): path for path, outcome in listed if outcome.is_met}
        last_good = set(good.values())
        newest = listed[-1][0] if listed else None
        order = sorted(
            (path for path, _outcome in listed if path != newest), key=lambda path: path in last_good
        )
        count, size = len(listed), sum(sizes.values())
        for path in order:
            if count <= self._max_runs and size <= self._max_bytes:
                return
            self._remove(path)
            count, size = count - 1, size - sizes[path]


def _order(path: Path) -> tuple[str, int]:
    stamp, _, number = path.stem.rpartition("-")
    return stamp, int(number)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
