"""subscribe, unsubscribe, sync, history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sonde_protocol.codes import ErrorCode, LeaveReason
from sonde_protocol.cursor import Cursor
from sonde_protocol.errors import Refused
from sonde_protocol.frames import History, Subscribe, Sync, Unsubscribe

if TYPE_CHECKING:
    from sonde_server.core.connection import Connection
    from sonde_server.core.hub import Hub
    from sonde_server.core.rooms import Subscription
    from sonde_server.core.session import Session


async def subscribe(
    hub: Hub, session: Session, connection: Connection, frame: Subscribe, repeat: bool
) -> None:
    """Join a channel: reply, then snapshot, presence, missed entries, `live`."""
    hub.authority.to_subscribe(session, frame.ch)
    if frame.ch not in session.subscriptions and len(session.subscriptions) >= hub.config.max_subscriptions:
        raise Refused(ErrorCode.LIMIT_REACHED, "too many subscriptions")
    room = await hub.open_room(frame.ch)
    subscription = hub.recovery.enter(session, room, frame.presence, frame.state)
    cursor = None if frame.cursor is None else Cursor(*frame.cursor)
    try:
        ruling = await hub.recovery.judge(subscription, cursor, resuming=False)
        await hub.attendance.join(subscription)
    except BaseException:
        room.remove(subscription)
        raise
    cause = "ok" if cursor is None else ruling.cause.value
    connection.reply(
        frame.id,
        {"epoch": ruling.epoch, "seq": ruling.top, "verdict": ruling.verdict.value, "cause": cause},
    )
    hub.recovery.start(subscription, ruling, cursor.seq if cursor else 0, resuming=False)


async def unsubscribe(
    hub: Hub, session: Session, connection: Connection, frame: Unsubscribe, repeat: bool
) -> dict[str, Any]:
    """Leave a channel. One that the session is not in is left already."""
    hub.authority.namespace(frame.ch)
    subscription = session.subscriptions.get(frame.ch)
    if subscription is not None:
        subscription.room.remove(subscription)
        await hub.attendance.leave(session, (frame.ch,), LeaveReason.LEFT)
    return {}


async def sync(hub: Hub, session: Session, connection: Connection, frame: Sync, repeat: bool) -> None:
    """A fresh snapshot, of the state or of who is there."""
    subscription = _own_subscription(hub, session, frame.ch)
    room = subscription.room
    if frame.presence:
        if room.presence is None:
            raise Refused(ErrorCode.NOT_SUPPORTED, "channels of this namespace have no presence")
        connection.reply(frame.id, {})
        connection.send(room.presence.snapshot(subscription))
        return
    if room.config.state and subscription.wants_state:
        await hub.document(room)
    if room.snapshot_seq() < subscription.sent:  # a replay told this one more than the bus has told the node
        await room.verify()
    connection.reply(frame.id, {})
    hub.recovery.resnapshot(subscription, None)


async def history(
    hub: Hub, session: Session, connection: Connection, frame: History, repeat: bool
) -> dict[str, Any]:
    """A page of old entries, whole frames, at most 256 KiB of them; an entry larger than that is a page alone."""
    config = hub.authority.to_subscribe(session, frame.ch)
    top = await hub.backend.log.top(frame.ch, config.limits)
    entries = await hub.backend.log.read(frame.ch, top.epoch, frame.after, frame.limit)
    page: list[Any] = []
    room_bytes = hub.config.history_page_bytes
    for entry in entries:
        shown = entry.frame()
        room_bytes -= len(connection.codec.encode(shown)) + 1
        if room_bytes < 0 and page:
            break
        page.append(shown)
    return {"epoch": top.epoch, "first": top.first, "top": top.seq, "entries": page}


def _own_subscription(hub: Hub, session: Session, ch: str) -> Subscription:
    hub.authority.namespace(ch)
    subscription = session.subscriptions.get(ch)
    if subscription is None:
        raise Refused(ErrorCode.BAD_REQUEST, "not subscribed to this channel")
    return subscription
