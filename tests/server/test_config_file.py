"""Files that are wrong name their line; names that are wrong get the nearest right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from sonde_server.config_file import ConfigInvalid, read_config_file, unknown_name

TEXT = """
# a comment
host = "127.0.0.1"
"port" = 1
a.b = 2
[namespaces.room]
tick_s = 0.1
[ namespaces . lobby ]
state = false
"""


def test_every_key_and_table_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "sonde.toml"
    path.write_text(TEXT)
    file = read_config_file(path)
    assert file.values["host"] == "127.0.0.1"
    assert dict(file.lines) == {
        "host": 3, "port": 4, "a.b": 5, "namespaces.room": 6, "namespaces.room.tick_s": 7,
        "namespaces.lobby": 8, "namespaces.lobby.state": 9,
    }  # fmt: skip
    assert file.where("namespaces.room.history_age_s") == f"{path}, line 6"
    assert file.where("unheard") == str(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"host = \n", "line 1"),
        (b"host = 1\nhost = 2\n", "line 2"),
        (b"[[[\n", "line 1"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_broken_file_says_where(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigInvalid, match=says) as caught:
        read_config_file(path)
    assert str(path) in str(caught.value)


def test_missing_file_and_folder_say_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="No such file"):
        read_config_file(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigInvalid, match="directory"):
        read_config_file(tmp_path)


def test_wrong_name_gets_the_nearest_right_one() -> None:
    assert (
        unknown_name("heartbeat", ["heartbeat_s", "port"])
        == "unknown key 'heartbeat'; did you mean 'heartbeat_s'?"
    )
    assert unknown_name("zzz", ["port"]) == "unknown key 'zzz'"
    assert "\x1b" not in unknown_name("\x1b[31m", ["port"])
