"""Clients and gateways on virtual time: the loop, the network, one seed for one run, and promises that hold."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.simulation import player, world
from sonde_lab.simulation.hunt import MOST_FAULTS, NOT_THE_SAME, SHAPES, Run, hunt, kind_of, main, replayed
from sonde_lab.simulation.loop import START_S, Stuck, VirtualLoop, run
from sonde_lab.simulation.schedule import LIMITS, Fault, Kind, of_values, to_toml
from sonde_lab.simulation.world import Shape, simulate
from support.planted import copy_with, hunt_in, planted, what

FOUND = sorted((Path(__file__).parent / "found").glob("*.toml"))
SMALL = Shape(nodes=2, clients=3, seconds=15.0)

# ------------------------------------------------------------ time


def test_an_hour_passes_at_once() -> None:
    async def main() -> float:
        await asyncio.sleep(3_600)
        return asyncio.get_running_loop().time()

    assert run(main()) == pytest.approx(START_S + 3_600)


def test_timers_come_in_their_order() -> None:
    async def main() -> list[str]:
        told: list[str] = []
        loop = asyncio.get_running_loop()
        for delay, word in ((2.0, "c"), (1.0, "a"), (1.5, "b")):
            loop.call_later(delay, told.append, word)
        async with asyncio.timeout(10):
            await asyncio.sleep(3)
        return told

    assert run(main()) == ["a", "b", "c"]


def test_who_waits_for_nothing_that_could_happen_is_told() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(Stuck):
        run(main())


def test_there_are_no_threads_in_virtual_time() -> None:
    async def main() -> None:
        await asyncio.to_thread(print)

    with pytest.raises(NotImplementedError):
        run(main())


def test_its_wall_clock_goes_with_it() -> None:
    loop = VirtualLoop()
    before = loop.wall()
    loop.jump(60)
    assert loop.wall() - before == pytest.approx(60)
    loop.close()


# ------------------------------------------------------------ promises


def test_a_calm_world_keeps_every_promise() -> None:
    outcome = simulate(1, [], SMALL)
    assert outcome.breaches == []
    assert outcome.commands > 50
    assert outcome.entries > 50
    assert outcome.drops == 0


@pytest.mark.parametrize("kind", Kind)
def test_each_fault_alone_breaks_no_promise(kind: Kind) -> None:
    faults = [Fault(4.0, kind, 0, 4.0, 3), Fault(11.0, kind, 1, 6.0, 5)]
    outcome = simulate(3, faults, SMALL)
    assert outcome.breaches == []
    assert sum(" fault " in line for line in outcome.trace) == 2


def test_a_fault_does_what_it_says() -> None:
    breaks = (Kind.CUT, Kind.LOSE, Kind.KILL, Kind.POWER_LOSS, Kind.HALF_OPEN)
    spares = (Kind.SLOW, Kind.REFUSE, Kind.DRAIN)
    drops = {kind: simulate(3, [Fault(4.0, kind, 0, 4.0, 0)], SMALL).drops for kind in (*breaks, *spares)}
    assert all(drops[kind] >= 1 for kind in breaks)
    assert drops[Kind.CUT] == drops[Kind.LOSE] == 1
    assert all(drops[kind] == 0 for kind in spares)


PROGRAM = """
import hashlib
from sonde_lab.simulation.schedule import Fault, Kind
from sonde_lab.simulation.world import Shape, simulate
faults = [Fault(3.0, Kind.KILL, 0, 4.0), Fault(6.0, Kind.CUT, 1, 1.0, 5), Fault(9.0, Kind.BUS, 0, 4.0, 6)]
outcome = simulate(11, faults, Shape(nodes=3, clients=4, seconds=15.0, store_wait_s=0.02))
print(len(outcome.trace), hashlib.sha256("\\n".join(outcome.trace).encode()).hexdigest())
"""


def test_one_seed_is_one_run_in_whatever_process() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(said) == 1
    assert int(said.pop().split()[0]) > 300


def test_another_seed_is_another_run() -> None:
    traces = {
        hashlib.sha256("\n".join(simulate(seed, [], SMALL).trace).encode()).digest() for seed in range(3)
    }
    assert len(traces) == 3


# ------------------------------------------------------------ schedules as text


def faults() -> st.SearchStrategy[list[Fault]]:
    numbers = {
        key: st.integers(*bounds) if isinstance(bounds[0], int) else st.floats(*bounds, allow_nan=False)
        for key, bounds in LIMITS.items()
    }
    return st.lists(st.builds(Fault, kind=st.sampled_from(Kind), **numbers), max_size=MOST_FAULTS)


@given(st.integers(0, 9_999), st.integers(0, len(SHAPES) - 1), faults())
def test_a_schedule_reads_back_as_it_was_written(seed: int, shape: int, made: list[Fault]) -> None:
    run_of = Run(seed, shape, tuple(made))
    assert replayed(run_of.text()) == run_of
    assert of_values(tomllib.loads(to_toml(seed, made))) == made


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[fault]]\nkind = 'kut'\nat = 1.0", "fault 1: its kind is one of cut, half_open"),
        ("[[fault]]\nkind = 'cut'\nat = 1.0\n[[fault]]\nkind = 'cut'\nat = 99.0", "fault 2: at is a number from 0.0 to 60.0"),
        ("[[fault]]\nkind = 'cut'\nwhen = 1.0", "fault 1 takes at, kind, target, seconds, keep"),
        ("fault = 3", "fault must be a list of tables"),
        ("shape = 77", "shape is a number from 0 to 6"),
        ("seed = true", "seed and shape are whole numbers"),
        ("=", "it is no TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_schedule_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("[[", r"\[\[")):
        replayed(text)


def test_a_schedule_is_replayed_from_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "run.toml"
    file.write_text(Run(5, 0, (Fault(2.0, Kind.CUT, 0),)).text(), encoding="utf-8")
    assert main(["--replay", str(file)]) == 0
    assert "2.000000 fault cut 0 1 0" in capsys.readouterr().out
    assert main(["--replay", str(tmp_path / "none.toml")]) == 2
    assert "No such file" in capsys.readouterr().err


# ------------------------------------------------------------ the hunt


def test_one_bug_found_for_two_players_is_one() -> None:
    assert kind_of("ada: entry 12 was told twice") == kind_of("goro: entry 7 was told twice")


def test_a_short_hunt_finds_nothing() -> None:
    findings, runs = hunt(0.001, 20_261, batch=12)
    assert [each.breaches for each in findings] == []
    assert runs > 0


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_the_hunt_has_found_stays_mended(path: Path) -> None:
    assert replayed(path.read_text(encoding="utf-8")).breaches() == []


def test_every_planted_bug_still_fits_the_code() -> None:
    assert len(planted()) >= 12
    for patch in planted():
        assert what(patch).endswith("."), patch.name
        git = ["git", "apply", "--check", str(patch)]
        done = subprocess.run(git, cwd=Path(__file__).parents[2], check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{patch.name}: {done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["server_replays_from_one_too_late", "client_resend_renumbers"])
def test_a_planted_bug_is_seen(name: str, tmp_path: Path) -> None:
    (patch,) = (each for each in planted() if each.stem == name)
    file = tmp_path / "run.toml"
    answers_lost = (Fault(3.0, Kind.STALL_DOWN, 0, 9.0), Fault(5.0, Kind.HALF_OPEN, 0, 1.0))
    cuts = tuple(Fault(at, Kind.CUT, 1, 1.0, 3) for at in (4.0, 8.0, 12.0))
    made = (*answers_lost, *cuts)
    file.write_text(Run(7, 1, made).text(), encoding="utf-8")
    done = hunt_in(copy_with(patch, tmp_path / "copy"), "--replay", str(file), limit_s=60)
    assert done.returncode == 1, done.stderr


@pytest.mark.expects_log("asyncio")
def test_a_failure_that_nobody_asks_for_is_told_of_the_run_it_is_of_and_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Left to the collector it would be told in whatever run comes next, or not at all: no run would be the same twice."""

    async def fails(who: player.Player) -> None:
        raise LookupError(who.name)

    monkeypatch.setattr(player.Player, "_subscribe", fails)
    told = [simulate(3, [], Shape(clients=2, seconds=1.0)).breaches for _ in range(2)]
    assert [kind_of(each) for each in told[0]] == [kind_of(each) for each in told[1]]
    for name in ("ada", "bertil"):
        assert any(f"LookupError('{name}')" in each for each in told[0])


def test_a_run_that_is_not_the_same_twice_is_a_finding_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([["nobody is there"]])
    monkeypatch.setattr(Run, "breaches", lambda _run: next(answers, []))
    findings, _runs = hunt(0.001, 1, batch=3)
    assert findings[0].breaches == ("nobody is there", NOT_THE_SAME)


def test_a_node_that_dies_while_it_is_emptied_keeps_nobody_waiting() -> None:
    """Its last call of a store never comes back: who waited for that waited for ever."""
    faults = [
        Fault(18.75, Kind.FREEZE, 3, 10.9, 8),
        Fault(27.7, Kind.STORES_MIDWAY, 2, 2.1, 1),
        Fault(11.5, Kind.DRAIN, 7, 0.2, 11),
        Fault(12.7, Kind.POWER_LOSS, 6, 19.2, 4),
    ]
    assert simulate(815, faults, SHAPES[0]).breaches == []


def test_a_run_that_never_ends_is_a_broken_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_world: world.World, _last_s: float) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(world.World, "_heal", never)
    (breach,) = simulate(3, [], Shape(clients=1, nodes=1, seconds=1.0)).breaches
    assert breach == "the run has not ended after 600 s: somebody waits for ever"
