"""A backend service: keeps the score of every room, over NATS alone.

Players publish `goal` events; this service counts them, patches the score into the room's state and says who
leads. It needs nothing of Sonde but the subjects: `python match_service.py nats://127.0.0.1:4222`.
A command that names the goal it answers is done once, however often it is sent.
"""

import asyncio
import json
import sys
from collections import defaultdict

import nats
from nats.errors import Error

TRIES = 5
scores: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
seen: set[tuple[str, int]] = set()


async def ask(bus: nats.NATS, subject: str, **fields: object) -> dict[str, object]:
    """Ask any gateway. What is temporary, or was not answered, is asked again under the same command."""
    for wait_s in (0.1 * 2**number for number in range(TRIES)):
        try:
            answer = json.loads((await bus.request(subject, json.dumps(fields).encode(), timeout=2)).data)
        except Error:
            await asyncio.sleep(wait_s)
            continue
        if answer["ok"]:
            return answer["d"]
        if not answer["error"]["temporary"]:
            raise RuntimeError(answer["error"]["message"])
        await asyncio.sleep(answer["error"].get("retry_ms", 100) / 1000)
    raise RuntimeError("no gateway answers")


async def on_goal(bus: nats.NATS, goal: dict) -> None:
    """Count it, write the score, name the leader."""
    ch, seq, player = goal["ch"], goal["seq"], goal["from"]
    if seq is None or (ch, seq) in seen:
        return
    seen.add((ch, seq))
    scores[ch][player] += 1
    command = f"goal/{ch}/{seq}"
    await ask(bus, "sonde.v1.patch", command=f"{command}/score", ch=ch, d={"score": dict(scores[ch])})
    leader = max(scores[ch], key=lambda name: scores[ch][name])
    said = {"leader": leader, "goals": scores[ch][leader]}
    await ask(bus, "sonde.v1.publish", command=f"{command}/leader", ch=ch, type="leader", d=said)


async def main(url: str) -> None:
    bus = await nats.connect(url, connect_timeout=2, max_reconnect_attempts=-1)
    goals = await bus.subscribe("sonde.v1.client.room.goal", queue="match-service")
    lives = await bus.subscribe("sonde.v1.lifecycle.*")
    await bus.flush()
    print("ready", flush=True)

    async def follow_sessions() -> None:
        async for news in lives.messages:
            facts = json.loads(news.data)
            print(news.subject.rpartition(".")[2], facts["user"], flush=True)

    following = asyncio.create_task(follow_sessions())
    async for message in goals.messages:
        try:
            await on_goal(bus, json.loads(message.data))
        except RuntimeError as error:
            print(f"a goal was not counted: {error}", file=sys.stderr, flush=True)
    await following


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
