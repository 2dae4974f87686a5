"""The endpoints that a person keeps, in a TOML file of their own, and as tables of a profile.

Owns that file. A broken file is an error *value* that names line and key, the defaults are used and the file stays as
it is. Pasted tokens are never written.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import platformdirs

from sonde_lab import toml_text
from sonde_lab.endpoints import (
    MAX_TEXT,
    OWN,
    SAVED,
    Endpoint,
    EndpointInvalid,
    EndpointKind,
    TokenKind,
    TokenSource,
    checked_refresh_url,
    checked_url,
    proxy,
)
from sonde_lab.toml_text import TomlUnreadable, line_of, quoted
from sonde_protocol.errors import excerpt

MAX_ENDPOINTS: Final = 200
_KEYS: Final = frozenset({"kind", "name", "url", "token", "production"})
_PROXY_KEYS: Final = frozenset(
    {"kind", "name", "upstream", "listen", "insecure", "rewrite_host", "production"}
)
_TOKEN_KEYS: Final = {
    "paste": frozenset({"kind"}),
    "command": frozenset({"kind", "argv"}),
    "url": frozenset({"kind", "url", "method"}),
}


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


def default_path() -> Path:
    """The file in the person's configuration folder."""
    return Path(platformdirs.user_config_dir("sonde")) / "endpoints.toml"


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
