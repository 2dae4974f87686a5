"""Scenarios for a window: what there is, what became of each last, what is played now, and one's own files.

Owns the folders and puts list, store and process together. It is cheap until it is asked for the first time.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sonde_lab.scenario import own_folder
from sonde_lab.scenario.keys import ScenarioRefused
from sonde_lab.scenario.listed import Listed
from sonde_lab.scenario.outcomes import file_of
from sonde_lab.scenario.own_folder import NotKept
from sonde_lab.scenario.play_process import PlayProcess
from sonde_lab.scenario.run_store import Kept, RunStore, runs_folder
from sonde_lab.toml_text import MAX_FILE_BYTES, TomlUnreadable, bytes_of, parse

if TYPE_CHECKING:
    from sonde_lab.scenario.catalogue import Catalogue


class Offered(NamedTuple):
    """One scenario of the list, and what became of it last."""

    listed: Listed
    last: Kept | None


class ScenarioRoom:
    """One for a window. `ready`: the folder of those that come with Sonde; `data`: another folder of data."""

    def __init__(self, ready: Path | None, data: Path | None, on_change: Callable[[], None]) -> None:
        self.own = own_folder.own_folder(data)
        self.store = RunStore(runs_folder(data))
        self.plays = PlayProcess(self.store.folder, on_change)
        self._ready = ready
        self._catalogue: Catalogue | None = None

    def offered(self) -> list[Offered]:
        """Everything that there is now."""
        if self._catalogue is None:
            from sonde_lab.scenario.catalogue import Catalogue  # late: a window that never looks pays nothing
            from sonde_lab.simulation import virtual_stage

            self._catalogue = Catalogue(self._ready, self.own, virtual_stage.why_not)
        last: dict[str, Kept] = {}
        for kept in self.store.runs():
            last.setdefault(kept.outcome.file, kept)
        return [Offered(each, last.get(file_of(each.path))) for each in self._catalogue.listed()]

    def keep(self, text: str, name: str) -> Path:
        """A new file of one's own. Raises what `own_folder.keep` does."""
        return own_folder.keep(text, name, self.own)

    def copy(self, listed: Listed) -> Path:
        """One that comes with Sonde among one's own.

        Raises:
            NotKept: it cannot be read or written.
        """
        try:
            text = text_in(listed.path)
        except OSError as error:
            raise NotKept(f"{listed.path} cannot be read: {error.strerror or error}") from None
        return self.keep(text, listed.path.stem)

    def remove(self, listed: Listed) -> None:
        """Delete a file of one's own; never another.

        Raises:
            NotKept: it is not one's own, or cannot be deleted.
        """
        if not listed.is_own or listed.path.parent != self.own:
            raise NotKept(f"{listed.path.name} is not one of your own: it stays")
        try:
            listed.path.unlink()
        except OSError as error:
            raise NotKept(f"{listed.path} cannot be deleted: {error.strerror or error}") from None


def text_in(path: Path) -> str:
    """A file's text, its first MiB.

    Raises:
        OSError: it cannot be read.
    """
    return bytes_of(path)[:MAX_FILE_BYTES].decode(errors="replace")


def why_refused(text: str) -> ScenarioRefused | None:
    """What is wrong with a text, its line and its key; `None` where it is a scenario."""
    from sonde_lab.scenario.reading import scenario_of  # late, as above

    try:
        scenario_of(text, parse(text))
    except TomlUnreadable as error:
        return ScenarioRefused(str(error), error.line)
    except ScenarioRefused as refused:
        return refused
    return None
