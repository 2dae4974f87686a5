"""Bugs that are kept as patches, and copies of the packages that have one of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "lab" / "planted"
PACKAGES = ("protocol", "client", "server", "lab")


def planted() -> list[Path]:
    """All patches."""
    return sorted(FOLDER.glob("*.patch"))


def what(patch: Path) -> str:
    """What the bug does, in a sentence."""
    return patch.read_text(encoding="utf-8").splitlines()[0]


def copy_with(patch: Path, folder: Path) -> Path:
    """The packages in `folder`, with the bug.

    Raises:
        subprocess.CalledProcessError: the patch does not fit the code any more.
    """
    for each in PACKAGES:
        shutil.copytree(ROOT / each, folder / each, ignore=shutil.ignore_patterns("__pycache__"))
    git = ["git", "apply", "--whitespace=nowarn", str(patch)]
    subprocess.run(git, cwd=folder, check=True, capture_output=True, text=True)
    return folder


def hunt_in(folder: Path, *arguments: str, limit_s: float) -> subprocess.CompletedProcess[str]:
    """Hunt in a copy of the packages, in a process of its own."""
    paths = os.pathsep.join(str(folder / each) for each in PACKAGES)
    command = [sys.executable, "-m", "sonde_lab.simulation.hunt", *arguments]
    # A copy is not measured: its lines would be counted beside those of the packages.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    env = kept | {"PYTHONPATH": paths}
    return subprocess.run(
        command, env=env, cwd=folder, check=False, capture_output=True, text=True, timeout=limit_s
    )
