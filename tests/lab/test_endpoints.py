"""The endpoint file: round trips, and every way in which it can be broken."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab.endpoint_file import load, save
from sonde_lab.endpoints import (
    EMBEDDED,
    OWN,
    Endpoint,
    EndpointInvalid,
    EndpointKind,
    TokenKind,
    TokenSource,
    checked_url,
    proxy,
    remote,
)


def test_without_a_file_there_is_the_embedded_gateway(tmp_path: Path) -> None:
    loaded = load(tmp_path / "none.toml")
    assert loaded.endpoints == OWN
    assert loaded.error is None


printable = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20)
sources = st.one_of(
    st.just(TokenSource(TokenKind.PASTE)),
    st.builds(
        TokenSource,
        st.just(TokenKind.COMMAND),
        argv=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1, max_size=3).map(tuple),
    ),
    st.builds(TokenSource, st.just(TokenKind.URL), st.just("https://auth/x?y=\\\""), method=st.sampled_from(["GET", "POST"])),
)  # fmt: skip


@given(st.lists(st.tuples(printable, sources, st.booleans()), max_size=4, unique_by=lambda entry: entry[0]))
def test_what_is_saved_is_what_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, TokenSource, bool]]
) -> None:
    path = tmp_path_factory.mktemp("endpoints") / "deep" / "endpoints.toml"
    wanted = [remote("wss://h:1/v1/ws", token, name, live) for name, token, live in entries]
    save([*OWN, *wanted], path)
    loaded = load(path)
    assert loaded.error is None
    assert loaded.endpoints == (*OWN, *wanted)


def test_saved_file_is_readable_by_the_person_only_and_holds_no_pasted_token(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.toml"
    save([remote("ws://h/v1/ws", TokenSource(TokenKind.PASTE, "eyJ-secret"))], path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "eyJ-secret" not in path.read_text()
    assert "eyJ-secret" not in repr(TokenSource(TokenKind.PASTE, "eyJ-secret"))
    assert list(tmp_path.iterdir()) == [path]


GOOD = '[[endpoint]]\nname = "one"\nurl = "ws://h/v1/ws"\n\n[[endpoint]]\n'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[[endpoint]\n", 1, "TOML"),
        ('x = "', 1, "TOML"),
        (GOOD + 'name = "two"\nurl = "http://h"\n', 7, "ws://host:port"),
        (GOOD + 'name = "two"\nurl = "ws://h?token=abc"\n', 7, "token never belongs"),
        (GOOD + 'name = "two"\nurl = "ws://me:pw@h"\n', 7, "password"),
        (GOOD + 'name = "two"\nurl = "ws://h:99999"\n', 7, "no address"),
        (GOOD + 'name = "one"\nurl = "ws://h"\n', 6, "taken"),
        (GOOD + 'url = "ws://h"\n', 5, "'name'"),
        (GOOD + 'name = 5\nurl = "ws://h"\n', 6, "'name'"),
        (GOOD + 'name = "two"\nurl = "ws://h"\nprodution = true\n', 8, "unknown key 'prodution'"),
        (GOOD + 'name = "two"\nurl = "ws://h"\nproduction = "yes"\n', 8, "true or false"),
        (GOOD + 'name = "two"\nurl = "ws://h"\ntoken = { kind = "magic" }\n', 8, "paste, command or url"),
        (GOOD + 'name = "two"\nurl = "ws://h"\n[endpoint.token]\nkind = "command"\nargv = "rm"\n', 10, "argv"),
        (GOOD + 'name = "two"\nurl = "ws://h"\n[endpoint.token]\nkind = "url"\nurl = "file:///etc/passwd"\n', 7, "https://host"),
        (GOOD + 'name = "two"\nurl = "ws://h"\n[endpoint.token]\nkind = "url"\nurl = "http://h"\nmethod = "PUT"\n', 11, "GET or POST"),
        (GOOD + 'name = "two"\nurl = "ws://h"\ntoken = "abc"\n', 8, "table"),
        (GOOD + 'kind = "magic"\nname = "two"\n', 6, "remote or proxy"),
        (GOOD + 'kind = "proxy"\nname = "two"\nupstream = "http://h"\n', 8, "WebSocket server"),
        (GOOD + 'kind = "proxy"\nname = "two"\nupstream = "ws://h"\nlisten = "nowhere"\n', 9, "listen at"),
        (GOOD + 'kind = "proxy"\nname = "two"\nupstream = "ws://h"\nurl = "ws://h"\n', 9, "unknown key 'url'"),
        (GOOD + 'kind = "proxy"\nname = "two"\nupstream = "ws://h"\ninsecure = true\n', 9, "wss://"),
        (GOOD + 'kind = "proxy"\nname = "two"\n', 5, "'upstream'"),
        ("port = 5\n", 1, "unknown key 'port'"),
        ('endpoint = "x"\n', 1, "tables"),
        ("endpoint = [5]\n", 0, "table"),
    ],
)  # fmt: skip
def test_broken_file_is_named_by_line_and_key_and_left_alone(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    path = tmp_path / "endpoints.toml"
    path.write_text(text)
    loaded = load(path)
    assert loaded.endpoints == OWN
    assert loaded.error is not None
    assert words in str(loaded.error)
    assert loaded.error.line == line
    assert path.read_text() == text


def test_hostile_files_are_refused_in_words(tmp_path: Path) -> None:
    for name, content, words in (
        ("large", b"#" * (2 << 20), "larger"),
        ("latin", b'\n\nname = "\xe9"', "line 3: it is not UTF-8"),
        ("long", b"a = " + b"[" * 100_000, "line 1: the line is longer than"),
        ("deep", b"a = " + b"[\n" * 100_000, "TOML"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        error = load(path).error
        assert error is not None, name
        assert words in str(error)
    assert "cannot be read" in str(load(tmp_path).error)


@given(st.binary(max_size=200))
def test_no_bytes_make_loading_raise(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("hostile") / "endpoints.toml"
    path.write_bytes(content)
    assert load(path).endpoints[0] == EMBEDDED


def test_proxies_are_saved_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.toml"
    made = (
        proxy("ws://127.0.0.1:8765/v1/ws"),
        proxy(
            "wss://game.example", "127.0.0.1:9100", "Live", insecure=True, rewrite_host=True, production=True
        ),
    )
    assert made[0].name == "Proxy to 127.0.0.1:8765"
    assert made[0].listen == "127.0.0.1:0"
    save((*OWN, *made), path)
    loaded = load(path)
    assert loaded.error is None
    assert loaded.endpoints == (*OWN, *made)


def test_remote_endpoint_is_named_by_its_host() -> None:
    made = remote(" ws://h:9/v1/ws ", TokenSource(TokenKind.PASTE))
    assert made == Endpoint("h:9", EndpointKind.REMOTE, "ws://h:9/v1/ws", TokenSource(TokenKind.PASTE))


@pytest.mark.parametrize(
    "url", ["", "h", "ws://", "http://h", "ws://h:0", "ws://[::1", "ws://h?access_token=1"]
)
def test_address_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(EndpointInvalid):
        checked_url(url)
