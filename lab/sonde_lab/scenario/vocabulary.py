"""The words of a scenario: keys of each table, behaviours, acts beside the proxy's faults, and expectations.

Owns the tables from which files are checked and the page is made. What a word does is in `behaviours`, `judging` and
the stages.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from sonde_lab.scenario.keys import Holds, Key
from sonde_protocol.states import ConnectionState

MAX_CLIENTS: Final = 50
MAX_STEPS: Final = 200
MAX_EXPECTATIONS: Final = 200
MAX_NODES: Final = 9

SCENARIO_KEYS: Final = (
    Key("name", Holds.TEXT, "what people call it", is_needed=True),
    Key("seed", Holds.WHOLE, "what is left to chance comes from it", default=1, high=2**31),
    Key(
        "duration",
        Holds.DURATION,
        "how long clients act and faults may hold",
        default=20.0,
        low=0.1,
        high=600.0,
    ),
    Key(
        "settle",
        Holds.DURATION,
        "afterwards nothing is wrong and nobody acts for so long",
        default=3.0,
        high=300.0,
    ),
)
GATEWAY_KEYS: Final = (
    Key(
        "nodes",
        Holds.WHOLE,
        "how many gateways; from 2 on with Redis and NATS",
        default=1,
        low=1,
        high=MAX_NODES,
    ),
    Key("heartbeat", Holds.DURATION, "silence after which a peer is pinged", low=1.0, high=600.0),
    Key("grace", Holds.DURATION, "how long a dropped member shows as reconnecting", low=1.0, high=600.0),
    Key("resume_ttl", Holds.DURATION, "how long a dropped session may be resumed", low=1.0, high=3_600.0),
    Key(
        "auth_warning",
        Holds.DURATION,
        "auth_required comes this long before a token ends",
        low=1.0,
        high=600.0,
    ),
    Key("auth_grace", Holds.DURATION, "time after a token's end until 4010", low=1.0, high=600.0),
)
CLIENT_KEYS: Final = (
    Key("name", Holds.TEXT, "its name, its user, and the `conn` of its rows", is_needed=True),
    Key("channels", Holds.TEXTS, "where it is subscribed, with presence", default=()),
    Key("behaviour", Holds.TEXT, "what it does in its first channel", default="silent"),
    Key("token_life", Holds.DURATION, "how long each of its tokens lives", low=2.0),
    Key(
        "measure_every",
        Holds.DURATION,
        "how often it measures its round trip; `0s`: never, so that a silent client is silent",
        default=1.0,
        high=600.0,
    ),
)
BEHAVIOURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "silent": "listens",
        "walker": "patches its place into the document, three to five times a second",
        "chatter": "publishes a line every 0.3 to 1.5 s",
        "publisher(rate_hz)": "publishes so often a second, 100 at most",
    }
)
STEP_KEYS: Final = (
    Key("at", Holds.DURATION, "when, from the start", is_needed=True, high=600.0),
    Key("fault", Holds.TEXT, "what goes wrong", is_needed=True),
    Key("target", Holds.TEXT, "`client:NAME`, `node:NAME`; without, every client"),
)


class On(enum.Enum):
    """Whom an act is done to."""

    NODE = "node"
    CLIENT = "client"
    STORES = "the stores"


class Act(NamedTuple):
    """Something that goes wrong beside the connections. `lasts_s`: its `for`, unless the step says another."""

    on: On
    says: str
    lasts_s: float


ACTS: Final[Mapping[str, Act]] = MappingProxyType(
    {
        "node_crash": Act(On.NODE, "a gateway's process is killed, and begins again after `for`", 1.0),
        "node_freeze": Act(On.NODE, "a gateway's process stands still `for` so long", 2.0),
        "node_drain": Act(
            On.NODE, "a gateway tells its clients to leave within `for`, ends and begins again", 2.0
        ),
        "leave": Act(On.CLIENT, "the client says goodbye, and comes anew after `for`", 2.0),
        "stores_away": Act(On.STORES, "every store fails `for` so long", 2.0),
    }
)
ACT_KEYS: Final = (*STEP_KEYS, Key("for", Holds.DURATION, "for how long", low=0.1, high=300.0))

_CLIENT: Final = Key("client", Holds.TEXT, "of this one; without, of each")
_CHANNEL: Final = Key("channel", Holds.TEXT, "in this one; without, in every one that it is in")
_TIMES: Final = Key("times", Holds.WHOLE, "so often; without, at least once", high=10_000)


class Kind(NamedTuple):
    """A kind of expectation: what must hold, and its keys."""

    says: str
    keys: tuple[Key, ...]


EXPECTATIONS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "reconnected": Kind(
            "the client was cut off at least once, and was live again each time `within` of noticing it",
            (_CLIENT, Key("within", Holds.DURATION, "at most so long", is_needed=True, low=0.001), _TIMES),
        ),
        "never_dropped": Kind("the client was live all the time", (_CLIENT,)),
        "resumed": Kind("the client took its session up again", (_CLIENT, _TIMES)),
        "new_session": Kind("the client lost its session and made a new one", (_CLIENT, _TIMES)),
        "no_lost_entries": Kind(
            "every entry of the channel since the client came there reached it. A part of the document that came as a "
            "whole counts; an event that did not come is lost",
            (_CLIENT, _CHANNEL),
        ),
        "no_duplicates": Kind(
            "no entry was told to the client twice, and nothing that was published once is in the log twice",
            (_CLIENT, _CHANNEL),
        ),
        "close_code": Kind(
            "the client saw its connection end with this code; 1006 is an end without one",
            (_CLIENT, Key("code", Holds.WHOLE, "which", is_needed=True, low=1000, high=4999), _TIMES),
        ),
        "verdict": Kind(
            "the client's connection ended, or its dial failed, for this [cause](verdicts.md)",
            (
                _CLIENT,
                Key("cause", Holds.TEXT, "which, as in the table there", is_needed=True),
                _TIMES,
                Key("seen_by", Holds.TEXTS, "as those clients could tell it; without, as all could"),
            ),
        ),
        "state_converged": Kind(
            "all who are in the channel have the same document in the end, and it is that of a witness whom no fault touches",
            (_CHANNEL,),
        ),
        "presence": Kind(
            "in the end the client sees exactly these, and nobody reconnecting",
            (_CLIENT, _CHANNEL, Key("sees", Holds.TEXTS, "names of clients", is_needed=True)),
        ),
        "ends": Kind(
            "the client's connection is in this state in the end",
            (_CLIENT, Key("state", Holds.TEXT, "which", is_needed=True, words=tuple(s.value for s in ConnectionState))),
        ),
        "latency_p95": Kind(
            "95 of 100 commands of the client were answered faster (nearest rank)",
            (_CLIENT, Key("below", Holds.DURATION, "than this", is_needed=True, low=0.001)),
        ),
        "rows": Kind(
            "so many rows of the run fit a filter. The clients' rows bear their names as `conn`",
            (
                Key("filter", Holds.TEXT, "the filter", is_needed=True),
                Key("at_least", Holds.WHOLE, "no fewer", high=1_000_000),
                Key("at_most", Holds.WHOLE, "no more", high=1_000_000),
                Key("exactly", Holds.WHOLE, "as many", high=1_000_000),
            ),
        ),
    }
)  # fmt: skip
