"""The secret of a gateway that was given none."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sonde_server.config_file import ConfigInvalid
from sonde_server.secret_file import load_or_make_secret, secret_path


def test_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "gateway.secret"
    first = load_or_make_secret(path)
    assert len(first) >= 32
    assert load_or_make_secret(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == ["gateway.secret"]


def test_two_gateways_that_start_at_once_agree(tmp_path: Path) -> None:
    for attempt in range(20):
        path = tmp_path / str(attempt) / "gateway.secret"
        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(load_or_make_secret, [path] * 4))) == 1


def test_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gateway.secret"
    load_or_make_secret(path)
    path.chmod(0o644)
    with pytest.raises(ConfigInvalid, match="chmod 600"):
        load_or_make_secret(path)


def test_short_secret_and_unusable_folder_are_refused(tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.touch(0o600)
    with pytest.raises(ConfigInvalid, match="too short"):
        load_or_make_secret(short)
    with pytest.raises(ConfigInvalid, match="cannot be used"):
        load_or_make_secret(short / "below-a-file")


def test_secret_is_kept_in_the_persons_data_folder(tmp_path: Path) -> None:
    assert tmp_path in secret_path().parents
