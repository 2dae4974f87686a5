"""The texts of a bundle for a person: what it is, how to look at it and play it, and what was masked in it.

Owns the words. What comes from rows stands in them as one line each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sonde_lab.bundle.manifest import CAPTURE, REDACTION, REPORT, SCENARIO, Manifest
from sonde_lab.export.files import Told
from sonde_lab.verdict.causes import CAUSES, Cause
from sonde_lab.wording import one_line

MAX_LISTED: Final = 20_000
_STAGES: Final = {"virtual": "on virtual time", "real": "for real"}


class Masked(NamedTuple):
    """What was masked in one place: a row by its number, or -1 where it is no row."""

    row: int
    what: str
    masked: int
    replaced: int

    @property
    def words(self) -> str:
        """In a line."""
        place = f"row {self.row}: {self.what}" if self.row >= 0 else self.what
        parts = [f"{self.masked} masked"] if self.masked else []
        parts += ["payload left out"] if self.replaced else []
        return f"{place}: {', '.join(parts)}"


def readme_of(manifest: Manifest, report: Sequence[str]) -> str:
    """The text that a person reads first."""
    return "\n".join(_readme(manifest, report)) + "\n"


def _readme(manifest: Manifest, report: Sequence[str]) -> Iterator[str]:
    yield manifest.name
    yield "=" * min(100, len(manifest.name))
    yield ""
    yield "A repro bundle of Sonde: what was seen of a drop, and the scenario that brings it about again."
    if manifest.verdict in list(Cause):
        yield f"Verdict: {manifest.verdict} ({CAUSES[Cause(manifest.verdict)].needs})."
    if manifest.row >= 0:
        yield f"It is about row {manifest.row} of the capture."
    yield ""
    yield "Look at the traffic:   sonde ui --open FILE"
    yield f"Play the scenario:     sonde run FILE{_played(manifest)}"
    yield "Try another setting:   sonde run FILE --set heartbeat=5s"
    yield "Exit code 0: everything held. 1: something did not. 2: it could not be run."
    if manifest.gateway:
        yield f"It was played at {manifest.gateway}; a bundle does not choose where: name it with --gateway."
    yield ""
    yield f"Seed {manifest.seed}. Made {manifest.made} with {_versions(manifest)}."
    yield f"{Told(manifest.rows, manifest.masked, manifest.replaced).words} {REDACTION} says where."
    yield f"{CAPTURE}: {manifest.rows:,} rows. {SCENARIO}: the scenario. {REPORT}: how it went."
    yield ""
    yield from (one_line(line, 400) for line in report)


def _played(manifest: Manifest) -> str:
    return f"   ({_STAGES[manifest.stage]}, as it was)" if manifest.stage else ""


def _versions(manifest: Manifest) -> str:
    return ", ".join(f"{name} {version}" for name, version in manifest.versions.items())


def redaction_of(manifest: Manifest, where: Sequence[Masked]) -> str:
    """What was masked: how many in all, and where."""
    lines = [
        Told(manifest.rows, manifest.masked, manifest.replaced).words,
        "Masked are tokens, passwords, cookies, keys and other secrets, in headers, addresses, texts, JSON and MessagePack.",
        "What is compressed or encrypted inside a message is not looked into. Names, channels and what was said are kept.",
        "",
        *(each.words for each in where[:MAX_LISTED]),
    ]
    if len(where) > MAX_LISTED:
        lines.append(f"and {len(where) - MAX_LISTED:,} more places")
    return "\n".join(lines) + "\n"
