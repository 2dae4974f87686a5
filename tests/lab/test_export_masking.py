"""No secret leaves in an export: not from text, JSON, MessagePack or a form that nobody here knows."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_lab.capture.writer import CaptureWriter
from sonde_lab.export import masking
from sonde_lab.export.console import convert
from sonde_lab.export.formats import FORMATS, format_of
from sonde_lab.export.masking import Masker
from sonde_lab.records import Direction, Kind, Record
from support.records import row
from support.wire_values import documents

SECRET = "s7f3Q9zKx2mWvB81"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwMSJ9.Tq3x9pX-_zz"
pack = msgspec.msgpack.encode
KEYS = ("password", "Token", "apiKey", "x-auth-token", "client_secret", "Set-Cookie", "authorization", "resume", "JWT")  # fmt: skip
BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})")


def dumps(value: Any) -> bytes:
    return json.dumps(value).encode()


def escaped(data: bytes) -> bytes:
    """The same JSON with some letters of its texts as escapes."""
    return re.sub(rb"[oet]", lambda letter: b"\\u%04x" % letter[0][0], data)


secrets = st.sampled_from(
    [f"Bearer {SECRET}", f"wss://h/p?token={SECRET}&x=1", f"token={SECRET}", f'{{"pwd": "{SECRET}"}}']
)  # fmt: skip
planted = st.recursive(
    st.sampled_from(KEYS).map(lambda key: {key: SECRET}) | secrets,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "d", "token", "credentials"]), inner, min_size=1, max_size=2)
        | inner.map(lambda value: dumps(value).decode())
    ),
    max_leaves=4,
)
shapes = st.sampled_from(
    [
        (1, dumps),
        (1, lambda value: escaped(dumps(value))),
        (1, lambda value: b"42/game,7" + dumps(["login", value])),
        (1, lambda value: json.dumps({"x": value}, indent=2).encode()),
        (2, dumps),
        (2, pack),
        (2, lambda value: pack({"d": [pack(value), msgspec.msgpack.Ext(7, b"\xff" + pack(value))]})),
        (2, lambda value: b"\x01\x02\xfe" + pack(value)),
    ]
)


@settings(max_examples=300, deadline=None)
@given(planted, shapes, st.floats(0.3, 1.0))
def test_no_planted_secret_survives_whole_or_cut(value: Any, shape: Any, share: float) -> None:
    opcode, encode = shape
    whole = encode(value)
    for payload in (whole, whole[: int(len(whole) * share)]):
        masked, _ = Masker().row(row(payload=payload, opcode=opcode))
        plain = re.sub(rb"\\u00([0-9a-f]{2})", lambda code: bytes([int(code[1], 16)]), masked.payload)
        assert SECRET.encode() not in plain
        assert masked.size == len(payload)


@settings(max_examples=60, deadline=None)
@given(documents)
def test_what_holds_no_secret_is_left_as_it_is(document: dict[str, Any]) -> None:
    masker = Masker()
    for opcode, payload in ((1, dumps(document)), (2, pack(document))):
        record = row(payload=payload, opcode=opcode)
        assert masker.row(record) == (record, False)
    assert (masker.masked, masker.replaced) == (0, 0)


def test_json_that_can_be_masked_in_place_keeps_its_form() -> None:
    payload = b'{ "b": 1.50,\n  "password" : "%s", "a": 12345678901234567890123 }' % SECRET.encode()
    masked, is_masked = Masker().row(row(payload=payload))
    assert is_masked
    assert masked.payload == payload.replace(SECRET.encode(), "s7f3…".encode())


def test_messagepack_is_written_anew_and_stays_readable() -> None:
    masked, _ = Masker().row(row(payload=pack({"type": "auth", "token": SECRET, "n": [1, 2]}), opcode=2))
    assert msgspec.msgpack.decode(masked.payload) == {"type": "auth", "token": "s7f3…", "n": [1, 2]}


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"\x01\xff token " + SECRET.encode(), "(25 bytes left out: it may hold secrets"),
        (b"\xff" + "password".encode("utf-16-le"), "(17 bytes left out: it may hold secrets"),
        (b"x" * 3_000, "(3,000 bytes left out: too large"),
    ],
)
def test_what_cannot_be_masked_in_place_is_replaced_by_a_sentence(
    payload: bytes, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masking, "MAX_SEARCHED_BYTES", 1_000)
    masker = Masker()
    masked, _ = masker.row(row(payload=payload, opcode=2))
    assert masked.payload.decode().startswith(said)
    assert (masker.masked, masker.replaced, masked.size) == (0, 1, len(payload))


def planted_rows() -> list[Record]:
    head = (
        f"GET /p?access_token={SECRET} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {JWT}\r\n"
        f"Cookie: sid={SECRET}\r\nX-Api-Key: {SECRET}\r\nSec-WebSocket-Protocol: sonde.bearer.{JWT}"
    )
    answer = f"HTTP/1.1 101 OK\r\nSet-Cookie: sid={SECRET}"
    nested = {"d": [{"apiKey": SECRET}, pack({"secret": SECRET})]}
    return [
        row("upgrade", payload=head.encode(), kind=Kind.HANDSHAKE, direction=Direction.OUT, opcode=0),
        row("upgrade", payload=answer.encode(), kind=Kind.HANDSHAKE, opcode=0),
        row("identify", payload=dumps({"op": "identify", "token": JWT})),
        row("text", payload=b'42["login",{"password":"%s"}]' % SECRET.encode(), protocol="socket.io"),
        row("msgpack", payload=pack(nested), opcode=2, protocol="msgpack"),
        row("binary", payload=b"\x00\xfftoken" + SECRET.encode(), opcode=2, protocol="raw"),
        row("close", payload=f"\x03\x08token={SECRET}".encode("latin-1"), opcode=8, code=1008),
        row("note", payload=f"refused with Bearer {SECRET}".encode(), kind=Kind.NOTE, opcode=0),
        row(JWT, payload=b"{}", channel=f"user?token={SECRET}", protocol="json"),
    ]


def told(path: Path) -> bytes:
    """Everything that a file says, with what is base64 or hex in it as its bytes."""
    text = path.read_bytes()
    found = [text]
    if path.suffix == ".csv":
        cells = [cell for line in csv.reader(io.StringIO(text.decode(), newline="")) for cell in line]
        found += [base64.b64decode(cell) for cell in cells if BASE64.fullmatch(cell)]
    elif path.suffix == ".md":
        found += [bytes.fromhex(run.decode()) for run in re.findall(rb"(?:[0-9a-f]{2} )+[0-9a-f]{2}", text)]
    else:
        read = format_of(path).read
        assert read is not None
        found += [row.record.payload for row in read(path)]
    return b"\n".join(found)


@pytest.mark.parametrize("suffix", [each.suffix for each in FORMATS])
def test_no_format_tells_a_planted_secret_unless_it_is_asked_to(
    tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = CaptureWriter(tmp_path / "in.sonde")
    writer.add(planted_rows())
    writer.close()
    masked, open_one = tmp_path / f"masked{suffix}", tmp_path / f"open{suffix}"
    assert convert(tmp_path / "in.sonde", masked) == 0
    assert "14 secrets were masked and 1 payload was left out." in capsys.readouterr().err
    assert convert(tmp_path / "in.sonde", open_one, masks=False) == 0
    assert "Secrets were left as they are." in capsys.readouterr().err
    said = told(masked)
    assert SECRET.encode() not in said
    assert JWT.encode() not in said
    assert JWT.split(".")[1].encode() not in said
    assert SECRET.encode() in told(open_one)
