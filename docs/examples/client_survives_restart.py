"""A client that lives through drops and restarts of its gateway.

    python client_survives_restart.py URL TOKEN [SECONDS]

Start it, then stop the gateway, start it again, or pull the cable: it says what it sees and goes on by itself.
"""

import asyncio
import sys

from sonde_client import Channel, Client, OutcomeUnknown
from sonde_client.events import Failed, SessionLost, SessionResumed, StatusChanged


def narrate(client: Client) -> None:
    """Print what happens to the connection, in the client's own words."""
    client.on(StatusChanged, lambda e: print("state:", e.status.state.value, flush=True))
    client.on(Failed, lambda e: print("failed:", e.failure, flush=True))
    client.on(SessionResumed, lambda e: print(f"resumed: {e.report.replayed} entries replayed", flush=True))
    client.on(
        SessionLost, lambda e: print(f"new session: {len(e.unknown_commands)} outcomes unknown", flush=True)
    )


async def walk(client: Client, room: Channel) -> None:
    """Move along the x axis, five steps a second, whatever happens to the gateway."""
    x = 0.0
    while True:
        x += 1.0
        try:
            seq = await room.patch({"players": {client.status.user: {"x": x}}})
            print(f"walked to {x} (#{seq})", flush=True)
        except OutcomeUnknown as unknown:
            print("perhaps walked:", unknown, flush=True)
        await asyncio.sleep(0.2)


async def main(url: str, token: str, seconds: float) -> None:
    client = Client(url, token=token, name="survivor")
    narrate(client)
    async with client:
        room = await client.subscribe("room:arena", presence=True)
        walking = asyncio.create_task(walk(client, room))
        await asyncio.wait([walking], timeout=seconds)
        walking.cancel()
        print("at the end:", room.state, f"with {len(room.members)} present", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float((*sys.argv[3:], "3600")[0])))
