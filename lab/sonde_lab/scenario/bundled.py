"""Bundles and plays: how the scenario of a bundle is played, and the bundle of a play in which something did not hold.

Owns what of a bundle is used: its scenario, seed, stage and settings of a gateway of our own. Refuses to be led to
somebody else's gateway.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sonde_lab.bundle import BundleRefused, Contents, Packed, is_bundle, opened, pack
from sonde_lab.bundle.packing import free_path
from sonde_lab.export.files import ExportFailed, cannot
from sonde_lab.scenario.overriding import settings_of
from sonde_lab.scenario.playing import VIRTUAL, Played, Where
from sonde_lab.scenario.reporting import lines_of
from sonde_lab.wording import one_line


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a file is to be played, and with which seed. `said`: the settings as they were written."""

    where: Where
    seed: int | None
    said: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def asked(path: Path, where: Where, seed: int | None, settings: dict[str, str], *, is_real: bool) -> Asked:
    """How a file is played: a bundle as it was, unless something else is asked for.

    Raises:
        BundleRefused: it is a bundle that cannot be used.
        ScenarioRefused: a setting is not understood.
    """
    if not is_bundle(path):
        return Asked(_with(where, settings), seed, settings)
    bundle = opened(path)
    manifest = bundle.manifest
    if manifest.gateway and not where.url:
        raise BundleRefused(
            f"{path} was played at {one_line(manifest.gateway, 120)}, and a bundle does not choose a gateway: say "
            "--gateway URL to play it at one"
        )
    said = {**manifest.settings, **settings}
    is_virtual = where.is_virtual or (manifest.stage == VIRTUAL and not is_real and not where.url)
    used = _with(where, said, is_virtual=is_virtual, text=bundle.scenario)
    return Asked(
        used, manifest.seed if seed is None else seed, said, tuple(_notes(said, manifest.seed, used))
    )


def _with(
    where: Where, said: dict[str, str], *, is_virtual: bool | None = None, text: str | None = None
) -> Where:
    settings = settings_of([f"{key}={value}" for key, value in said.items()])
    virtual = where.is_virtual if is_virtual is None else is_virtual
    return Where(virtual, where.url, where.token, where.secret, where.trace, settings, text)


def _notes(said: dict[str, str], seed: int, where: Where) -> list[str]:
    how = "on virtual time" if where.is_virtual else "for real"
    given = "".join(f", {key} = {value}" for key, value in said.items())
    return [f"  a repro bundle: its scenario {how}, seed {seed}{given}"]


def write_bundle(folder: Path, path: Path, played: Played, asked_: Asked) -> Packed | None:
    """The bundle of a play in which something did not hold; nothing where all held, or it did not run.

    Raises:
        ExportFailed, BundleRefused: it cannot be written.
    """
    report, ring = played.run.report, played.ring
    if report is None or report.is_met or ring is None:
        return None
    contents = Contents(
        report.scenario.name, played.outcome.text, ring, ring.ids, tuple(lines_of(played.run)), report.seed,
        VIRTUAL if asked_.where.is_virtual else "real", asked_.where.url, asked_.said,
    )  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportFailed(cannot(folder, error)) from None
    return pack(free_path(folder, f"{path.stem}-seed{report.seed}"), contents)
