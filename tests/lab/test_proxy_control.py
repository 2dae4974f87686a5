"""The control interface: what programs may do with it, and who is kept out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde_lab import proxy_control
from sonde_lab.control_http import MAX_BODY_BYTES, MAX_HEAD_BYTES, BadRequest, RequestReader
from sonde_lab.faults.grammar import parse_rule
from sonde_lab.faults.lab import FaultLab
from sonde_lab.proxy_control import MAX_SOCKETS, ControlPages, ProxyControl, new_token, token_of
from sonde_lab.proxy_head import Address
from sonde_lab.proxy_options import ProxyFailed, ProxyOptions
from sonde_protocol.faults import KINDS
from support.fault_rig import down, fault_rig
from support.processes import stop
from support.proxied import until

TOKEN = "a-token-of-a-test-0123456789"


class Answer(NamedTuple):
    status: int
    head: str
    said: Any


def asked(method: str, path: str, body: object = None, **headers: str) -> bytes:
    """A request as a well-behaved program writes it; a header that is empty is left away."""
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Host": "127.0.0.1", "Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    sent.setdefault("Content-Length", str(len(data)))
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + data


async def exchanged(port: int, data: bytes) -> Answer:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    async with asyncio.timeout(20):
        got = await reader.read()
    writer.close()
    head, _, body = got.partition(b"\r\n\r\n")
    return Answer(int(head.split()[1]), head.decode(), json.loads(body))


@asynccontextmanager
async def controlled(lab: FaultLab | None = None) -> AsyncIterator[tuple[int, ProxyControl]]:
    control = ProxyControl(lab or FaultLab(), Address("127.0.0.1", 0), TOKEN)
    await control.start()
    try:
        yield int(control.url.rpartition(":")[2]), control
    finally:
        await control.stop()


async def one(data: bytes) -> Answer:
    async with controlled() as (port, _):
        return await exchanged(port, data)


# ------------------------------------------------------------ what it does


async def test_a_program_arms_sees_hits_and_disarms() -> None:
    async with fault_rig() as rig, controlled(rig.lab) as (port, _):
        armed = await exchanged(port, asked("POST", "/v1/rules", {"rule": "drop count=1 label=mine"}))
        assert (armed.status, armed.said["number"], armed.said["phase"]) == (200, 1, "armed")
        client, server = await rig.pair(agrees=b"Sec-WebSocket-Protocol: game.v1\r\n")
        await server.send(down("gone") + down("stays"))
        await client.exactly(down("stays"))
        [rule] = (await exchanged(port, asked("GET", "/v1/rules"))).said["rules"]
        assert (rule["hits"], rule["phase"], rule["label"]) == (1, "spent", "mine")
        assert 0 < rule["left_s"] <= 600
        [there] = (await exchanged(port, asked("GET", "/v1/connections"))).said["connections"]
        assert (there["conn"], there["path"], there["subprotocol"], there["upgraded"]) == (
            "p1",
            "/game",
            "game.v1",
            True,
        )
        assert (there["up"], there["down"]) == (0, 2)
        acts = (await exchanged(port, asked("GET", "/v1/acts"))).said
        assert [(act["kind"], act["direction"], act["ordinal"]) for act in acts["acts"]] == [
            ("drop", "down", 1)
        ]
        assert (await exchanged(port, asked("GET", "/v1/acts?after=1"))).said == {"acts": [], "lost": 0}
        assert (await exchanged(port, asked("DELETE", "/v1/rules/1"))).said == {"disarmed": 1}
        assert (await exchanged(port, asked("GET", "/v1/rules"))).said == {"rules": []}


async def test_a_network_is_armed_by_its_name_and_everything_is_off_at_once() -> None:
    async with controlled() as (port, control):
        armed = await exchanged(port, asked("POST", "/v1/rules", {"preset": "chrome 3g"}))
        assert [rule["kind"] for rule in armed.said["rules"]] == ["latency", "bandwidth", "bandwidth"]
        assert (await exchanged(port, asked("POST", "/v1/reset"))).said == {"disarmed": 3}
        assert control.pages._lab.rules == []


async def test_a_program_holds_sees_edits_drops_and_lets_all_go() -> None:
    async with fault_rig() as rig, controlled(rig.lab) as (port, _):

        async def ask(method: str, path: str, body: object = None) -> Answer:
            return await exchanged(port, asked(method, path, body))

        await ask("POST", "/v1/rules", {"rule": "hold direction=down target=shot"})
        client, server = await rig.pair()
        await server.send(b"".join(down(f"shot {number}") for number in range(5)) + down("passes"))
        await client.exactly(down("passes"))
        listed = (await ask("GET", "/v1/held")).said
        assert [(each["number"], each["type"], each["direction"]) for each in listed["held"]] == [
            (number, "text", "down") for number in range(1, 6)
        ]
        assert listed["passed"] == 0
        assert (await ask("GET", "/v1/held/2")).said["text"] == "shot 1"
        assert (await ask("POST", "/v1/held/2", {"text": "edited", "copies": 2})).said == {"let_go": 2}
        await client.exactly(down("edited") * 2)
        assert (await ask("POST", "/v1/held/1")).said == {"let_go": 1}
        await client.exactly(down("shot 0"))
        assert (await ask("DELETE", "/v1/held/3")).said == {"dropped": 3}
        assert (await ask("POST", "/v1/release")).said == {"let_go": 2}
        await client.exactly(down("shot 3") + down("shot 4"))
        assert (await ask("GET", "/v1/held")).said == {"held": [], "passed": 0}
        gone = await ask("POST", "/v1/held/2")
        assert gone.status == 404
        assert gone.said["error"].startswith("message 2 is not held any more: it was let go or dropped")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "why"),
    [
        ("GET", "/v1/held/x", None, 404, "a held message has a number"),
        ("GET", "/v1/held/9", None, 404, "no message was ever held under the number 9"),
        ("POST", "/v1/held/1", {"hex": "0g"}, 422, "“g” is no hex digit"),
        ("POST", "/v1/held/1", {"copy": 2}, 422, "there is no member “copy”: text, json, hex, copies, delay_ms are all"),
        ("POST", "/v1/held/1", [1], 400, "the body is a JSON object"),
        ("PUT", "/v1/held/1", {}, 404, "there is nothing at this path"),
    ],
)  # fmt: skip
async def test_a_request_about_a_held_message_that_cannot_be_is_refused_and_it_stays(
    method: str, path: str, body: object, status: int, why: str
) -> None:
    async with fault_rig("hold") as rig, controlled(rig.lab) as (port, _):
        _client, server = await rig.pair()
        await server.send(down("held"))
        await until(lambda: rig.lab.holding.all)
        answer = await exchanged(port, asked(method, path, body))
        assert (answer.status, answer.said["error"]) == (status, why)
        assert answer.said.get("position") == (1 if "no hex digit" in why else None)
        assert len(rig.lab.holding.all) == 1


async def test_kinds_and_networks_are_told() -> None:
    async with controlled() as (port, _):
        faults = (await exchanged(port, asked("GET", "/v1/faults"))).said["faults"]
        assert [fault["name"] for fault in faults] == [kind.name for kind in KINDS]
        presets = (await exchanged(port, asked("GET", "/v1/presets"))).said["presets"]
        assert {"name", "source", "rules"} == set(presets[0])


@pytest.mark.parametrize(
    ("body", "says", "position"),
    [
        ({"rule": "latncy 2s"}, "nearest is “latency”", 0),
        ({"kind": "latency", "parameters": {"delay": "90s"}}, "between 0 and 60", None),
        ({"preset": "chrom 3g"}, "nearest is “Chrome 3G”", None),
        ([], "an object", None),
    ],
)
async def test_a_rule_that_cannot_be_is_refused_with_its_place(
    body: object, says: str, position: int | None
) -> None:
    answer = await one(asked("POST", "/v1/rules", body))
    assert answer.status == 422
    assert says in answer.said["error"]
    assert answer.said.get("position") == position


# ------------------------------------------------------------ who is kept out


STRANGERS = {
    "no token": (401, asked("GET", "/v1/rules", Authorization="")),
    "another token": (401, asked("GET", "/v1/rules", Authorization=f"Bearer {TOKEN[:-1]}")),
    "a longer token": (401, asked("GET", "/v1/rules", Authorization=f"Bearer {TOKEN}x")),
    "another scheme": (401, asked("GET", "/v1/rules", Authorization=f"Basic {TOKEN}")),
    "no scheme": (401, asked("GET", "/v1/rules", Authorization=TOKEN)),
    "the token twice": (401, asked("GET", "/v1/rules", authorization=f"Bearer {TOKEN}")),
    "the token in the path": (401, asked("GET", f"/v1/rules?token={TOKEN}", Authorization="")),
    "letters beyond ASCII": (401, asked("GET", "/v1/rules", Authorization="Bearer ÿÿ")),
    "a foreign Host": (421, asked("GET", "/v1/rules", Host="rebound.example")),
    "a Host that only begins so": (421, asked("GET", "/v1/rules", Host="127.0.0.1.rebound.example")),
    "a Host with a user": (421, asked("GET", "/v1/rules", Host="localhost@rebound.example")),
    "no Host": (421, asked("GET", "/v1/rules", Host="")),
    "two Hosts": (421, asked("GET", "/v1/rules", host="rebound.example")),
    "a page": (403, asked("GET", "/v1/rules", Origin="http://game.example")),
    "a page of this machine": (403, asked("GET", "/v1/rules", Origin="http://127.0.0.1:8000")),
    "a page without an origin": (403, asked("GET", "/v1/rules", Origin="null")),
    "a browser's own request": (403, asked("GET", "/v1/rules", Sec_Fetch_Site="none")),
    "a form": (415, asked("POST", "/v1/rules", b"rule=drop", Content_Type="application/x-www-form-urlencoded")),
    "a form as text": (415, asked("POST", "/v1/rules", b'{"rule":"drop"}', Content_Type="text/plain")),
    "an unknown path": (404, asked("GET", "/v2/rules")),
    "a path out of the house": (404, asked("GET", "/../etc/passwd")),
    "an unknown method": (405, asked("PUT", "/v1/rules")),
    "a rule that is not there": (404, asked("DELETE", "/v1/rules/99")),
    "a rule that is no number": (404, asked("DELETE", "/v1/rules/%31")),
    "an act that is no number": (400, asked("GET", "/v1/acts?after=-1")),
    "no JSON": (400, asked("POST", "/v1/rules", b"{")),
    "JSON without end": (400, asked("POST", "/v1/rules", b"[" * 60_000)),
    "a body too large": (413, asked("POST", "/v1/rules", Content_Length=str(MAX_BODY_BYTES + 1))),
    "a body of no length": (411, asked("POST", "/v1/rules", Transfer_Encoding="chunked", Content_Length="")),
    "two lengths": (400, asked("POST", "/v1/rules", content_length="5")),
    "a negative length": (400, asked("POST", "/v1/rules", Content_Length="-1")),
    "a head without end": (431, b"GET / HTTP/1.1\r\nX: " + b"x" * MAX_HEAD_BYTES),
    "no HTTP": (400, b"\x16\x03\x01\x02\x00\r\n\r\n"),
    "a header that is folded": (400, b"GET /v1/rules HTTP/1.1\r\nHost: 127.0.0.1\r\n more\r\n\r\n"),
    "a space before the colon": (400, b"GET /v1/rules HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("who", STRANGERS)
async def test_a_stranger_is_refused_and_nothing_is_armed(who: str) -> None:
    status, data = STRANGERS[who]
    async with controlled() as (port, control):
        answer = await exchanged(port, data)
        assert answer.status == status
        assert isinstance(answer.said["error"], str)
        assert control.pages._lab.rules == []
        assert (await exchanged(port, asked("GET", "/v1/rules"))).status == 200


async def test_hosts_of_this_machine_are_served() -> None:
    async with controlled() as (port, _):
        for host in ("127.0.0.1", f"localhost:{port}", "[::1]:80", "127.8.9.1"):
            assert (await exchanged(port, asked("GET", "/v1/rules", Host=host))).status == 200


def test_the_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(given: bytes, known: bytes) -> bool:
        compared.append((given, known))
        return given == known

    monkeypatch.setattr(proxy_control.hmac, "compare_digest", compare)
    pages = ControlPages(FaultLab(), TOKEN, True)
    request = RequestReader().feed(asked("GET", "/v1/rules", Authorization="Bearer wrong"))
    assert request is not None
    assert b" 401 " in pages.answer(request)
    assert compared == [(b"wrong", TOKEN.encode())]


async def test_the_token_is_in_no_log_and_in_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for path in ("/v1/rules", "/v1/connections", "/v1/acts", "/v1/nothing"):
        answer = await one(asked("GET", path))
        assert TOKEN not in answer.head + json.dumps(answer.said)
    assert TOKEN not in caplog.text


async def test_answers_are_kept_nowhere_and_are_no_pages() -> None:
    head = (await one(asked("GET", "/v1/rules"))).head.lower()
    assert "cache-control: no-store" in head
    assert "x-content-type-options: nosniff" in head
    assert "access-control-allow-origin" not in head


async def test_connections_that_say_nothing_are_bounded_and_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_control, "REQUEST_S", 0.3)
    async with controlled() as (port, control):
        ends = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MAX_SOCKETS + 5)]
        await until(lambda: len(control.sockets) <= MAX_SOCKETS)
        await until(lambda: not control.sockets)
        for reader, writer in ends:
            with contextlib.suppress(ConnectionError):  # a cut may be an end or a reset
                assert await reader.read() == b""
            writer.close()
        assert (await exchanged(port, asked("GET", "/v1/rules"))).status == 200


async def test_an_answer_comes_however_the_request_is_cut() -> None:
    async with controlled() as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for byte in asked("POST", "/v1/rules", {"rule": "drop"}):
            writer.write(bytes([byte]))
            await writer.drain()
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()


@given(st.binary(max_size=400))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    for start in (b"", b"GET / HTTP/1.1\r\n", b"POST /v1/rules HTTP/1.1\r\nContent-Length: "):
        assert 200 <= read_as(start + data) < 500


def read_as(data: bytes) -> int:
    """The status that it is refused with, or a good one."""
    try:
        RequestReader().feed(data)
    except BadRequest as refused:
        return refused.status
    return 200


# ------------------------------------------------------------ tokens and addresses


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 43  # 256 bits


@pytest.mark.parametrize(
    "text", ["", "short", "two words that are long enough", "x" * 600, "ÿ" * 20, "a" * 20 + "\0"]
)
def test_a_token_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="--control-token: the file"):
        token_of(str(path))


def test_a_token_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n", encoding="ascii")
    assert token_of(str(path)) == TOKEN
    with pytest.raises(ValueError, match="cannot be read"):
        token_of(str(tmp_path / "missing"))


def options(**more: Any) -> ProxyOptions:
    return ProxyOptions("127.0.0.1:0", "ws://127.0.0.1:9", **more)


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.7:9101", "example.com:80"])
def test_an_address_that_others_reach_is_refused_unless_it_is_said_twice(address: str) -> None:
    with pytest.raises(ProxyFailed, match="say --control-anywhere too"):
        options(control=address).proxy()
    said_twice = options(control=address, control_anywhere=True)
    assert said_twice.control_of(said_twice.proxy()) is not None


def test_options_of_the_control_interface_need_it() -> None:
    for more in ({"control_token": "file"}, {"control_anywhere": True}):
        with pytest.raises(ProxyFailed, match="belong to --control"):
            options(**more).proxy()


def test_without_a_fault_a_network_or_a_control_interface_there_is_no_lab() -> None:
    assert options().proxy().lab is None
    assert options(control="127.0.0.1:0").proxy().lab is not None


def test_options_survive_the_way_to_the_proxys_own_process() -> None:
    wanted = options(
        faults=("latency 200ms ±50ms", 'drop target="op:ping"'), presets=("Chrome 3G",), seed=7,
        control="127.0.0.1:0", control_token="/a/file", control_anywhere=True,
    )  # fmt: skip
    arguments = wanted.arguments()
    assert [each for each in arguments if each.startswith("--fault=")] == [
        "--fault=latency 200ms ±50ms",
        '--fault=drop target="op:ping"',
    ]
    assert {
        "--preset=Chrome 3G",
        "--seed=7",
        "--control=127.0.0.1:0",
        "--control-token=/a/file",
        "--control-anywhere",
    } <= set(arguments)


@pytest.mark.parametrize("more", [[], ["--print"]])
async def test_the_command_prints_address_and_token_once_and_its_rules_are_armed(more: list[str]) -> None:
    command = [
        sys.executable,
        "-m",
        "sonde_ui.cli",
        "proxy",
        "--upstream",
        "ws://127.0.0.1:9",
        "--listen",
        "127.0.0.1:0",
    ]
    process = subprocess.Popen(
        [*command, "--control", "127.0.0.1:0", "--fault", "latency 20ms", "--preset", "Chrome 3G", "--seed", "5", *more],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        lines = [(await asyncio.to_thread(process.stdout.readline)).decode() for _ in range(3)]
        assert lines[1] == "Faults armed, seed 5: latency 20ms; preset Chrome 3G\n"
        found = re.fullmatch(r"Control: http://127\.0\.0\.1:(\d+), token (\S+)\n", lines[2])
        assert found is not None
        told = await exchanged(int(found[1]), asked("GET", "/v1/rules", Authorization=f"Bearer {found[2]}"))
        assert [rule["kind"] for rule in told.said["rules"]] == [
            "latency",
            "latency",
            "bandwidth",
            "bandwidth",
        ]
        assert {rule["seed"] for rule in told.said["rules"]} == {5}
        listing = Path(f"/proc/{process.pid}/cmdline")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if listing.exists():
            pids = [process.pid, *map(int, children.read_text().split())]
            assert not any(found[2].encode() in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids)
    finally:
        stop(process)


def test_rules_of_the_lab_are_those_of_the_options() -> None:
    proxy = options(faults=("drop seed=9", "flood"), seed=4).proxy()
    assert proxy.lab is not None
    assert [(armed.rule, armed.seed) for armed in proxy.lab.rules] == [
        (parse_rule("drop seed=9"), 9),
        (parse_rule("flood"), 4),
    ]
