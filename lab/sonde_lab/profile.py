"""Profiles: how somebody reads traffic, as a TOML file that goes into git and to colleagues.

Owns the values of a profile, its file and the checks: columns, filters, colours and endpoints. A profile may come from
anybody, so it holds no token and names no program to run; what is wrong in it is told with its line, and nothing of it
is used then.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from sonde_lab import endpoint_file, toml_text
from sonde_lab.colouring import COLOURS, MAX_RULES, ColourRule, why_wrong
from sonde_lab.columns import MAX_COLUMNS, column_of
from sonde_lab.endpoints import SAVED, Endpoint, EndpointInvalid
from sonde_lab.filter import Filter, FilterError
from sonde_lab.toml_text import TomlUnreadable, line_of, quoted
from sonde_protocol.errors import SondeError, excerpt

VERSION: Final = 1
MAX_FILTERS: Final = 12
MAX_NAME: Final = 40
MAX_FILTER: Final = 1_000
PERSPECTIVES: Final = ("inspect", "break", "watch")
# The table's own columns, in their first order. A column of a field is "field:" and its name in the filter language.
COLUMNS: Final = (
    "number", "time", "step", "direction", "connection", "type", "summary", "size", "rtt", "flags",
)  # fmt: skip
FIELD: Final = "field:"
_ALWAYS: Final = "summary"  # the column that stretches
_HEADER: Final = "# A profile of Sonde: how traffic is read. It holds no tokens.\n"


class NamedFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A filter with a name, for a button beside the filter."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
    filter: Annotated[str, Meta(min_length=1, max_length=MAX_FILTER)]


@dataclass(slots=True, frozen=True)
class Profile:
    """`perspective` is empty where the profile leaves it as it is; so are `columns`."""

    name: str
    perspective: str = ""
    columns: tuple[str, ...] = ()
    fold: bool = True
    filters: tuple[NamedFilter, ...] = ()
    colours: tuple[ColourRule, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()


class ProfileInvalid(SondeError):
    """A profile that cannot be used: which file, which line, and why."""


class _Wrong(Exception):
    """What is wrong, and where: key `key` of the table number `index` of `array` (-1: before any)."""

    def __init__(self, message: str, array: str = "", index: int = -1, key: str = "") -> None:
        super().__init__(message)
        self.place = (array, index, key)


class _Colour(msgspec.Struct, forbid_unknown_fields=True):
    filter: Annotated[str, Meta(min_length=1, max_length=MAX_FILTER)]
    colour: str = COLOURS[0]
    on: bool = True


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int = VERSION
    name: Annotated[str, Meta(max_length=200)] = ""
    perspective: str = ""
    columns: list[Annotated[str, Meta(max_length=240)]] = []
    fold: bool = True
    filter: Annotated[list[NamedFilter], Meta(max_length=MAX_FILTERS)] = []
    colour: Annotated[list[_Colour], Meta(max_length=MAX_RULES)] = []
    endpoint: Annotated[list[dict[str, Any]], Meta(max_length=endpoint_file.MAX_ENDPOINTS)] = []


# ---------------------------------------------------------------- reading


def load(path: Path) -> Profile:
    """Read a profile.

    Raises:
        ProfileInvalid: there is none, or something in it is wrong.
    """
    try:
        file = toml_text.read(path)
    except FileNotFoundError:
        raise ProfileInvalid(f"{path}: there is no such file") from None
    except TomlUnreadable as error:
        raise ProfileInvalid(_placed(path, error.line, str(error))) from None
    try:
        return _profile(file.table, path.stem)
    except _Wrong as error:
        raise ProfileInvalid(_placed(path, line_of(file.text, *error.place), str(error))) from None


def _placed(path: Path, line: int, message: str) -> str:
    return f"{path}, line {line}: {message}" if line else f"{path}: {message}"


def _profile(table: dict[str, Any], name: str) -> Profile:
    version = table.get("version", VERSION)
    if not isinstance(version, int) or version > VERSION:
        raise _Wrong(
            f"it is of version {excerpt(str(version), 20)}, and this Sonde reads up to {VERSION}",
            key="version",
        )
    try:
        read = msgspec.convert(table, _File)
    except msgspec.ValidationError as error:
        raise _of_path(str(error)) from None
    if read.perspective and read.perspective not in PERSPECTIVES:
        raise _Wrong(f"'perspective' is one of {', '.join(PERSPECTIVES)}", key="perspective")
    return Profile(
        read.name.strip() or name,
        read.perspective,
        _columns(read.columns),
        read.fold,
        _filters(read.filter),
        _colours(read.colour),
        _endpoints(read.endpoint),
    )


def _of_path(message: str) -> _Wrong:
    """msgspec's sentence and path ("… - at `$.colour[1].on`") as a place in the file."""
    what, _, path = message.partition(" - at `$")
    top, *inner = path.rstrip("`").lstrip(".").split(".") if path else [""]
    array, _, number = top.partition("[")
    index = int(number.rstrip("]")) if number.rstrip("]").isdigit() else -1
    unknown = what.partition("unknown field `")[2].partition("`")[0]
    key = unknown or (inner[0].partition("[")[0] if inner else "" if index >= 0 else array)
    said = f"unknown key '{excerpt(unknown)}'" if unknown else f"{key or array}: {what}".lstrip(": ")
    return _Wrong(said, array if index >= 0 else "", index, key)


def _columns(names: list[str]) -> tuple[str, ...]:
    for name in names:
        if name.startswith(FIELD):
            try:
                column_of(name.removeprefix(FIELD))
            except FilterError as error:
                raise _Wrong(f"'columns': {error.message}", key="columns") from None
        elif name not in COLUMNS:
            known = f"{', '.join(COLUMNS)}, or field:name such as field:d.hp"
            raise _Wrong(f"'columns': there is no column '{excerpt(name)}'; known are {known}", key="columns")
    fields = [name for name in names if name.startswith(FIELD)]
    if len(set(names)) != len(names) or len(fields) > MAX_COLUMNS:
        raise _Wrong(f"'columns' names one twice, or more than {MAX_COLUMNS} fields", key="columns")
    if names and _ALWAYS not in names:
        raise _Wrong(f"'columns' must have '{_ALWAYS}', which takes the room that is left", key="columns")
    return tuple(names)


def _filters(filters: list[NamedFilter]) -> tuple[NamedFilter, ...]:
    for index, each in enumerate(filters):
        if any(each.name == other.name for other in filters[:index]):
            raise _Wrong(f"the name '{excerpt(each.name)}' is taken", "filter", index, "name")
        try:
            Filter(each.filter)
        except FilterError as error:
            raise _Wrong(f"'filter' is not understood: {error.message}", "filter", index, "filter") from None
    return tuple(filters)


def _colours(colours: list[_Colour]) -> tuple[ColourRule, ...]:
    for index, each in enumerate(colours):
        if each.colour not in COLOURS:
            raise _Wrong(f"'colour' is one of {', '.join(COLOURS)}", "colour", index, "colour")
        error = why_wrong(each.filter)
        if error is not None:
            raise _Wrong(f"'filter' is not understood: {error.message}", "colour", index, "filter")
    return tuple(ColourRule(each.filter, each.colour, each.on) for each in colours)


def _endpoints(tables: list[dict[str, Any]]) -> tuple[Endpoint, ...]:
    for index, table in enumerate(tables):
        if "token" in table:
            raise _Wrong("a profile holds no tokens: give yours when you connect", "endpoint", index, "token")
    try:
        return tuple(endpoint_file.from_tables(tables))
    except EndpointInvalid as error:
        raise _Wrong(str(error), "endpoint", error.index, error.key) from None


# ---------------------------------------------------------------- writing


def text_of(profile: Profile) -> str:
    """A profile as the text of its file; what `load` reads gives the same profile."""
    head = [f"version = {VERSION}", f"name = {quoted(profile.name)}"]
    if profile.perspective:
        head.append(f"perspective = {quoted(profile.perspective)}")
    head.append(f"fold = {_word(profile.fold)}")
    if profile.columns:
        names = "".join(f"  {quoted(name)},\n" for name in profile.columns)
        head.append(f"columns = [\n{names}]")
    parts = ["\n".join(head) + "\n"]
    parts += [
        f"[[filter]]\nname = {quoted(each.name)}\nfilter = {quoted(each.filter)}\n"
        for each in profile.filters
    ]
    parts += [_colour_text(rule) for rule in profile.colours]
    parts += [_endpoint_text(endpoint) for endpoint in profile.endpoints if endpoint.kind in SAVED]
    return _HEADER + "\n".join(parts)


def save(profile: Profile, path: Path) -> None:
    """Write a profile; a file that is there is replaced as a whole.

    Raises:
        ProfileInvalid: it cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text_of(profile), encoding="utf-8")
        fresh.replace(path)
    except (OSError, ValueError) as error:
        with contextlib.suppress(OSError, ValueError):
            fresh.unlink()
        raise ProfileInvalid(f"{path} cannot be written: {getattr(error, 'strerror', '') or error}") from None


def _colour_text(rule: ColourRule) -> str:
    lines = ["[[colour]]", f"filter = {quoted(rule.filter)}", f"colour = {quoted(rule.colour)}"]
    return "\n".join([*lines, *(() if rule.on else ("on = false",))]) + "\n"


def _endpoint_text(endpoint: Endpoint) -> str:
    lines = endpoint_file.table_text(endpoint).splitlines()
    return "\n".join(line for line in lines if not line.startswith("token = ")) + "\n"


def _word(on: bool) -> str:
    return "true" if on else "false"


def merged_endpoints(profile: Profile, known: Iterable[Endpoint]) -> tuple[list[Endpoint], list[str]]:
    """Endpoints of the profile that are new, and the names of those that a person has under another address already."""
    by_name = {endpoint.name: endpoint for endpoint in known}
    new = [endpoint for endpoint in profile.endpoints if endpoint.name not in by_name]
    others = [
        endpoint.name
        for endpoint in profile.endpoints
        if endpoint.name in by_name and _place(endpoint) != _place(by_name[endpoint.name])
    ]
    return new, others


def _place(endpoint: Endpoint) -> tuple[object, ...]:
    return endpoint.kind, endpoint.url, endpoint.upstream, endpoint.listen
