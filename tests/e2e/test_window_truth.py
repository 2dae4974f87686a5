"""What the window shows, compared with what others saw: a byte relay with a parser of its own, and a foreign peer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import aiohttp
import pytest

from sonde_lab import endpoints
from sonde_lab.endpoints import Endpoint, TokenKind, TokenSource
from sonde_lab.records import Direction, Kind, Record
from sonde_lab.ring import Ring
from support.processes import GatewayProcess
from support.relay import Relay
from support.tokens import mint
from support.window import Person

pytestmark = pytest.mark.slow
Tell = Callable[..., None]


def through(relay: Relay) -> Endpoint:
    token = TokenSource(TokenKind.PASTE, mint("you", "player", "monitor", "admin"))
    return endpoints.remote(relay.url, token, name="relay")


def frames_shown(person: Person, direction: Direction, dial: int | None = None) -> list[str]:
    """Rows of whole messages and control frames in the ring, by the type that the table shows, in order."""
    ring = person.workbench.ring
    records = (ring.record(row_id) for row_id in range(ring.first_id, ring.next_id))
    return [
        record.op
        for record in records
        if record.kind is Kind.FRAME and record.direction is direction and dial in (None, record.dial)
    ]


def dials_shown(person: Person) -> list[int]:
    """The sockets that the rows tell of, in the order in which they came."""
    ring = person.workbench.ring
    records = (ring.record(row_id) for row_id in range(ring.first_id, ring.next_id))
    return list(dict.fromkeys(record.dial for record in records if record.kind is Kind.FRAME))


async def foreign_member(
    url: str, sub: str
) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse, dict]:
    """Another program in the room, over another library: its presence snapshot is the truth."""
    session = aiohttp.ClientSession()
    socket = await session.ws_connect(
        url, protocols=["sonde.v1.json"], headers={"Authorization": f"Bearer {mint(sub)}"}
    )
    await socket.send_json({"op": "identify", "client": {"name": "aiohttp", "version": "1"}})
    await socket.send_json({"op": "subscribe", "id": 1, "ch": "room:arena", "presence": True})
    while True:
        frame = await socket.receive_json(timeout=10)
        if frame["op"] == "presence" and frame["kind"] == "snapshot":
            return session, socket, frame


def test_rows_equal_what_an_independent_relay_counted(tell: Tell, gateway: GatewayProcess) -> None:
    async def story(person: Person) -> None:
        with Relay(gateway.port) as relay:
            await person.do(lambda: person.desk.commands.open_endpoint(through(relay)))
            await person.until(lambda: "room:arena" in shown_channels(person), "the room was joined")
            await person.workbench.send('{"op":"publish","ch":"room:arena","type":"chat","d":{"text":"hi"}}')
            await person.workbench.send("/ping")
            await person.until(lambda: "event" in frames_shown(person, Direction.IN), "our chat came back")
            await person.do(person.workbench.drop)
            await person.until(
                lambda: "resumed" in frames_shown(person, Direction.IN), "the session was resumed"
            )
            await person.do(person.workbench.disconnect)
            await goodbyes_are_rows(person)
            cut, closed = relay.stop()
            first, second = dials_shown(person)
            assert frames_shown(person, Direction.OUT, second) == closed.out
            assert frames_shown(person, Direction.IN, second) == closed.in_
            # What was under way when the socket was cut reached only one of the two.
            assert_begins_with(cut.in_, frames_shown(person, Direction.IN, first))
            assert_begins_with(frames_shown(person, Direction.OUT, first), cut.out)

    tell(story, players=False)


async def goodbyes_are_rows(person: Person) -> None:
    """Rows come in batches: wait for the last two, our close frame and the gateway's answer to it."""
    for direction in (Direction.OUT, Direction.IN):
        await person.until(
            lambda d=direction: "close" in frames_shown(person, d), f"the goodbye {direction.name}"
        )


def assert_begins_with(longer: list[str], shorter: list[str], under_way: int = 8) -> None:
    assert longer[: len(shorter)] == shorter
    assert len(longer) - len(shorter) <= under_way


def shown_channels(person: Person) -> set[str]:
    client = person.workbench.clients.get("you")
    return set(client.channels) if client is not None else set()


def shown_members(person: Person) -> set[tuple[str, str]]:
    model = person.views.presence.model
    people = (model.item(row) for row in range(model.rowCount()))
    return {(person.user, person.status) for person in people if person is not None}


def test_presence_equals_a_foreign_peers_snapshot(tell: Tell, gateway: GatewayProcess) -> None:
    async def story(person: Person) -> None:
        with Relay(gateway.port) as relay:
            await person.do(lambda: person.desk.commands.open_endpoint(through(relay)))
            await person.until(lambda: len(shown_members(person)) == 1, "we are alone in the room")
            others = [await foreign_member(gateway.url, f"peer{n}") for n in range(3)]
            await others[0][1].send_json({"op": "set_presence", "id": 2, "status": "busy"})
            await person.until(lambda: ("peer0", "busy") in shown_members(person), "a peer is busy")
            await others[1][1].close()
            await person.until(lambda: ("peer1", "online") not in shown_members(person), "a peer has left")
            session, socket, snapshot = await foreign_member(gateway.url, "witness")
            truth = {(member["user"], member["status"]) for member in snapshot["members"]}
            await person.until(lambda: shown_members(person) == truth, f"the list equals {truth}")
            for each, its_socket, _ in [*others, (session, socket, snapshot)]:
                await its_socket.close()
                await each.close()

    tell(story, players=False)


async def rtts_through(person: Person, gateway: GatewayProcess, delay_s: float) -> list[float]:
    with Relay(gateway.port, delay_s=delay_s) as relay:
        await person.do(lambda: person.desk.commands.open_endpoint(through(relay)))
        samples: list[float] = []
        person.session.bridge.changed.connect(lambda changes: samples.extend(s.rtt_ms for s in changes.rtt))
        await person.until(lambda: len(samples) >= 3, "three round trips were measured")
        await person.until(
            lambda: min(samples) <= 2_000 * delay_s + 20,
            "a round trip took little more than the relay's delays",
        )
        return samples


def test_delay_put_into_the_relay_shows_as_round_trip_time(tell: Tell, gateway: GatewayProcess) -> None:
    measured: list[float] = []

    async def story(person: Person) -> None:
        measured.extend(await rtts_through(person, gateway, delay_s=0.040))
        text = person.desk.status.rtt.text()
        assert text.endswith("ms")
        assert float(text.split()[0]) >= 80

    tell(story, players=False)
    assert min(measured) >= 80


# ------------------------------------------------- each comparison can go red


def test_a_planted_lost_row_is_seen(
    tell: Tell, gateway: GatewayProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recorder loses the first reply: the same comparison as above then finds one row too few."""
    original, lost = Ring.extend, []

    def losing(ring: Ring, records: Sequence[Record]) -> range:
        kept = [record for record in records if lost or record.op != "reply" or lost.append(record)]
        return original(ring, kept)

    async def story(person: Person) -> None:
        with Relay(gateway.port) as relay:
            await person.do(lambda: person.desk.commands.open_endpoint(through(relay)))
            await person.until(lambda: "room:arena" in shown_channels(person), "the room was joined")
            await person.until(
                lambda: frames_shown(person, Direction.IN).count("live") >= 2, "channels are live"
            )
            await person.do(person.workbench.disconnect)
            await goodbyes_are_rows(person)
            relayed = relay.stop()[0].in_
            assert len(lost) == 1
            assert frames_shown(person, Direction.IN) != relayed
            assert Counter(relayed) - Counter(frames_shown(person, Direction.IN)) == {"reply": 1}

    monkeypatch.setattr(Ring, "extend", losing)
    tell(story, players=False)


def test_without_planted_delay_the_round_trip_is_far_below_it(tell: Tell, gateway: GatewayProcess) -> None:
    measured: list[float] = []

    async def story(person: Person) -> None:
        measured.extend(await rtts_through(person, gateway, delay_s=0.0))

    tell(story, players=False)
    assert min(measured) < 80
