from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_ui.desktop.settings import FILE_NAME, Layout, Settings, SettingsFile, to_toml


def test_a_first_start_has_defaults_and_writes_nothing_by_itself(tmp_path: Path) -> None:
    files = SettingsFile(tmp_path / "new")
    assert files.load() == Settings()
    assert files.broken is None
    assert not files.path.exists()


def test_what_was_changed_is_there_at_the_next_start(tmp_path: Path) -> None:
    files = SettingsFile(tmp_path)
    files.load()
    files.settings.theme = "light"
    files.settings.layouts = {
        "inspect": Layout(sizes={"left": [100, 200]}, tabs={"tools": "notices"}, closed=["detail"])
    }
    assert files.save() is None
    assert SettingsFile(tmp_path).load() == files.settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("theme = ", "Invalid value"),
        ('theme = "purple"', "theme"),
        ("width = 12", "width"),
        ("width = 'wide'", "width"),
        ('[layouts.inspect]\nsizes = { left = ["a"] }', "layouts[...].sizes[...][0]"),
        ("\x00", "line 1"),
    ],
)
def test_a_broken_file_is_named_kept_beside_and_replaced_by_defaults(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    files = SettingsFile(tmp_path)
    assert files.load() == Settings()
    assert files.broken is not None
    assert said in files.broken.reason
    assert files.broken.kept_as is not None
    assert files.broken.kept_as.read_text() == text
    assert files.save() is None
    again = SettingsFile(tmp_path)
    again.load()
    assert again.broken is None


def test_bytes_that_are_no_text_are_told_like_any_broken_file(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"\xff\xfe\x00")
    files = SettingsFile(tmp_path)
    assert files.load() == Settings()
    assert files.broken is not None


def test_a_folder_in_the_place_of_the_file_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    files = SettingsFile(tmp_path)
    assert files.load() == Settings()
    assert files.broken is not None


def test_a_folder_that_cannot_be_written_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    files = SettingsFile(tmp_path / "file" / "below")
    files.load()
    files.settings.theme = "dark"
    assert "below" in str(files.save())


def test_what_a_newer_version_wrote_is_no_reason_to_forget_the_rest(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('theme = "light"\nfrom_the_future = 1\n')
    files = SettingsFile(tmp_path)
    assert files.load().theme == "light"
    assert files.broken is None


def test_an_option_of_the_command_line_holds_for_one_run_only(tmp_path: Path) -> None:
    first = SettingsFile(tmp_path)
    first.load()
    first.settings.theme = "light"
    first.save()
    second = SettingsFile(tmp_path)
    second.load()
    second.override("theme", "dark")
    second.settings.colour_blind = True
    second.save()
    third = SettingsFile(tmp_path).load()
    assert (third.theme, third.colour_blind) == ("light", True)


def test_what_a_person_changes_after_an_option_is_kept(tmp_path: Path) -> None:
    files = SettingsFile(tmp_path)
    files.load()
    files.override("theme", "dark")
    files.settings.theme = "contrast"
    files.save()
    assert SettingsFile(tmp_path).load().theme == "contrast"


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    file = SettingsFile(tmp_path)
    file.load().players = 3
    assert file.save() is None
    file.settings.traffic = "x" * 100_000
    said = file.save()
    assert said is not None
    assert said.startswith(f"{file.path} stays as it was: traffic: ")
    assert SettingsFile(tmp_path).load().players == 3


def test_a_file_is_written_as_a_whole_and_only_when_something_changed(tmp_path: Path) -> None:
    files = SettingsFile(tmp_path)
    files.load()
    files.save()
    os.utime(files.path, (1, 1))
    files.save()
    assert files.path.stat().st_mtime == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


words = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
tables = st.recursive(
    st.dictionaries(
        words, st.booleans() | st.integers(-(2**40), 2**40) | words | st.lists(words, max_size=3), max_size=4
    ),
    lambda inner: st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


@given(tables)
def test_whatever_is_written_reads_back_the_same(values: dict[str, object]) -> None:
    assert tomllib.loads(to_toml(values)) == values
