"""Documents: ticks that merge patches, authority, bases, hashes, checkpoints, trimming and parts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde_protocol.merge import apply, state_hash
from sonde_server.adapters.memory_log import MemoryLog
from sonde_server.core.records import LogLimits, StaleDelta
from support.gateway_rig import Peer, Rig, all_of, only, ops, run_now


def players(**positions: Any) -> dict[str, Any]:
    """`players(ada=1)` → a patch of ada's part."""
    return {"players": {name: value if value is None else {"x": value} for name, value in positions.items()}}


def test_a_patch_is_answered_when_its_tick_is_committed() -> None:
    rig = Rig()
    ada = rig.player()
    ada.subscribe()
    assert ada.patch(players(ada=1)) == []
    rig.move(0.04, step=0.01)
    assert ada.frames() == []
    rig.move(0.02, step=0.01)
    frames = ada.frames()
    assert only(frames, "reply")["d"] == {"seq": 1}
    delta = only(frames, "delta")
    assert (delta["seq"], delta["d"], delta["from"]) == (1, players(ada=1), "ada")


def test_a_tick_is_one_entry_whoever_patched_and_names_nobody_when_several_did() -> None:
    rig = Rig()
    peers = [rig.player(name) for name in ("ada", "bob", "cia")]
    watcher = rig.player("eve")
    watcher.subscribe()
    for peer in peers:
        peer.patch({"players": {peer_name(peer): {"x": 1}}})
        peer.patch({"players": {peer_name(peer): {"y": 2}}})
    rig.move(0.1)
    delta = only(watcher.frames(), "delta")
    assert delta["from"] is None
    assert delta["d"] == {"players": {name: {"x": 1, "y": 2} for name in ("ada", "bob", "cia")}}
    for peer in peers:
        assert [(r["id"], r["d"]) for r in all_of(peer.frames(), "reply")] == [
            (1, {"seq": 1}),
            (2, {"seq": 1}),
        ]


def peer_name(peer: Peer) -> str:
    session = peer.connection.session
    assert session is not None
    return session.user


def test_removing_and_making_anew_in_one_tick_forgets_what_was_removed() -> None:
    rig = Rig()
    service = rig.player("world;service")
    service.subscribe()
    service.patch({"p": {"hp": 3, "armour": 5}})
    rig.move(0.1)
    service.frames()
    service.patch({"p": None})
    service.patch({"p": {"hp": 10}})
    rig.move(0.1)
    delta = only(service.frames(), "delta")
    assert delta["d"] == {"p": {"hp": 10, "armour": None}}
    assert only(service.command("sync", ch="room:arena"), "snapshot")["d"] == {"p": {"hp": 10}}


def test_a_tick_that_changes_nothing_is_answered_without_an_entry() -> None:
    rig = Rig()
    ada = rig.player()
    ada.subscribe()
    ada.patch(players(ada=1))
    rig.move(0.1)
    ada.frames()
    ada.patch(players(ada=1))
    rig.move(0.1)
    assert ada.frames() == [{"op": "reply", "id": 3, "d": {"seq": 1}}]


@pytest.mark.parametrize(
    "patch",
    [
        {"players": {"bob": {"x": 1}}},
        {"players": {"ada": {"x": 1}, "bob": None}},
        {"players": None},
        {"players": 3},
        {"players": [1]},
        {"weather": "rain"},
        {"players": {"ada": {"x": 1}}, "weather": "rain"},
    ],
)
def test_a_player_may_patch_only_its_own_part(patch: dict[str, Any]) -> None:
    rig = Rig()
    ada = rig.player()
    assert only(ada.patch(patch), "error")["code"] == "forbidden"
    rig.move(0.1)
    assert ada.frames() == []


@pytest.mark.parametrize("patch", [{}, {"players": {}}, {"players": {"ada": None}}, {"players": {"ada": 7}}])
def test_a_player_may_do_with_its_own_part_what_it_likes(patch: dict[str, Any]) -> None:
    rig = Rig()
    ada = rig.player()
    ada.patch(patch)
    rig.move(0.1)
    assert ops(ada.frames()) == ["reply"]


def test_a_service_may_patch_everything() -> None:
    rig = Rig()
    service = rig.player("world;service")
    service.patch({"weather": "rain", "players": {"ada": {"x": 0}}})
    rig.move(0.1)
    assert only(service.frames(), "reply")["d"] == {"seq": 1}


def test_where_there_is_no_state_a_patch_is_not_supported() -> None:
    assert only(Rig().player().patch({}, ch="user:ada"), "error")["code"] == "not_supported"


# ------------------------------------------------------------ base


def test_a_base_that_is_the_last_delta_is_accepted() -> None:
    rig = Rig()
    ada = rig.player()
    ada.patch(players(ada=1), base=0)
    rig.move(0.1)
    ada.publish("an event between")
    ada.patch(players(ada=2), base=1)
    rig.move(0.1)
    assert only(ada.frames(), "reply")["d"] == {"seq": 3}
    ada.patch(players(ada=3), base=3)
    rig.move(0.1)
    assert only(ada.frames(), "reply")["d"] == {"seq": 4}


def test_an_older_base_conflicts_and_says_where_the_state_is() -> None:
    rig = Rig()
    ada, bob = rig.player(), rig.player("bob")
    bob.patch(players(bob=1))
    rig.move(0.1)
    error = only(ada.patch(players(ada=1), base=0), "error")
    assert (error["code"], error["d"], error["temporary"]) == ("conflict", {"seq": 1}, False)


def test_a_base_beyond_the_log_is_of_another_epoch() -> None:
    error = only(Rig().player().patch(players(ada=1), base=5), "error")
    assert (error["code"], error["d"]) == ("conflict", {"seq": 0})


def test_a_base_conflicts_with_an_open_tick() -> None:
    rig = Rig()
    ada, bob = rig.player(), rig.player("bob")
    bob.patch(players(bob=1))
    assert only(ada.patch(players(ada=1), base=0), "error")["code"] == "conflict"


# ------------------------------------------------------------ repeats


def test_a_repeated_patch_in_the_open_tick_is_applied_and_answered_once() -> None:
    rig = Rig()
    ada = rig.player()
    ada.subscribe()
    ada.patch(players(ada=1))
    ada.send(op="patch", id=2, ch="room:arena", d=players(ada=1))
    rig.move(0.1)
    assert ops(ada.frames()) == ["delta", "reply"]


def test_a_repeated_patch_is_not_applied_over_newer_ones() -> None:
    rig = Rig()
    ada = rig.player()
    ada.subscribe()
    ada.patch(players(ada=1))
    rig.move(0.1)
    ada.patch(players(ada=2))
    rig.move(0.1)
    ada.frames()
    assert ada.send(op="patch", id=2, ch="room:arena", d=players(ada=1)) == [
        {"op": "reply", "id": 2, "d": {"seq": 1}}
    ]
    rig.move(0.1)
    assert ada.frames() == []


def test_a_repeat_of_a_patch_that_changed_nothing_is_remembered_too() -> None:
    rig = Rig()
    ada = rig.player()
    ada.patch(players(ada=1))
    rig.move(0.1)
    ada.patch(players(ada=1))
    rig.move(0.1)
    ada.patch(players(ada=2))
    rig.move(0.1)
    ada.frames()
    assert only(ada.send(op="patch", id=2, ch="room:arena", d=players(ada=1)), "reply")["d"] == {"seq": 1}
    rig.move(0.1)
    assert only(rig.player("bob").subscribe(), "snapshot")["d"] == players(ada=2)


# ------------------------------------------------------------ hash, size, parts


def test_every_64th_delta_carries_the_hash_of_the_document_after_it() -> None:
    rig = Rig()
    ada = rig.player()
    ada.subscribe()
    document: Any = {}
    hashes = {}
    for number in range(1, 131):
        ada.patch(players(ada=number))
        rig.move(0.06, step=0.03)
        delta = only(ada.frames(), "delta")
        document = apply(document, delta["d"])
        if "hash" in delta:
            hashes[number] = delta["hash"] == state_hash(document)
    assert hashes == {64: True, 128: True}


def test_the_snapshot_hash_is_that_of_its_document() -> None:
    rig = Rig()
    ada = rig.player()
    ada.patch({"players": {"ada": {"x": 1.0, "y": -0.0, "tags": [1, None], "name": "Åda"}}})
    rig.move(0.1)
    snapshot = only(rig.player("bob").subscribe(), "snapshot")
    assert snapshot["hash"] == state_hash(snapshot["d"])


def test_documents_hold_no_nulls() -> None:
    rig = Rig()
    ada = rig.player()
    ada.patch({"players": {"ada": {"x": 1, "gone": None, "deep": {"gone": None}}}})
    rig.move(0.1)
    assert only(rig.player("bob").subscribe(), "snapshot")["d"] == {"players": {"ada": {"x": 1, "deep": {}}}}


def test_a_document_may_not_grow_over_its_limit() -> None:
    rig = Rig(max_document_bytes=1_000)
    service = rig.player("world;service")
    service.patch({"a": "x" * 600})
    assert only(service.patch({"b": "x" * 600}), "error")["code"] == "too_large"
    for size in (700, 800, 700):
        rig.move(0.1)
        service.patch({"a": "x" * size})
    rig.move(0.1)
    assert only(rig.player("bob").subscribe(), "snapshot")["d"] == {"a": "x" * 700}


def test_one_players_part_may_not_grow_over_its_limit() -> None:
    rig = Rig(max_player_bytes=1_000)
    ada = rig.player()
    ada.patch({"players": {"ada": {"a": "x" * 600}}})
    rig.move(0.1)
    assert only(ada.frames(), "reply")
    assert only(ada.patch({"players": {"ada": {"b": "x" * 600}}}), "error")["code"] == "too_large"
    ada.patch({"players": {"ada": {"a": "x" * 900}}})
    rig.move(0.1)
    assert only(ada.frames(), "reply")
    service = rig.player("world;service")
    service.patch({"players": {"ada": {"b": "x" * 600}}})
    rig.move(0.1)
    assert only(service.frames(), "reply")


def test_a_tick_holds_a_bounded_number_of_patches() -> None:
    rig = Rig(max_tick_patches=3)
    ada = rig.player()
    for _ in range(3):
        assert ada.patch({}) == []
    error = only(ada.patch({}), "error")
    assert (error["code"], error["temporary"]) == ("overloaded", True)


def test_a_large_snapshot_comes_in_parts_that_make_the_whole() -> None:
    rig = Rig(inbound_bytes_per_s=1e9)
    service = rig.player("world;service")
    for number in range(30):
        service.patch({f"k{number}": '"é\\' * 9_000})
        rig.move(0.06, step=0.03)
    reader = rig.player("bob")
    frames = reader.subscribe()
    assert ops(frames)[0] == "reply"
    assert ops(frames)[-1] == "live"
    parts = all_of(frames, "snapshot")
    assert len(parts) > 1
    assert [part["part"] for part in parts] == list(range(len(parts)))
    assert {(part["parts"], part["seq"], part["hash"]) for part in parts} == {
        (len(parts), 30, parts[0]["hash"])
    }
    assert max(map(len, reader.wire.sent)) <= 1024 * 1024
    document = json.loads("".join(part["d"] for part in parts))
    assert set(document) == {f"k{number}" for number in range(30)}
    assert state_hash(document) == parts[0]["hash"]


# ------------------------------------------------------------ log limits


def test_the_log_is_trimmed_to_its_limit_even_when_deltas_are_among_the_events() -> None:
    rig = Rig(commands_per_s=1e9, commands_burst=1e9, user_commands_per_s=1e9, user_commands_burst=1e9)
    ada = rig.player()
    ada.patch(players(ada=1))
    rig.move(0.1)
    for number in range(6_000):
        ada.publish(number)
    top = run_now(rig.backend.log.top("room:arena", LogLimits(4_000, 600)))
    assert top.seq == 6_001
    assert 4_000 <= top.seq - top.first + 1 <= 5_000
    ada.frames()
    assert only(rig.player("bob").subscribe(), "snapshot")["d"] == players(ada=1)


def test_old_entries_go_by_age_and_the_state_stays() -> None:
    rig = Rig()
    ada = rig.player()
    for number in range(1, 65):
        ada.patch(players(ada=number))
        rig.move(0.06, step=0.03)
    ada.publish("old")
    epoch = ada.subscribe()[0]["d"]["epoch"]
    ada.drop()
    rig.move(601, step=5)
    bob = rig.player("bob")
    page = only(bob.command("history", ch="room:arena", after=0, limit=100), "reply")["d"]
    assert (page["first"], page["top"], page["entries"]) == (66, 65, [])
    frames = bob.subscribe(cursor=[epoch, 10])
    assert frames[0]["d"]["cause"] == "trimmed"
    assert only(frames, "snapshot")["d"] == players(ada=64)
    assert ops(rig.player("cia").subscribe(cursor=[epoch, 65])) == ["reply", "live"]


def test_deltas_that_no_checkpoint_holds_are_never_trimmed() -> None:
    rig = Rig()
    ada = rig.player()
    ada.patch(players(ada=1))
    rig.move(0.1)
    ada.drop()
    rig.move(700, step=5)
    assert only(rig.player("bob").subscribe(), "snapshot")["d"] == players(ada=1)


def test_when_the_log_loses_a_channel_listeners_get_a_snapshot_that_says_so() -> None:
    rig = Rig()
    ada, bob = rig.player(), rig.player("bob")
    for peer in (ada, bob):
        peer.subscribe()
    ada.patch(players(ada=1))
    rig.move(0.1)
    for peer in (ada, bob):
        peer.frames()
    log = rig.backend.log
    assert isinstance(log, MemoryLog)
    log.forget("room:arena")
    ada.publish("in a new life")
    frames = bob.frames()
    assert ops(frames) == ["snapshot", "live"]
    assert (frames[0]["cause"], frames[0]["d"], frames[0]["seq"]) == ("epoch_changed", {}, 1)
    assert frames[1]["epoch"] == frames[0]["epoch"]
    ada.patch(players(ada=2))
    rig.move(0.1)
    assert only(bob.frames(), "delta")["d"] == players(ada=2)


def test_a_tick_on_a_lost_channel_is_made_again_in_the_new_life() -> None:
    rig = Rig()
    ada = rig.player()
    ada.subscribe()
    ada.patch(players(ada=1))
    rig.move(0.1)
    ada.frames()
    log = rig.backend.log
    assert isinstance(log, MemoryLog)
    log.forget("room:arena")
    ada.patch(players(ada=2))
    rig.move(0.1)
    frames = ada.frames()
    assert only(frames, "reply")["d"] == {"seq": 1}
    assert only(frames, "snapshot")["d"] == {}
    assert only(frames, "snapshot")["cause"] == "epoch_changed"
    assert only(frames, "delta")["d"] == players(ada=2)


# ------------------------------------------------------------ two nodes


def test_two_nodes_that_tick_one_document_end_with_the_same_one() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    ada, bob = rig.player("ada"), rig.player("bob", gateway=other)
    ada.subscribe()
    bob.subscribe()
    ada.patch(players(ada=1))
    bob.patch(players(bob=2))
    rig.move(0.1)
    for peer in (ada, bob):
        frames = peer.frames()
        assert ops(frames).count("reply") == 1
        assert [delta["seq"] for delta in all_of(frames, "delta")] == [1, 2]
    for gateway in (rig.gateway, other):
        assert only(rig.player("eve", gateway=gateway).subscribe(), "snapshot")["d"] == players(ada=1, bob=2)


def test_a_base_conflicts_with_what_another_node_committed_meanwhile() -> None:
    rig = Rig()
    other = rig.add_gateway("n2")
    ada, bob = rig.player("ada"), rig.player("bob", gateway=other)
    ada.patch(players(ada=1), base=0)
    bob.patch(players(bob=2), base=0)
    rig.move(0.1)
    answers = {frame["op"]: frame for peer in (ada, bob) for frame in peer.frames()}
    assert answers["reply"]["d"] == {"seq": 1}
    assert (answers["error"]["code"], answers["error"]["d"]) == ("conflict", {"seq": 1})


VALUES = st.recursive(
    st.none() | st.integers(0, 3), lambda inner: st.dictionaries(st.sampled_from("abc"), inner)
)
PATCHES = st.lists(st.lists(st.dictionaries(st.sampled_from("pqr"), VALUES), max_size=3), max_size=5)


@settings(max_examples=60, deadline=None)
@given(PATCHES)
def test_folding_the_deltas_gives_the_document_that_the_patches_give(
    ticks: list[list[dict[str, Any]]],
) -> None:
    rig = Rig()
    service, watcher = rig.player("world;service"), rig.player("eve")
    watcher.subscribe()
    expected: Any = {}
    seen: Any = {}
    for tick in ticks:
        for patch in tick:
            expected = apply(expected, patch)
            service.patch(patch)
        rig.move(0.06, step=0.06)
        for delta in all_of(watcher.frames(), "delta"):
            seen = apply(seen, delta["d"])
        assert seen == expected
    assert only(rig.player("bob").subscribe(), "snapshot")["d"] == expected


def test_a_tick_that_other_nodes_outrun_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig()
    ada = rig.player()
    ada.subscribe(state=True)

    async def outrun(*_: Any) -> Any:
        raise StaleDelta

    monkeypatch.setattr(type(rig.backend.log), "append_delta", outrun)
    ada.patch({"players": {"ada": {"hp": 1}}})
    rig.move(0.5)
    refused = only(ada.frames(), "error")
    assert (refused["code"], refused["temporary"]) == ("overloaded", True)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
