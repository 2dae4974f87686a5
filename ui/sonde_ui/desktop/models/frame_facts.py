"""A row as it was on the wire, as lines for a list: headings, the header's bits, and facts with their explanations.

Owns the order and the headings; what is known of a frame says the lab.
"""

from __future__ import annotations

from dataclasses import dataclass

from sonde_lab.framing import Bits, Fact, bits_of, row_facts, wire_facts
from sonde_lab.records import Record
from sonde_ui.desktop.models import figures
from sonde_ui.desktop.models.plain import one_line


@dataclass(slots=True, frozen=True)
class FactLine:
    """One line: a heading (`name` alone), a fact, or the header's bits as a strip."""

    name: str
    value: str = ""
    says: str = ""
    is_heading: bool = False
    bits: tuple[Bits, ...] = ()

    @property
    def words(self) -> str:
        """The line for a screen reader and the clipboard."""
        if self.bits:
            return "Header bits: " + ", ".join(f"{bits.name} {bits.value}" for bits in self.bits)
        return "  ".join(part for part in (self.name, self.value, self.says) if part)


def frame_lines(record: Record, reader: str = "") -> list[FactLine]:
    """Everything that is known of a row; `reader` is the person's own decoder that has read it."""
    bits, lines = bits_of(record), list[FactLine]()
    if bits:
        lines += [FactLine("", bits=tuple(bits))] * 2  # the strip is two lines high
    wire = wire_facts(record)
    if wire:
        lines += [_heading("On the wire"), *map(_fact, wire)]
    lines += [_heading("The row"), *map(_fact, row_facts(record)), *map(_fact, _times(record))]
    if reader:
        lines.append(FactLine("your decoder", one_line(reader, 64)))
    if bits:
        lines += [_heading("The header, bit by bit"), *(FactLine(b.name, b.value, b.says) for b in bits)]
    return lines


def _heading(text: str) -> FactLine:
    return FactLine(text, is_heading=True)


def _fact(fact: Fact) -> FactLine:
    return FactLine(fact.name, fact.value, fact.says)


def _times(record: Record) -> list[Fact]:
    return [
        Fact("time of day", figures.wall_clock(record.wall), "here"),
        Fact("UTC", figures.wall_stamp(record.wall)),
    ]
