"""An admin's faults as a weapon: what is asked for is read in full or refused, bounded, and gone when it is over."""

from __future__ import annotations

import gc
import json
from typing import Any

import msgspec
import pytest

from sonde_protocol.codec import JSON, MSGPACK
from sonde_server.config_file import ConfigInvalid
from sonde_server.core.connection import Connection
from sonde_server.core.faults.desk import MAX_ARMED
from sonde_server.settings import load_settings
from support.gateway_rig import Peer, Rig, only, ops

ROLES = ("player", "monitor", "service")
HOUR_MS = 3_600_000


def with_admin(**limits: Any) -> tuple[Rig, Peer, Peer]:
    """A gateway that allows faults, a player in the arena, an admin whose rate nobody counts."""
    rig = Rig(faults_allowed=True, commands_burst=1e6, user_commands_burst=1e6, **limits)
    ada, root = rig.player("ada"), rig.player("root;admin")
    ada.subscribe(presence=True)
    return rig, ada, root


def ask(root: Peer, victim: Peer, kind: str, **fields: Any) -> dict[str, Any]:
    """Inject; the answer."""
    frames = root.command("fault", session=victim.session, kind=kind, **fields)
    return next(frame for frame in frames if frame["op"] in ("reply", "error"))


def connections() -> int:
    return sum(isinstance(each, Connection) for each in gc.get_objects())


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", ["kick", "off"])
def test_nobody_but_an_admin_breaks_or_mends_a_session(role: str, kind: str) -> None:
    rig, ada, _root = with_admin()
    mallory = rig.player(f"mallory;{role}")
    assert ask(mallory, ada, kind)["code"] == "forbidden"
    assert (ada.wire.closed, ada.wire.breaks, rig.gateway.metrics.faults) == (None, [], 0)


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("cut", {"delay": float("nan")}),
        ("cut", {"delay": float("inf")}),
        ("cut", {"delay": -1e-9}),
        ("cut", {"delay": 1e308}),
        ("cut", {"delay": 2**63 - 1}),
        ("cut", {"delay": True}),
        ("cut", {"delay": None}),
        ("cut", {"delay": [1]}),
        ("cut", {"delay": {"a": 1}}),
        ("close", {"code": float("nan")}),
        ("close", {"code": 65_536}),
        ("close", {"reason": b"bytes"}),
        ("close", {"reason": "x" * 201}),
        ("clock_skew", {"skew": float("inf")}),
        ("server_restart", {"code": float("nan")}),
        ("kick", {str(number): 1 for number in range(100)}),
    ],
)
def test_no_value_that_is_none_gets_through(kind: str, parameters: dict[str, Any]) -> None:
    rig = Rig(faults_allowed=True)
    ada, root = rig.player("ada"), rig.player("root;admin", codec=MSGPACK)
    assert ask(root, ada, kind, parameters=parameters)["code"] in ("bad_request", "malformed")
    assert (ada.wire.closed, ada.wire.breaks, rig.gateway.metrics.faults) == (None, [], 0)


@pytest.mark.parametrize("field", ["after_ms", "for_ms"])
@pytest.mark.parametrize("value", [-1, 1.5, "5", 86_400_001, 2**53, 2**64])
def test_no_time_that_is_none_or_longer_than_a_day_gets_through(field: str, value: object) -> None:
    rig, ada, root = with_admin()
    assert ask(root, ada, "ghost", **{field: value})["code"] in ("bad_request", "malformed")
    assert rig.gateway.metrics.faults == 0


@pytest.mark.parametrize("codec", [JSON, MSGPACK])
def test_a_reason_is_cut_to_what_a_close_frame_holds_however_wide_its_characters_are(codec: Any) -> None:
    rig = Rig(faults_allowed=True)
    ada, root = rig.player("ada"), rig.player("root;admin", codec=codec)
    assert ask(root, ada, "kick", parameters={"reason": "\U0001f480" * 200})["op"] == "reply"
    assert ada.wire.closed is not None


def test_one_admin_cannot_arm_without_end_and_what_is_armed_can_be_taken_away() -> None:
    rig, ada, root = with_admin()
    answers = [ask(root, ada, "ghost", for_ms=86_400_000)["op"] for _ in range(MAX_ARMED + 40)]
    assert answers == ["reply"] * MAX_ARMED + ["error"] * 40
    assert rig.gateway.metrics.faults == MAX_ARMED
    assert ask(root, ada, "off")["d"] == {"off": MAX_ARMED}
    assert rig.gateway.metrics.faults == 0


@pytest.mark.parametrize(
    "kind", ["ghost", "no_heartbeat", "rate_limit", "resume_refused", "half_open", "slow_consumer"]
)
def test_a_session_that_is_over_takes_its_faults_with_it(kind: str) -> None:
    """Else the 256 that a gateway holds would be those of the dead for a day."""
    rig, ada, root = with_admin(heartbeat_s=900_000.0)
    ask(root, ada, kind, **({} if kind == "slow_consumer" else {"for_ms": 86_400_000}))
    ada.drop(1000)
    assert rig.gateway.metrics.faults == 0


def test_a_session_that_nobody_takes_up_again_takes_its_faults_with_it() -> None:
    rig, ada, root = with_admin(heartbeat_s=900_000.0, resume_ttl_s=60.0)
    ask(root, ada, "ghost", for_ms=86_400_000)
    for _ in range(3):
        rig.move(50, step=10)
        ada.drop()
        rig.move(50, step=10)
        assert rig.gateway.metrics.faults == 1
        again = rig.peer()
        again.resume(ada)
        ada = again
    ada.drop()
    rig.move(61, step=10)
    assert rig.gateway.metrics.faults == 0


def test_a_session_that_is_sent_away_stays_half_open_until_its_time_is_over() -> None:
    rig, ada, root = with_admin(heartbeat_s=900_000.0)
    ask(root, ada, "half_open", for_ms=10_000)
    root.command("kick", session=ada.session, code=4410, cause="kicked")
    rig.move(9, step=1)
    assert (ada.wire.closed, ada.wire.breaks) == (None, [])
    rig.move(2, step=1)
    assert ada.wire.breaks == ["reset"]


def test_a_fault_that_has_not_begun_yet_does_nothing() -> None:
    rig, ada, root = with_admin()
    ask(root, ada, "resume_refused", after_ms=HOUR_MS)
    ask(root, ada, "rate_limit", after_ms=HOUR_MS)
    ask(root, ada, "ghost")  # so that its frames are looked at
    assert only(ada.publish("one"), "reply")
    ada.drop()
    again = rig.peer()
    assert "resumed" in ops(again.resume(ada))
    assert only(again.publish("two"), "reply")


def test_connections_that_flap_are_not_kept_until_they_would_have_been_cut() -> None:
    rig, ada, root = with_admin()
    ask(root, ada, "flapping", parameters={"up": 3_600}, for_ms=86_400_000)
    gc.collect()
    before = connections()
    for _ in range(5):
        ada.drop()
        again = rig.peer()
        again.resume(ada)
        ada = again
    gc.collect()
    assert connections() == before


def test_a_command_that_is_sent_again_does_not_break_its_session_again() -> None:
    """An admin that resets itself resends what was not answered: that may not go on for ever."""
    rig = Rig(faults_allowed=True)
    root = rig.player("root;admin")
    number = root.number + 1
    root.command("fault", session=root.session, kind="reset")
    root.drop()
    again = rig.peer()
    again.resume(root, token="root;admin")
    frames = again.send(op="fault", id=number, session=again.session, kind="reset")
    assert again.wire.breaks == []
    assert [frame["op"] for frame in frames] == ["reply"]


# ------------------------------------------------------------ where it may be on


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "localhost.example.com", "play.example.com", "127.0.0.1.nip.io", "localtest.me", "0", "2130706433", ""],
)  # fmt: skip
def test_faults_said_once_are_refused_wherever_others_may_come_in(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SONDE_JWT_SECRET", "s" * 48)
    with pytest.raises(ConfigInvalid):
        load_settings(None, {"host": host, "faults": "local"})


@pytest.mark.parametrize(
    "front",
    [
        {"trusted_proxies": "127.0.0.1"},
        {"trusted_proxies": "127.0.0.1", "proxy_protocol": "require"},
        {"allowed_hosts": "play.example.com"},
    ],
)
def test_faults_said_once_are_refused_behind_a_balancer_on_this_machine(
    front: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SONDE_JWT_SECRET", "s" * 48)
    for name, value in front.items():
        monkeypatch.setenv(f"SONDE_{name.upper()}", f'["{value}"]' if name != "proxy_protocol" else value)
    with pytest.raises(ConfigInvalid, match="reached from outside"):
        load_settings(None, {"faults": "local"})
    assert load_settings(None, {"faults": "remote"}).gateway_config().faults_allowed
    assert load_settings(None, {}).gateway_config().faults_allowed is False


@pytest.mark.parametrize("codec", [JSON, MSGPACK])
@pytest.mark.parametrize(
    "frame",
    [{"op": []}, {"op": {}}, {"op": None, "id": 1}, {"op": "ping", "t": []}, {"id": 10**30}, {"id": True}, {"id": -1}, {"id": 1.5}, {"id": []}, {"op": "fault", "id": 10**18}, [], "x", 1, None],
    ids=str,
)  # fmt: skip
def test_no_frame_of_a_session_with_faults_is_the_gateways_own_failure(
    codec: Any, frame: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(faults_allowed=True)
    ada, root = rig.player("ada", codec=codec), rig.player("root;admin")
    for kind in ("no_heartbeat", "rate_limit", "ghost", "clock_skew", "missing_reply"):
        ask(root, ada, kind, **({"direction": "both"} if kind == "no_heartbeat" else {}))
    try:
        data = msgspec.msgpack.encode(frame) if codec.binary else json.dumps(frame).encode()
    except OverflowError:
        return  # MessagePack has no such number
    ada.raw(data)
    assert ada.wire.closed is None or ada.wire.closed[0] != 1011
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
