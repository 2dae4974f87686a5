"""`sonde gateway` and `sonde token`: arguments in, an exit code out.

What is wrong is said in one sentence on stderr, with exit code 2; stdout carries only the ready line, or the
token.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from sonde_protocol.codes import Role
from sonde_server.config_file import ConfigInvalid
from sonde_server.settings import ENV_PREFIX, Settings, load_settings

_FLAGS: Final = ("host", "port", "admin_port", "node", "redis", "nats", "wait_s", "workers")


def main(argv: list[str] | None = None) -> int:
    """Run a sub-command. `argv` is without the program's name."""
    arguments = _parser().parse_args(argv)
    try:
        settings = _settings(arguments)
        return _mint(settings, arguments) if arguments.command == "token" else _serve(settings, arguments)
    except ConfigInvalid as error:
        sys.stderr.write(f"sonde {arguments.command}: {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sonde", description="Sonde's gateway.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="gateway|token")
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument("--config", type=Path, metavar="FILE", help="settings as TOML")

    gateway = commands.add_parser("gateway", parents=[everywhere], help="serve", allow_abbrev=False)
    gateway.description = (
        f"Serve. Every setting can also stand in the file, or in the environment as {ENV_PREFIX}NAME."
    )
    gateway.add_argument("--host", help="address to listen on (127.0.0.1)")
    gateway.add_argument("--port", help="port to listen on; 0 takes a free one")
    gateway.add_argument("--admin-port", help="port of /healthz, /readyz and /metrics; 0 takes a free one")
    gateway.add_argument("--node", metavar="NAME", help="this gateway's name in frames (the machine's)")
    gateway.add_argument("--redis", metavar="URL", help="Redis that several nodes share, redis://host:6379/0")
    gateway.add_argument("--nats", metavar="URL", help="NATS that several nodes share, nats://host:4222")
    gateway.add_argument(
        "--wait", dest="wait_s", metavar="SECONDS", help="wait this long for Redis and NATS at the start (0)"
    )
    gateway.add_argument("--workers", metavar="N", help="processes on the one port (1)")
    gateway.add_argument(
        "--faults",
        action="count",
        help="let admins break sessions on purpose; twice where the gateway can be reached from outside",
    )
    gateway.add_argument(
        "--shares-port", action="store_true", help=argparse.SUPPRESS
    )  # said by the supervisor
    gateway.add_argument(
        "--parent-pipe",
        action="store_true",
        help="drain and exit when standard input ends, as a child process",
    )

    token = commands.add_parser("token", parents=[everywhere], help="make a token", allow_abbrev=False)
    token.add_argument("--sub", required=True, help="user id: 1 to 64 of A-Z a-z 0-9 _ . -")
    roles = [role.value for role in Role]
    token.add_argument("--role", action="append", choices=roles, help="may come more than once (player)")
    token.add_argument("--ttl", default="1h", help="time to live: 90, 45s, 30m, 1h, 7d (1h)")
    token.add_argument("--name", help="the name that others see")
    return parser


def _settings(arguments: argparse.Namespace) -> Settings:
    flags = {name: getattr(arguments, name, None) for name in _FLAGS}
    times = getattr(arguments, "faults", None)
    flags["faults"] = None if not times else "local" if times == 1 else "remote"
    return load_settings(arguments.config, flags)


def _serve(settings: Settings, arguments: argparse.Namespace) -> int:
    from sonde_server.logs import configure_logs
    from sonde_server.serving import run, with_fastest_loop
    from sonde_server.workers import supervise

    configure_logs(settings.log_format, settings.log_level)
    if settings.workers > 1:
        return with_fastest_loop(supervise(settings, _for_workers(arguments), arguments.parent_pipe))
    return run(settings, arguments.parent_pipe, shares_port=arguments.shares_port)


def _for_workers(arguments: argparse.Namespace) -> list[str]:
    """What every worker is told as this process was; node and ports are its own. Addresses with passwords go by the
    environment, which others cannot read.
    """
    told = ["--config", str(arguments.config.resolve())] if arguments.config is not None else []
    for flag in ("host", "wait_s"):
        value = getattr(arguments, flag)
        if value is not None:
            told += [f"--{flag.removesuffix('_s')}", value]
    return told + ["--faults"] * (arguments.faults or 0)


def _mint(settings: Settings, arguments: argparse.Namespace) -> int:
    from sonde_server.adapters.system import SystemClock
    from sonde_server.app import signing_secret
    from sonde_server.minting import mint, seconds

    ttl_s = seconds(arguments.ttl)
    if ttl_s > settings.jwt_max_lifetime_s:
        longest_s = int(settings.jwt_max_lifetime_s)
        raise ConfigInvalid(
            f"--ttl: the gateway refuses tokens of more than {longest_s} s (jwt_max_lifetime_s)"
        )
    token = mint(
        signing_secret(settings),
        arguments.sub,
        arguments.role or [Role.PLAYER.value],
        ttl_s,
        SystemClock().wall(),
        name=arguments.name,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
    )
    sys.stdout.write(f"{token}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
