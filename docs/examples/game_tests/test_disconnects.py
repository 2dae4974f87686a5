"""What a game team's own tests may look like: `pytest` in this folder, with Sonde installed.

`Score` stands for the team's own client: it follows a channel over a plain WebSocket and comes back when it is cut.
"""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from sonde_lab.testing import (
    eventually,
    expect_close,
    expect_converged,
    expect_no_duplicates,
    expect_no_lost_entries,
    expect_reconnected,
)

ROOM = "room:arena"


class Score:
    """The team's own client, short: it identifies, subscribes, and adds up goals."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token, self.goals, self.cursor = url, token, 0, None

    async def follow(self) -> None:
        while True:
            try:
                async with connect(self.url, subprotocols=["sonde.v1.json"], proxy=None) as socket:
                    await self._play(socket)
            except (ConnectionClosed, InvalidHandshake, OSError):
                await asyncio.sleep(0.05)

    async def _play(self, socket) -> None:
        about = {"name": "score", "version": "1"}
        await socket.send(json.dumps({"op": "identify", "token": self.token, "client": about}))
        async for text in socket:
            frame = json.loads(text)
            if frame["op"] == "ready":
                wish = {"op": "subscribe", "id": 1, "ch": ROOM, "cursor": self.cursor}
                await socket.send(json.dumps(wish))
            elif frame["op"] == "ping":
                await socket.send(json.dumps({"op": "pong", "n": frame["n"]}))
            elif frame["op"] == "live":
                self.cursor = [frame["epoch"], frame["seq"]]
            elif frame["op"] == "event" and frame["type"] == "goal":
                self.goals += 1
                self.cursor = [self.cursor[0], frame["seq"]]


# ---------------------------------------------------------------- plain tests


def test_a_client_that_is_dropped_misses_nothing(sonde_proxy, sonde_client):
    proxy = sonde_proxy()
    ada, ben = sonde_client("ada", rooms=[ROOM], to=proxy), sonde_client("ben", rooms=[ROOM])
    ben.publish(ROOM, "goal", {"by": "ben"})
    proxy.drop()
    ben.publish(ROOM, "goal", {"by": "ben"})
    assert expect_reconnected(ada, within=10, resumed=True).took_s < 10
    expect_no_lost_entries(ada, ben)
    expect_no_duplicates(ada, ben)
    assert ada.events("goal") == ({"by": "ben"}, {"by": "ben"})


def test_documents_agree_after_a_slow_and_broken_network(sonde_proxy, sonde_client):
    proxy = sonde_proxy()
    ada, ben = sonde_client("ada", rooms=ROOM, to=proxy), sonde_client("ben", rooms=ROOM)
    proxy.arm("latency 20ms ±10ms")
    ada.patch(ROOM, {"players": {"ada": {"hp": 100}}})
    proxy.cut()
    ben.patch(ROOM, {"players": {"ben": {"hp": 40}}})
    expect_reconnected(ada)
    expect_converged(ada, ben)
    assert ada.state(ROOM)["players"] == {"ada": {"hp": 100}, "ben": {"hp": 40}}


def test_a_kicked_player_stays_away(sonde_gateway, sonde_client):
    ada = sonde_client("ada", rooms=ROOM)
    sonde_gateway.kick(ada)
    expect_close(ada, 4410)
    eventually(lambda: ada.status.state.value == "stopped")


def test_a_client_outlives_its_gateway(sonde_gateway, sonde_client):
    ada = sonde_client("ada", rooms=ROOM)
    sonde_gateway.restart()
    expect_reconnected(ada, within=20, resumed=False)


# ---------------------------------------------------------------- asynchronous tests: the same, awaited


@pytest.mark.asyncio
async def test_our_own_client_counts_every_goal_over_a_drop(sonde_gateway, sonde_proxy, sonde_client):
    proxy = await sonde_proxy(sonde_gateway)
    ben = await sonde_client("ben", rooms=[ROOM])
    score = Score(proxy.url, await sonde_gateway.token("score"))
    following = asyncio.create_task(score.follow())
    await eventually(lambda: score.cursor is not None, within=10)
    await ben.publish(ROOM, "goal")
    await eventually(lambda: score.goals == 1)
    await proxy.drop()
    await ben.publish(ROOM, "goal")
    await expect_reconnected(proxy, within=10)
    await eventually(lambda: score.goals == 2, within=10)
    following.cancel()
    await asyncio.wait([following])
