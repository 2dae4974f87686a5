"""Profiles: what is written comes back, and whatever is wrong in a file is told with its line."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_lab import profile as profiles
from sonde_lab.colouring import COLOURS, ColourRule
from sonde_lab.endpoints import CLUSTER, Endpoint, TokenKind, TokenSource, proxy, remote
from sonde_lab.filter.expression import quoted
from sonde_lab.profile import (
    COLUMNS,
    NamedFilter,
    Profile,
    ProfileInvalid,
    load,
    merged_endpoints,
    save,
    text_of,
)

STAGE = remote(
    "wss://stage.example/v1/ws", TokenSource(TokenKind.COMMAND, argv=("mint", "me")), "Stage", True
)
LOCAL = proxy("ws://127.0.0.1:9000", "127.0.0.1:9100", "Local")
ARENA = Profile(
    "Arena",
    "watch",
    ("number", "type", "field:d.players.*.x", "summary", "field:seq"),
    False,
    (NamedFilter("Deaths", "d.hp<=0 or close:1006"),),
    (ColourRule('op:event "a b"', "pink"), ColourRule("dir:out", "teal", False)),
    (STAGE, LOCAL),
)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "p.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_profile_comes_back_as_it_was_but_for_tokens(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "arena.toml"
    save(ARENA, path)
    read = load(path)
    assert read.endpoints[0] == Endpoint("Stage", STAGE.kind, STAGE.url, TokenSource(TokenKind.PASTE), True)
    assert (read.endpoints[1], read.colours, read.filters) == (LOCAL, ARENA.colours, ARENA.filters)
    assert (read.name, read.perspective, read.columns, read.fold) == ("Arena", "watch", ARENA.columns, False)
    assert "mint" not in path.read_text(encoding="utf-8")


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=60),
    st.lists(
        st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40), max_size=12, unique=True
    ),
    st.sampled_from(COLOURS),
    st.permutations(COLUMNS),
)
def test_any_words_survive_the_file(
    tmp_path_factory: pytest.TempPathFactory, text: str, names: list[str], colour: str, columns: list[str]
) -> None:
    path = tmp_path_factory.mktemp("any") / "p.toml"
    term = f"conn:{quoted(text)}" if text else "dir:in"
    made = Profile(
        text,
        "",
        tuple(columns),
        True,
        tuple(NamedFilter(name, term) for name in names),
        (ColourRule(term, colour),),
    )
    save(made, path)
    read = load(path)
    assert (read.filters, read.colours, read.columns) == (made.filters, made.colours, made.columns)
    assert read.name == (text.strip() or "p")


def test_an_empty_file_is_a_profile_that_changes_little(tmp_path: Path) -> None:
    assert load(written(tmp_path, "")) == Profile("p")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("version = 2", 1, "of version 2"),
        ('name = "x"\nperspective = "sideways"', 2, "inspect, break, watch"),
        ('columns = ["summary", "colour"]', 1, "no column 'colour'"),
        ('columns = ["number"]', 1, "must have 'summary'"),
        ('columns = ["summary", "summary"]', 1, "names one twice"),
        ('columns = ["summary", "field:nothing"]', 1, "there is no field"),
        ("fold = 3", 1, "fold: Expected `bool`"),
        ("nme = 1", 1, "unknown key 'nme'"),
        ('[[filter]]\nname = "a"\nfilter = "op:"', 3, "'filter' is not understood"),
        ('[[filter]]\nname = "a"\nfilter = "x"\n[[filter]]\nname = "a"\nfilter = "y"', 5, "is taken"),
        ('[[filter]]\nname = "a"\nfilter = "x"\ncolour = "blue"', 4, "unknown key 'colour'"),
        ('[[colour]]\nfilter = "x"\ncolour = "gold"', 3, "blue, teal"),
        ('[[colour]]\nfilter = "x"\n\n[[colour]]\nfilter = "y"\non = 1', 6, "on: Expected `bool`"),
        ('[[endpoint]]\nname = "a"\nurl = "http://x"', 3, "must look like ws://"),
        (
            '[[endpoint]]\nname = "a"\nurl = "ws://x"\ntoken = { kind = "command", argv = ["rm"] }',
            4,
            "no tokens",
        ),
        ("[[", 1, "no valid TOML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    with pytest.raises(ProfileInvalid) as caught:
        load(written(tmp_path, text))
    assert f"p.toml, line {line}: " in str(caught.value)
    assert said in str(caught.value)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "p.toml"
    path.write_bytes(data)
    with contextlib.suppress(ProfileInvalid):
        assert isinstance(load(path), Profile)


def test_a_missing_file_and_a_folder_that_cannot_be_written_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(ProfileInvalid, match="there is no such file"):
        load(tmp_path / "none.toml")
    (tmp_path / "file").write_text("")
    with pytest.raises(ProfileInvalid, match="cannot be written"):
        save(ARENA, tmp_path / "file" / "p.toml")


def test_own_endpoints_are_kept_and_new_ones_added() -> None:
    mine = remote("ws://mine.example/v1/ws", TokenSource(TokenKind.PASTE), "Stage")
    new, others = merged_endpoints(ARENA, [CLUSTER, mine])
    assert (new, others) == ([LOCAL], ["Stage"])
    assert merged_endpoints(ARENA, [STAGE, LOCAL]) == ([], [])
    assert profiles.VERSION == 1
    assert text_of(Profile("x")).startswith("# A profile of Sonde")


PAGE = Path(__file__).parents[2] / "docs" / "profiles.md"


def test_the_page_shows_a_profile_that_works_and_names_every_word() -> None:
    words = PAGE.read_text(encoding="utf-8")
    example = load(PAGE.parent / "examples" / "arena-profile.toml")
    assert (example.name, len(example.filters), len(example.endpoints)) == ("Arena fights", 2, 1)
    assert load(PAGE.parent / "examples" / "arena-profile.toml").colours[0].colour in COLOURS
    for word in (*COLUMNS, *COLOURS, *profiles.PERSPECTIVES):
        assert f"`{word}`" in words
