"""publish and patch: what changes a channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sonde_protocol.codes import DeliveryClass, Role
from sonde_protocol.cursor import Cursor
from sonde_protocol.frames import Patch, Publish
from sonde_server.core.authority import Actor
from sonde_server.core.heralding import tell_client_event
from sonde_server.core.records import VOLATILE_SEQ, CommandKey, Entry, Fenced, NewEvent, StoreUnavailable
from sonde_server.core.state import Asker, Contribution

if TYPE_CHECKING:
    from sonde_server.core.connection import Connection
    from sonde_server.core.hub import Hub
    from sonde_server.core.session import Session


class Publication(Protocol):
    """What is published, by a client's frame or a service's request."""

    @property
    def ch(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def d(self) -> Any: ...
    @property
    def class_(self) -> DeliveryClass: ...
    @property
    def key(self) -> str | None: ...


class Change(Protocol):
    """A merge patch, by a client's frame or a service's request."""

    @property
    def ch(self) -> str: ...
    @property
    def d(self) -> dict[str, Any]: ...
    @property
    def base(self) -> int | None: ...


async def publish(
    hub: Hub, session: Session, connection: Connection, frame: Publish, repeat: bool
) -> dict[str, Any] | None:
    """Append an event, once per number; or pass a volatile one on."""
    try:
        entry, answer = await put(hub, session, frame, session.key(frame.id))
    except Fenced:
        hub.lifecycle.supersede(session)  # void: it has moved, and asks again where it lives now
        return None
    if entry is not None:
        tell_client_event(hub, session, entry)
    return answer


async def put(
    hub: Hub, actor: Actor, what: Publication, key: CommandKey
) -> tuple[Entry | None, dict[str, Any]]:
    """Append for whoever may, once per command. The entry (`None`: a repeat) and the answer.

    Raises:
        Refused: the actor may not publish there.
        Fenced: the command's generation is over.
    """
    room = hub.rooms.get(what.ch)
    config = hub.authority.to_publish(actor, what.ch, None if room is None else room.config)
    ts = hub.wall_ms()
    if what.class_ is DeliveryClass.VOLATILE:
        passing = Entry(what.ch, VOLATILE_SEQ, what.type, what.d, actor.user, ts, class_=what.class_)
        await hand_out(hub, "", passing)
        return passing, {}
    hub.continuity.require()
    event = NewEvent(what.type, what.d, actor.user, ts, what.class_, what.key)
    try:
        appended = await hub.backend.log.append(what.ch, config.limits, event, key)
    except StoreUnavailable:
        hub.continuity.unsure(what.ch)
        raise
    if appended.entry is None:
        hub.metrics.repeats_total += 1
        return None, {"seq": appended.seq}
    hub.metrics.entries_total += 1
    await hand_out(hub, appended.epoch, appended.entry)
    if appended.seq % hub.config.checkpoint_every == 0 and config.state:
        hub.run(hub.keep_checkpoint(what.ch), "checkpoint")
    return appended.entry, {"seq": appended.seq}


async def hand_out(hub: Hub, epoch: str, entry: Entry) -> None:
    """Give an entry to whoever listens, here and on other nodes."""
    room = hub.rooms.get(entry.ch)
    if room is not None:
        room.receive(epoch, entry)
    await hub.backend.bus.publish(hub.life, entry.ch, epoch, entry)


async def patch(hub: Hub, session: Session, connection: Connection, frame: Patch, repeat: bool) -> None:
    """Join the room's open tick; the answer comes when it is committed."""
    await contribute(hub, session, frame, session.key(frame.id), connection, repeat)


async def contribute(
    hub: Hub, actor: Actor, change: Change, key: CommandKey, asker: Asker, repeat: bool
) -> None:
    """Add a patch of whoever may to the open tick; `asker` is told when it is committed.

    Raises:
        Refused: the actor may not patch that, or the patch does not fit.
    """
    hub.authority.to_patch(actor, change.ch, change.d)
    hub.continuity.require()
    room = await hub.open_room(change.ch)
    try:
        document = await hub.document(room)
        contribution = Contribution(
            key=key,
            user=actor.user,
            patch=change.d,
            base=None if change.base is None else Cursor(document.epoch, change.base),
            asker=asker,
            is_limited=Role.SERVICE not in actor.roles,
        )
        await document.patch(contribution, may_be_repeat=repeat)
    finally:
        hub.close_room(room)
