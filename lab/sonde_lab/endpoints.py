"""Where to connect to: the embedded gateway, a cluster of our own or a remote gateway, the last kept in a TOML file of the person's own.

Owns the endpoint values and their file. A broken file is an error *value* that names line and key, the
defaults are used and the file stays as it is. Pasted tokens are never written.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import platformdirs

from sonde_lab import toml_text
from sonde_lab.proxy_head import parse_listen, parse_upstream
from sonde_lab.toml_text import TomlUnreadable, line_of, quoted
from sonde_protocol.errors import SondeError, excerpt

MAX_ENDPOINTS: Final = 200
MAX_TEXT: Final = 2_048
_KEYS: Final = frozenset({"kind", "name", "url", "token", "production"})
_PROXY_KEYS: Final = frozenset(
    {"kind", "name", "upstream", "listen", "insecure", "rewrite_host", "production"}
)
_TOKEN_KEYS: Final = {
    "paste": frozenset({"kind"}),
    "command": frozenset({"kind", "argv"}),
    "url": frozenset({"kind", "url", "method"}),
}
_SECRET_PARAMETERS: Final = ("token=", "access_token=")


class EndpointKind(enum.StrEnum):
    """Whose process the gateway is."""

    EMBEDDED = "embedded"
    CLUSTER = "cluster"
    REMOTE = "remote"
    PROXY = "proxy"  # our own process, and behind it anybody's
    CAPTURE = "capture"  # nobody's: a file of what was seen before


class TokenKind(enum.StrEnum):
    """Where an endpoint's token comes from."""

    EMBEDDED = "embedded"  # minted with the secret of our own gateway
    PASTE = "paste"  # a token typed in; nothing refreshes it
    COMMAND = "command"  # standard output of a program
    URL = "url"  # the answer of an HTTP request


@dataclass(slots=True, frozen=True)
class TokenSource:
    """How to come by a token. `value`: the token, or the URL; `argv`: the program and its arguments."""

    kind: TokenKind
    value: str = ""
    argv: tuple[str, ...] = ()
    method: str = "POST"

    def __repr__(self) -> str:
        what = "…" if self.kind is TokenKind.PASTE else self.value
        return f"TokenSource({self.kind.value}, {what!r}, {self.argv!r}, {self.method!r})"


@dataclass(slots=True, frozen=True)
class Endpoint:
    """One place to connect to. `production` locks destructive acts."""

    name: str
    kind: EndpointKind
    url: str = ""
    token: TokenSource = TokenSource(TokenKind.EMBEDDED)
    production: bool = False
    listen: str = ""  # this and the next three: a proxy's
    upstream: str = ""
    insecure: bool = False
    rewrite_host: bool = False
    path: str = ""  # of a capture


EMBEDDED: Final = Endpoint("Embedded gateway", EndpointKind.EMBEDDED)
CLUSTER: Final = Endpoint("Cluster of 2 nodes", EndpointKind.CLUSTER)
SAVED: Final = (EndpointKind.REMOTE, EndpointKind.PROXY)  # a person's own, kept in the file
NOT_OURS: Final = (
    EndpointKind.REMOTE,
    EndpointKind.PROXY,
    EndpointKind.CAPTURE,
)  # no players of ours live there
ANY_PORT: Final = "127.0.0.1:0"
OWN: Final = (EMBEDDED, CLUSTER)  # processes of ours, always on offer


@dataclass(slots=True, frozen=True)
class EndpointFileError:
    """Why the file was not used. `line` counts from 1; 0 when there is none to name."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        where = f", line {self.line}" if self.line else ""
        return f"{self.path}{where}: {self.message}"


@dataclass(slots=True, frozen=True)
class LoadedEndpoints:
    """What may be connected to: always our own gateways first. `error` says why the file was not used."""

    endpoints: tuple[Endpoint, ...]
    error: EndpointFileError | None = None


class EndpointInvalid(SondeError):
    """An endpoint that cannot be used: which key, and why. `index` counts the file's tables from 0."""

    def __init__(self, message: str, key: str = "", index: int = 0) -> None:
        super().__init__(message)
        self.key = key
        self.index = index


def default_path() -> Path:
    """The file in the person's configuration folder."""
    return Path(platformdirs.user_config_dir("sonde")) / "endpoints.toml"


def checked_url(url: str) -> str:
    """A WebSocket address, or a sentence about what is wrong with it.

    Raises:
        EndpointInvalid: not `ws://` or `wss://`, no host, a bad port, or a token in it.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise EndpointInvalid(f"'{excerpt(url)}' is no address: {error}", "url") from None
    if parts.scheme not in ("ws", "wss") or not parts.hostname or port == 0 or len(url) > MAX_TEXT:
        raise EndpointInvalid(f"'{excerpt(url)}' must look like ws://host:port/v1/ws", "url")
    if any(parameter in parts.query.lower() for parameter in _SECRET_PARAMETERS):
        raise EndpointInvalid("a token never belongs in the address; give it as the token", "url")
    if parts.username or parts.password:
        raise EndpointInvalid("a password never belongs in the address", "url")
    return url.strip()


def remote(url: str, token: TokenSource, name: str = "", production: bool = False) -> Endpoint:
    """A remote endpoint, named by its host unless it has a name.

    Raises:
        EndpointInvalid: the address cannot be used.
    """
    address = checked_url(url)
    return Endpoint(name or urlsplit(address).netloc, EndpointKind.REMOTE, address, token, production)


def proxy(
    upstream: str,
    listen: str = "",
    name: str = "",
    *,
    insecure: bool = False,
    rewrite_host: bool = False,
    production: bool = False,
) -> Endpoint:
    """A proxy in front of `upstream`, named by it unless it has a name; on a free port of this machine.

    Raises:
        EndpointInvalid: one of the addresses cannot be used.
    """
    upstream, listen = upstream.strip(), listen.strip() or ANY_PORT
    if len(upstream) > MAX_TEXT or not upstream.isprintable():
        raise EndpointInvalid(f"'upstream' must be a text of 1 to {MAX_TEXT} characters", "upstream")
    try:
        parsed = parse_upstream(upstream)
    except ValueError as error:
        raise EndpointInvalid(str(error), "upstream") from None
    try:
        parse_listen(listen)
    except ValueError as error:
        raise EndpointInvalid(str(error), "listen") from None
    if insecure and not parsed.secure:
        raise EndpointInvalid("'insecure' is about a wss:// upstream; this one is ws://", "insecure")
    return Endpoint(
        name or f"Proxy to {urlsplit(upstream).netloc}",
        EndpointKind.PROXY,
        production=production,
        listen=listen,
        upstream=upstream,
        insecure=insecure,
        rewrite_host=rewrite_host,
    )


def capture(path: Path) -> Endpoint:
    """A capture file, named by its file name.

    Raises:
        EndpointInvalid: there is no such file. What is in it is looked at when it is opened.
    """
    whole = Path(os.path.abspath(path))
    if not whole.is_file():
        why = "is a folder, no capture" if whole.is_dir() else "is no file"
        raise EndpointInvalid(f"{excerpt(str(whole), 300)} {why}", "path")
    return Endpoint(whole.name, EndpointKind.CAPTURE, path=str(whole))


# ---------------------------------------------------------------- file


def load(path: Path | None = None) -> LoadedEndpoints:
    """Read the file; without one there are our own alone. Never raises for what is in it."""
    path = path or default_path()
    try:
        file = toml_text.read(path)
    except FileNotFoundError:
        return LoadedEndpoints(OWN)
    except TomlUnreadable as error:
        return _refused(path, error.line, str(error))
    try:
        return LoadedEndpoints((*OWN, *_endpoints(file.table)))
    except EndpointInvalid as error:
        return _refused(path, line_of(file.text, "endpoint", error.index, error.key), str(error))


def save(endpoints: Iterable[Endpoint], path: Path | None = None) -> None:
    """Write the remote endpoints and the proxies, readable by the person only. The old file is replaced as a whole.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    path = path or default_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = [table_text(endpoint) for endpoint in endpoints if endpoint.kind in SAVED]
    text = "# Sonde's endpoints. Pasted tokens are not kept here.\n\n" + "\n".join(tables)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _refused(path: Path, line: int, message: str) -> LoadedEndpoints:
    return LoadedEndpoints(OWN, EndpointFileError(path, line, message))


def _endpoints(table: Mapping[str, Any]) -> list[Endpoint]:
    for key in table:
        if key != "endpoint":
            raise EndpointInvalid(f"unknown key '{excerpt(key)}'; endpoints are [[endpoint]] tables", key, -1)
    entries = table.get("endpoint", [])
    if not isinstance(entries, list) or len(entries) > MAX_ENDPOINTS:
        raise EndpointInvalid(
            f"'endpoint' must be at most {MAX_ENDPOINTS} [[endpoint]] tables", "endpoint", -1
        )
    return from_tables(entries)


def from_tables(entries: Sequence[Any]) -> list[Endpoint]:
    """Endpoints of `[[endpoint]]` tables, as a file of endpoints or a profile has them.

    Raises:
        EndpointInvalid: one of them cannot be used; `index` says which.
    """
    made: list[Endpoint] = []
    for index, entry in enumerate(entries):
        try:
            made.append(_endpoint(entry))
        except EndpointInvalid as error:
            raise EndpointInvalid(str(error), error.key, index) from None
        if made[-1].name in (*(own.name for own in OWN), *(other.name for other in made[:-1])):
            raise EndpointInvalid(f"the name '{excerpt(made[-1].name)}' is taken", "name", index)
    return made


def _endpoint(entry: Any) -> Endpoint:
    if not isinstance(entry, dict):
        raise EndpointInvalid("an endpoint must be a table")
    kind = entry.get("kind", EndpointKind.REMOTE.value)
    if kind not in ("remote", "proxy"):
        raise EndpointInvalid("'kind' of an endpoint must be remote or proxy", "kind")
    if kind == "proxy":
        return _proxy(entry)
    _only(entry, _KEYS)
    production = _flag(entry, "production")
    name = _text(entry, "name")
    return Endpoint(
        name, EndpointKind.REMOTE, checked_url(_text(entry, "url")), _token(entry.get("token")), production
    )


def _proxy(entry: Mapping[str, Any]) -> Endpoint:
    _only(entry, _PROXY_KEYS)
    return proxy(
        _text(entry, "upstream"),
        _text(entry, "listen") if "listen" in entry else "",
        _text(entry, "name"),
        insecure=_flag(entry, "insecure"),
        rewrite_host=_flag(entry, "rewrite_host"),
        production=_flag(entry, "production"),
    )


def _flag(entry: Mapping[str, Any], key: str) -> bool:
    value = entry.get(key, False)
    if not isinstance(value, bool):
        raise EndpointInvalid(f"'{key}' must be true or false", key)
    return value


def _token(entry: Any) -> TokenSource:
    if entry is None:
        return TokenSource(TokenKind.PASTE)
    if not isinstance(entry, dict):
        raise EndpointInvalid("'token' must be a table with a 'kind'", "token")
    kind = entry.get("kind")
    if not isinstance(kind, str) or kind not in _TOKEN_KEYS:
        raise EndpointInvalid("'kind' of a token must be paste, command or url", "kind")
    _only(entry, _TOKEN_KEYS[kind])
    if kind == "command":
        return TokenSource(TokenKind.COMMAND, argv=_argv(entry.get("argv")))
    if kind == "url":
        return TokenSource(TokenKind.URL, checked_refresh_url(_text(entry, "url")), method=_method(entry))
    return TokenSource(TokenKind.PASTE)


def checked_refresh_url(url: str) -> str:
    """An address that tokens are fetched from.

    Raises:
        EndpointInvalid: not `http://` or `https://`, or no host.
    """
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise EndpointInvalid(f"'{excerpt(url)}' must look like https://host/path", "url")
    return url.strip()


def _argv(value: Any) -> tuple[str, ...]:
    fine = isinstance(value, list) and 1 <= len(value) <= 64
    if not fine or not all(isinstance(word, str) and "\0" not in word for word in value) or not value[0]:
        raise EndpointInvalid("'argv' must be a list of texts: the program and its arguments", "argv")
    return tuple(value)


def _method(entry: Mapping[str, Any]) -> str:
    method = entry.get("method", "POST")
    if method not in ("GET", "POST"):
        raise EndpointInvalid("'method' must be GET or POST", "method")
    return str(method)


def _only(entry: Mapping[str, Any], known: frozenset[str]) -> None:
    for key in entry:
        if key not in known:
            raise EndpointInvalid(f"unknown key '{excerpt(key)}'; known are {', '.join(sorted(known))}", key)


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT or not value.isprintable():
        raise EndpointInvalid(f"'{key}' must be a text of 1 to {MAX_TEXT} characters", key)
    return value.strip()


def table_text(endpoint: Endpoint) -> str:
    """An endpoint as a `[[endpoint]]` table; a pasted token is not in it."""
    if endpoint.kind is EndpointKind.PROXY:
        return _proxy_table(endpoint)
    lines = ["[[endpoint]]", f"name = {quoted(endpoint.name)}", f"url = {quoted(endpoint.url)}"]
    if endpoint.production:
        lines.append("production = true")
    source = endpoint.token
    parts = [f"kind = {quoted(source.kind.value)}"]
    if source.kind is TokenKind.COMMAND:
        parts.append(f"argv = [{', '.join(map(quoted, source.argv))}]")
    elif source.kind is TokenKind.URL:
        parts += [f"url = {quoted(source.value)}", f"method = {quoted(source.method)}"]
    elif source.kind is TokenKind.EMBEDDED:
        parts = [f"kind = {quoted(TokenKind.PASTE.value)}"]
    lines.append(f"token = {{ {', '.join(parts)} }}")
    return "\n".join(lines) + "\n"


def _proxy_table(endpoint: Endpoint) -> str:
    texts = {"kind": "proxy", "name": endpoint.name, "upstream": endpoint.upstream, "listen": endpoint.listen}
    flags = {
        "insecure": endpoint.insecure,
        "rewrite_host": endpoint.rewrite_host,
        "production": endpoint.production,
    }
    lines = ["[[endpoint]]", *(f"{key} = {quoted(value)}" for key, value in texts.items())]
    return "\n".join((*lines, *(f"{key} = true" for key, value in flags.items() if value))) + "\n"
