"""One dial as one row: a sentence for people that a machine reads back, and nothing else.

Owns the sentence and its grammar. Whatever is not exactly such a sentence is none: a capture file may say anything.

    dial 3 to 127.0.0.1:4242: TCP 0.20 ms, TLS 3.10 ms, upgrade 1.00 ms
    dial 4 to play.example:443: name 12.40 ms, TCP failed after 0.21 ms (dial_refused)
    dial 5 to play.example:443: failed before it began (dial_injected)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from sonde_client.events import DialEnded

DIAL: Final = "dial"  # the row's op
STEPS: Final[Mapping[str, str]] = MappingProxyType(
    {"authorities": "authorities", "name": "name", "tcp": "TCP", "tls": "TLS", "upgraded": "upgrade"}
)  # in the order in which a dial makes them: what the client calls them, and what a person does
OPENS: Final = STEPS["upgraded"]
NO_ADDRESS: Final = "?"
MAX_CHARACTERS: Final = 600
_ORDER: Final = tuple(STEPS.values())
_MS: Final = r"\d{1,9}\.\d\d ms"
_NAMES: Final = "|".join(_ORDER)
_FAILED: Final = rf"(?:(?P<at>{_NAMES}) failed after (?P<after>{_MS})|failed before it began)"
_SENTENCE: Final = re.compile(
    r"dial (?P<dial>[1-9]\d{0,8}) to (?P<address>[!-~]{1,260}): "
    rf"(?P<steps>(?:(?:{_NAMES}) {_MS}(?:, )?)*)"
    rf"(?P<failed>{_FAILED} \((?P<cause>[a-z_]{{1,40}})\))?",
    re.ASCII,
)
_STEP: Final = re.compile(rf"({_NAMES}) (\d+\.\d\d) ms", re.ASCII)
_PLAIN: Final = re.compile(r"[!-~]{1,260}", re.ASCII)
_CAUSE: Final = re.compile(r"[a-z_]{1,40}", re.ASCII)


class Step(NamedTuple):
    """A step of a dial, under its name for people."""

    name: str
    ms: float


class Dialled(NamedTuple):
    """What a dial's row tells. `failed_at` is the step that failed after `failed_ms`; empty where none had begun."""

    dial: int
    address: str
    steps: tuple[Step, ...]
    cause: str = ""  # empty: it is open
    failed_at: str = ""
    failed_ms: float = 0.0

    @property
    def total_ms(self) -> float:
        """From its beginning to its end, whatever that was."""
        return sum(step.ms for step in self.steps) + self.failed_ms

    @property
    def is_open(self) -> bool:
        """Whether it became a WebSocket."""
        return not self.cause


def of_event(ended: DialEnded) -> Dialled:
    """What the client tells of a dial, in the row's own words and rounded as the row is."""
    steps, before = [], ended.began
    for phase, at in ended.reached:
        if phase in STEPS:
            steps.append(Step(STEPS[phase], _rounded(at - before)))
            before = at
    if ended.reached and ended.reached[-1][0] == "upgraded":
        return Dialled(ended.dial, _address(ended.url), tuple(steps))
    cause = ended.cause if _CAUSE.fullmatch(ended.cause) else "given_up"
    failed_at = STEPS.get(ended.failed_at, "")
    if steps and failed_at in ("", *(step.name for step in steps)):  # given up between two steps
        failed_at = OPENS
    failed_ms = _rounded(ended.ended - before) if failed_at else 0.0
    return Dialled(ended.dial, _address(ended.url), tuple(steps), cause, failed_at, failed_ms)


def sentence(dialled: Dialled) -> str:
    """The row's text."""
    parts = [f"{step.name} {step.ms:.2f} ms" for step in dialled.steps]
    if dialled.failed_at:
        parts.append(f"{dialled.failed_at} failed after {dialled.failed_ms:.2f} ms ({dialled.cause})")
    elif dialled.cause:
        parts.append(f"failed before it began ({dialled.cause})")
    return f"dial {dialled.dial} to {dialled.address}: {', '.join(parts)}"


def parse(text: str) -> Dialled | None:
    """The dial that a row's text tells of; `None` for any other text, however near it comes."""
    if len(text) > MAX_CHARACTERS:
        return None
    found = _SENTENCE.fullmatch(text)
    if found is None:
        return None
    steps = tuple(Step(name, float(ms)) for name, ms in _STEP.findall(found["steps"]))
    failed_ms = float(found["after"].removesuffix(" ms")) if found["after"] else 0.0
    read = Dialled(
        int(found["dial"]), found["address"], steps, found["cause"] or "", found["at"] or "", failed_ms
    )
    return read if _makes_sense(read) and sentence(read) == text else None


def _makes_sense(read: Dialled) -> bool:
    """Steps come in their order, each once; the last one opens the dial or failed."""
    names = [step.name for step in read.steps] + ([read.failed_at] if read.failed_at else [])
    places = [_ORDER.index(name) for name in names]
    if places != sorted(set(places)):
        return False
    if read.cause and not read.failed_at:
        return not names
    return bool(read.cause) == (not read.steps or read.steps[-1].name != OPENS)


def _rounded(seconds: float) -> float:
    return round(min(max(0.0, seconds * 1000), 999_999_999.0), 2)


def _address(url: str) -> str:
    """Host and port, never a password; a question mark where there is none that fits a row."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "wss" else 80)
        host = (
            (parts.hostname or "").encode("idna").decode()
            if not _is_plain(parts.hostname)
            else parts.hostname
        )
    except (ValueError, UnicodeError):
        return NO_ADDRESS
    text = f"[{host}]:{port}" if host and ":" in host else f"{host}:{port}"
    return text if host and _PLAIN.fullmatch(text) else NO_ADDRESS


def _is_plain(host: str | None) -> bool:
    return host is not None and host.isascii()
