"""Rules and presets in words for people: `latency 200 ms ±50 ms · to the client · for 30 s`.

Owns the words. A label and a target are of whoever wrote the rule: they are never part of them but where it says so.
"""

from __future__ import annotations

from typing import Final

from sonde_lab.faults.presets import Preset
from sonde_lab.faults.rules import Rule
from sonde_lab.wording import one_line
from sonde_protocol.faults import Parameter, Unit, Value

WAYS: Final = {"up": "to the server", "down": "to the client", "both": "both ways", "": ""}
_EVENTS: Final = {"connected": "once connected", "upgraded": "once upgraded", "closing": "once closing"}
_SIZES: Final = ((1 << 20, "MB"), (1 << 10, "KB"))
_RATES: Final = ((1e6, "MB/s"), (1e3, "kB/s"))


def seconds_in_words(seconds: float) -> str:
    """100 µs, 200 ms, 2 s, 10 min, 1 h."""
    amount = abs(seconds)
    if amount and amount < 0.001:
        return f"{seconds * 1e6:g} µs"
    if amount and amount < 1:
        return f"{seconds * 1e3:g} ms"
    if amount < 120:
        return f"{seconds:g} s"
    return f"{seconds / 60:g} min" if amount < 7200 else f"{seconds / 3600:g} h"


def value_in_words(parameter: Parameter, value: Value) -> str:
    """One value with its unit."""
    if isinstance(value, str):
        return f"“{one_line(value, 60)}”" if parameter.unit is Unit.TEXT else value
    if parameter.unit is Unit.SECONDS:
        return seconds_in_words(value)
    if parameter.unit is Unit.SHARE:
        return f"{value * 100:g} %"
    if parameter.unit in (Unit.BYTES, Unit.RATE):
        scales, plain = (_SIZES, "B") if parameter.unit is Unit.BYTES else (_RATES, "B/s")
        scale, unit = next(((scale, unit) for scale, unit in scales if value >= scale), (1, plain))
        return f"{value / scale:.4g} {unit}"
    return f"{value:g}"


def rule_in_words(rule: Rule) -> str:
    """What a rule does, to whom, when and how often."""
    parts = [_what(rule), WAYS[rule.direction], *_when(rule), *_how_often(rule)]
    if rule.target.text:
        parts.append(f"of {one_line(rule.target.text, 120)}")
    return " · ".join(part for part in parts if part)


def _what(rule: Rule) -> str:
    words = [rule.kind.name]
    for parameter in rule.kind.parameters:
        value = rule.values[parameter.name]
        if value == parameter.default and value in ("", 0):
            continue  # it says nothing
        if parameter.unit is Unit.WORD and value == parameter.default and len(words) > 1:
            continue  # how something varies, as it always does
        words.append(("±" if parameter.is_spread else "") + value_in_words(parameter, value))
    return " ".join(words)


def _when(rule: Rule) -> list[str]:
    return [
        f"after {seconds_in_words(rule.at_s)}" if rule.at_s else "",
        f"after {rule.after:,} matches" if rule.after else "",
        _EVENTS.get(rule.on, ""),
    ]


def _how_often(rule: Rule) -> list[str]:
    times = "once" if rule.count == 1 else f"{rule.count:,} times" if rule.count else ""
    return [
        f"every {rule.every:,}th match" if rule.every else "",
        f"{rule.probability * 100:g} % of them" if rule.probability < 1 else "",
        f"for {seconds_in_words(rule.for_s)}" if rule.for_s else "",
        times,
    ]


def preset_in_words(preset: Preset) -> str:
    """A network: down and up, round trip, jitter, loss."""
    parts = []
    if preset.down_kbit or preset.up_kbit:
        parts.append(f"{_kbit(preset.down_kbit)} down, {_kbit(preset.up_kbit)} up")
    if preset.rtt_ms or preset.one_way_ms:
        parts.append(f"RTT {preset.rtt_ms or 2 * preset.one_way_ms:g} ms")
    if preset.jitter_ms:
        parts.append(f"jitter ±{preset.jitter_ms:g} ms a way")
    if preset.loss:
        parts.append(f"loss {preset.loss * 100:g} %")
    if preset.idle_s:
        parts.append(f"cut after {seconds_in_words(preset.idle_s)} of silence")
    return " · ".join(parts)


def _kbit(rate: float) -> str:
    return f"{rate / 1000:g} Mbit/s" if rate >= 1000 else f"{rate:g} kbit/s"
