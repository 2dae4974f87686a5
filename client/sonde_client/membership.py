"""All channels that the client wants, over connections and sessions.

Owns the list that a resume carries, the restoring of subscriptions after a new `identify`, and the routing of
a channel's frames. Talks to the gateway only through `ask`, which queues one of the session's own commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from sonde_client.errors import failure
from sonde_client.events import Failed
from sonde_client.metrics import Counters
from sonde_client.status import ResumeReport
from sonde_client.subscription import NEED_PRESENCE, NEED_STATE, Subscription
from sonde_protocol.cursor import Cursor
from sonde_protocol.errors import excerpt
from sonde_protocol.frames import (
    ChannelVerdict,
    ChannelWish,
    Command,
    Delta,
    Event,
    Live,
    Position,
    Presence,
    Snapshot,
    Subscribe,
    Sync,
    Unsubscribe,
    Unsubscribed,
)
from sonde_protocol.states import ChannelState

SYNC_INTERVAL_S: Final = 1.0  # a gateway that keeps sending holes is not asked more often than this

Emit = Callable[[Any], None]
Ask = Callable[[Command], None]


class Membership:
    """The client's subscriptions by channel name."""

    def __init__(self, emit: Emit, ask: Ask, counters: Counters) -> None:
        self.by_name: dict[str, Subscription] = {}
        self._emit = emit
        self._ask = ask
        self._counters = counters
        self._synced_at: dict[str, float] = {}
        self._sync_due: dict[str, float] = {}
        self._catching_up: set[str] = set()  # what the last resume brought back and is not live yet
        self._resumed: ResumeReport | None = None
        self._resume_started = 0.0

    # ------------------------------------------------------------ wishes

    def want(self, ch: str, *, presence: bool, state: bool, cursor: Cursor | None) -> Subscription:
        """The subscription of that name, made if need be; flags are what was asked for last."""
        subscription = self.by_name.get(ch)
        if subscription is None:
            subscription = Subscription(
                ch, self._emit, self._counters, presence=presence, state=state, cursor=cursor
            )
            self.by_name[ch] = subscription
        subscription.wants_presence, subscription.wants_state = presence, state
        if cursor is not None:
            subscription.tracker.cursor = cursor
        return subscription

    def drop(self, ch: str) -> Subscription | None:
        """The caller wants it no longer."""
        subscription = self.by_name.pop(ch, None)
        self._catching_up.discard(ch)
        self._sync_due.pop(ch, None)
        self._synced_at.pop(ch, None)
        if subscription is not None:
            subscription.left()
        return subscription

    def subscribe_frame(self, subscription: Subscription) -> Subscribe:
        """The command that brings a subscription up to date, from its cursor where it has one."""
        return Subscribe(
            id=0,
            ch=subscription.ch,
            cursor=subscription.cursor,
            presence=subscription.wants_presence,
            state=subscription.wants_state,
        )

    # ------------------------------------------------------------ sessions

    def resume_list(self) -> list[ChannelWish]:
        """What the present session is subscribed to, as far as the gateway has confirmed it."""
        return [
            ChannelWish(ch=s.ch, cursor=s.cursor, presence=s.wants_presence, state=s.wants_state)
            for s in self.by_name.values()
            if s.confirmed
        ]

    def restore(self, on_their_way: Iterable[str]) -> None:
        """Subscribe again to everything that the session lacks and no queued command asks for."""
        asked = set(on_their_way)
        for subscription in self.by_name.values():
            wanted = subscription.status not in (ChannelState.GONE, ChannelState.ABSENT)
            if wanted and not subscription.confirmed and subscription.ch not in asked:
                self._ask(self.subscribe_frame(subscription))

    def subscribed_by_gateway(self, positions: Iterable[Position]) -> None:
        """What `ready` says the session has without asking."""
        for position in positions:
            subscription = self.by_name.get(position.ch)
            if subscription is None:
                subscription = self.want(position.ch, presence=False, state=True, cursor=None)
                subscription.by_gateway = True
            if subscription.by_gateway:  # what the caller asked for itself is restored from its own cursor
                subscription.stands_at(position.epoch, position.seq)

    def resumed(self, verdicts: Iterable[ChannelVerdict], started: float, now: float) -> None:
        """Take a resume's verdicts; what the caller changed meanwhile is put right.

        What the former link confirmed when the resume was on its way already is not in it: the session lacks it here.
        """
        self._catching_up = set()
        snapshots = gone = 0
        told = {verdict.ch: verdict for verdict in verdicts}
        for former in self.by_name.values():
            if former.confirmed and former.ch not in told:
                former.dropped()
                former.confirmed = False
        for verdict in told.values():
            subscription = self.by_name.get(verdict.ch)
            if subscription is None:
                self._ask(Unsubscribe(id=0, ch=verdict.ch))
                continue
            subscription.resumed(verdict)
            if verdict.verdict == "gone":
                gone += 1
                detail = f"{verdict.ch}: {excerpt(verdict.cause)}."
                self._emit(Failed(failure("channel_gone", detail, now)))
            else:
                snapshots += verdict.verdict == "snapshot"
                self._catching_up.add(verdict.ch)
        self._resume_started = started
        self._resumed = ResumeReport(len(self._catching_up) + gone, 0, 0.0, snapshots=snapshots, gone=gone)

    def take_report(self, now: float) -> ResumeReport | None:
        """The report of a resume, once every channel of it is live."""
        if self._resumed is None or self._catching_up:
            return None
        draft, self._resumed = self._resumed, None
        replayed = sum(s.replayed for s in self.by_name.values())
        for subscription in self.by_name.values():
            subscription.replayed = 0
        return ResumeReport(
            draft.channels,
            replayed,
            (now - self._resume_started) * 1000.0,
            snapshots=draft.snapshots,
            gone=draft.gone,
        )

    def link_down(self) -> None:
        """Nothing arrives any more."""
        self._catching_up = set()
        self._resumed = None
        self._sync_due.clear()
        for subscription in self.by_name.values():
            subscription.dropped()

    def session_gone(self) -> None:
        """The gateway knows none of the subscriptions any more."""
        for subscription in self.by_name.values():
            subscription.confirmed = False

    # ------------------------------------------------------------ frames

    def on_entry(self, frame: Event | Delta, now: float) -> None:
        subscription = self._active(frame.ch)
        if subscription is not None:
            subscription.on_entry(frame, now)
            if subscription.needs:
                self._sync(subscription, now)

    def on_live(self, frame: Live, now: float) -> None:
        subscription = self._active(frame.ch)
        if subscription is not None:
            subscription.on_live(frame, now)
            self._catching_up.discard(frame.ch)
            if subscription.needs:
                self._sync(subscription, now)

    def on_snapshot(self, frame: Snapshot, now: float) -> None:
        subscription = self._active(frame.ch)
        if subscription is not None:
            subscription.on_snapshot(frame, now)
            if subscription.needs:
                self._sync(subscription, now)

    def on_presence(self, frame: Presence, now: float) -> None:
        subscription = self._active(frame.ch)
        if subscription is not None:
            subscription.on_presence(frame)
            if subscription.needs:
                self._sync(subscription, now)

    def on_unsubscribed(self, frame: Unsubscribed, now: float) -> None:
        subscription = self._active(frame.ch)
        if subscription is not None:
            self._catching_up.discard(frame.ch)
            subscription.removed()
            detail = f"{frame.ch}: {excerpt(frame.code)}."
            self._emit(Failed(failure("channel_gone", detail, now)))

    def _active(self, ch: str) -> Subscription | None:
        subscription = self.by_name.get(ch)
        if subscription is None or subscription.status in (ChannelState.ABSENT, ChannelState.GONE):
            return None
        return subscription

    # ------------------------------------------------------------ repair

    def _sync(self, subscription: Subscription, now: float) -> None:
        """Ask for what a subscription lacks, at most once an interval."""
        due = self._synced_at.get(subscription.ch, -SYNC_INTERVAL_S) + SYNC_INTERVAL_S
        if now < due:
            self._sync_due[subscription.ch] = due
            return
        needs = subscription.take_needs()
        if needs:
            self._synced_at[subscription.ch] = now
        if needs & NEED_STATE:
            self._ask(Sync(id=0, ch=subscription.ch))
        if needs & NEED_PRESENCE:
            self._ask(Sync(id=0, ch=subscription.ch, presence=True))

    def tick(self, now: float) -> None:
        """Ask for what had to wait."""
        for ch in [ch for ch, due in self._sync_due.items() if due <= now]:
            del self._sync_due[ch]
            subscription = self._active(ch)
            if subscription is not None:
                self._sync(subscription, now)

    def next_deadline(self) -> float | None:
        """When a repair that had to wait is due."""
        return min(self._sync_due.values(), default=None)
