"""Where tokens come from: pasted, minted for the embedded gateway, printed by a program, fetched from a URL.

Every source is an `async () -> str`, so that a client can ask again when `auth_required` or a 401 comes. What
goes wrong is a `TokenFailed` in words, with the program's last lines of stderr or the server's status; a token
itself never stands in a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.client
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final
from urllib.parse import urljoin, urlsplit, urlunsplit

import jwt

from sonde_lab.endpoints import TokenKind, TokenSource
from sonde_protocol.errors import SondeError, excerpt
from sonde_protocol.redact import redact_text

TokenCall = Callable[[], Awaitable[str]]

MAX_TOKEN_BYTES: Final = 16 * 1024
COMMAND_TIMEOUT_S: Final = 30.0
URL_TIMEOUT_S: Final = 10.0
EMBEDDED_LIFETIME_S: Final = 3_600.0
_MAX_REDIRECTS: Final = 3
_MAX_ERROR_BYTES: Final = 64 * 1024
_STDERR_LINES: Final = 8
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")


class TokenFailed(SondeError):
    """No token could be had. The message is a sentence for the person, and holds no secret."""


def source(
    wanted: TokenSource, secret: str = "", sub: str = "you", roles: Iterable[str] = ("player",)
) -> TokenCall:
    """The call behind a token source. `secret`, `sub` and `roles` are for the embedded gateway's only."""
    if wanted.kind is TokenKind.EMBEDDED:
        return minted(secret, sub, roles)
    if wanted.kind is TokenKind.COMMAND:
        return from_command(wanted.argv)
    if wanted.kind is TokenKind.URL:
        return from_url(wanted.value, wanted.method)
    return pasted(wanted.value)


def remote(wanted: TokenSource) -> str | TokenCall:
    """A pasted token as it is, so that the client knows that asking again gives no other one."""
    if wanted.kind is TokenKind.PASTE and wanted.value.strip():
        return wanted.value.strip()
    return source(wanted)


def checked(text: str) -> str:
    """A token without its surroundings.

    Raises:
        TokenFailed: empty, too long, or more than one word.
    """
    token = text.strip()
    if not token:
        raise TokenFailed("there is no token in it")
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenFailed(f"it is longer than {MAX_TOKEN_BYTES:,} characters, so it is no token")
    if not _TOKEN.fullmatch(token):
        raise TokenFailed("a token is one word of plain characters; this is something else")
    return token


def pasted(text: str) -> TokenCall:
    """What a person typed in. Nothing can refresh it."""

    async def token() -> str:
        if not text.strip():
            raise TokenFailed("no token was given: paste one")
        return checked(text)

    return token


def minted(
    secret: str,
    sub: str,
    roles: Iterable[str],
    name: str | None = None,
    lifetime_s: float = EMBEDDED_LIFETIME_S,
    wall: Callable[[], float] = time.time,
) -> TokenCall:
    """A fresh HS256 token each time, signed with the embedded gateway's own secret.

    No two are the same, even within a second: a client takes the very token that was refused for a source that has
    no other.
    """
    held = sorted(roles)

    async def token() -> str:
        claims: dict[str, Any] = {"sub": sub, "roles": held, "exp": int(wall() + lifetime_s)}
        claims["jti"] = secrets.token_hex(8)
        if name is not None:
            claims["name"] = name
        return jwt.encode(claims, secret, "HS256")

    return token


# ---------------------------------------------------------------- a program


def from_command(argv: tuple[str, ...], timeout_s: float = COMMAND_TIMEOUT_S) -> TokenCall:
    """Standard output of a program, run without a shell."""

    async def token() -> str:
        program = excerpt(argv[0]) if argv else ""
        if not argv:
            raise TokenFailed("the token command is empty")
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except (OSError, ValueError) as error:
            raise TokenFailed(f"'{program}' cannot be started: {excerpt(str(error), 200)}") from None
        try:
            out, err = await asyncio.wait_for(_outputs(process), timeout_s)
        except TimeoutError:
            raise TokenFailed(f"'{program}' gave no token within {timeout_s:g} s and was ended") from None
        finally:
            await _end(process)
        if process.returncode:
            raise TokenFailed(f"'{program}' ended with {process.returncode}. {_tail(err)}")
        try:
            return checked(out.decode(errors="replace"))
        except TokenFailed as error:
            raise TokenFailed(f"what '{program}' printed is no token: {error}. {_tail(err)}") from None

    return token


async def _outputs(process: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = await asyncio.gather(
        _bounded(process.stdout, MAX_TOKEN_BYTES + 16), _bounded(process.stderr, _MAX_ERROR_BYTES)
    )
    await process.wait()
    return out, err


async def _bounded(stream: asyncio.StreamReader, limit: int) -> bytes:
    """All of a stream is read, so that the program is not held up; only `limit` bytes are kept, the newest."""
    kept = b""
    while chunk := await stream.read(65_536):
        kept = (kept + chunk)[-limit:]
    return kept


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _tail(stderr: bytes) -> str:
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    if not lines:
        return "It said nothing on stderr."
    shown = redact_text("\n".join(line[:300] for line in lines[-_STDERR_LINES:]))
    return f"It said:\n{shown}"


# ---------------------------------------------------------------- a URL


def from_url(url: str, method: str = "POST", timeout_s: float = URL_TIMEOUT_S) -> TokenCall:
    """The answer of an HTTP request: `{"token": …}`, `{"access_token": …}` or the bare token."""

    async def token() -> str:
        loop = asyncio.get_running_loop()
        fetch = loop.run_in_executor(None, functools.partial(_fetch, url, method, timeout_s))
        try:
            return await asyncio.wait_for(fetch, timeout_s + 1.0)
        except TimeoutError:
            raise TokenFailed(f"{_host(url)} gave no token within {timeout_s:g} s") from None

    return token


def _fetch(url: str, method: str, timeout_s: float) -> str:
    where = url
    for _ in range(_MAX_REDIRECTS + 1):
        status, location, body = _request(where, method, timeout_s)
        if status in (301, 302, 303, 307, 308) and location:
            where = _redirected(where, location)
            continue
        if status != 200:
            said = excerpt(redact_text(body[:400].decode(errors="replace")), 200)
            raise TokenFailed(f"{_host(where)} answered {status}: {said}")
        return _token_in(body, where)
    raise TokenFailed(f"{_host(url)} redirects more than {_MAX_REDIRECTS} times")


def _redirected(url: str, location: str) -> str:
    """A redirect may change the path, never the host: a token must not be asked of a stranger."""
    after = urljoin(url, location)
    if urlsplit(after)[:2] != urlsplit(url)[:2]:
        host = excerpt(urlsplit(after).netloc)
        raise TokenFailed(f"the token URL redirects to another host, '{host}': not followed")
    return after


def _request(url: str, method: str, timeout_s: float) -> tuple[int, str, bytes]:
    """One request, straight to the host: status, `Location`, and the body's beginning."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TokenFailed("a token URL must begin with http:// or https://")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        with contextlib.closing(kind(parts.hostname, parts.port, timeout=timeout_s)) as connection:
            connection.request(method, target, headers={"Accept": "application/json"})
            with connection.getresponse() as response:
                return (
                    response.status,
                    response.headers.get("Location", ""),
                    response.read(MAX_TOKEN_BYTES + 16),
                )
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise TokenFailed(f"{_host(url)} cannot be asked for a token: {excerpt(str(error), 200)}") from None


def _token_in(body: bytes, url: str) -> str:
    text = body.decode(errors="replace").strip()
    try:
        value = json.loads(text) if text[:1] in ("{", '"') else text
        found = (value.get("token") or value.get("access_token")) if isinstance(value, dict) else value
        return checked(found if isinstance(found, str) else "")
    except (TokenFailed, ValueError, RecursionError) as error:
        why = error if isinstance(error, TokenFailed) else "it is no valid JSON"
        raise TokenFailed(f"what {_host(url)} answered is no token: {why}") from None


def _host(url: str) -> str:
    return excerpt(urlsplit(url).netloc or url)
