"""The command line: `sonde` opens the window, `sonde gateway` runs the gateway, `sonde proxy` watches any other.

No Qt is imported here, so that a gateway's container needs none; each command imports what it needs.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from sonde_ui import cli_checks as checks
from sonde_ui import cli_options as options

_WITHOUT_QT = (
    "The window needs Qt, which is not installed ({reason}).\n"
    "Install it with: pip install 'sonde[desktop]'. The gateway runs without it: sonde gateway"
)
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

app = typer.Typer(
    name="sonde",
    help="A desktop debugging client and monitor for real-time WebSocket gateways, and the gateway itself.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sonde {version('sonde')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which version this is."),
    ] = False,
) -> None:
    """Open the window when no command is given."""
    if context.invoked_subcommand is None:
        open_window()


@app.command()
def ui(
    connect: options.Connect = "",
    token: options.Token = "",
    cluster: options.Cluster = False,
    proxy: options.Proxy = "",
    listen: options.Listen = "",
    open_: options.Open = None,
    perspective: options.Perspective = None,
    panel: options.Panel = None,
    theme: options.Theme = None,
    size: options.Size = "",
    screenshot: options.Screenshot = None,
    after: options.After = "8s",
    no_players: options.NoPlayers = False,
    no_capture: options.NoCapture = False,
    read_only: options.ReadOnly = False,
    profile: options.Profile = None,
    decoder: options.Decoder = None,
    data_dir: options.DataDir = None,
) -> None:
    """Open the window: inspect traffic, presence, state and latency; drop connections and watch them heal."""
    if cluster and connect:
        checks.refuse("--cluster and --connect: choose one of them")
    if proxy and (cluster or connect):
        checks.refuse("--proxy is an endpoint of its own: leave out --cluster and --connect")
    if listen and not proxy:
        checks.refuse("--listen is the proxy's: name its server with --proxy")
    if open_ is not None and (cluster or connect or proxy):
        checks.refuse("--open shows a file: leave out --cluster, --connect and --proxy")
    open_window(
        file=open_,
        connect=connect,
        proxy=proxy,
        listen=listen,
        cluster=cluster,
        token=token,
        perspective=perspective.value if perspective else None,
        panels=tuple(each.value for each in panel or ()),
        theme=theme.value if theme else None,
        size=options.pixels(size) if size else None,
        screenshot=screenshot,
        after_s=options.seconds(after),
        players=not no_players,
        capture=not no_capture,
        read_only=read_only,
        data_dir=data_dir,
        decoders=checks.decoders(decoder),
        profile=checks.profile(profile),
    )


@app.command(context_settings=_PASS_ON, add_help_option=False)
def gateway(context: typer.Context) -> None:
    """Run the gateway. `sonde gateway --help` lists its options."""
    _serve("gateway", context.args)


@app.command("token", context_settings=_PASS_ON, add_help_option=False)
def mint(context: typer.Context) -> None:
    """Mint a token from the gateway's secret. `sonde token --help` lists its options."""
    _serve("token", context.args)


@app.command()
def cluster(
    nodes: Annotated[int, typer.Option(min=1, max=9, help="How many gateways.")] = 2,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port of HAProxy in front; 0 takes a free one.")
    ] = 0,
    no_proxy: Annotated[
        bool, typer.Option("--no-proxy", help="Without HAProxy: clients know every node.")
    ] = False,
    players: Annotated[int, typer.Option(min=0, max=500, help="How many simulated players.")] = 0,
) -> None:
    """Run Redis, NATS and several gateways on this machine, and break them by lines on standard input."""
    import asyncio

    from sonde_lab.cluster_console import run  # late: only this command needs it

    if port and no_proxy:
        checks.refuse("--port is HAProxy's: leave out --no-proxy, or the port")
    raise typer.Exit(asyncio.run(run(nodes, port, proxy=not no_proxy, players=players)))


@app.command()
def client(
    url: Annotated[str, typer.Argument(metavar="URL", help="The gateway: ws://host:port/v1/ws.")],
    token: options.ClientToken = "",
    json: Annotated[
        bool, typer.Option("--json", help="Commands and events are JSON lines: docs/testing.md lists them.")
    ] = False,
    codec: Annotated[str, typer.Option(metavar="NAME", help="The subprotocol.")] = "sonde.v1.json",
) -> None:
    """Drive one client from any language, by lines on standard input and output."""
    from sonde_lab.json_lines import serve  # late: only this command needs it

    if not json:
        checks.refuse("sonde client speaks JSON lines only so far: say --json")
    raise typer.Exit(serve(url, token, codec))


@app.command()
def proxy(
    upstream: Annotated[
        str, typer.Option(metavar="URL", help="The WebSocket server: ws://host:port or wss://host.")
    ],
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where clients connect; port 0 takes a free one.")
    ] = "127.0.0.1:9100",
    print_: Annotated[bool, typer.Option("--print", help="One line for each frame.")] = False,
    capture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every frame to a new capture file.")
    ] = None,
    cert: Annotated[str, typer.Option(metavar="FILE", help="Certificate for clients that come by TLS.")] = "",
    key: Annotated[str, typer.Option(metavar="FILE", help="The certificate's key.")] = "",
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Do not verify the certificate of a wss:// upstream.")
    ] = False,
    rewrite_host: Annotated[
        bool, typer.Option("--rewrite-host", help="Send the upstream's own Host; else nothing is changed.")
    ] = False,
    decoder: options.Decoder = None,
    fault: options.Fault = None,
    preset: options.Preset = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same traffic, same acts.")] = 0,
    control: Annotated[
        str,
        typer.Option(metavar="HOST:PORT", help="A control interface for faults; its token is printed once."),
    ] = "",
    control_token: Annotated[
        str, typer.Option(metavar="FILE", help="A file with the control interface's token.")
    ] = "",
    control_anywhere: Annotated[
        bool, typer.Option("--control-anywhere", help="Let --control listen beyond this machine.")
    ] = False,
) -> None:
    """Stand between any client and any WebSocket server, and pass every byte on as it comes."""
    from sonde_lab.proxy_console import run  # late: only this command needs them
    from sonde_lab.proxy_options import ProxyOptions
    from sonde_lab.proxy_process import run_loop

    wanted = ProxyOptions(
        listen, upstream, cert, key, insecure, rewrite_host,
        tuple(fault or ()), tuple(preset or ()), seed, control, control_token, control_anywhere,
    )  # fmt: skip
    raise typer.Exit(run_loop(run(wanted, print_, capture, checks.decoders(decoder))))


@app.command("run")
def run_scenarios(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Scenarios in TOML, or repro bundles.")
    ],
    gateway: Annotated[
        str,
        typer.Option(metavar="URL", help="Play at a gateway that runs already, instead of one of our own."),
    ] = "",
    token: Annotated[
        str,
        typer.Option(help="With --gateway: every client's token. Else SONDE_JWT_SECRET mints one for each."),
    ] = "",
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of each file's own.")] = None,
    virtual: Annotated[
        bool, typer.Option("--virtual", help="On virtual time: a minute takes a second, one seed is one run.")
    ] = False,
    times: Annotated[
        int, typer.Option(min=1, max=100_000, help="Play so often, with the next seed each time.")
    ] = 1,
    until_fails: Annotated[
        bool, typer.Option("--until-fails", help="Play again and again until something is not met.")
    ] = False,
    trace: Annotated[Path | None, typer.Option(metavar="FILE", help="Write every row as JSON lines.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No lines while it plays.")] = False,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="Say what differs from the last good run, also where all is met."),
    ] = False,
    no_keep: Annotated[
        bool, typer.Option("--no-keep", help="Keep nothing of the plays, and compare with nothing.")
    ] = False,
    runs: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where runs are kept; else in your data folder, as the window's."),
    ] = None,
    real: Annotated[
        bool, typer.Option("--real", help="For real, also a bundle that was played on virtual time.")
    ] = False,
    settings: options.Settings = None,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A repro bundle here of each play in which something is not met."),
    ] = None,
) -> None:
    """Play scenarios: who is there, what goes wrong, what must hold. Exit code 0: all met, 1: not, 2: could not run."""
    import os

    from sonde_lab.scenario.console import RunOptions, run_files  # late: only this command needs it

    secret = os.environ.get("SONDE_JWT_SECRET", "") if gateway and not token else ""
    wanted = RunOptions(
        gateway, token, secret, seed, virtual, trace, junit, times, until_fails, quiet, compare, not no_keep, runs,
        real, tuple(settings or ()), bundle,
    )  # fmt: skip
    raise typer.Exit(run_files(files, wanted))


@app.command()
def scenario(
    capture: options.CaptureFile,
    row: options.Row = None,
    rows: options.Rows = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="A new file; else it is printed.")
    ] = None,
) -> None:
    """Make a scenario of a captured drop: it brings the drop about again, and says what should hold."""
    from sonde_lab.deriving.console import write_scenario  # late: only this command needs it

    raise typer.Exit(write_scenario(capture, row, options.row_range(rows), output))


@app.command()
def bundle(
    capture: options.CaptureFile,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="A new file, best ending with .sonde-repro."),
    ],
    row: options.Row = None,
    rows: options.Rows = "",
) -> None:
    """Make a repro bundle of a captured drop: its rows without secrets, its scenario, versions, and a text to read."""
    from sonde_lab.deriving.console import write_bundle  # late: see above

    raise typer.Exit(write_bundle(capture, row, options.row_range(rows), output))


@app.command()
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A capture, or a repro bundle.")],
    limit: Annotated[int, typer.Option(min=1, help="How many rows at most.")] = 1_000_000_000,
    filter: Annotated[
        str, typer.Option("--filter", metavar="TEXT", help="Only these rows, such as 'dir:in -op:ping'.")
    ] = "",
) -> None:
    """Print what a capture file holds, one line for each row."""
    from sonde_lab.proxy_console import show as show_rows  # late: only this command needs it

    raise typer.Exit(show_rows(file, limit, filter))


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A .sonde, .har or .jsonl file.")],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="A new .sonde, .har, .jsonl, .csv or .md file.")
    ],
    filter: Annotated[str, typer.Option("--filter", metavar="TEXT", help="Only these rows.")] = "",
    no_redact: Annotated[bool, typer.Option("--no-redact", help="Leave secrets as they are.")] = False,
    read_as: Annotated[
        str, typer.Option("--from", metavar="FORMAT", help="What IN is; else by its suffix.")
    ] = "",
    write_as: Annotated[
        str, typer.Option("--to", metavar="FORMAT", help="What OUT is to be; else by its suffix.")
    ] = "",
) -> None:
    """Write the rows of a file into a new one of another format, secrets masked."""
    from sonde_lab.export.console import convert as convert_rows  # late: only this command needs it

    code = convert_rows(source, target, filter, masks=not no_redact, read_as=read_as, write_as=write_as)
    raise typer.Exit(code)


def _serve(command: str, arguments: list[str]) -> None:
    from sonde_server.__main__ import main as serve  # late: the window does not need it

    raise typer.Exit(serve([command, *arguments]))


def open_window(
    *,
    file: Path | None = None,
    connect: str = "",
    proxy: str = "",
    listen: str = "",
    cluster: bool = False,
    token: str = "",
    perspective: str | None = None,
    panels: tuple[str, ...] = (),
    theme: str | None = None,
    size: tuple[int, int] | None = None,
    screenshot: Path | None = None,
    after_s: float = 8.0,
    players: bool = True,
    capture: bool = True,
    read_only: bool = False,
    data_dir: Path | None = None,
    decoders: tuple[Path, ...] = (),
    profile: Path | None = None,
) -> None:
    """Open the window and exit with its code; 2 with a sentence when that cannot be."""
    try:
        from sonde_ui.desktop.app import WindowOptions, run  # late: this is the door to Qt
    except ImportError as error:
        checks.refuse(_WITHOUT_QT.format(reason=error))
    from sonde_ui.desktop.display import reason  # late: only the window asks for a screen

    why_not = reason()
    if why_not is not None:
        checks.refuse(why_not)
    wanted = WindowOptions(
        endpoint=checks.proxy(proxy, listen) if proxy else checks.endpoint(connect, token, cluster, file),
        perspective=perspective,
        panels=panels,
        theme=theme,
        size=size,
        screenshot=screenshot,
        after_s=after_s,
        players=players,
        capture=capture,
        read_only=read_only,
        data_dir=data_dir,
        decoders=decoders,
        profile=profile,
    )
    raise typer.Exit(run(wanted))


def main() -> None:
    """The entry point of the `sonde` script."""
    app()


if __name__ == "__main__":
    main()
