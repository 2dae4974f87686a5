"""Files that another program has put where scenarios, runs and bundles are kept: read within bounds, or passed over."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sonde_lab.deriving.console import write_scenario
from sonde_lab.export.files import ExportFailed
from sonde_lab.scenario.catalogue import Catalogue
from sonde_lab.scenario.comparing import compare
from sonde_lab.scenario.console import NOT_RUN, RunOptions, run_files
from sonde_lab.scenario.keys import ScenarioRefused
from sonde_lab.scenario.outcomes import Check, Outcome, OutcomeUnreadable, from_bytes, to_bytes
from sonde_lab.scenario.own_folder import NotKept, keep, own_folder, write_over
from sonde_lab.scenario.play_process import PlayProcess, Progress, Wanted
from sonde_lab.scenario.reading import load
from sonde_lab.scenario.run_store import NotStored, RunStore

posix = pytest.mark.skipif(os.name != "posix", reason="pipes, links and modes of POSIX")
GOOD = """name = "NAME"
duration = "1s"
settle = "0s"
[[clients]]
name = "p1"
channels = ["room:a"]
[[expect]]
that = "never_dropped"
"""
ESCAPES = (r"\u001b]0;owned\u0007", r"\u001b[2J", r"\u009b31m", r"\u202e", r"\r\nforged")


def outcome(**more: Any) -> Outcome:
    told = {"file": "/s/a.toml", "checks": (Check("resumed", 1, True, "row 1", (1,)),), "began": 1e9, **more}
    return Outcome(**told)


def stored(folder: Path, data: bytes, name: str = "20260101-000000-1.json") -> RunStore:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return RunStore(folder)


# ------------------------------------------------------------ scenarios of one's own


@posix
@pytest.mark.parametrize("what", ["pipe", "zero", "folder", "loop", "nowhere", "huge", "nul", "unreadable"])
def test_no_file_in_the_folder_of_scenarios_hangs_or_hides_the_others(tmp_path: Path, what: str) -> None:
    bad, good = tmp_path / "bad.toml", tmp_path / "good.toml"
    good.write_text(GOOD)
    match what:
        case "pipe":
            os.mkfifo(bad)
        case "zero":
            bad.symlink_to("/dev/zero")
        case "folder":
            bad.mkdir()
        case "loop":
            bad.symlink_to(bad)
        case "nowhere":
            bad.symlink_to(tmp_path / "nowhere")
        case "huge":
            with bad.open("wb") as file:
                file.truncate(1 << 40)
        case "nul":
            bad.write_bytes(b'name = "\0"\0\0')
        case _:
            bad.write_text(GOOD)
            bad.chmod(0)
    listed = {each.path.name: each for each in Catalogue(None, tmp_path).listed()}
    assert not listed["good.toml"].problem
    may_be_read = what == "unreadable" and os.geteuid() == 0
    assert what in ("loop", "nowhere") or may_be_read or listed["bad.toml"].problem
    assert run_files([bad], RunOptions(is_virtual=True, keeps=False), lambda _line: None) in (
        (0,) if may_be_read else (NOT_RUN,)
    )


def test_a_file_that_grows_while_it_is_read_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"#" * (1 << 20) + b"x")
    with pytest.raises(ScenarioRefused, match="1 MiB"):
        load(path)


@posix
@pytest.mark.parametrize(
    "name", [b"\xff\xfe.toml", b"\x1b[31m.toml", b"a\nb.toml", b"-x.toml", b"--runs.toml"]
)
def test_a_file_with_an_odd_name_is_played_and_told_in_plain_words(
    tmp_path: Path, name: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.write_text(GOOD)
    assert Catalogue(None, tmp_path).listed()[0].problem == ""
    assert run_files([path], RunOptions(is_virtual=True, runs=tmp_path / "runs")) == 0
    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err
    assert all("met" in line or "NAME" in line or line.startswith("  ") for line in told.out.splitlines())
    assert len(RunStore(tmp_path / "runs").runs()) == 1


@pytest.mark.parametrize("escape", ESCAPES)
def test_no_name_in_a_scenario_moves_the_cursor_of_a_terminal(
    tmp_path: Path, escape: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.toml"
    path.write_text(GOOD.replace("NAME", f"x{escape}"))
    run_files([path], RunOptions(is_virtual=True, runs=tmp_path / "runs", compare=True))
    told = capsys.readouterr()
    shown = told.out + told.err
    assert not set(shown.replace("\n", "")) & {*map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), "\u202e"}
    assert "\nforged" not in shown


@posix
def test_what_a_window_keeps_is_for_its_owner_only(tmp_path: Path) -> None:
    os.umask(0o022)
    folder = own_folder(tmp_path / "data")
    path = keep(GOOD, "mine", folder)
    write_over(path, GOOD + "# more\n")
    kept = RunStore(tmp_path / "data" / "runs").add(outcome())
    for each in (path, kept.path):
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
        assert stat.S_IMODE(each.parent.stat().st_mode) == 0o700


@posix
def test_a_link_that_waits_beside_a_file_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "own"
    path = keep(GOOD, "mine", folder)
    path.with_suffix(f".{os.getpid()}.tmp").symlink_to(victim)
    write_over(path, GOOD + "# more\n")
    store = RunStore(tmp_path / "runs")
    (tmp_path / "runs").mkdir()
    first = store.add(outcome()).path
    for end in (".tmp", ".json"):
        first.with_name(first.name.replace("-1.json", f"-2{end}")).symlink_to(victim)
    store.add(outcome(seed=2))
    assert victim.read_text() == "precious"


def test_a_disk_that_fails_leaves_nothing_half_written(tmp_path: Path) -> None:
    store = RunStore(tmp_path)

    def full(rows: Path) -> None:
        rows.write_bytes(b"half of it")
        raise ExportFailed("no space left on device")

    for _ in range(3):
        with pytest.raises(NotStored, match="no space left"):
            store.add(outcome(), full)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------ the store of runs


@pytest.mark.parametrize(
    "more",
    [
        {"began": 1e300}, {"began": -1e300}, {"took_s": 1e308}, {"lasted_s": -1e308}, {"rows": 1 << 70},
        {"seed": int("9" * 4_000)}, {"checks": [{"words": "x", "line": 1 << 40, "is_met": True, "evidence": "x", "rows": [1 << 40]}]},
        {"figures": [{"name": "x", "value": 1e308, "unit": "s"}] * 2}, {"format": -1}, {"stage": "ws://x/\u001b[2J"},
    ],
)  # fmt: skip
def test_a_run_of_another_program_is_told_or_passed_over(tmp_path: Path, more: dict[str, Any]) -> None:
    told = json.loads(to_bytes(outcome(scenario="other"))) | more
    store = stored(tmp_path / "runs", json.dumps(told).encode())
    mine = store.add(outcome(seed=9))
    good = store.last_good(mine.outcome, besides=mine.path)
    if good is not None:
        assert list(compare(mine.outcome, good.outcome).lines)
        assert max((row for check in good.outcome.checks for row in check.rows), default=0) < 1 << 31
    assert mine.path in [each.path for each in store.runs()]


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe", b'{"file": "\xff"}', b"[" * 200_000, b'{"file":' * 50_000, b"null", b"9" * 5_000, b"\0" * 100],
)  # fmt: skip
def test_bytes_that_are_no_run_are_passed_over(tmp_path: Path, data: bytes) -> None:
    store = stored(tmp_path / "runs", data)
    assert store.runs() == []
    with pytest.raises(OutcomeUnreadable):
        from_bytes(data)


@posix
@pytest.mark.parametrize("what", ["pipe", "zero", "folder", "loop"])
def test_what_is_no_file_among_the_runs_is_passed_over(tmp_path: Path, what: str) -> None:
    bad = tmp_path / "20260101-000000-1.json"
    match what:
        case "pipe":
            os.mkfifo(bad)
        case "zero":
            bad.symlink_to("/dev/zero")
        case "folder":
            bad.mkdir()
        case _:
            bad.symlink_to(bad)
    store = RunStore(tmp_path)
    assert len([store.add(outcome()), *store.runs()]) == 2


# ------------------------------------------------------------ what a play's process tells


@pytest.mark.parametrize(
    "line",
    [
        "[" * 60_000, "{", "null", "[]", '{"event": []}', '{"event": {}}', '{"event": "nothing"}', '{"event": "play"}',
        '{"event": "play", "number": 1e999, "seed": 1, "name": "", "lasts_s": 1}',
        '{"event": "play", "number": NaN, "seed": 1, "name": "", "lasts_s": 1}',
        '{"event": "play", "number": 1, "seed": 1, "name": "", "lasts_s": NaN}',
        '{"event": "play", "number": 1, "seed": 1, "name": "", "lasts_s": -Infinity}',
        '{"event": "play", "number": 1, "seed": 1, "name": "", "lasts_s": 1e999}',
        '{"event": "play", "number": ' + "9" * 5_000 + ', "seed": 1, "name": "", "lasts_s": 1}',
        '{"event": "ended", "outcome": {"file": 3}, "run": "", "compared": []}',
        '{"event": "ended", "outcome": {"file": "x", "began": 1e300}, "run": "", "compared": []}',
    ],
)  # fmt: skip
def test_a_line_that_no_play_tells_is_let_go(tmp_path: Path, line: str) -> None:
    plays = PlayProcess(tmp_path, lambda: None)
    plays.progress = Progress(Wanted(tmp_path / "a.toml"), 0.0)
    plays._on_line(line)
    assert (plays.progress.number, plays.progress.lasts_s, plays.progress.outcome) == (0, 0.0, None)


def test_what_a_play_tells_is_cut_to_what_is_shown(tmp_path: Path) -> None:
    plays = PlayProcess(tmp_path, lambda: None)
    plays.progress = Progress(Wanted(tmp_path / "a.toml"), 0.0)
    long = "x" * 60_000
    plays._on_line(json.dumps({"event": "line", "text": long}))
    plays._on_line(json.dumps({"event": "rate", "text": long}))
    plays._on_line(json.dumps({"event": "play", "number": 1, "seed": 1, "name": long, "lasts_s": 1}))
    plays._on_line(json.dumps({"event": "line", "text": long}))
    progress = plays.progress
    assert len(progress.rate) + len(progress.name) + sum(map(len, progress.lines)) < 5_000


def test_a_line_of_a_play_is_never_longer_than_its_reader_takes(tmp_path: Path) -> None:
    checks = tuple(Check("é" * 400, at, False, "é" * 2_000) for at in range(100))
    code = "\n".join(
        (
            "import sys, msgspec",
            "from sonde_lab.scenario.outcomes import from_bytes",
            "from sonde_lab.scenario.play_child import _ended",
            "from sonde_lab.scenario.playing import Played",
            "from types import SimpleNamespace as N",
            "o = from_bytes(sys.stdin.buffer.read())",
            "_ended(N(outcome=o, comparison=N(lines=['é' * 400] * 100), kept=None))",
        )
    )
    asked = [sys.executable, "-c", code]
    told = subprocess.run(asked, input=to_bytes(outcome(checks=checks)), capture_output=True, check=True)
    assert len(told.stdout) <= 60_000
    assert json.loads(told.stdout)["outcome"]["checks"]


def test_an_option_is_never_made_of_the_name_of_a_file(tmp_path: Path) -> None:
    arguments = PlayProcess(tmp_path, lambda: None)._arguments(Wanted(Path("--virtual"), is_virtual=False))
    assert arguments[-2:] == ["--", "--virtual"]


# ------------------------------------------------------------ captures that are none


@posix
def test_a_pipe_is_no_capture_to_derive_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "\x1b[2J.sonde"
    os.mkfifo(pipe)
    assert write_scenario(pipe, None, None, None) == 2
    assert "\x1b" not in capsys.readouterr().err


@posix
def test_a_folder_that_is_full_of_the_same_name_is_said(tmp_path: Path) -> None:
    for number in range(1, 1_005):
        end = f"_{number}" if number > 1 else ""
        (tmp_path / f"mine{end}.toml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(NotKept):
        keep(GOOD, "mine", tmp_path)
    assert not (tmp_path / "nowhere").exists()


# ------------------------------------------------------------ texts that take for ever


SLOW = {
    "keys": lambda: "".join(f"k{number} = 1\n" for number in range(80_000)),
    "keys of a step": lambda: GOOD + '[[steps]]\nat = "0s"\n' + "".join(f"k{n} = 1\n" for n in range(80_000)),
    "keys of the gateway": lambda: GOOD + "[gateway]\n" + "".join(f"k{n} = 1\n" for n in range(80_000)),
    "empty lines among steps": lambda: (
        GOOD + '[[steps]]\nat = "0s"\nfault = "reset"\n' * 100 + "\n" * 200_000 + "[nobody]\n"
    ),
    "a long key": lambda: f"{'k' * 1_000_000} = 1\n",
    "a long key of a client": lambda: GOOD.replace("channels", "k" * 1_000_000),
    "a deep table": lambda: f"duration{'.a' * 400_000} = 1\n",
    "a deep table behind a separator": lambda: f'"\u2028#"{".a" * 400_000} = 1\n',
    "deep tables": lambda: "".join(f"k{n}{'.a' * 99} = 1\n" for n in range(500)),
    "a table under a duration": lambda: f"duration{'.a' * 99} = 1\n",
    "inline tables": lambda: f"x = [\n{('{a' + '.a' * 99 + '=1},' + chr(10)) * 400}]\n",
    "a deep list": lambda: f"name = {'[' * 500_000}",
    "a long line": lambda: f"# {'x' * 1_000_000}",
    "a long number": lambda: f'name = "x"\nseed = {"9" * 1_000_000}\n',
    "a long duration": lambda: GOOD.replace('"1s"', f'"{"9" * 900_000}s"'),
    "many quotes": lambda: "\"'" * 500_000,
}


@pytest.mark.parametrize("what", SLOW)
def test_no_text_takes_for_ever_to_be_refused_nor_is_its_refusal_long(tmp_path: Path, what: str) -> None:
    path = tmp_path / "slow.toml"
    path.write_text(SLOW[what]())
    with pytest.raises(ScenarioRefused) as refused:
        load(path)
    assert len(str(refused.value)) < 600
    assert "\n" not in str(refused.value)
