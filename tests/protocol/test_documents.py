"""The documents of the wire say what the code does: examples decode, lists are whole, generated files are current."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

import generate_asyncapi
import generate_states
from sonde_protocol.codec import JSON
from sonde_protocol.codes import Cause, CloseCode, ErrorCode, LeaveReason, ResumeCause, Role, reaction
from sonde_protocol.frames import Frame, op_of
from sonde_protocol.states import CHANNEL, CONNECTION, SESSION
from support.wire_values import CLIENT_FRAMES, SERVER_FRAMES

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "protocol.md").read_text(encoding="utf-8")
DIRECTIONS = [
    pytest.param("Gateway to client", SERVER_FRAMES, JSON.server_decoder(), id="server"),
    pytest.param("Client to gateway", CLIENT_FRAMES, JSON.client_decoder(), id="client"),
]


def ops(frames: tuple[type[Frame], ...]) -> list[str]:
    return [str(frame.__struct_config__.tag) for frame in frames]


# ---------------------------------------------------------------- the reader's page


@pytest.mark.parametrize(("heading", "frames", "decode"), DIRECTIONS)
def test_every_frame_has_an_example_that_the_codec_reads(
    heading: str, frames: tuple[type[Frame], ...], decode: Any
) -> None:
    found = list(generate_asyncapi.examples(PAGE, heading))
    assert [op for op, _, _ in found] == ops(frames)
    for op, _, text in found:
        frame = decode(text.encode())
        assert op_of(frame) == op
        assert json.loads(JSON.encode(frame)) == json.loads(text)  # nothing in it was skipped


@pytest.mark.parametrize(("heading", "frames", "decode"), DIRECTIONS)
def test_every_field_is_explained_and_marked_where_it_is_optional(
    heading: str, frames: tuple[type[Frame], ...], decode: Any
) -> None:
    prose = {op: text for op, text, _ in generate_asyncapi.examples(PAGE, heading)}
    for frame in frames:
        text = prose[str(frame.__struct_config__.tag)]
        fields = msgspec.structs.fields(frame)
        known = {"id"} if frames is CLIENT_FRAMES else set()  # explained once, above them all
        assert not [f for f in fields if f"`{f.encode_name}`" not in text and f.encode_name not in known]
        if any(not field.required for field in fields):
            assert re.search(r"optional|left out", text), frame


@pytest.mark.parametrize("vocabulary", [ErrorCode, Cause, ResumeCause, LeaveReason, Role])
def test_every_word_of_a_vocabulary_is_on_the_page(vocabulary: Any) -> None:
    assert not [word.value for word in vocabulary if f"`{word.value}`" not in PAGE]


def test_every_close_code_is_listed_with_its_name_in_a_listed_range() -> None:
    listed = dict(re.findall(r"^\| (4\d{3}) \| ([a-z ]+) \|", PAGE, re.MULTILINE))
    names = {str(code.value): code.name.lower().replace("_", " ") for code in CloseCode if code >= 4000}
    assert listed == names
    ranges = re.findall(r"^\| (\d{4})–(\d{4}) \| (\w+)", PAGE, re.MULTILINE)
    says = {"resumes": "resume", "sends": "identify", "waits": "wait", "stops": "stop"}
    assert len(ranges) == 4
    for low, high, verb in ranges:
        assert reaction(int(low)).value == reaction(int(high)).value == says[verb]


def test_links_inside_of_the_page_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 _-]", "", each.lower()).replace(" ", "-") for each in headings}
    assert not set(re.findall(r"\]\(#([^)]+)\)", PAGE)) - anchors
    assert not [name for name in re.findall(r"\]\(([^#)]+)\)", PAGE) if not (DOCS / name).is_file()]


# ---------------------------------------------------------------- AsyncAPI


@pytest.fixture(scope="module")
def document() -> Any:
    return yaml.safe_load((DOCS / "asyncapi.yaml").read_text(encoding="utf-8"))


def test_the_asyncapi_file_is_current() -> None:
    assert (DOCS / "asyncapi.yaml").read_text(encoding="utf-8") == generate_asyncapi.render(), (
        "run docs/generate_asyncapi.py"
    )


def test_the_asyncapi_file_names_every_op_in_both_directions(document: Any) -> None:
    assert document["asyncapi"] == "3.0.0"
    operations = document["operations"].values()
    for action, prefix, frames in (("send", "gateway", SERVER_FRAMES), ("receive", "client", CLIENT_FRAMES)):
        named = [each["messages"][0]["$ref"] for each in operations if each["action"] == action]
        assert named == [f"#/channels/gateway/messages/{prefix}.{op}" for op in ops(frames)]


@pytest.mark.parametrize("frame", [*SERVER_FRAMES, *CLIENT_FRAMES], ids=lambda frame: frame.__name__)
def test_the_asyncapi_fields_are_the_frames_fields(document: Any, frame: type[Frame]) -> None:
    prefix = "gateway" if frame in SERVER_FRAMES else "client"
    op = str(frame.__struct_config__.tag)
    message = document["components"]["messages"][f"{prefix}.{op}"]
    schema = document["components"]["schemas"][message["payload"]["$ref"].rpartition("/")[2]]
    fields = msgspec.structs.fields(frame)
    assert message["name"] == op
    assert message["summary"]
    assert set(schema["properties"]) == {"op", *(field.encode_name for field in fields)}
    assert set(schema["required"]) == {"op", *(field.encode_name for field in fields if field.required)}
    assert schema["properties"]["op"] == {"enum": [op]}


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_every_reference_of_the_asyncapi_file_leads_somewhere(document: Any) -> None:
    for reference in references(document):
        target = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        assert target


# ---------------------------------------------------------------- state diagrams


def test_the_state_diagrams_are_current_and_whole() -> None:
    page = (DOCS / "states.md").read_text(encoding="utf-8")
    assert page == generate_states.render(), "run docs/generate_states.py"
    drawn = re.findall(r"^    (\w+) --> (\w+): (.+)$", page, re.MULTILINE)
    steps = [
        (before, trigger, after) for before, after, triggers in drawn for trigger in triggers.split(", ")
    ]
    tables = [
        (b.value, t.value, a.value) for table in (CONNECTION, SESSION, CHANNEL) for (b, t), a in table.items()
    ]
    assert sorted(steps) == sorted(tables)
