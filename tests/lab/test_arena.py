"""How simulated players behave, without a socket or a clock."""

from __future__ import annotations

import math
from collections import Counter

from sonde_lab.arena import FULL_HEALTH, SIZE, Appear, Deed, Drop, Move, Player, Say, name_of


def minutes(player: Player, count: float, others: dict[str, object] | None = None) -> list[Deed]:
    return [deed for _ in range(int(count * 300)) for deed in player.step(0.2, others or {})]


def test_same_seed_walks_the_same_ways_and_another_seed_does_not() -> None:
    assert minutes(Player("ada", 7), 3) == minutes(Player("ada", 7), 3)
    assert minutes(Player("ada", 7), 3) != minutes(Player("ada", 8), 3)
    assert minutes(Player("ada", 7), 3) != minutes(Player("bertil", 7), 3)


def test_player_walks_smoothly_and_stays_in_the_arena() -> None:
    player = Player("ada", 1)
    x, y = player.x, player.y
    for _ in range(3_000):
        player.step(0.2, {})
        assert 0 <= player.x <= SIZE
        assert 0 <= player.y <= SIZE
        assert math.hypot(player.x - x, player.y - y) <= 9.0 * 0.2 + 1e-9
        x, y = player.x, player.y


def test_player_has_a_life_within_ten_minutes() -> None:
    deeds = minutes(Player("ada", 1), 10, {"bo": {"x": 50, "y": 50}, "ada": {}, "odd": 5})
    said = Counter(deed.type for deed in deeds if isinstance(deed, Say))
    assert said["chat"] >= 10
    assert said["emote"] >= 4
    assert len({deed.data["text"] for deed in deeds if isinstance(deed, Say) and deed.type == "chat"}) >= 8
    assert {deed.status for deed in deeds if isinstance(deed, Appear)} >= {"online", "away"}
    drops = [deed.away_s for deed in deeds if isinstance(deed, Drop)]
    assert len(drops) >= 4
    assert 0.0 in drops
    assert max(drops) > 1.0


def test_player_hits_only_who_is_near() -> None:
    player = Player("ada", 3)
    far = {"bo": {"x": 1_000, "y": 1_000}}
    assert not [deed for deed in minutes(player, 5, far) if isinstance(deed, Say) and deed.type == "hit"]
    hits = [
        deed
        for _ in range(3_000)
        for deed in player.step(0.2, {"bo": {"x": player.x, "y": player.y}})
        if isinstance(deed, Say) and deed.type == "hit"
    ]
    assert {hit.data["target"] for hit in hits} == {"bo"}


def test_hit_lowers_health_and_the_last_one_brings_the_player_back() -> None:
    player = Player("ada", 1)
    assert player.on_hit(30) == [Move({"hp": 70})]
    deeds = player.on_hit(70)
    assert deeds[0] == Say("respawn", {"name": "ada"})
    assert player.health == FULL_HEALTH
    assert deeds[1] == Move(player.whole())


def test_player_who_is_away_does_not_walk() -> None:
    player = Player("ada", 1)
    while not any(isinstance(deed, Appear) and deed.status != "online" for deed in player.step(0.2, {})):
        pass
    assert player.step(0.2, {}) == []


def test_names_go_on_past_the_list() -> None:
    names = [name_of(index) for index in range(60)]
    assert names[:3] == ["ada", "bertil", "chidi"]
    assert len(set(names)) == 60
