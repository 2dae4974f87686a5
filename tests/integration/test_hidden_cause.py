"""The story of the documents, for once as a test: a drop with a hidden cause, from its capture to the setting that mends it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "hidden_cause.py"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hidden_cause", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_drop_with_a_hidden_cause_is_captured_brought_about_again_and_mended_by_a_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict, codes = script().tell(tmp_path, idle_s=1.6)
    said = capsys.readouterr().out
    assert verdict == "cut"
    assert codes == [0, 0, 0, 1, 0]
    assert "NOT MET  verdict client=ada cause=cut times=0 seen_by=ada: ada ended for cut" in said
    assert "3 of 3 met" in said.rsplit("$ sonde run", 1)[1]
