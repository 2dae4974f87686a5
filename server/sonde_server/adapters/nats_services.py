"""Backend services over NATS: their requests and news in, and what happens here out.

Owns the subjects and the carrying; `core/services.py` decides. Requests go to one node of the queue group, news
to every node. Whoever may publish to `sonde.v1.` on this NATS may ask: NATS's own users and permissions guard it.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import msgspec

from sonde_server.adapters.nats_link import NatsLink
from sonde_server.adapters.nats_subjects import SERVICES, client_subject, lifecycle_subject
from sonde_server.core.services import News, Request, Services, too_large

QUEUE: Final = "sonde-gateways"


class NatsServices:
    """Carries requests and news to one node's `Services`."""

    def __init__(self, link: NatsLink, services: Services) -> None:
        self._link = link
        self._services = services

    async def start(self) -> None:
        """Take part from now on.

        Raises:
            StoreUnavailable: NATS is away.
        """
        for request in Request:
            self._link.listen(f"{SERVICES}.{request.value}", partial(self._ask, request), QUEUE)
        for news in News:
            self._link.listen(f"{SERVICES}.{news.value}", partial(self._hear, news))
        await self._link.settle()

    async def stop(self) -> None:
        """Leave requests to other nodes, and hear no news any more."""
        for kind in (*Request, *News):
            self._link.silence(f"{SERVICES}.{kind.value}")

    def _ask(self, request: Request, data: bytes, reply: str) -> None:
        self._services.ask(request, data, partial(self._answer, reply))

    def _answer(self, reply: str, data: bytes) -> None:
        """Nobody waits for an answer that names no subject for it."""
        if reply:
            self._link.publish(reply, data if len(data) <= self._link.max_payload else too_large())

    def _hear(self, news: News, data: bytes, reply: str) -> None:
        self._services.hear(news, data)


class NatsHerald:
    """A `Herald`: best effort, only while NATS is there, and never more than NATS carries."""

    def __init__(self, link: NatsLink) -> None:
        self._link = link
        self._encode = msgspec.json.Encoder().encode

    def client_event(self, ch: str, type_: str, event: dict[str, Any]) -> None:
        """A client published."""
        if self._link.is_up:
            self._send(client_subject(ch.partition(":")[0], type_), event)

    def lifecycle(self, what: str, facts: dict[str, Any]) -> None:
        """A session began, dropped, came back or ended."""
        if self._link.is_up:
            self._send(lifecycle_subject(what), facts)

    def _send(self, subject: str, facts: dict[str, Any]) -> None:
        data = self._encode(facts)
        if len(data) <= self._link.max_payload:
            self._link.publish(subject, data)
