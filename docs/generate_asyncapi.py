"""Writes `docs/asyncapi.yaml` (AsyncAPI 3.0): every message of the wire, from the frames that the codec runs on.

Examples are those of `docs/protocol.md`. Run it after a change of either; a test fails while the file is behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import yaml

from sonde_protocol.codes import PATH, SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK, VERSION
from sonde_protocol.frames import ClientFrame, Frame, ServerFrame

DOCS = Path(__file__).resolve().parent
FILE = DOCS / "asyncapi.yaml"
HEADER = "# Written by docs/generate_asyncapi.py; do not edit by hand.\n"
# Heading in protocol.md, prefix of names here, what the gateway does with the messages, their types.
DIRECTIONS: tuple[tuple[str, str, str, tuple[type[Frame], ...]], ...] = (
    ("Gateway to client", "gateway", "send", get_args(ServerFrame)),
    ("Client to gateway", "client", "receive", get_args(ClientFrame)),
)
_EXAMPLE = re.compile(r"^### `(\w+)`\n(.*?)```json\n(.*?)\n```", re.MULTILINE | re.DOTALL)


def examples(page: str, heading: str) -> Iterator[tuple[str, str, str]]:
    """(op, prose, JSON text) of each frame under a heading of the reader's page."""
    section = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    for match in _EXAMPLE.finditer(section):
        yield match[1], match[2].strip(), match[3]


def build(page: str) -> dict[str, Any]:
    """The document as plain data."""
    everything = [frame for *_, frames in DIRECTIONS for frame in frames]
    _, schemas = msgspec.json.schema_components(everything, ref_template="#/components/schemas/{name}")
    messages: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for heading, prefix, action, frames in DIRECTIONS:
        sample = {op: json.loads(text) for op, _, text in examples(page, heading)}
        for frame in frames:
            op = str(frame.__struct_config__.tag)
            name = f"{prefix}.{op}"
            messages[name] = _message(frame, op, sample[op])
            operations[f"{action}.{op}"] = {
                "action": action,
                "channel": {"$ref": "#/channels/gateway"},
                "messages": [{"$ref": f"#/channels/gateway/messages/{name}"}],
            }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Sonde gateway",
            "version": str(VERSION),
            "license": {"name": "MIT"},
            "description": "The messages of one WebSocket. The rules between them are in docs/protocol.md.",
        },
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "127.0.0.1:8080", "pathname": PATH, "protocol": "ws"}},
        "channels": {
            "gateway": {
                "address": PATH,
                "description": f"Subprotocols {SUBPROTOCOL_JSON} (text) and {SUBPROTOCOL_MSGPACK} (binary).",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"method": "GET"}},
            }
        },
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": {name: _draft_07(each) for name, each in schemas.items()},
        },
    }


def _message(frame: type[Frame], op: str, example: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": op,
        "summary": (frame.__doc__ or "").partition("\n")[0],
        "payload": {"$ref": f"#/components/schemas/{frame.__name__}"},
        "examples": [{"payload": example}],
    }


def _draft_07(schema: Any) -> Any:
    """AsyncAPI speaks JSON Schema draft 7, where a tuple is an array of `items`."""
    if isinstance(schema, list):
        return [_draft_07(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _draft_07(each) for key, each in schema.items()}
    if "prefixItems" in plain:
        plain["items"] = plain.pop("prefixItems")
        plain["additionalItems"] = False
    return plain


def render() -> str:
    """The whole file."""
    document = build((DOCS / "protocol.md").read_text(encoding="utf-8"))
    return HEADER + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
