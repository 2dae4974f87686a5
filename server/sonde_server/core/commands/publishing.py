"""publish and patch: what changes a channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sonde_protocol.codes import DeliveryClass, Role
from sonde_protocol.cursor import Cursor
from sonde_protocol.frames import Patch, Publish
from sonde_server.core.records import VOLATILE_SEQ, Entry, Fenced, NewEvent, StoreUnavailable
from sonde_server.core.state import Contribution

if TYPE_CHECKING:
    from sonde_server.core.connection import Connection
    from sonde_server.core.hub import Hub
    from sonde_server.core.session import Session


async def publish(
    hub: Hub, session: Session, connection: Connection, frame: Publish, repeat: bool
) -> dict[str, Any] | None:
    """Append an event, once per number; or pass a volatile one on."""
    room = hub.rooms.get(frame.ch)
    config = hub.authority.to_publish(session, frame.ch, None if room is None else room.config)
    ts = hub.wall_ms()
    if frame.class_ is DeliveryClass.VOLATILE:
        entry = Entry(frame.ch, VOLATILE_SEQ, frame.type, frame.d, session.user, ts, class_=frame.class_)
        await _hand_out(hub, "", entry)
        return {}
    hub.continuity.require()
    event = NewEvent(frame.type, frame.d, session.user, ts, frame.class_, frame.key)
    try:
        appended = await hub.backend.log.append(frame.ch, config.limits, event, session.key(frame.id))
    except StoreUnavailable:
        hub.continuity.unsure(frame.ch)
        raise
    except Fenced:
        hub.lifecycle.supersede(session)  # void: it has moved, and asks again where it lives now
        return None
    if appended.entry is None:
        hub.metrics.repeats_total += 1
        return {"seq": appended.seq}
    hub.metrics.entries_total += 1
    await _hand_out(hub, appended.epoch, appended.entry)
    if appended.seq % hub.config.checkpoint_every == 0 and config.state:
        hub.run(hub.keep_checkpoint(frame.ch), "checkpoint")
    return {"seq": appended.seq}


async def _hand_out(hub: Hub, epoch: str, entry: Entry) -> None:
    room = hub.rooms.get(entry.ch)
    if room is not None:
        room.receive(epoch, entry)
    await hub.backend.bus.publish(hub.life, entry.ch, epoch, entry)


async def patch(hub: Hub, session: Session, connection: Connection, frame: Patch, repeat: bool) -> None:
    """Join the room's open tick; the answer comes when it is committed."""
    hub.authority.to_patch(session, frame.ch, frame.d)
    hub.continuity.require()
    room = await hub.open_room(frame.ch)
    try:
        document = await hub.document(room)
        contribution = Contribution(
            key=session.key(frame.id),
            user=session.user,
            patch=frame.d,
            base=None if frame.base is None else Cursor(document.epoch, frame.base),
            connection=connection,
            is_limited=Role.SERVICE not in session.roles,
        )
        await document.patch(contribution, may_be_repeat=repeat)
    finally:
        hub.close_room(room)
