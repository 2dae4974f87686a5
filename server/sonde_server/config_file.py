"""A TOML file as settings: parsed, with the line of every key, and wrong names answered by the nearest right one.

Owns where a value stands in the file, which `tomllib` does not tell. Knows no setting's meaning.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sonde_protocol.errors import SondeError, excerpt

_TABLE: Final = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?")
_KEY: Final = re.compile(
    r"^\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*="
)
_PART: Final = re.compile(r"[A-Za-z0-9_$-]+|\"[^\"]*\"|'[^']*'")


class ConfigInvalid(SondeError):
    """The configuration cannot be used. The message is a sentence for the person who wrote it."""


@dataclass(slots=True, frozen=True)
class ConfigFile:
    """A parsed file. `lines` maps a dotted key to its line, counted from 1."""

    path: Path
    values: dict[str, Any]
    lines: Mapping[str, int]

    def where(self, key: str) -> str:
        """`"sonde.toml, line 3"`, or the nearest table's line, or only the file."""
        parts = key.split(".")
        for length in range(len(parts), 0, -1):
            line = self.lines.get(".".join(parts[:length]))
            if line is not None:
                return f"{self.path}, line {line}"
        return str(self.path)


def read_config_file(path: Path) -> ConfigFile:
    """Read and parse.

    Raises:
        ConfigInvalid: not there, not readable, or no TOML (line and column are named).
    """
    try:
        text = path.read_bytes().decode("utf-8")
        return ConfigFile(path, tomllib.loads(text), _lines_of_keys(text))
    except OSError as error:
        raise ConfigInvalid(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigInvalid(f"{path} is not UTF-8: byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid(f"{path} is no valid TOML: {error}") from error


def unknown_name(name: str, known: Iterable[str]) -> str:
    """`"unknown key 'prot'; did you mean 'port'?"`."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"unknown key '{excerpt(name)}'{hint}"


def _lines_of_keys(text: str) -> dict[str, int]:
    """A line for every `key =` and `[table]`. Multi-line strings may add a false key; they hide no true one."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            table = _dotted(header[1])
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            dotted = _dotted(key[1])
            lines.setdefault(f"{table}.{dotted}" if table else dotted, number)
    return lines


def _dotted(written: str) -> str:
    return ".".join(part.strip("\"'") for part in _PART.findall(written))
