"""What the window remembers between two runs, in one TOML file in the person's data folder.

Owns reading (a broken file is told, kept beside and replaced by defaults), validating and atomic writing.
Refuses secrets: tokens and endpoints are the lab's.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import platformdirs
from msgspec import Meta

log = logging.getLogger(__name__)
FILE_NAME = "window.toml"
LONGEST_FILTER, LONGEST_NAME, LONGEST_TABLE = 1_000, 40, 40_000
Sizes = Annotated[list[Annotated[int, Meta(ge=0, le=20_000)]], Meta(max_length=16)]


class Layout(msgspec.Struct):
    """One perspective as the person left it. `sizes`: pixels of each splitter, by its place in the tree."""

    sizes: dict[str, Sizes] = {}
    tabs: dict[str, str] = {}  # pane → the view in front
    closed: list[str] = []  # views put away


class Rule(msgspec.Struct, array_like=True, frozen=True):
    """A colour rule as it is written: rows that the filter means get the colour, while it is on."""

    filter: Annotated[str, Meta(max_length=LONGEST_FILTER)]
    colour: Annotated[str, Meta(max_length=20)]
    on: bool = True


class SavedFilter(msgspec.Struct, array_like=True, frozen=True):
    """A filter with a name, for a button beside the filter."""

    name: Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
    filter: Annotated[str, Meta(min_length=1, max_length=LONGEST_FILTER)]


class Settings(msgspec.Struct):
    """Everything remembered; each field with the default of a first start. Unknown keys of a file are ignored.

    A struct and not a model of pydantic's: the first paint waits for this import.
    """

    theme: Literal["system", "dark", "light", "contrast"] = "system"
    colour_blind: bool = False
    system_font: bool = False
    reduced_motion: bool = False
    read_only: bool = False  # acts that change something are locked
    perspective: Literal["inspect", "break", "watch"] = "inspect"
    width: Annotated[int, Meta(ge=640, le=20_000)] = 1440
    height: Annotated[int, Meta(ge=480, le=20_000)] = 900
    maximized: bool = False
    endpoint: Annotated[str, Meta(max_length=200)] = ""  # name of the last one; "": the embedded gateway
    players: Annotated[int, Meta(ge=0, le=500)] = 6
    capture: bool = True  # into the folder of captures, from the start on
    traffic: Annotated[str, Meta(max_length=LONGEST_TABLE)] = ""  # the table's own columns, folding and pills
    decoders: list[Annotated[str, Meta(max_length=5_000)]] = []  # permissions for decoders of one's own
    layouts: dict[str, Layout] = {}
    colour_rules: Annotated[list[Rule], Meta(max_length=32)] = []
    saved_filters: Annotated[list[SavedFilter], Meta(max_length=12)] = []


@dataclass(slots=True, frozen=True)
class BrokenSettings:
    """Why the file could not be used, in words, and where it was kept (`None`: it still lies where it was)."""

    reason: str
    kept_as: Path | None


def data_folder() -> Path:
    """Where the window keeps its files unless told otherwise."""
    return Path(platformdirs.user_data_dir("sonde", appauthor=False))


class SettingsFile:
    """The settings and the file that they live in."""

    def __init__(self, folder: Path | None = None) -> None:
        self.path = (folder or data_folder()) / FILE_NAME
        self.settings = Settings()
        self.broken: BrokenSettings | None = None
        self._written = ""
        self._overrides: dict[str, tuple[Any, Any]] = {}  # field → for this run, as it was remembered

    def override(self, field: str, value: Any) -> None:
        """Use `value` for this run only: what was remembered is written back, unless a person changes it."""
        self._overrides[field] = (value, getattr(self.settings, field))
        setattr(self.settings, field, value)

    def load(self) -> Settings:
        """Read the file. Never raises: what is wrong is in `broken`, and then these are the defaults."""
        try:
            text = self.path.read_text(encoding="utf-8")
            self.settings = msgspec.convert(tomllib.loads(text), Settings)
            self._written = text
        except FileNotFoundError:
            self.settings = Settings()
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            self.settings = Settings()
            self.broken = BrokenSettings(_reason(error), self._keep_beside())
            log.info("settings in %s were not used: %s", self.path, self.broken.reason)
        return self.settings

    def save(self) -> str | None:
        """Write the file if something changed; the reason in words when that is not possible."""
        values = msgspec.to_builtins(self.settings)
        for field, (for_now, remembered) in self._overrides.items():
            if values[field] == for_now:
                values[field] = remembered
        try:
            msgspec.convert(values, Settings)  # what could not be read again would cost all the others
        except msgspec.ValidationError as error:
            return f"{self.path} stays as it was: {_reason(error)}"
        text = to_toml(values)
        if text == self._written:
            return None
        temporary = self.path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            return f"{self.path}: {error.strerror or error}"
        self._written = text
        return None

    def _keep_beside(self) -> Path | None:
        kept = self.path.with_suffix(".broken.toml")
        try:
            self.path.replace(kept)
        except OSError:
            return None
        return kept


def _reason(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        what, _, where = str(error).partition(" - at `$.")
        return f"{where.rstrip('`')}: {what}" if where else what
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def to_toml(values: dict[str, Any]) -> str:
    """Plain values and tables as TOML; strings are written as JSON strings, which TOML reads alike."""
    lines: list[str] = []
    _table(values, "", lines)
    return "\n".join(lines).lstrip() + "\n"


def _table(values: dict[str, Any], prefix: str, lines: list[str]) -> None:
    for key, value in values.items():
        if not isinstance(value, dict):
            lines.append(f"{_key(key)} = {_plain(value)}")
    for key, value in values.items():
        if isinstance(value, dict):
            path = f"{prefix}.{_key(key)}" if prefix else _key(key)
            lines.extend(("", f"[{path}]"))
            _table(value, path, lines)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    return f"[{', '.join(_plain(item) for item in value)}]"


def _text(value: str) -> str:
    # DEL is the one character that JSON leaves bare and TOML forbids.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)
