"""Networks by name: each preset of `assets/presets` is a few rules that go together.

Owns the reading of the file and the sums: a round trip is split half and half between the directions.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.rules import Rule, RuleRefused
from sonde_protocol.errors import excerpt

_PACKAGE: Final = Path(__file__).parents[1]
_FOLDERS: Final = (_PACKAGE / "presets", _PACKAGE.parents[1] / "assets" / "presets")


@dataclass(frozen=True, slots=True)
class Preset:
    """A network. Times are milliseconds, rates kbit/s; 0 is what it says nothing about."""

    name: str
    source: str
    rtt_ms: float = 0.0
    one_way_ms: float = 0.0
    jitter_ms: float = 0.0
    down_kbit: float = 0.0
    up_kbit: float = 0.0
    loss: float = 0.0
    idle_s: float = 0.0

    @property
    def lines(self) -> list[str]:
        """Its rules as text, without a label."""
        delay = self.one_way_ms or self.rtt_ms / 2
        jitter = f" ±{self.jitter_ms:g}ms" if self.jitter_ms else ""
        lines = [f"latency {delay:g}ms{jitter}"] if delay else []
        for direction, rate in (("down", self.down_kbit), ("up", self.up_kbit)):
            lines += [f"bandwidth {rate:g}kbit/s direction={direction}"] if rate else []
        lines += [f"loss {self.loss * 100:g}%"] if self.loss else []
        return lines + ([f"idle_cut {self.idle_s:g}s"] if self.idle_s else [])

    def rules(self, more: str = "") -> list[Rule]:
        """Its rules, labelled with its name; `more` is added to each, such as `off=1h`."""
        return [parse_rule(f'{line} label="{self.name}" {more}'.rstrip()) for line in self.lines]


@cache
def presets() -> dict[str, Preset]:
    """All of them, in the file's order."""
    path = next(path for folder in _FOLDERS if (path := folder / "network.toml").is_file())
    found = tomllib.loads(path.read_text(encoding="utf-8"))["preset"]
    return {each["name"]: Preset(**each) for each in found}


def preset(name: str) -> Preset:
    """One, whatever the case of its name.

    Raises:
        RuleRefused: there is none; the nearest is named.
    """
    by_name = {each.casefold(): each for each in presets()}
    known = by_name.get(name.casefold().strip())
    if known is None:
        near = difflib.get_close_matches(name.casefold(), list(by_name), 1)
        guess = f"; the nearest is “{by_name[near[0]]}”" if near else f": there are {', '.join(presets())}"
        raise RuleRefused(f"there is no preset “{excerpt(name, 40)}”{guess}")
    return presets()[known]
