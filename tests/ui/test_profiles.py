"""Profiles in the window: what is saved is what is seen, and taking one up changes all of it or nothing."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog

from sonde_lab.colouring import ColourRule
from sonde_lab.columns import column_of
from sonde_lab.endpoints import TokenKind, TokenSource, remote
from sonde_lab.profile import NamedFilter, Profile, load, save
from sonde_ui.desktop.models.traffic_cells import Column
from sonde_ui.desktop.settings import Settings
from sonde_ui.desktop.windows.desk import Desk

STAGE = remote("ws://127.0.0.1:9/v1/ws", TokenSource(TokenKind.PASTE), "Stage")
ARENA = Profile(
    "Arena",
    "watch",
    ("type", "field:d.hp", "summary", "number"),
    False,
    (NamedFilter("Deaths", "d.hp<=0"),),
    (ColourRule("op:error", "pink"),),
    (STAGE,),
)


def shown(desk: Desk) -> list[str]:
    """The headers of the columns that may be seen, in their order."""
    columns = desk.views.traffic.table.columns
    header = desk.views.traffic.table.horizontalHeader()
    model = desk.views.traffic.model
    order = [header.logicalIndex(place) for place in range(header.count())]
    return [model._header(section) for section in order if section not in columns.hidden_by_hand]


def test_a_profile_is_taken_up_whole(desk: Desk, settings: Settings, tmp_path: Path) -> None:
    said: list[str] = []
    desk.commands.said.connect(said.append)
    save(ARENA, tmp_path / "arena.toml")
    assert desk.commands.profiles.open_file(str(tmp_path / "arena.toml")) == ""
    assert shown(desk) == ["Type", "d.hp", "Summary", "#"]
    assert not desk.views.traffic.is_folded
    assert desk.host.perspective == "watch"
    assert [(each.name, each.filter) for each in settings.saved_filters] == [("Deaths", "d.hp<=0")]
    assert desk.views.traffic.model.colouring.rules == ARENA.colours
    assert desk.commands._book.named("Stage") == STAGE
    assert said[-1] == "Profile Arena taken up"


def test_what_is_saved_is_what_is_seen(desk: Desk, tmp_path: Path) -> None:
    table = desk.views.traffic.table
    table.columns.hide(Column.STEP, hidden=True)
    table.columns.add_field(column_of("d.players.*.x"))
    desk.commands.profiles.save_to(str(tmp_path / "mine.toml"))
    read = load(tmp_path / "mine.toml")
    assert "step" not in read.columns
    assert read.columns[read.columns.index("summary") + 1] == "field:d.players.*.x"
    assert (read.name, read.perspective, read.fold) == ("mine", "inspect", True)


def test_saving_and_taking_up_again_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    desk.commands.profiles.take_up(ARENA)
    before = desk.commands.profiles.now()
    desk.commands.profiles.save_to(str(tmp_path / "Arena.toml"))
    desk.views.traffic.table.columns.reset()
    desk.commands.profiles.open_file(str(tmp_path / "Arena.toml"))
    assert desk.commands.profiles.now() == before


def test_a_wrong_profile_changes_nothing_and_says_where(desk: Desk, tmp_path: Path) -> None:
    said: list[str] = []
    desk.commands.said.connect(said.append)
    before = desk.commands.profiles.now()
    (tmp_path / "bad.toml").write_text('fold = false\n[[colour]]\nfilter = "op:"\n')
    assert desk.commands.profiles.open_file(str(tmp_path / "bad.toml"))
    assert "bad.toml, line 3: 'filter' is not understood" in said[-1]
    assert desk.commands.profiles.now() == before


def test_own_endpoints_of_the_same_name_stay(desk: Desk) -> None:
    said: list[str] = []
    desk.commands.said.connect(said.append)
    mine = remote("ws://mine.example/v1/ws", TokenSource(TokenKind.PASTE), "Stage")
    desk.commands._book.add(mine)
    desk.commands.profiles.take_up(ARENA)
    assert desk.commands._book.named("Stage") == mine
    assert said[-1] == "Profile Arena taken up; your own Stage stayed"


def test_dialogs_ask_for_the_file(desk: Desk) -> None:
    desk.actions_table["profile.save"].trigger()
    (saving,) = desk.window.findChildren(QFileDialog)
    assert (saving.acceptMode(), saving.windowTitle()) == (QFileDialog.AcceptMode.AcceptSave, "Save profile")
    saving.close()
    saving.deleteLater()
    desk.actions_table["profile.open"].trigger()
    opening = desk.window.findChildren(QFileDialog)[-1]
    assert opening.windowTitle() == "Open profile"
    opening.close()
