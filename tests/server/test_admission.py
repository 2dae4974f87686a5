"""The upgrade's checks as a table: request in, admission or HTTP answer out."""

from __future__ import annotations

import json

import pytest

from sonde_protocol.codec import JSON, MSGPACK
from sonde_server.core.admission import (
    Admission,
    AdmissionRules,
    Admissions,
    HttpRefusal,
    Occupancy,
    UpgradeRequest,
    is_loopback_host,
)
from sonde_server.core.auth import Authenticator, SharedSecret
from support.clocks import HandClock
from support.handmade_tokens import WALL, claims, signed
from support.processes import SECRET

TOKEN = signed(claims())
EXPIRED = signed(claims(exp=WALL - 60))
RULES = AdmissionRules(
    max_connections=10,
    max_per_address=2,
    allowed_origins=frozenset({"https://play.example.com"}),
    allowed_hosts=frozenset({"sonde.test:80"}),
)


def ask(
    path: str = "/v1/ws",
    query: str = "",
    loopback: bool = True,
    occupancy: Occupancy | None = None,
    **headers: object,
) -> Admission | HttpRefusal:
    given: dict[str, list[str]] = {"host": ["127.0.0.1:8765"]}
    for name, value in headers.items():
        given[name.replace("_", "-")] = [value] if isinstance(value, str) else list(value)  # type: ignore[call-overload]
    authenticator = Authenticator(SharedSecret(SECRET.encode()), HandClock(wall=WALL))
    request = UpgradeRequest(path, query, given, "127.0.0.1:5123", loopback)
    return Admissions(authenticator, RULES).admit(request, occupancy or Occupancy())


def status(answer: Admission | HttpRefusal) -> int:
    return 101 if isinstance(answer, Admission) else answer.status


def test_plain_request_enters_with_json_and_no_subprotocol_echoed() -> None:
    assert ask() == Admission(None, JSON, None)


@pytest.mark.parametrize(
    ("offered", "codec", "echoed"),
    [
        (["sonde.v1.json"], JSON, "sonde.v1.json"),
        (["sonde.v1.msgpack, sonde.v1.json"], MSGPACK, "sonde.v1.msgpack"),
        (["sonde.v1.json", "sonde.v1.msgpack"], JSON, "sonde.v1.json"),
        (["graphql-ws, sonde.v1.msgpack"], MSGPACK, "sonde.v1.msgpack"),
        ([f"sonde.bearer.{TOKEN}, sonde.v1.msgpack"], MSGPACK, "sonde.v1.msgpack"),
        ([f"sonde.bearer.{TOKEN}"], JSON, None),
        ([" , "], JSON, None),
    ],
)
def test_first_subprotocol_of_the_clients_list_wins_and_the_token_is_never_echoed(
    offered: list[str], codec: object, echoed: str | None
) -> None:
    answer = ask(sec_websocket_protocol=offered)
    assert isinstance(answer, Admission)
    assert (answer.codec, answer.subprotocol) == (codec, echoed)


def test_token_is_read_from_the_header_and_from_the_browsers_form() -> None:
    for headers in (
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer  {TOKEN} "},
        {"sec_websocket_protocol": f"sonde.v1.json, sonde.bearer.{TOKEN}"},
    ):
        answer = ask(**headers)
        assert isinstance(answer, Admission)
        assert answer.claims is not None
        assert answer.claims.sub == "p1"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({"path": "/"}, 404),
        ({"path": "/v1/ws/"}, 404),
        ({"path": "/metrics"}, 404),
        ({"path": "/healthz"}, 404),
        ({"path": "//v1/ws"}, 404),
        ({"path": "/v1/%77s"}, 404),
        ({"query": "token=abc"}, 400),
        ({"query": "x=1&access_token="}, 400),
        ({"query": "Token=abc"}, 400),
        ({"query": "x=1"}, 101),
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({"host": "localhost.evil.example:8765"}, 421),
        ({"host": "LocalHost:8765"}, 101),
        ({"host": "[::1]:8765"}, 101),
        ({"host": "sonde.test:80"}, 101),
        ({"host": "evil.example", "loopback": False}, 101),
        ({"host": []}, 400),
        ({"host": ["127.0.0.1", "evil.example"]}, 400),
        ({"origin": "https://play.example.com"}, 101),
        ({"origin": "https://play.example.com.evil.org"}, 403),
        ({"origin": "http://play.example.com"}, 403),
        ({"origin": "https://play.example.com:8443"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ["https://play.example.com", "https://play.example.com"]}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://localhost:3000"}, 101),
        ({"origin": "http://127.0.0.1:3000"}, 101),
        ({"origin": "http://localhost.evil.org"}, 403),
        ({"origin": "http://evil.org/http://localhost"}, 403),
        ({"origin": "http://localhost:3000", "loopback": False}, 403),
        ({"origin": "https://play.example.com", "loopback": False}, 101),
        ({"authorization": f"Bearer {EXPIRED}"}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"authorization": "Basic YWRhOnB3"}, 401),
        ({"authorization": [f"Bearer {TOKEN}", f"Bearer {TOKEN}"]}, 400),
        ({"authorization": f"Bearer {TOKEN}", "sec_websocket_protocol": f"sonde.bearer.{TOKEN}"}, 400),
        ({"sec_websocket_protocol": "sonde.bearer."}, 401),
        ({"sec_websocket_protocol": f"sonde.bearer.{EXPIRED}"}, 401),
        ({"sec_websocket_protocol": "graphql-ws"}, 400),
        ({"occupancy": Occupancy(draining=True)}, 503),
        ({"occupancy": Occupancy(connections=9)}, 101),
        ({"occupancy": Occupancy(connections=10)}, 503),
        ({"occupancy": Occupancy(from_address=1)}, 101),
        ({"occupancy": Occupancy(from_address=2)}, 503),
    ],
)  # fmt: skip
def test_upgrade_table(what: dict[str, object], expected: int) -> None:
    assert status(ask(**what)) == expected  # type: ignore[arg-type]


def test_every_refusal_has_a_json_body_with_a_code_and_a_message() -> None:
    answer = ask(authorization=f"Bearer {EXPIRED}")
    assert isinstance(answer, HttpRefusal)
    assert json.loads(answer.body()) == {"error": "unauthorized", "message": "the token has expired"}
    assert ("WWW-Authenticate", "Bearer") in answer.headers


def test_full_and_draining_gateways_say_when_to_come_back() -> None:
    for occupancy in (Occupancy(draining=True), Occupancy(connections=10)):
        answer = ask(occupancy=occupancy)
        assert isinstance(answer, HttpRefusal)
        assert dict(answer.headers)["Retry-After"] == "2"


def test_full_gateway_spends_nothing_on_tokens() -> None:
    answer = ask(occupancy=Occupancy(connections=10), authorization="Bearer nonsense")
    assert status(answer) == 503


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "127.9.9.9", "[::1]", "LOCALHOST:80"])
def test_names_of_this_machine(host: str) -> None:
    assert is_loopback_host(host)


@pytest.mark.parametrize(
    "host", ["", "::1", "128.0.0.1", "localhost:", "localhost:1234567", "a.localhost", "127.0.0.1\n"]
)
def test_names_that_are_not_this_machine(host: str) -> None:
    assert not is_loopback_host(host)
