"""What a bundle says of itself: its version, what it was made with, how it is played, and what is masked in it.

Owns the names of its members, their bounds, and the checking of the manifest. A member that is not listed here is none
of a bundle's.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from sonde_protocol.errors import SondeError, excerpt

FORMAT: Final = 1
SUFFIX: Final = ".sonde-repro"
MANIFEST: Final = "manifest.json"
README: Final = "README.txt"
SCENARIO: Final = "scenario.toml"
CAPTURE: Final = "capture.sonde"
REPORT: Final = "report.txt"
REDACTION: Final = "redaction.txt"
MAX_BUNDLE_BYTES: Final = 128 << 20
MEMBERS: Final[Mapping[str, int]] = MappingProxyType(
    {
        MANIFEST: 1 << 20, README: 256 << 10, SCENARIO: 1 << 20, CAPTURE: 256 << 20, REPORT: 1 << 20, REDACTION: 4 << 20,
    }
)  # fmt: skip
_LIBRARIES: Final = ("websockets", "msgspec", "numpy", "pydantic")

Line = Annotated[str, Meta(max_length=400)]
Count = Annotated[int, Meta(ge=0, le=2**53)]


class BundleRefused(SondeError):
    """A file that is no bundle, is damaged, or asks for what a bundle may not: a sentence."""


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One member as it was written."""

    size: Count
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of it. Keys of later versions that this one does not know are passed over.

    `stage`: where it was played: "virtual", "real" or, of a drop that was only captured, empty. `gateway`: of somebody
    else's it was played at. `settings`: of the gateway, that were set instead of the scenario's own.
    """

    format: int
    name: Line
    made: Annotated[str, Meta(max_length=40)] = ""
    versions: Annotated[dict[Line, Line], Meta(max_length=20)] = {}
    seed: Annotated[int, Meta(ge=0, le=2**53)] = 1
    stage: Literal["virtual", "real", ""] = ""
    gateway: Line = ""
    settings: Annotated[dict[Line, Line], Meta(max_length=20)] = {}
    verdict: Annotated[str, Meta(max_length=40)] = ""
    row: Annotated[int, Meta(ge=-1, le=2**53)] = -1
    rows: Count = 0
    masked: Count = 0
    replaced: Count = 0
    members: Annotated[dict[str, Member], Meta(max_length=20)] = {}


class _Versioned(msgspec.Struct):
    format: int


def manifest_of(data: bytes) -> Manifest:
    """Read it.

    Raises:
        BundleRefused: it is none, or one of the future.
    """
    try:
        told = msgspec.json.decode(data, type=_Versioned).format
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise BundleRefused(f"its {MANIFEST} is no manifest of a repro bundle") from None
    if told > FORMAT:
        raise BundleRefused(
            f"it is a bundle of version {told}, made by a newer Sonde; this one reads up to {FORMAT}"
        )
    if told < 1:
        raise BundleRefused(f"its {MANIFEST} says version {told}, and there is none")
    try:
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BundleRefused(f"its {MANIFEST} is not as it should be: {excerpt(str(error), 160)}") from None


def versions_now() -> dict[str, str]:
    """What a bundle is made with."""
    return {
        **{name: _version(name) for name in ("sonde", *_LIBRARIES)},
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}".strip(),
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # a bare checkout
        return "unknown"
