"""The scenarios that come with Sonde hold: those that can be are played on virtual time, five of them for real."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sonde_lab.scenario.keys import ScenarioRefused
from sonde_lab.scenario.playing import play_virtually
from sonde_lab.scenario.reading import load
from sonde_lab.scenario.real_stage import RealStage, why_not
from sonde_lab.scenario.running import Report, play
from sonde_lab.scenario.stage import refuse_impossible
from sonde_lab.simulation import virtual_stage

FOLDER = Path(__file__).parents[2] / "assets" / "scenarios"
BOTH = sorted(FOLDER.glob("*.toml"))
ONLY_VIRTUAL = sorted((FOLDER / "virtual").glob("*.toml"))
ONLY_REAL = sorted((FOLDER / "real").glob("*.toml"))
FOR_REAL = ("server_error", "reset_all", "duplicates", "sequence_gap", "real/invalid_utf8")
LAYERS = ("TCP", "upgrade", "frame", "message", "application", "authentication", "presence")


def wrong(report: Report) -> list[str]:
    return [f"{each.expectation.words}: {each.evidence}" for each in report.verdicts if not each.is_met]


@pytest.mark.parametrize("path", [*BOTH, *ONLY_VIRTUAL], ids=lambda path: path.stem)
def test_it_holds_on_virtual_time(path: Path) -> None:
    scenario = load(path)
    refuse_impossible(scenario, virtual_stage.why_not)
    assert wrong(play_virtually(scenario, scenario.seed)) == []


@pytest.mark.slow
async def test_five_hold_for_real() -> None:
    """All at once: a play is mostly waiting."""

    async def lacks(name: str) -> list[str]:
        scenario = load(FOLDER / f"{name}.toml")
        refuse_impossible(scenario, why_not(""))
        return wrong(await play(scenario, RealStage(scenario, scenario.seed), scenario.seed))

    async with asyncio.timeout(100):
        found = await asyncio.gather(*(lacks(name) for name in FOR_REAL))
    assert dict(zip(FOR_REAL, found, strict=True)) == {name: [] for name in FOR_REAL}


def test_each_folder_holds_what_only_that_stage_can_do() -> None:
    for path in ONLY_REAL:
        refuse_impossible(load(path), why_not(""))
        with pytest.raises(ScenarioRefused):
            refuse_impossible(load(path), virtual_stage.why_not)
    for path in ONLY_VIRTUAL:
        with pytest.raises(ScenarioRefused):
            refuse_impossible(load(path), why_not(""))


def test_every_layer_has_a_scenario_and_each_says_what_it_shows() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (*BOTH, *ONLY_VIRTUAL, *ONLY_REAL)]
    heads = [text.partition("\nname")[0] for text in texts]
    assert all(head.startswith("# ") and head.endswith(")") for head in heads)
    assert {layer for layer in LAYERS for head in heads if head.endswith(f"({layer})")} == set(LAYERS)
