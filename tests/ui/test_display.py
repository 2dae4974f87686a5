from __future__ import annotations

import socket
from pathlib import Path

import pytest

from sonde_ui.desktop import display


def test_without_any_display_the_reason_names_the_variables() -> None:
    assert "DISPLAY" in str(display.missing_display({}, "linux"))


@pytest.mark.parametrize("platform", ["offscreen", "minimal", "offscreen:size=800x600"])
def test_a_screenless_platform_needs_no_display(platform: str) -> None:
    assert display.missing_display({"QT_QPA_PLATFORM": platform}, "linux") is None


def test_a_display_at_which_nothing_answers_is_told() -> None:
    assert "nothing answers at DISPLAY=:987" in str(display.missing_display({"DISPLAY": ":987"}, "linux"))


def test_a_display_that_answers_is_fine(tmp_path: Path) -> None:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        server.bind("\0/tmp/.X11-unix/X986")
        server.listen()
        assert display.missing_display({"DISPLAY": ":986.0"}, "linux") is None
    finally:
        server.close()


def test_looking_for_a_display_does_not_connect_to_it() -> None:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        server.bind("\0/tmp/.X11-unix/X985")
        server.listen()
        server.setblocking(False)
        assert display.missing_display({"DISPLAY": ":985"}, "linux") is None
        with pytest.raises(BlockingIOError):
            server.accept()
    finally:
        server.close()


def test_a_socket_that_was_left_behind_is_no_display(tmp_path: Path) -> None:
    left = tmp_path / "X1"
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(left))
    assert not display._connects(str(left))
    server.listen()
    assert display._connects(str(left))
    server.close()
    assert not display._connects(str(left))


def test_a_remote_display_is_left_to_qt() -> None:
    assert display.missing_display({"DISPLAY": "elsewhere:0"}, "linux") is None


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_other_systems_always_have_one(platform: str) -> None:
    assert display.missing_display({}, platform) is None


def test_wayland_is_a_display() -> None:
    assert display.missing_display({"WAYLAND_DISPLAY": "wayland-0"}, "linux") is None


def test_the_sentence_says_what_can_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(display.missing_display, "__defaults__", ("linux",))
    assert "xvfb-run" in str(display.reason())
