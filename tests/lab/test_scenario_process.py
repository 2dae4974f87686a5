"""Scenarios played for a window: in a process that tells how far it is, can be stopped, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil
import pytest

from sonde_lab.scenario.catalogue import Catalogue
from sonde_lab.scenario.play_process import PlayProcess, Wanted
from sonde_lab.scenario.run_store import RunStore
from sonde_lab.simulation import virtual_stage

pytestmark = pytest.mark.measures_children

READY = Path(__file__).parents[2] / "assets" / "scenarios"
MATCH = """\
name = "a match"
duration = "DURATION"
settle = "1s"
[[clients]]
name = "p1"
channels = ["room:arena"]
behaviour = "publisher(5)"
[[steps]]
at = "1s"
fault = "reset"
[[expect]]
that = "resumed"
times = 1
"""


def scenario(folder: Path, duration: str = "4s", **changes: str) -> Path:
    text = MATCH.replace("DURATION", duration)
    for before, after in changes.items():
        text = text.replace(before, after)
    path = folder / "match.toml"
    path.write_text(text, encoding="utf-8")
    return path


class Plays(PlayProcess):
    """Remembers in which order things were told."""

    def __init__(self, runs: Path) -> None:
        self.changed = asyncio.Event()
        super().__init__(runs, self.changed.set)

    async def until(self, condition: object, limit_s: float = 30.0) -> None:
        async with asyncio.timeout(limit_s):
            while not condition():  # type: ignore[operator]
                self.changed.clear()
                await self.changed.wait()


async def test_plays_are_told_step_by_step_and_kept(tmp_path: Path) -> None:
    plays = Plays(tmp_path / "runs")
    await plays.start(Wanted(scenario(tmp_path), times=2, seed=40))
    assert plays.is_running
    await plays.ended()
    progress = plays.progress
    assert progress is not None
    assert progress.outcome is not None
    assert (progress.met, progress.not_met, progress.number, progress.seed) == (2, 0, 2, 41)
    assert progress.name == "a match"
    assert progress.lasts_s == 5.0
    assert any("1.0 s  reset p1" in line for line in progress.lines)
    assert (progress.rate, progress.problem) == ("2 of 2 plays met (100 %)", "")
    assert (progress.is_over, plays.is_running) == (True, False)
    kept = RunStore(tmp_path / "runs").run(progress.run)
    assert kept is not None
    assert kept.outcome.checks == progress.outcome.checks


async def test_what_is_not_met_comes_with_its_comparison(tmp_path: Path) -> None:
    plays = Plays(tmp_path / "runs")
    await plays.start(Wanted(scenario(tmp_path)))
    await plays.ended()
    await plays.start(Wanted(scenario(tmp_path, **{"times = 1": "times = 3"})))
    await plays.ended()
    progress = plays.progress
    assert progress is not None
    assert (progress.met, progress.not_met) == (0, 1)
    assert any("times = 3" in line for line in progress.compared)


async def test_what_cannot_be_played_says_why(tmp_path: Path) -> None:
    plays = Plays(tmp_path / "runs")
    await plays.start(Wanted(scenario(tmp_path, **{'"reset"': '"rest"'})))
    await plays.ended()
    progress = plays.progress
    assert progress is not None
    assert progress.outcome is not None
    assert progress.outcome.state == "not run"
    assert "nearest is “reset”" in progress.outcome.problem


@pytest.mark.slow
async def test_a_real_play_that_is_stopped_leaves_no_process(tmp_path: Path) -> None:
    plays = Plays(tmp_path / "runs")
    await plays.start(Wanted(scenario(tmp_path, "300s"), is_virtual=False))
    progress = plays.progress
    assert progress is not None
    await plays.until(lambda: any("live" in line for line in progress.lines))
    child = psutil.Process(plays.pid)
    children = [child, *child.children(recursive=True)]
    assert len(children) > 1
    await plays.stop()
    assert (progress.is_over, progress.is_stopping, progress.problem) == (True, True, "")
    until = time.monotonic() + 10
    while any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children):
        assert time.monotonic() < until, "a child is left"
        await asyncio.sleep(0.05)


async def test_plays_without_end_can_be_stopped(tmp_path: Path) -> None:
    plays = Plays(tmp_path / "runs")
    await plays.start(Wanted(scenario(tmp_path), until_fails=True))
    progress = plays.progress
    assert progress is not None
    await plays.until(lambda: progress.met >= 1)
    await plays.stop()
    assert (progress.is_over, progress.not_met, progress.problem) == (True, 0, "")


# ------------------------------------------------------------ the list


def test_all_scenarios_that_come_with_sonde_are_listed_and_none_is_broken(tmp_path: Path) -> None:
    listed = Catalogue(READY, tmp_path / "none", virtual_stage.why_not).listed()
    assert len(listed) == len(list(READY.rglob("*.toml")))
    assert [each.path.name for each in listed if each.is_broken] == []
    assert {each.path.stem for each in listed if each.not_real} == {"stores_away"}
    assert {each.path.stem for each in listed if each.not_virtual} == {"invalid_utf8", "reserved_bits"}
    (handover,) = [each for each in listed if each.path.stem == "handover"]
    assert handover.says.startswith("2 clients, 15 s: handover · ")


def test_a_broken_file_of_ones_own_is_listed_with_its_line_and_the_others_are_read(tmp_path: Path) -> None:
    good = scenario(tmp_path)
    (tmp_path / "broken.toml").write_text(good.read_text().replace('"reset"', '"rest"'))
    (tmp_path / "nonsense.toml").write_bytes(b"\xff\xfe")
    listed = {each.path.stem: each for each in Catalogue(None, tmp_path).listed()}
    assert (listed["match"].name, listed["match"].is_broken) == ("a match", False)
    assert listed["broken"].problem.startswith("line 10, “steps 1.fault”: there is no fault “rest”")
    assert "UTF-8" in listed["nonsense"].problem


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    path, catalogue = scenario(tmp_path), Catalogue(None, tmp_path)
    assert catalogue.listed()[0].name == "a match"
    path.write_text(path.read_text().replace("a match", "another match"))
    assert catalogue.listed()[0].name == "another match"
