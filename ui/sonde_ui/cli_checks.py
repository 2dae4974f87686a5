"""What options name, looked at before anything starts: endpoints, decoders, profiles.

One that cannot be used is refused at once, with the option and a sentence. No Qt is imported here, and no part of the
lab before it is needed: hence imports that come late.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from sonde_lab.endpoints import Endpoint


def refuse(sentence: str) -> NoReturn:
    """Say why on standard error and end with 2."""
    sys.stderr.write(f"{sentence}\n")
    raise typer.Exit(2)


def decoders(files: list[Path] | None) -> tuple[Path, ...]:
    """The named decoders; one that cannot be read is refused at once."""
    from sonde_lab.decoders.own.sources import (
        SourceUnreadable,
        named_file,
    )  # late

    for path in files or ():
        try:
            named_file(path)
        except SourceUnreadable as error:
            refuse(f"--decoder: {error}")
    return tuple(files or ())


def profile(path: Path | None) -> Path | None:
    """The named profile; one that cannot be used is refused at once."""
    if path is not None:
        from sonde_lab.profile import ProfileInvalid, load  # late

        try:
            load(path)
        except ProfileInvalid as error:
            refuse(f"--profile: {error}")
    return path


def endpoint(connect: str, token: str, cluster: bool, file: Path | None) -> Endpoint | None:
    """The endpoint that was asked for; None for the one that is remembered, or the embedded gateway."""
    if file is not None:
        return _capture(file)
    if cluster:
        from sonde_lab.endpoints import CLUSTER  # late

        return CLUSTER
    return _remote(connect, token) if connect else None


def _remote(url: str, token: str) -> Endpoint:
    from sonde_lab.endpoints import (
        EndpointInvalid,
        TokenKind,
        TokenSource,
        remote,
    )  # late

    try:
        return remote(url, TokenSource(TokenKind.PASTE, token))
    except EndpointInvalid as error:
        refuse(f"--connect: {error}")


def _capture(path: Path) -> Endpoint:
    from sonde_lab import endpoints  # late

    try:
        return endpoints.capture(path)
    except endpoints.EndpointInvalid as error:
        refuse(f"--open: {error}")


def proxy(upstream: str, listen: str) -> Endpoint:
    """A proxy in front of this server; an address that is none is refused at once."""
    from sonde_lab import endpoints  # late

    try:
        return endpoints.proxy(upstream, listen)
    except endpoints.EndpointInvalid as error:
        refuse(f"{'--listen' if error.key == 'listen' else '--proxy'}: {error}")
