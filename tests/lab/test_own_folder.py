"""Scenarios of one's own: where they are, and that none is ever written over unasked."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.scenario import own_folder as own
from sonde_lab.scenario.own_folder import NotKept, keep, own_folder, stem_of, write_over
from sonde_lab.toml_text import MAX_FILE_BYTES


def test_scenarios_of_ones_own_are_in_the_persons_data_folder(tmp_path: Path) -> None:
    assert own_folder() == tmp_path / "xdg_data_home" / "sonde" / "scenarios"


def test_another_folder_of_data_has_its_own_scenarios(tmp_path: Path) -> None:
    assert own_folder(tmp_path) == tmp_path / "scenarios"


def test_a_scenario_is_kept_under_a_name_made_of_its_own() -> None:
    path = keep("name = 'x'", "Wi-Fi to LTE, mid-match!")

    assert path == own_folder() / "wi-fi_to_lte_mid-match.toml"
    assert path.read_text() == "name = 'x'"


def test_the_same_name_again_is_another_file() -> None:
    first, second = keep("first", "twice"), keep("second", "twice")

    assert (first.read_text(), second.read_text()) == ("first", "second")
    assert second.name == "twice_2.toml"


def test_a_file_that_is_named_gets_another_text() -> None:
    path = keep("before", "mine")
    write_over(path, "after")

    assert path.read_text() == "after"
    assert list(own_folder().iterdir()) == [path]


@given(st.text(max_size=200))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    stem = stem_of(name)

    assert stem
    assert len(stem) <= own.MAX_STEM
    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")


def test_a_text_that_no_reader_would_take_is_refused() -> None:
    with pytest.raises(NotKept, match="at most 1 MiB"):
        keep("#" * (MAX_FILE_BYTES + 1), "large")


def test_a_full_folder_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "MAX_FILES", 2)
    keep("", "one")
    keep("", "two")
    with pytest.raises(NotKept, match="holds 2 scenarios already"):
        keep("", "three")


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "scenarios").write_text("a file is here")
    with pytest.raises(NotKept, match="cannot be written to"):
        keep("", "one", tmp_path / "scenarios")
