from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from sonde_lab.endpoints import capture, proxy
from sonde_ui import cli, cli_options
from sonde_ui.desktop import app as window_app
from sonde_ui.desktop.app import WindowOptions

runner = CliRunner()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[WindowOptions]:
    """What the window would be opened with."""
    seen: list[WindowOptions] = []

    def run(options: WindowOptions) -> int:
        seen.append(options)
        return 0

    monkeypatch.setattr(window_app, "run", run)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    return seen


def test_no_arguments_open_the_window_as_it_was_left(opened: list[WindowOptions]) -> None:
    assert runner.invoke(cli.app, []).exit_code == 0
    assert opened == [WindowOptions()]


def test_every_option_reaches_the_window(opened: list[WindowOptions], tmp_path: Path) -> None:
    done = runner.invoke(
        cli.app,
        [
            *("ui", "--connect", "ws://127.0.0.1:9/v1/ws", "--token", "a.b.c", "--perspective", "watch"),
            *("--theme", "light", "--size", "1280x800", "--screenshot", str(tmp_path / "p.png")),
            *("--panel", "scenarios", "--panel", "faults"),
            *("--after", "500ms", "--no-players", "--no-capture", "--data-dir", str(tmp_path)),
        ],
    )
    assert done.exit_code == 0, done.output
    (options,) = opened
    assert options.endpoint is not None
    assert (options.endpoint.url, options.endpoint.token.value) == ("ws://127.0.0.1:9/v1/ws", "a.b.c")
    assert (options.perspective, options.theme, options.size) == ("watch", "light", (1280, 800))
    assert (options.after_s, options.players, options.data_dir) == (0.5, False, tmp_path)
    assert options.panels == ("scenarios", "faults")
    assert not options.capture


def test_the_window_opens_on_a_proxy(opened: list[WindowOptions]) -> None:
    runner.invoke(cli.app, ["ui", "--proxy", "ws://127.0.0.1:9/v1/ws", "--listen", "127.0.0.1:9100"])
    assert opened[0].endpoint == proxy("ws://127.0.0.1:9/v1/ws", "127.0.0.1:9100")


def test_the_window_opens_on_a_capture(opened: list[WindowOptions], tmp_path: Path) -> None:
    (tmp_path / "c.sonde").write_bytes(b"anything")
    runner.invoke(cli.app, ["ui", "--open", str(tmp_path / "c.sonde")])
    assert opened[0].endpoint == capture(tmp_path / "c.sonde")


def test_a_token_may_come_from_the_environment(
    opened: list[WindowOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SONDE_TOKEN", "x.y.z")
    runner.invoke(cli.app, ["ui", "--connect", "ws://127.0.0.1:9/v1/ws"])
    assert opened[0].endpoint is not None
    assert opened[0].endpoint.token.value == "x.y.z"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ui", "--connect", "http://127.0.0.1"], "must look like ws://"),
        (["ui", "--proxy", "http://127.0.0.1"], "--proxy: 'http://127.0.0.1' is no address"),
        (["ui", "--proxy", "ws://h", "--listen", "x"], "--listen: 'x' is no address"),
        (["ui", "--listen", "127.0.0.1:9100"], "name its server with --proxy"),
        (["ui", "--proxy", "ws://h", "--cluster"], "leave out --cluster"),
        (["ui", "--open", "none.sonde"], "none.sonde is no file"),
        (["ui", "--open", ".", "--cluster"], "--open shows a file"),
        (["ui", "--size", "big"], "1440x900"),
        (["ui", "--size", "100x100"], "at least 640x480"),
        (["ui", "--after", "soon"], "500ms"),
        (["ui", "--theme", "purple"], "purple"),
        (["ui", "--panel", "scenario"], "scenario"),
        (["ui", "--nonsense"], "nonsense"),
    ],
)
def test_what_is_wrong_is_said_on_standard_error_with_exit_code_two(
    opened: list[WindowOptions], arguments: list[str], said: str
) -> None:
    done = runner.invoke(cli.app, arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert opened == []


@pytest.mark.parametrize(("text", "value"), [("8s", 8.0), ("500ms", 0.5), ("2m", 120.0), ("1.5", 1.5)])
def test_durations_are_read(text: str, value: float) -> None:
    assert cli_options.seconds(text) == value


def test_sizes_are_read() -> None:
    assert cli_options.pixels("1440x900") == (1440, 900)
    with pytest.raises(typer.BadParameter):
        cli_options.pixels("90000x900")


@pytest.mark.parametrize("command", ["gateway", "token"])
def test_the_gateways_commands_get_their_arguments_untouched(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    import sonde_server.__main__ as server

    seen: list[list[str]] = []

    def serve(arguments: list[str]) -> int:
        seen.append(arguments)
        return 3

    monkeypatch.setattr(server, "main", serve)
    done = runner.invoke(cli.app, [command, "--port", "0", "--help", "-x", "rest"])
    assert done.exit_code == 3
    assert seen == [[command, "--port", "0", "--help", "-x", "rest"]]


def test_the_version_is_said() -> None:
    done = runner.invoke(cli.app, ["--version"])
    assert done.exit_code == 0
    assert done.stdout.startswith("sonde ")


def command_line(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the real command in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in environment}
    kept.update({name: value for name, value in environment.items() if value})
    return subprocess.run(
        [sys.executable, "-m", "sonde_ui.cli", *arguments],
        env=kept,
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )


def test_without_a_display_a_sentence_is_said_before_qt_would_abort(tmp_path: Path) -> None:
    done = command_line("ui", "--data-dir", str(tmp_path), DISPLAY="", WAYLAND_DISPLAY="", QT_QPA_PLATFORM="")
    assert done.returncode == 2
    assert "no display" in done.stderr
    assert "xvfb-run" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_itself_imports_no_qt() -> None:
    code = "import sys, sonde_ui.cli; print(any(name.startswith('PySide6') for name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], text=True, capture_output=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "False"


def test_missing_qt_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "sonde_ui.desktop.app":
            raise ImportError("No module named 'PySide6'")
        return real(name, *arguments, **options)

    import builtins

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    done = runner.invoke(cli.app, ["ui"])
    assert done.exit_code == 2
    assert "sonde[desktop]" in done.stderr


@pytest.mark.slow
def test_a_picture_of_the_real_window_is_taken_and_nothing_is_said(tmp_path: Path) -> None:
    picture = tmp_path / "window.png"
    done = command_line(
        "ui", "--screenshot", str(picture), "--after", "1s", "--size", "1280x800", "--data-dir", str(tmp_path)
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_profile_that_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, opened: list[WindowOptions]
) -> None:
    path = tmp_path / "p.toml"
    path.write_text('columns = ["summary", "colour"]')
    done = runner.invoke(cli.app, ["ui", "--profile", str(path)])
    assert (done.exit_code, opened) == (2, [])
    assert f"--profile: {path}, line 1: 'columns': there is no column 'colour'" in done.output
    path.write_text('name = "Mine"')
    assert runner.invoke(cli.app, ["ui", "--profile", str(path)]).exit_code == 0
    assert opened[0].profile == path
