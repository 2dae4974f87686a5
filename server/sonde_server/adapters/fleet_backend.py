"""The stores on Redis and the bus on NATS together: what the nodes of a fleet share."""

from __future__ import annotations

from functools import partial

from sonde_server.adapters.nats_bus import NatsBus
from sonde_server.adapters.nats_link import NatsLink
from sonde_server.adapters.nats_services import NatsHerald, NatsServices
from sonde_server.adapters.redis_link import RedisLink
from sonde_server.adapters.redis_log import RedisLog
from sonde_server.adapters.redis_presence import RedisPresence
from sonde_server.adapters.redis_sessions import RedisSessions
from sonde_server.core.config import Audience, GatewayConfig
from sonde_server.core.ports import Backend, Entropy


def fleet_backend(redis: str, nats: str, entropy: Entropy, config: GatewayConfig) -> Backend:
    """A backend behind two doors, which are still closed.

    Raises:
        ValueError: an address cannot be used.
    """
    store, link = RedisLink(redis), NatsLink(nats)
    personal = frozenset(
        name for name, space in config.namespaces.items() if space.audience is Audience.OWNER
    )
    return Backend(
        sessions=RedisSessions(store),
        log=RedisLog(store, entropy, command_ttl_s=2 * config.resume_ttl_s),
        presence=RedisPresence(store),
        bus=NatsBus(link, personal),
        herald=NatsHerald(link),
        serve=partial(NatsServices, link),
        store_door=store,
        bus_door=link,
    )
