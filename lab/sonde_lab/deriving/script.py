"""The text of a derived scenario: tables in the order of the page, a comment above each with the rows it is from.

Owns the layout, the quoting and the masking: such a file is handed on. What peers wrote stands in it as quoted text or as a
comment of one line, never as TOML of their own, and without its secrets.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sonde_lab.toml_text import quoted
from sonde_lab.wording import one_line
from sonde_protocol.redact import redact_text

Value = str | int | Sequence[str]
_WIDTH: Final = 110


@dataclass(slots=True)
class Table:
    """One table and what is said above it. An empty name: the keys at the top of the file."""

    name: str
    values: Mapping[str, Value]
    says: Sequence[str] = ()


@dataclass(slots=True)
class Script:
    """A file in the making."""

    head: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def add(self, name: str, values: Mapping[str, Value], says: Iterable[str] = ()) -> None:
        """One more table."""
        self.tables.append(Table(name, values, tuple(says)))

    @property
    def text(self) -> str:
        """The whole file."""
        parts = ["\n".join(_comment(self.head))] if self.head else []
        parts += ["\n".join(_table(table)) for table in self.tables]
        return "\n\n".join(parts) + "\n"


def _comment(sentences: Iterable[str]) -> Iterable[str]:
    for sentence in sentences:
        yield from textwrap.wrap(
            one_line(redact_text(sentence), 400),
            _WIDTH,
            initial_indent="# ",
            subsequent_indent="#   ",
            break_long_words=False,
        )


def _table(table: Table) -> Iterable[str]:
    yield from _comment(table.says)
    if table.name:
        yield table.name
    for key, value in table.values.items():
        yield f"{key} = {_value(value)}"


def _value(value: Value) -> str:
    if isinstance(value, str):
        return quoted(redact_text(value))
    if isinstance(value, int):
        return str(value)
    return f"[{', '.join(quoted(redact_text(each)) for each in value)}]"
