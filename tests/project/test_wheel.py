"""What a person gets who installs Sonde: the wheel, in an environment that holds nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.processes import stop

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command], text=True, capture_output=True, check=False, **options
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    return next(folder.glob("sonde-*.whl"))


@pytest.fixture(scope="module")
def empty_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("env")
    run(sys.executable, "-m", "venv", folder)
    return folder


def install(environment: Path, what: str) -> None:
    run(environment / "bin/python", "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", what)


def clean_env(home: Path) -> dict[str, str]:
    """The environment of somebody who never heard of this checkout (coverage of children stays on)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SONDE_", "PYTHON"))}
    return {
        **kept,
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_CONFIG_HOME": str(home / "config"),
    }


@pytest.fixture
def folder_of_a_game_team(tmp_path: Path) -> Iterator[Path]:
    """Packages of the same names as our component folders, which must neither be taken nor be hidden."""
    for name in ("server", "client", "protocol", "lab", "ui"):
        package = tmp_path / name
        package.mkdir()
        (package / "__init__.py").write_text("raise RuntimeError('somebody else\\'s package was imported')\n")
    return tmp_path


def test_the_wheel_holds_five_packages_and_the_assets(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    packages = {"sonde_protocol", "sonde_client", "sonde_server", "sonde_lab", "sonde_ui"}
    assert {top for top in tops if not top.endswith(".dist-info")} == packages
    assert any(name.startswith("sonde_ui/assets/fonts/") and name.endswith(".ttf") for name in names)
    assert any(name.startswith("sonde_ui/assets/icons/") for name in names)
    assert "sonde_lab/presets/network.toml" in names
    scripts = {path.name for path in (ROOT / "server/sonde_server/adapters/lua").glob("*.lua")}
    shipped = {name.rpartition("/")[2] for name in names if name.startswith("sonde_server/adapters/lua/")}
    assert scripts == shipped != set()


def test_the_gateway_runs_from_the_wheel_beside_foreign_packages_and_without_qt(
    wheel: Path, empty_environment: Path, folder_of_a_game_team: Path
) -> None:
    install(empty_environment, str(wheel))
    listed = run(empty_environment / "bin/python", "-m", "pip", "list").stdout.lower()
    assert "pyside6" not in listed
    process = subprocess.Popen(
        [empty_environment / "bin/sonde", "gateway", "--port", "0", "--admin-port", "0"],
        cwd=folder_of_a_game_team,
        env=clean_env(folder_of_a_game_team),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline() or b"{}")
        assert ready.get("event") == "ready", process.stderr.read() if process.stderr else ""
        with urllib.request.urlopen(f"{ready['admin']}/readyz", timeout=5) as answer:
            assert answer.status == 200
    finally:
        assert stop(process) == 0


def test_the_window_opens_from_the_wheel(wheel: Path, empty_environment: Path, tmp_path: Path) -> None:
    install(empty_environment, f"{wheel}[desktop]")
    picture = tmp_path / "window.png"
    done = run(
        empty_environment / "bin/sonde",
        "ui",
        "--screenshot",
        picture,
        "--after",
        "4s",
        "--size",
        "1280x800",
        cwd=tmp_path,
        env=clean_env(tmp_path),
        timeout=60,
    )
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "Traceback" not in done.stderr
    assert "font" not in done.stderr.lower()


BLOCK_QT = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"PySide6", "shiboken6", "qasync", "pyqtgraph"}:
            raise ImportError(f"{name} is blocked: the gateway must start without Qt")

sys.meta_path.insert(0, Blocker())
from sonde_ui.cli import main
sys.argv = ["sonde", *sys.argv[1:]]
main()
"""


def test_the_gateway_starts_with_qt_blocked(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BLOCK_QT, "gateway", "--port", "0", "--admin-port", "0"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert json.loads(process.stdout.readline() or b"{}").get("event") == "ready"
    finally:
        assert stop(process) == 0


def test_the_window_says_what_to_install_when_qt_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCK_QT, "ui"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert "sonde[desktop]" in done.stderr
    assert "Traceback" not in done.stderr
